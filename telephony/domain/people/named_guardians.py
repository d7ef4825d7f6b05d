"""The guardians whom a person has named: found, added, and taken out. Pure."""

from __future__ import annotations

from dataclasses import replace

from telephony.domain.guardians.standing import newer_standing
from telephony.domain.people.decisions import Stop
from telephony.domain.people.person import MOST_GUARDIANS, GuardianEntry, Person
from telephony.domain.people.texts import Text
from telephony.domain.values import Msisdn


def guardian_of(person: Person, phone: Msisdn) -> GuardianEntry | None:
    """Return the guardian with this phone."""
    return next((each for each in person.guardians if each.phone == phone), None)


def has_agreed(person: Person, phone: Msisdn) -> bool:
    """Whether this phone is that of a guardian who agreed."""
    guardian = guardian_of(person, phone)
    return guardian is not None and guardian.is_confirmed


def with_guardian(known: Person | None, guardian: GuardianEntry | None) -> tuple[GuardianEntry, ...] | Stop:
    """Return the guardians with one more at the end; one who is there keeps the place, and an agreement once given."""
    guardians = () if known is None else known.guardians
    if guardian is None:
        return guardians
    if any(each.phone == guardian.phone for each in guardians):
        return tuple(
            replace(
                each,
                is_confirmed=each.is_confirmed or guardian.is_confirmed,
                standing=newer_standing(each.standing, guardian.standing),
            )
            if each.phone == guardian.phone
            else each
            for each in guardians
        )
    if len(guardians) >= MOST_GUARDIANS:
        return Stop(Text.TOO_MANY_GUARDIANS)
    return (*guardians, guardian)


def without_guardian(person: Person, phone: Msisdn) -> Person:
    """Return the person without the guardian with this phone."""
    return replace(person, guardians=tuple(each for each in person.guardians if each.phone != phone))


def has_who_consents(left: Person, before: Person) -> bool:
    """Whether somebody is left who may consent for a minor; of guardians of an earlier release it is who has agreed."""
    if any(each.is_legal for each in before.guardians):
        return any(each.is_legal for each in left.guardians)
    return any(each.is_confirmed for each in left.guardians)
