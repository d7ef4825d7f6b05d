"""Settings of the Asterisk servers, beside the code that obeys them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from telephony.domain.guardian import Guardian, ListedGuardians
from telephony.domain.values import Msisdn
from telephony.fields import Name, Port, Seconds, Secret, Table, Tls

Digit = Annotated[str, Field(pattern=r"^[0-9]$")]
Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 -]{0,30}$")]
"""A number as people write it, digits with blanks or hyphens."""
Dialled = Annotated[str, Field(pattern=r"^\+?[0-9]{1,24}$")]
Endpoint = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
"""An endpoint of Asterisk's ``pjsip.conf``."""


def _network(text: str) -> str:
    return str(ip_network(text, strict=False))


Network = Annotated[str, AfterValidator(_network)]
"""An address, or a network of them: ``192.0.2.10``, ``192.0.2.0/28``, ``2001:db8::/64``."""


class SipMirror(Table):
    """Where an Asterisk mirrors its SIP to, ``capture_address`` of its hep.conf: ``[asterisk.mirror]``."""

    interface: str = "127.0.0.1"
    """Whoever may send here can make presses: loopback, or a network of nothing but Asterisk servers."""
    port: Port
    password: Secret | None = None
    """``capture_password`` of hep.conf."""


class AsteriskServer(Table):
    """One Asterisk whose manager interface we watch: ``[[asterisk]]``."""

    name: Name
    """Must also be Asterisk's own ``systemname`` (asterisk.conf): its unique ids of channels begin with it."""
    host: str = "127.0.0.1"
    port: Port = 5038
    username: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,80}$")] = "onetouch"
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
    """One voice line of a carrier: ``[[carrier.trunk]]``."""

    name: Name
    """As in the dialplan: its calls enter context ``from-<name>``, its endpoint in pjsip.conf has this name."""
    addresses: tuple[Network, ...] = ()
    """From where its calls come: ``match`` of its identify in pjsip.conf. A refused call is known by it."""


class KnockSetting(Table):
    """What tapped keys mean: ``[[voice.knock]]``. Exact ``digits`` win over a number of ``taps``."""

    meaning: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    """The name that machines read in the reports, e.g. "cannot-speak"."""
    digits: Annotated[str, Field(pattern=r"^[0-9*#A-D]{1,16}$")] | None = None
    taps: Annotated[int, Field(ge=1, le=16)] | None = None
    ko: Annotated[str, Field(min_length=1, max_length=80)]
    en: Annotated[str, Field(min_length=1, max_length=80)]

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.digits is None) == (self.taps is None):
            raise ValueError("give either digits (exactly which keys) or taps (how many)")
        return self


class Voice(Table):
    """What is common to all voice lines: ``[voice]``."""

    knock_gap_s: Annotated[float, Field(ge=0.3, le=10)] = 1.5
    """Taps that are closer together are one knock."""
    knock: tuple[KnockSetting, ...] = ()


class ServiceMenu(Table):
    """The menu of the service number, for which Asterisk asks us by FastAGI: ``[service_menu]``."""

    agi_interface: str = "127.0.0.1"
    """FastAGI has no authentication: loopback, or a network of nothing but Asterisk servers."""
    agi_port: Port = 4573
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


class ListedGuardian(Table):
    """A guardian of one caller: ``[[guardians.listed]]``, in the order in which they are called."""

    of: Phone
    """The caller's number."""
    phone: Phone
    language: Literal["ko", "en"] = "ko"
    relation: Annotated[str, Field(max_length=40)] = ""
    """What the guardian is to the caller, as 112 reads it."""


class Guardians(Table):
    """How guardians are told: ``[guardians]``. Those of registered people, and those listed here."""

    by: tuple[Literal["sms", "call"], ...] = ("sms", "call")
    """The ways, each where there is one: ``[sms]``, ``[[asterisk]]``."""
    reply_s: Annotated[float, Field(ge=0, le=3_600)] = 60.0
    """After a text, how long a reply is waited for before the next guardian is told."""
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    """How often the whole list is gone through until somebody confirms."""
    ring_s: Annotated[float, Field(ge=5, le=120)] = 25.0
    """How long a phone may ring. Many voicemails answer after 30 s."""
    pause_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    """Pause between two calls."""
    confirm_digit: Digit = "1"
    endpoint: Endpoint = "guardian"
    """The line that they are called by: an endpoint of ``pjsip.conf``."""
    caller_id: Dialled | None = None
    """The number that their phones show: one of ours, so that calling back rings no child's phone."""
    listed: tuple[ListedGuardian, ...] = ()

    def book(self, *, country_code: str = "82", trunk_prefix: str = "0") -> ListedGuardians:
        """Give the guardians as they are looked up, numbers brought into E.164."""

        def number(raw: str) -> Msisdn:
            return Msisdn.parse(raw, country_code=country_code, trunk_prefix=trunk_prefix)

        by_caller: dict[str, list[Guardian]] = {}
        for each in self.listed:
            guardian = Guardian(number(each.phone), each.language, each.relation)
            by_caller.setdefault(number(each.of).number, []).append(guardian)
        return ListedGuardians(by_caller)
