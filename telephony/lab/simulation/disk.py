"""Simulates the store's disk: how long a commit takes, and how it fails, with SQLite's own errors."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final
from unittest.mock import patch

from sqlalchemy import Engine, event

from telephony.journal import segments

FASTEST_S: Final = 0.000_3
USUAL_S: Final = 0.002
SLOWEST_S: Final = 0.08
SLOW_ONE_IN: Final = 200
"""Of so many pieces of work one takes up to `SLOWEST_S`: another process's fsync."""


class DiskTrouble(Enum):
    """Kinds of trouble with a disk."""

    HANGS = "hangs"
    SLOW = "slow"
    FULL = "full"
    READ_ONLY = "read-only"


class Disk:
    """One disk under every process that has its files there. ``commits`` counts pieces of a writer's work done."""

    def __init__(self, rng: random.Random) -> None:
        self.trouble: DiskTrouble | None = None
        self.commits = 0
        self.on_commit: Callable[[], None] | None = None
        """Called once, right after the next commit, before its result is known."""
        self._rng = rng
        self._connections: list[Any] = []
        self._waiting: list[Callable[[], None]] = []

    def begin(self, trouble: DiskTrouble) -> None:
        """Make trouble, until `heal`."""
        self.trouble = trouble
        self._apply()

    def heal(self) -> None:
        """End the trouble, and let work that hangs go on."""
        self.trouble = None
        self._apply()
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()

    @property
    def is_stuck(self) -> bool:
        """Whether a write does not finish within a moment."""
        return self.trouble in (DiskTrouble.HANGS, DiskTrouble.SLOW)

    def delay_s(self) -> float:
        """Draw how long a piece of work takes."""
        if self.trouble is DiskTrouble.SLOW:
            return self._rng.uniform(0.2, 4.0)
        longest = SLOWEST_S if self._rng.randrange(SLOW_ONE_IN) == 0 else USUAL_S
        return self._rng.uniform(FASTEST_S, longest)

    def when_it_moves(self, go_on: Callable[[], None]) -> None:
        """Go on at once, or when the disk hangs no longer."""
        if self.trouble is DiskTrouble.HANGS:
            self._waiting.append(go_on)
        else:
            go_on()

    def committed(self) -> None:
        """Count a piece of a writer's work."""
        self.commits += 1
        told, self.on_commit = self.on_commit, None
        if told is not None:
            told()

    def write(self, descriptor: int, octets: bytes, at: int) -> int:
        """Write into a file as pwrite(2) does, and fail as it would on this disk."""
        failures = {DiskTrouble.FULL: errno.ENOSPC, DiskTrouble.READ_ONLY: errno.EROFS}
        if self.trouble in failures:
            failure = failures[self.trouble]
            raise OSError(failure, os.strerror(failure))
        return os.pwrite(descriptor, octets, at)

    @contextmanager
    def holding_the_journal(self) -> Iterator[None]:
        """Have what the daemons write into their journal go to this disk, until the end of the block."""
        with patch.object(segments, "pwrite", self.write):
            yield

    def attach(self, engine: Engine) -> None:
        """Have this engine's connections suffer from this disk."""

        def checked_out(connection: Any, _record: object, _proxy: object) -> None:
            if connection not in self._connections:
                self._connections.append(connection)
                self._apply()

        def closed(connection: Any, _record: object) -> None:
            if connection in self._connections:
                self._connections.remove(connection)

        event.listen(engine, "checkout", checked_out)
        event.listen(engine, "close", closed)

    def _apply(self) -> None:
        """Make SQLite itself fail: "attempt to write a readonly database", "database or disk is full"."""
        for connection in self._connections:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA query_only={int(self.trouble is DiskTrouble.READ_ONLY)}")
            if self.trouble is DiskTrouble.FULL:
                (pages,) = cursor.execute("PRAGMA page_count").fetchone()
                cursor.execute(f"PRAGMA max_page_count={pages}")
            else:
                cursor.execute("PRAGMA max_page_count=1073741823")
            cursor.close()
