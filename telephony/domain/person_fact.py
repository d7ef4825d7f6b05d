"""Who presses, as the fact that 112 is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from telephony.domain.fact import CALLER, PERSON, Fact
from telephony.domain.people import Device, Person
from telephony.domain.values import Msisdn

YES, NO, UNKNOWN = "yes", "no", "unknown"
"""Whether the number is registered. Unknown: the registry could not be read, so that silence about her says nothing."""

WITHDRAWN: Final = "withdrawn"
"""She was registered, and her consent is over: what was said of her was taken out afterwards. Never told to 112."""

VALID, ENDED = "valid", "ended"
"""Her consent. Ended: she came of age, has not agreed by herself, and is not deleted yet."""

_TOLD_TEXTS: Final = ("address", "photo", "medical", "family", "language", "school")


def person_fact(person: Person, number: Msisdn, at: datetime, *, also: Sequence[str] = ()) -> Fact:
    """Give everything that 112 must know of a person; ``also`` are the open incidents of her other devices.

    A consent that was withdrawn makes her nobody: her row only waits to be deleted. Guardians stand with their whole
    numbers, in order; those who have not confirmed are nobody's guardians yet.
    """
    if person.consent.withdrawn_at is not None:
        return nobody_fact(at)
    device = _device(person, number)
    known = {
        "registered": YES,
        "name": person.name,
        "born": person.birth_date.isoformat(),
        "device": "" if device is None else device.kind,
        "carrier": "" if device is None else device.carrier,
        "guardians": "; ".join(
            f"{each.relation} {each.phone.international}".strip()
            for each in person.guardians
            if each.is_confirmed
        ),
        "consent": VALID if person.has_consented(at.date()) else ENDED,
        "also": "; ".join(also),
        **{name: person.texts.get(name, "") for name in _TOLD_TEXTS},
    }
    return _fact(known, at)


def nobody_fact(at: datetime) -> Fact:
    """Say that nobody registered the number."""
    return _fact({"registered": NO}, at)


def unreadable_fact(at: datetime) -> Fact:
    """Say that the registry could not be read."""
    return _fact({"registered": UNKNOWN}, at)


def age_on(day: date, born: date) -> int:
    """Give completed years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _device(person: Person, number: Msisdn) -> Device | None:
    return next((each for each in person.devices if each.number == number), None)


def _fact(known: Mapping[str, str], at: datetime) -> Fact:
    return Fact(PERSON, CALLER, at, {name: text for name, text in known.items() if text})
