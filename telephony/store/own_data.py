"""Gathers everything that is kept about one person, for that person: the registry is only a part of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from telephony.domain.audit import Looked
from telephony.domain.locating import Locating
from telephony.domain.people.person import Person
from telephony.domain.recording import Recording
from telephony.domain.values import Msisdn
from telephony.store.audit import about_number, entries
from telephony.store.bound import believed
from telephony.store.callers import caller_hashes, is_of
from telephony.store.history import MOST_KEPT, Remembered, history, registered, unregistered
from telephony.store.locatings import locatings_of_numbers
from telephony.store.people import Registry
from telephony.store.recordings.register import recordings_of_numbers
from telephony.store.schema import fact, incident, position, press
from telephony.store.sealing import keys_of
from telephony.store.times import from_us

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OwnIncident:
    """An incident of the person, and how much is kept of it."""

    id: str
    opened_at: datetime
    state: str
    is_drill: bool
    presses: int
    positions: int
    facts: int


@dataclass(frozen=True, slots=True)
class OwnData:
    """The data that are kept. ``person`` is None for a number that is not registered."""

    person: Person | None = field(repr=False)
    numbers: tuple[Msisdn, ...]
    incidents: tuple[OwnIncident, ...]
    history: tuple[Remembered, ...]
    locatings: tuple[Locating, ...] = field(repr=False)
    """Requests to carriers for any of the numbers, also of incidents that were deleted."""
    recordings: tuple[Recording, ...] = field(repr=False)
    """Of calls from any of the numbers, also of incidents that were deleted."""
    guarded: int
    """People for whom one of the numbers stands as a guardian's."""


def own_data(connection: Connection, registry: Registry, number: Msisdn) -> OwnData:
    """Gather what is kept of the person who has this number, but for the audit chain: see `own_entries`."""
    found = registry.found(connection, number)
    person = None if found is None else found.person
    numbers = (number,) if person is None else tuple(device.number for device in person.devices)
    subjects = [subject for each in numbers if (subject := unregistered(each)) is not None]
    if found is not None:
        subjects.append(registered(found.key))
    remembered = [
        each for subject in subjects for each in history(connection, subject, since=_BEGINNING)[:MOST_KEPT]
    ]
    incidents = tuple(_incidents(connection, numbers))
    return OwnData(
        person,
        numbers,
        incidents,
        tuple(sorted(remembered, key=lambda each: each.at)),
        tuple(locatings_of_numbers(connection, numbers, [each.id for each in incidents])),
        tuple(recordings_of_numbers(connection, numbers, [each.id for each in incidents])),
        len({key for each in numbers for key in _guarded(connection, registry, each)}),
    )


def own_entries(
    connection: Connection, numbers: Collection[Msisdn], incidents: Collection[str]
) -> Iterator[tuple[int, Looked | None]]:
    """Go through the audit chain: gives each entry's number, and what it says where it is about these."""
    for kept in entries(connection):
        subject = kept.looked.subject
        is_theirs = subject in incidents or any(about_number(each.international, subject) for each in numbers)
        yield kept.number, kept.looked if is_theirs else None


def _incidents(connection: Connection, numbers: Sequence[Msisdn]) -> Iterator[OwnIncident]:
    keys = {key for number in numbers for key in (number.number, f"test:{number.number}")}
    callers = [each for key in keys for each in caller_hashes(connection, key)]
    ring = keys_of(connection)
    rows = connection.execute(
        select(incident).where(incident.c.caller.in_(callers)).order_by(incident.c.key)
    ).all()
    for row in rows:
        if not is_of(ring, row.key, row.sealed, keys):
            continue
        counts = [
            connection.execute(
                select(func.count()).select_from(table).where(table.c.incident_key == row.key)
            ).scalar_one()
            for table in (press, position, fact)
        ]
        known = believed(ring, row)
        yield OwnIncident(row.id, from_us(row.opened_at), known.state, known.test, *counts)


def _guarded(connection: Connection, registry: Registry, number: Msisdn) -> list[str]:
    return [person.devices[0].number.number for person in registry.guarded_by(connection, number)]
