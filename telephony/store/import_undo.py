"""What is kept of an import so that it can be undone: for each row the person before, and how the import left them.

Rows of `telephony.store.awaited`, sealed, that end after `KEPT_FOR`; each hangs on the person's row and is deleted with the person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from hashlib import blake2b
from typing import Final, NamedTuple

from sqlalchemy import Connection

from telephony.domain.errors import Malformed
from telephony.domain.people.person import Person
from telephony.store.awaited import Awaited, expect_all, of_kind, settle, settle_kind, undo_kinds
from telephony.store.crypto import Damaged
from telephony.store.people import Enrolled, Outcome, Registry, row_of
from telephony.store.person_record import from_octets, to_octets

KEPT_FOR: Final = timedelta(days=7)
MOST_ROWS: Final = 10_000
"""Rows of one import that can be undone: a town's schools. Of a larger one nothing is kept."""
PAGE: Final = 5
"""Rows in one transaction. To delete a person without a trace takes some 5 ms, and a press may have to wait for all of them."""


@unique
class Undone(StrEnum):
    """The outcomes of one row."""

    DELETED = "deleted"
    """The import had added the person."""
    BROUGHT_BACK = "brought back"
    GONE = "gone"
    """The person has been deleted since: there is nothing to undo."""
    KEPT = "kept"
    """Somebody has changed the person since: they stay as they are."""


class Undoable(NamedTuple):
    """An import that can be undone: when it was made, and how many rows are left of it."""

    name: str
    made_at: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an import: the line of the file that it came from, and what became of it."""

    line: int
    outcome: Undone


def note(connection: Connection, name: str, enrolled: Iterable[tuple[int, Enrolled]], now: datetime) -> int:
    """Keep what an import has just added or changed, each with its line; return how many that is."""
    kept = [
        (
            row_of(each.key),
            {
                "line": line,
                "before": None if each.before is None else to_octets(each.before).decode().rstrip(),
                "after": _digest(each.after),
            },
        )
        for line, each in enrolled
        if each.key is not None
        and each.after is not None
        and each.outcome in (Outcome.ADDED, Outcome.CHANGED)
    ]
    expect_all(connection, _kind(name), kept, now, now + KEPT_FOR)
    return len(kept)


def forget(connection: Connection, name: str) -> None:
    """Keep nothing more of an import: it cannot be undone any more."""
    settle_kind(connection, _kind(name))


def undoable(connection: Connection, now: datetime) -> list[Undoable]:
    """Return the imports that can be undone, the earliest first."""
    return [Undoable(kind.partition(":")[2], at, rows) for kind, at, rows in undo_kinds(connection, now)]


def undo_page(
    connection: Connection,
    registry: Registry,
    name: str,
    after: int,
    now: datetime,
    *,
    is_dry_run: bool = False,
) -> tuple[list[Row], int] | None:
    """Undo the next rows of an import behind a key; gives what became of each, and the last key. ``None``: no row is left.

    What somebody has changed since stays, and can be undone no more by this import. A dry run tells the same and writes
    nothing. Raises `KeysUnavailable`.
    """
    rows, last = of_kind(connection, _kind(name), after, now, PAGE)
    if last is None:
        return None
    done = []
    for phone, each in rows:
        outcome = _undo(
            connection, registry, int(phone.number.partition(" ")[2]), each, now, is_dry_run=is_dry_run
        )
        if outcome is not Undone.KEPT and not is_dry_run:
            settle(connection, each.key)
        done.append(Row(int(each.payload["line"]), outcome))
    return done, last


def _undo(
    connection: Connection, registry: Registry, key: int, kept: Awaited, now: datetime, *, is_dry_run: bool
) -> Undone:
    try:
        found = registry.by_key(connection, key)
    except (Damaged, Malformed):
        return Undone.KEPT
    before = kept.payload["before"]
    if found is None:
        return Undone.GONE
    if _digest(found.person) != kept.payload["after"]:
        return Undone.KEPT
    if before is None:
        if not is_dry_run:
            registry.delete(connection, found.person.devices[0].number)
        return Undone.DELETED
    if not is_dry_run:
        # An import takes no number away, so those of before are theirs still.
        registry.replace(connection, found, from_octets(before.encode()), now)
    return Undone.BROUGHT_BACK


def _kind(name: str) -> str:
    return f"undo:{name}"


def _digest(person: Person) -> str:
    return blake2b(to_octets(person), digest_size=16).hexdigest()
