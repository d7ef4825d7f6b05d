"""Makes the fact that tells 112 who presses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from telephony.domain.facts import ConsentState, GuardianNumber, PersonFact, Registered
from telephony.domain.people.person import Device, GuardianEntry, Person
from telephony.domain.values import Msisdn

AGREED, NAMED = "agreed", "named, has not answered"
"""The words for a guardian who has not said who he is."""


def person_fact(person: Person, number: Msisdn, at: datetime, *, also: Sequence[str] = ()) -> PersonFact:
    """Return everything that 112 must know of a person; ``also`` are the open incidents of her other devices.

    With her consent withdrawn she is as good as unregistered: her row only waits to be deleted. Guardians stand with their
    whole numbers, in order; ``guardians-said`` tells who has not agreed, and who has said who they are.
    """
    if person.consent.withdrawn_at is not None:
        return nobody_fact(at)
    device = _device(person, number)
    text = person.texts.get
    return PersonFact(
        at,
        Registered.YES,
        name=person.name,
        born=person.birth_date,
        device="" if device is None else device.kind,
        carrier="" if device is None else device.carrier,
        language=text("language", ""),
        medical=text("medical", ""),
        address=text("address", ""),
        family=text("family", ""),
        school=text("school", ""),
        guardians=tuple(GuardianNumber(each.relation, each.phone) for each in person.guardians),
        guardians_said=tuple(_said_by(each) for each in person.guardians),
        photo=text("photo", ""),
        consent=ConsentState.VALID if person.has_consented(at.date()) else ConsentState.ENDED,
        also=tuple(also),
    )


def _said_by(guardian: GuardianEntry) -> str:
    """Return by whose word somebody is a guardian."""
    if guardian.standing is not None:
        return guardian.standing.words
    return AGREED if guardian.is_confirmed else NAMED


def nobody_fact(at: datetime) -> PersonFact:
    """Return the fact that the number is not registered."""
    return PersonFact(at, Registered.NO)


def unreadable_fact(at: datetime) -> PersonFact:
    """Return the fact that the registry could not be read."""
    return PersonFact(at, Registered.UNKNOWN)


def age_on(day: date, born: date) -> int:
    """Return completed years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _device(person: Person, number: Msisdn) -> Device | None:
    return next((each for each in person.devices if each.number == number), None)
