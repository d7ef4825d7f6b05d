"""Tells in which fields a person changes, by their names alone: no value is repeated. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from itertools import zip_longest

from telephony.domain.people.person import TEXTS, Device, GuardianEntry, Person

GUARDIANS = "guardians"
"""The order of the guardians, where they are the same ones."""


@unique
class Kind(StrEnum):
    """A kind of change."""

    FILLED = "new"
    CHANGED = "changed"
    EMPTIED = "removed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that changes, named as in `telephony.domain.people.draft.FIELDS`, or `GUARDIANS`."""

    field: str
    kind: Kind


def changes(before: Person, after: Person) -> list[FieldChange]:
    """Return the fields in which two records of a person differ, in the order of a file's columns."""
    return [
        *_change("name", before.name, after.name),
        *_change("birth_date", before.birth_date, after.birth_date),
        *_devices(before, after),
        *(each for name in TEXTS for each in _change(name, before.texts.get(name), after.texts.get(name))),
        *_guardians(before, after),
        *_change("consent_by", before.consent.by, after.consent.by),
        *_change("consent_means", before.consent.means, after.consent.means),
        *_change("consent_date", before.consent.at, after.consent.at),
    ]


def _change(field: str, before: object, after: object) -> Iterator[FieldChange]:
    if before != after:
        yield FieldChange(field, Kind.CHANGED if before and after else Kind.FILLED if after else Kind.EMPTIED)


def _devices(before: Person, after: Person) -> Iterator[FieldChange]:
    pairs: Iterator[tuple[Device | None, Device | None]] = zip_longest(before.devices, after.devices)
    for place, (old, new) in enumerate(pairs, 1):
        end = "" if place == 1 else str(place)
        yield from _change(f"number{end}", old and old.number, new and new.number)
        if old is not None and new is not None:
            yield from _change(f"carrier{end}", old.carrier, new.carrier)
            yield from _change(f"device{end}", old.kind, new.kind)


def _guardians(before: Person, after: Person) -> Iterator[FieldChange]:
    olds, news = before.guardians, after.guardians
    by_phone = {each.phone: each for each in olds}
    if set(by_phone) == {each.phone for each in news}:
        if [each.phone for each in olds] != [each.phone for each in news]:
            yield FieldChange(GUARDIANS, Kind.CHANGED)
        olds = tuple(by_phone[each.phone] for each in news)
    for place, (old, new) in enumerate(zip_longest(olds, news), 1):
        yield from _guardian(f"guardian{place}", old, new)


def _guardian(name: str, old: GuardianEntry | None, new: GuardianEntry | None) -> Iterator[FieldChange]:
    yield from _change(f"{name}_phone", old and old.phone, new and new.phone)
    if old is None or new is None:
        return
    yield from _change(f"{name}_relation", old.relation, new.relation)
    yield from _change(f"{name}_language", old.language, new.language)
    yield from _change(f"{name}_rounds", old.rounds, new.rounds)
    if (old.standing, old.is_confirmed) != (new.standing, new.is_confirmed):
        yield FieldChange(f"{name}_age", Kind.CHANGED)
