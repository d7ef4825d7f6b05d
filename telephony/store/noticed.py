"""Collects the rows that reading found changed by another hand, until the watch has told an operator.

It cannot be told who did it. A hand in the database does, and a disk seldom: what is bound or found by a hash still fits
the column that it stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Final, NamedTuple

import structlog

log = structlog.get_logger()

MOST: Final = 1_000
"""Rows remembered until the next `Noticed.take`; more are logged no more."""


class Row(NamedTuple):
    """A row by its table and key, and the column that does not fit; ``bound``: any of those that are bound together."""

    table: str
    key: str
    column: str


class Noticed:
    """Collects rows from every thread; each is logged once until it is taken."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: dict[Row, None] = {}

    def note(self, table: str, key: Any, column: str = "bound") -> None:
        """Note a row that was changed by another hand. Never raises: the reading goes on."""
        row = Row(table, str(key), column)
        with self._lock:
            if row in self._rows or len(self._rows) >= MOST:
                return
            self._rows[row] = None
        log.critical("row changed by another hand", table=table, row=row.key, column=column)

    def take(self) -> Sequence[Row]:
        """Return the rows that were noticed since the last call."""
        with self._lock:
            rows, self._rows = self._rows, {}
        return tuple(rows)
