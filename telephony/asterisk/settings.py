"""Settings of the Asterisk servers, the trunks, the voice calls and the service menu."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from telephony.fields import Name, Port, Says, Seconds, Secret, Table, Tls


def _network(text: str) -> str:
    return str(ip_network(text, strict=False))


Network = Annotated[str, AfterValidator(_network)]
"""An address, or a network of them: ``192.0.2.10``, ``192.0.2.0/28``, ``2001:db8::/64``."""


class SipMirror(Table):
    """Where an Asterisk mirrors its SIP to, ``capture_address`` of its hep.conf: ``[asterisk.mirror]``."""

    interface: str = "127.0.0.1"
    """Anyone who may send here can make presses: loopback, or a network of nothing but Asterisk servers."""
    port: Port
    password: Secret | None = None
    """``capture_password`` of hep.conf."""


class AsteriskServer(Table):
    """One Asterisk whose manager interface we watch: ``[[asterisk]]``."""

    name: Name
    """Must also be Asterisk's own ``systemname`` (asterisk.conf): its unique ids of channels begin with it."""
    host: str = "127.0.0.1"
    port: Port = 5038
    username: Annotated[
        str,
        Field(pattern=r"^[^\x00-\x1f\x7f]{1,80}$"),
        Says("a text in quotes on one line, 80 characters at most"),
    ] = "onetouch"
    """A section of Asterisk's ``manager.conf``; it needs ``read = system`` to be told FullyBooted."""
    secret: Secret
    """Never crosses the wire: the login answers a challenge with MD5."""
    tls: Tls | None = None
    mirror: SipMirror | None = None
    connect_timeout_s: Seconds = 5.0
    """Bound on the connection, and again on Asterisk's banner."""
    login_timeout_s: Seconds = 5.0
    """Bound on the challenge, and again on the login."""
    response_timeout_s: Seconds = 5.0
    """Wait for the answer to an action, and for each next event of a list."""
    ping_s: Seconds = 10.0
    """Silence after which Ping is sent."""
    ping_timeout_s: Seconds = 5.0
    """Wait for its answer; without one the link is dead (10 + 5 = 15 s at the latest)."""
    recordings: Path | None = None
    """The folder in which this process sees the server's recordings; unset: where Asterisk writes them, on this host."""


class CarrierTrunk(Table):
    """One voice trunk of a carrier: ``[[carrier.trunk]]``."""

    name: Name
    """As in the dialplan: its calls enter context ``from-<name>``, its endpoint in pjsip.conf has this name."""
    addresses: tuple[Network, ...] = ()
    """From where its calls come: ``match`` of its identify in pjsip.conf. A refused call is known by it."""


class KnockSetting(Table):
    """A meaning of tapped keys: ``[[voice.knock]]``. Exact ``digits`` win over a number of ``taps``."""

    meaning: Name
    """The name that machines read in the reports, e.g. "cannot-speak"."""
    digits: (
        Annotated[
            str,
            Field(pattern=r"^[0-9*#A-D]{1,16}$"),
            Says("the keys in quotes: digits, *, #, A to D, 16 at most"),
        ]
        | None
    ) = None
    taps: Annotated[int, Field(ge=1, le=16)] | None = None
    ko: Annotated[str, Field(min_length=1, max_length=80)]
    en: Annotated[str, Field(min_length=1, max_length=80)]

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.digits is None) == (self.taps is None):
            raise ValueError("give either digits (exactly which keys) or taps (how many)")
        return self


class Voice(Table):
    """Settings common to all trunks: ``[voice]``."""

    knock_gap_s: Annotated[float, Field(ge=0.3, le=10)] = 1.5
    """Taps that are closer together are one knock."""
    knock: tuple[KnockSetting, ...] = ()


class ServiceMenu(Table):
    """The menu of the service number, for which Asterisk asks us by FastAGI: ``[service_menu]``."""

    earlier_keys: ClassVar[Mapping[str, str]] = {"agi_interface": "interface", "agi_port": "port"}

    interface: str = "127.0.0.1"
    """FastAGI has no authentication: loopback, or a network of nothing but Asterisk servers."""
    port: Port = 4573
    max_calls: Annotated[int, Field(ge=1, le=1_000)] = 20
    """Calls at once; the next caller is told that the menu is not available."""
    request_timeout_s: Seconds = 2.0
    """From Asterisk's connection to the end of its request."""
    idle_s: Annotated[float, Field(ge=1, le=300)] = 30.0
    """Longest step of the menu: a prompt or two, and the wait for a digit. When we are not heard of again by then,
    Asterisk ends the menu with an apology; when Asterisk is not, we close."""
    digit_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """Wait for a digit after a prompt."""

    @model_validator(mode="after")
    def _a_step_holds_the_wait(self) -> Self:
        if self.digit_s >= self.idle_s:
            raise ValueError(
                "digit_s must be shorter than idle_s, which is for a prompt and that wait together"
            )
        return self
