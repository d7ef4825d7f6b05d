"""Folds SQLite's write-ahead log back into the database, beside the writer and not inside somebody's commit.

SQLite does it in the commit that makes the log reach 1,000 pages, and every so often a press would wait for it.
"""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DBAPIError
from twisted.internet.defer import Deferred

from telephony.background import Runner, handed_to
from telephony.clock import Clock
from telephony.domain.errors import Unavailable
from telephony.periodic import Periodic
from telephony.store.database import Database

log = structlog.get_logger()

EVERY_S = 1.0
WORTH_IT = 4 * 1024 * 1024
"""A log smaller than this is left alone."""
TOO_LARGE = 64 * 1024 * 1024
"""Beyond this the log must be restarted, which takes a moment of the writer's time."""
SHARE = 32
"""Of a small volume a log is worth folding back from this part on, and too large from twice that: what it takes, presses lack."""


def bounds_on(directory: Path) -> tuple[int, int]:
    """Return the sizes, in octets, from which a log on this volume is worth folding back, and from which it is too large."""
    try:
        volume = os.statvfs(directory)
    except OSError:
        return WORTH_IT, TOO_LARGE
    part = volume.f_blocks * volume.f_frsize // SHARE
    return min(WORTH_IT, part), min(TOO_LARGE, 2 * part)


class Checkpointer:
    """Looks at the log's size every second and folds it back when that is worth it."""

    def __init__(self, url: str, engine: Engine, database: Database, *, runner: Runner, clock: Clock) -> None:
        self._log_file = Path(f"{make_url(url).database}-wal")
        self._engine = engine
        self._database = database
        self._runner = runner
        self._rounds = Periodic(
            self._look, "folding back of the log", every_s=EVERY_S, clock=clock, first_s=EVERY_S
        )

    def start(self) -> None:
        """Begin to look."""
        self._rounds.startService()

    def stop(self) -> Deferred[None]:
        """End after the work that is under way."""
        self._rounds.stopService()
        return self._runner.stop()

    async def _look(self) -> None:
        try:
            size = self._log_file.stat().st_size
        except OSError:
            size = 0  # gone or not to be seen: the store keeper says so
        worth_it, too_large = bounds_on(self._log_file.parent)
        if size < worth_it:
            return
        is_done = await handed_to(self._runner, self._fold_back)
        if is_done and size > too_large:
            await self._database.between_groups(lambda: self._fold_back("TRUNCATE"))

    def _fold_back(self, mode: str = "PASSIVE") -> bool:
        """Copy the committed pages; PASSIVE makes no reader or writer wait. Runs on a thread of its own, or on the writer's."""
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA synchronous=FULL")
                connection.exec_driver_sql(f"PRAGMA wal_checkpoint({mode})")
        except (DBAPIError, Unavailable) as error:
            self._database.sees(error)
            log.warning("log not folded back", error=str(getattr(error, "orig", error)))
            return False
        return True
