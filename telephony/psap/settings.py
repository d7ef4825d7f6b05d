"""Settings of a 112 control centre and the channels that lead to it, beside the code that obeys them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, HttpUrl, Tag, model_validator

from telephony.fields import Dialled, Digit, Endpoint, Name, Says, Seconds, Secret, Table, Tls

CapName = Annotated[str, Field(pattern=r"^[^\s,<&]+$"), Says("a text without blank, comma, < and &")]
"""Who sends or receives, as CAP 1.2 clause 3.2.1 spells it."""


class CapHttpChannel(Table):
    """``[[psap.channel]]`` with ``kind = "cap-http"``: CAP 1.2 by HTTP(S) POST."""

    kind: Literal["cap-http"] = "cap-http"
    name: Name
    url: HttpUrl
    after_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Used only for reports that no earlier channel has delivered within this time. 0: at once."""
    authorization: Secret | None = None
    """Value of the Authorization header."""
    timeout_s: Seconds = 10.0
    concurrency: Annotated[int, Field(ge=1, le=200)] = 32
    """Reports in flight at once; of one incident never more than one."""
    tls: Tls | None = None


class VoiceChannel(Table):
    """``[[psap.channel]]`` with ``kind = "voice"``: the report is spoken on the telephone, in the centre's language.

    Delivered only when the operator pressed the confirming digit. Only alerts are spoken: a person who has understood
    is not called again for every update.
    """

    kind: Literal["voice"]
    name: Name
    number: Dialled = "112"
    endpoint: Endpoint = "centre-voice"
    """The line that it is called by: an endpoint of Asterisk's ``pjsip.conf``."""
    caller_id: Dialled | None = None
    """The number that the centre sees."""
    after_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Used only for reports that no earlier channel has delivered within this time. 0: at once."""
    ring_s: Annotated[float, Field(ge=5, le=120)] = 20.0
    confirm_digit: Digit = "1"
    repeat_digit: Digit = "2"
    """The message begins again."""
    concurrency: Annotated[int, Field(ge=1, le=200)] = 2
    """Calls at once; of one incident never more than one."""

    @model_validator(mode="after")
    def _digits_differ(self) -> Self:
        if self.confirm_digit == self.repeat_digit:
            raise ValueError("give confirm_digit and repeat_digit different digits")
        return self


def _kind(written: Any) -> str | None:
    """Return the kind of a channel as it was written; ``None`` for what has none."""
    kind = written.get("kind", "cap-http") if isinstance(written, dict) else getattr(written, "kind", None)
    return kind if isinstance(kind, str) else None


Channel = Annotated[
    Annotated[CapHttpChannel, Tag("cap-http")] | Annotated[VoiceChannel, Tag("voice")], Discriminator(_kind)
]
"""A way to the centre, told apart by its ``kind``."""


def _with_data(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
    if all(isinstance(each, VoiceChannel) for each in channels):
        raise ValueError('has no channel with kind = "cap-http", and a telephone hears of alerts only')
    return channels


class Psap(Table):
    """One 112 centre: ``[[psap]]``."""

    earlier_keys: ClassVar[Mapping[str, str]] = {"voice": "channel"}

    name: Name
    carriers: tuple[Name, ...] = ()
    """Carriers whose presses go here; empty: every carrier that no other centre lists."""
    sender: CapName = "onetouch.example"
    """CAP sender: who we are, domain-like."""
    addresses: CapName
    """CAP addresses: who they are (scope is always Private)."""
    language: Literal["ko", "en"] = "ko"
    heartbeat_s: Annotated[float, Field(ge=10, le=3600)] | None = None
    """Seconds between two heartbeats on each channel by data. Unset: none, for a centre that does not know them could take
    each for an emergency."""
    status_token: Secret | None = None
    """What its own system sends as ``Authorization: Bearer`` to ``/v1/centre/<name>/status``; unset: it cannot."""
    channel: Annotated[tuple[Channel, ...], Field(min_length=1), AfterValidator(_with_data)]
    """At least one by data. A telephone is what to fall back to when no other channel delivers."""

    @property
    def data_channels(self) -> tuple[CapHttpChannel, ...]:
        """The channels by data."""
        return tuple(each for each in self.channel if isinstance(each, CapHttpChannel))

    @property
    def voice_channels(self) -> tuple[VoiceChannel, ...]:
        """The telephones."""
        return tuple(each for each in self.channel if isinstance(each, VoiceChannel))
