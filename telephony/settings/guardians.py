"""Settings of how guardians are told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from telephony.domain.guardians.guardian import Guardian, ListedGuardians
from telephony.domain.values import Msisdn
from telephony.fields import Dialled, Digit, Endpoint, Phone, Table


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
        """Return the guardians as they are looked up, numbers brought into E.164."""

        def number(raw: str) -> Msisdn:
            return Msisdn.parse(raw, country_code=country_code, trunk_prefix=trunk_prefix)

        by_caller: dict[str, list[Guardian]] = {}
        for each in self.listed:
            guardian = Guardian(number(each.phone), each.language, each.relation)
            by_caller.setdefault(number(each.of).number, []).append(guardian)
        return ListedGuardians(by_caller)
