"""Brings the rows of a damaged store into another one, and says what of each table was read and what is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from telephony.domain.delivery import PENDING
from telephony.domain.incident import CLOSED
from telephony.store.bound import BOUND, COLUMN, bind_row
from telephony.store.crypto import KeyRing
from telephony.store.salvage.reading import DamagedStore, Reading
from telephony.store.salvage.shapes import SHAPES, Row, Shape
from telephony.store.salvage.sqlite_trees import Range
from telephony.store.sealing import Keys

SLICE: Final = 200
"""Rows written in one transaction: a few milliseconds of the writer's time."""
PEOPLE: Final = ("person", "person_number", "guardian_number")
ORDER: Final = (
    *PEOPLE,
    "last_position",
    "press_history",
    "press",
    "position",
    "fact",
    "call",
    "delivery",
    "incident",
    "audit",
)
"""What is brought over afterwards, the most urgent first: who presses, and whom to tell. An incident comes after its
deliveries: one without any is told to 112 again (`telephony.store.mending`)."""
ALL: Final = ("key_proof", "awaited_reply", *ORDER)


class Outcome(StrEnum):
    """The outcome of a salvage as a whole."""

    WHOLE = "whole"
    PARTIAL = "partial"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class TableReport:
    """The outcome of a table: rows read and written, about how many are lost, and between which keys.

    ``there`` were in the target before, or clash with what is; ``lost`` is exact where no page is lost.
    """

    table: str
    by_sqlite: bool
    read: int
    written: int
    lost: int
    pages_lost: int
    ranges: tuple[Range, ...]

    @property
    def there(self) -> int:
        """Rows that were not written, since such a row is there."""
        return self.read - self.written


def outcome_of(reports: Sequence[TableReport], unplaced: int, unopened: Iterable[int] = ()) -> Outcome:
    """Return what the reports say together with pages that were not placed and rows that do not open."""
    if not any(report.read for report in reports):
        return Outcome.NOTHING
    is_whole = (
        not unplaced and not any(unopened) and not any(report.lost or report.pages_lost for report in reports)
    )
    return Outcome.WHOLE if is_whole else Outcome.PARTIAL


class TableSalvage:
    """The rows of one table in slices that a target takes; `report` when all are through."""

    def __init__(self, store: DamagedStore, table: str, *, is_merged: bool, keys: Keys | None = None) -> None:
        """``is_merged``: the target is a store in use, into which nothing is brought that is owed or open.

        Under ``keys`` rows of a store of an earlier release are bound; without them they come without a code.
        """
        self.shape = SHAPES[table]
        self._store = store
        self._is_merged = is_merged
        is_bare = table in BOUND and store.is_of_before_binding
        self._binds = keys() if is_bare and keys is not None else None
        self._reading = Reading(table, store.is_sound(table))
        self._refused = 0
        self._written = 0
        self._taken = 0

    def slices(self, size: int = SLICE) -> Iterator[list[Row]]:
        """Return the rows, so many at once."""
        rows = self._kept(self._store.rows(self.shape.table, self._reading))
        while found := list(islice(rows, size)):
            yield found

    def wrote(self, rows: int) -> None:
        """Count what the target took of a slice."""
        self._written += rows

    @property
    def report(self) -> TableReport:
        """The outcome of the table."""
        loss = self._reading.loss
        return TableReport(
            self.shape.table,
            self._reading.is_sound,
            self._taken,
            self._written,
            loss.estimate + self._refused,
            loss.pages,
            tuple(loss.ranges),
        )

    def _kept(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            if not self.shape.can_be_kept(row):
                self._refused += 1
            elif not (self._is_merged and is_owed(self.shape, row)):
                self._taken += 1
                yield row if self._binds is None else self._bound(self._binds, row)

    def _bound(self, ring: KeyRing, row: Row) -> Row:
        values = dict(zip(self.shape.names, row, strict=True))
        try:
            values[COLUMN] = bind_row(ring, self.shape.table, values)
        except (TypeError, ValueError, OverflowError):
            return row  # a value of another type: it is damaged
        return tuple(values.values())


def is_owed(shape: Shape, row: Row) -> bool:
    """Whether a row was brought over at once, if at all: what it asks for may have been done since."""
    if shape.table == "delivery":
        return row[shape.index("state")] == PENDING
    return shape.table == "incident" and row[shape.index("state")] != CLOSED


def insert_of(shape: Shape) -> str:
    """Return the statement that writes a row where there is none like it."""
    names = ", ".join(f'"{name}"' for name in shape.names)
    marks = ", ".join("?" * len(shape.columns))
    return f"INSERT OR IGNORE INTO {shape.table} ({names}) VALUES ({marks})"


def put(connection: sqlite3.Connection, shape: Shape, rows: Sequence[Row]) -> int:
    """Write rows into an open transaction; returns how many were not there."""
    before = connection.total_changes
    connection.executemany(insert_of(shape), [tuple(_storable(value) for value in row) for row in rows])
    return connection.total_changes - before


def _storable(value: object) -> object:
    """Return what SQLite takes: a text that was damaged may hold halves of characters."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
