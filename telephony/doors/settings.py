"""Settings of our web server."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from telephony.fields import Name, Port, Seconds, Secret, Table


class Presser(Table):
    """A machine that presses over HTTP, and what it may press for: ``[[web.presser]]``."""

    name: Name
    """Its presses bear this name as the link that they came by."""
    token: Secret
    """What it sends as ``Authorization: Bearer``."""
    sources: Annotated[tuple[Literal["app", "terminal", "system"], ...], Field(min_length=1)]
    """``app``, ``terminal``, ``system``; the first stands where a press names none, or another."""
    carriers: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Whose location services are asked; the first stands where a press names none, or another."""
    addresses: tuple[str, ...] = ()
    """IP addresses or networks it may come from; empty: any."""

    @field_validator("addresses")
    @classmethod
    def _addresses_can_be_read(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            ip_network(address, strict=False)
        return addresses


class Web(Table):
    """The web server for machines: 112 asking for a call's position, apps and terminals that press: ``[web]``."""

    interface: str = "127.0.0.1"
    port: Port = 8480
    tls_certificate: Path | None = None
    """PEM file: the server's certificate, then its chain. Without it the URL is plain http."""
    tls_key: Path | None = None
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 500
    """When all are in use, the oldest idle one of the address that has most is closed for a new one."""
    max_connections_per_address: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Of them, those of one address (of IPv6: one /64). Loopback may take all: a proxy there speaks for many."""
    idle_timeout_s: Seconds = 15.0
    """Time for a whole request to arrive, from the first octet of the connection or the end of the answer before."""
    presser: tuple[Presser, ...] = ()

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give tls_certificate and tls_key together")
        return self
