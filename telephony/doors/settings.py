"""Settings of our web server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from telephony.fields import Port, Seconds, Table


class Web(Table):
    """The web server for others, above all for 112 asking for a call's position: ``[web]``."""

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

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give tls_certificate and tls_key together")
        return self
