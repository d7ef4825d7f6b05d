"""Settings of the SMPP links, of our SMPP listener, and of the texts that we send."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from telephony.fields import Name, Port, Says, Seconds, Secret, Table, Tls

BindKind = Literal["transceiver", "receiver", "transmitter"]
Version = Literal["3.3", "3.4", "5.0"]
DefaultAlphabet = Literal["gsm0338", "gsm0338-packed", "latin-1", "ascii", "cp949", "utf-8"]
TransientStatus = Literal["ESME_RMSGQFUL", "ESME_RTHROTTLED", "ESME_RSYSERR", "ESME_RX_T_APPN"]
AddressRange = Annotated[str, Field(max_length=40)]


class Dialect(Table):
    """Peculiarities of a carrier's SMSC; shared by the links of the carrier."""

    default_alphabet: DefaultAlphabet = "gsm0338"
    """How data_coding 0x00 is read (SMPP 3.4 clause 5.2.19 leaves it to the message centre)."""
    retry_status: TransientStatus = "ESME_RMSGQFUL"
    """Answer to a press that could not be stored: must make this SMSC deliver it again."""
    repeat_window_s: Seconds = 600.0
    """A message that may be a redelivery counts as one within this time of its press, later as a new press."""
    text_alphabet: Literal["ucs2", "ks-x-1001"] = "ucs2"
    """How Korean texts are sent: UCS-2 (70 characters a part) or EUC-KR, data_coding 0x0E (80 octets a part)."""
    receipt_id_base: Literal["raw", "hex-to-decimal", "decimal-to-hex"] = "raw"
    """How a receipt's message id is turned into the form of submit_sm_resp."""


class Sms(Table):
    """Texts that we send, to guardians and to people who sign up: ``[sms]``. Without it none is sent."""

    sender: Annotated[str, Field(pattern=r"^[0-9]{3,20}$"), Says("three to twenty digits in quotes")]
    """The number that phones show and reply to: one of ``recognition.service_numbers``."""
    sender_ton: Annotated[int, Field(ge=0, le=255)] = 0
    sender_npi: Annotated[int, Field(ge=0, le=255)] = 1
    per_s: Annotated[float, Field(gt=0, le=10_000)] = 20.0
    """The most that leave one bind in a second: presses and their answers share it."""


class EsmeLink(Table):
    """One bind of ours to a carrier's SMSC: ``[[carrier.smpp]]``."""

    name: Name
    host: str
    port: Port = 2775
    bind: BindKind = "transceiver"
    version: Version = "3.4"
    system_id: Annotated[str, Field(max_length=15)]
    password: Secret | None = None
    system_type: Annotated[str, Field(max_length=12)] = ""
    address_ton: Annotated[int, Field(ge=0, le=255)] = 0
    address_npi: Annotated[int, Field(ge=0, le=255)] = 0
    address_range: AddressRange = ""
    tls: Tls | None = None
    window: Annotated[int, Field(ge=1, le=1000)] = 10
    """Requests of ours that may be unanswered at once."""
    connect_timeout_s: Seconds = 5.0
    bind_timeout_s: Seconds = 10.0
    response_timeout_s: Seconds = 10.0
    enquire_link_s: Seconds = 10.0
    """Silence after which enquire_link is sent."""
    enquire_response_s: Seconds = 5.0
    """Wait for its answer; two misses and the link is dead (10 + 5 + 5 = 20 s at the latest)."""
    unbind_timeout_s: Seconds = 5.0
    """Bound on answering what is in flight before the link is closed."""
    outbind_port: Port | None = None
    """Listen here for the SMSC's outbind; its source must be ``host``."""

    @model_validator(mode="after")
    def _outbind_without_tls(self) -> Self:
        # The bind that answers an outbind carries the password, and that connection is not encrypted.
        if self.outbind_port is not None and self.tls is not None:
            raise ValueError("outbind_port cannot be used on a link with tls")
        return self


class Peer(Table):
    """A carrier's gateway that binds to us: ``[[carrier.peer]]``."""

    name: Name
    system_id: Annotated[str, Field(max_length=15)]
    password: Secret
    addresses: tuple[str, ...] = ()
    """IP addresses or networks it may come from; empty: any. Where every peer has a list, all other addresses are
    closed as they are accepted."""
    max_binds: Annotated[int, Field(ge=1, le=100)] = 4

    @field_validator("addresses")
    @classmethod
    def _addresses_can_be_read(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            ip_network(address, strict=False)
        return addresses


class Server(Table):
    """Our own SMPP listener for carriers that bind to us: ``[smpp_server]``."""

    interface: str = "0.0.0.0"  # noqa: S104 - a carrier comes from outside; peers are listed by address
    port: Port = 2775
    tls_certificate: Path | None = None
    """PEM file: the server's certificate, then its chain."""
    tls_key: Path | None = None
    system_id: Annotated[str, Field(max_length=15)] = "onetouch"
    window: Annotated[int, Field(ge=1, le=1000)] = 100
    bind_timeout_s: Seconds = 5.0
    """From the connection to its bind, TLS included; nothing but a bind buys more."""
    enquire_link_s: Seconds = 10.0
    enquire_response_s: Seconds = 5.0
    unbind_timeout_s: Seconds = 5.0
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Connections that have not bound yet: so many of strangers, and so many of each known gateway. For a new one the
    oldest of the address that has most is closed."""
    max_connections_per_address: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Of them, those of one address (of IPv6: one /64); at least as many as a peer may have binds."""
    failed_binds_before_pause: Annotated[int, Field(ge=1)] = 5
    """So many failed binds of an address within ten minutes, and its binds wait before they are judged."""
    failed_bind_pause_s: Seconds = 2.0
    """How long they wait. A gateway that has bound from there before does not, with the right password."""

    @model_validator(mode="after")
    def _a_pause_is_shorter_than_the_wait(self) -> Self:
        if self.failed_bind_pause_s >= self.bind_timeout_s:
            raise ValueError(
                "failed_bind_pause_s must be shorter than bind_timeout_s, or no bind after it ever succeeds"
            )
        return self

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("give tls_certificate and tls_key together")
        return self
