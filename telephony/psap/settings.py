"""Settings of a 112 control centre and the channels that lead to it, beside the code that obeys them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, model_validator

from telephony.fields import Name, Seconds, Secret, Table, Tls


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
    """``[[psap.voice]]``: the report is spoken on the telephone, in the centre's language.

    Delivered only when the operator pressed the confirming digit. Only alerts are spoken: a person who has understood
    is not called again for every update.
    """

    name: Name
    number: Annotated[str, Field(pattern=r"^\+?[0-9]{1,24}$")] = "112"
    endpoint: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")] = "centre-voice"
    """The line that it is called by: an endpoint of Asterisk's ``pjsip.conf``."""
    caller_id: Annotated[str, Field(pattern=r"^\+?[0-9]{1,24}$")] | None = None
    """The number that the centre sees."""
    after_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """Used only for reports that no earlier channel has delivered within this time. 0: at once."""
    ring_s: Annotated[float, Field(ge=5, le=120)] = 20.0
    confirm_digit: Annotated[str, Field(pattern=r"^[0-9]$")] = "1"
    repeat_digit: Annotated[str, Field(pattern=r"^[0-9]$")] = "2"
    """The message begins anew."""
    concurrency: Annotated[int, Field(ge=1, le=200)] = 2
    """Calls at once; of one incident never more than one."""

    @model_validator(mode="after")
    def _digits_differ(self) -> Self:
        if self.confirm_digit == self.repeat_digit:
            raise ValueError("give confirm_digit and repeat_digit different digits")
        return self


class Psap(Table):
    """One 112 centre: ``[[psap]]``."""

    name: Name
    carriers: tuple[Name, ...] = ()
    """Carriers whose presses go here; empty: every carrier that no other centre lists."""
    sender: Annotated[str, Field(pattern=r"^[^\s,<&]+$")] = "onetouch.example"
    """CAP sender: who we are, domain-like."""
    addresses: Annotated[str, Field(pattern=r"^[^\s,<&]+$")]
    """CAP addresses: who they are (scope is always Private)."""
    language: Literal["ko", "en"] = "ko"
    channel: Annotated[tuple[CapHttpChannel, ...], Field(min_length=1)]
    voice: tuple[VoiceChannel, ...] = ()
    """Telephones to fall back to when no channel delivers."""
