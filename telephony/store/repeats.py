"""Finds the press of an open incident that a new one repeats: the newest that said the same, if it is not too old."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection

from telephony.domain.errors import Malformed
from telephony.domain.trigger import Repetition, Trigger
from telephony.store.bound import is_sound
from telephony.store.bulk import execute, placeholder, select_pairs
from telephony.store.callers import REFERENCE
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.schema import press
from telephony.store.sealed_rows import unseal_press
from telephony.store.times import to_us

log = structlog.get_logger()

MOST_LOOKED_AT: Final = 40
"""Presses of an incident, newest first, among which one with the same words is looked for."""


class Seen(NamedTuple):
    """A press of an open incident: the hash of its reference, how often it was delivered, and when first."""

    hash: bytes
    times: int
    received_at: int
    is_ours: bool = True
    """False where another hand changed its row: no press is told as a repeat of it."""


class _Row(NamedTuple):
    """The columns that are read of a press."""

    incident_key: int
    number: int
    reference: bytes
    source: str
    encoding: str | None
    part_reference: int | None
    part_total: int | None
    part_number: int | None
    labels: str | None
    received_at: int
    bound: bytes | None
    seen: int
    sealed: bytes


_COLUMNS: Final = ", ".join(_Row._fields)
_SEEN: Final = (
    f"SELECT {_COLUMNS} FROM {{}} JOIN press ON press.incident_key = wanted.a AND press.reference = wanted.b"
)
_NEWEST: Final = (
    f"SELECT {_COLUMNS} FROM press"
    " WHERE incident_key = {0} AND received_at >= {0} ORDER BY number DESC LIMIT {0}"
)


def own_reference(reference: str, number: int) -> str:
    """Return the reference of an incident's n-th press where an earlier one with the same words has that already."""
    return f"{reference}#{number}"


def is_same_press(trigger: Trigger, seen: Seen, window_us: int) -> bool:
    """Whether this is the press that was seen, delivered again, and not a new one with the same words.

    A reference that is the press's own says so by itself. One made of the words does within the window, counted from
    the first delivery: counted from the last, a key pressed every few minutes would be one press for ever.
    """
    if not seen.is_ours:
        return False
    if trigger.repetition is Repetition.NONE:
        return True
    return abs(to_us(trigger.received_at) - seen.received_at) <= window_us


def load_seen(
    connection: Connection, ring: KeyRing, wanted: Iterable[tuple[int, Trigger, int]]
) -> dict[tuple[int, str], Seen]:
    """Give, by incident and reference, the newest press that each trigger may be a repeat of.

    ``wanted`` are the open incident's key, the press and its carrier's window in microseconds. One statement, and one
    more for each press whose words are known from longer ago than that: they may have been said again since.
    """
    triggers: dict[tuple[int, bytes], tuple[Trigger, int]] = {
        (key, each): (trigger, window_us)
        for key, trigger, window_us in wanted
        for each in ring.hashes(REFERENCE, trigger.reference)
    }
    found: dict[tuple[int, str], Seen] = {}
    for row in map(_Row._make, select_pairs(connection, _SEEN, list(triggers))):
        key, seen = row.incident_key, _seen(ring, row)
        trigger, window_us = triggers[key, seen.hash]
        if not is_same_press(trigger, seen, window_us):
            seen = _said_since(connection, ring, key, trigger, window_us) or seen
        found[key, trigger.reference] = seen
    return found


def _said_since(
    connection: Connection, ring: KeyRing, key: int, trigger: Trigger, window_us: int
) -> Seen | None:
    """Return the newest press within the window whose reference was made of the same words."""
    statement = _NEWEST.format(placeholder(connection.dialect.name))
    bounds = (key, to_us(trigger.received_at) - window_us, MOST_LOOKED_AT)
    for row in map(_Row._make, execute(connection, statement, bounds).fetchall()):
        if _words_of(ring, key, row.number, row.sealed) == trigger.reference:
            return _seen(ring, row)
    return None


def _seen(ring: KeyRing, row: _Row) -> Seen:
    return Seen(row.reference, row.seen, row.received_at, is_sound(ring, press.name, row))


def _words_of(ring: KeyRing, key: int, number: int, sealed: Any) -> str | None:
    """Return the part of a press's reference that is made of its words; ``None`` where it cannot be read."""
    try:
        reference = unseal_press(ring, key, number, sealed).reference
    except (KeysUnavailable, Malformed) as error:
        log.critical("press unreadable", press=number, error=str(error))
        return None
    return reference.partition("@")[0].partition("#")[0]
