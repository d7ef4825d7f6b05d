"""The store's disk: how long a commit takes, and how it fails. Failures are SQLite's own, not invented ones."""

from __future__ import annotations

import random
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from sqlalchemy import Engine, event

FASTEST_S: Final = 0.000_3
USUAL_S: Final = 0.002
SLOWEST_S: Final = 0.08
SLOW_ONE_IN: Final = 200
"""Of so many pieces of work one takes up to `SLOWEST_S`: somebody else's fsync."""


class DiskTrouble(Enum):
    """What can be wrong with a disk."""

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
        """Told once, right after the next commit, before anybody knows of it."""
        self._rng = rng
        self._connections: list[Any] = []
        self._waiting: list[Callable[[], None]] = []

    def begin(self, trouble: DiskTrouble) -> None:
        """Make trouble, until `heal`."""
        self.trouble = trouble
        self._apply()

    def heal(self) -> None:
        """End the trouble, and let what hangs go on."""
        self.trouble = None
        self._apply()
        waiting, self._waiting = self._waiting, []
        for go_on in waiting:
            go_on()

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
