"""Repeats transactions that PostgreSQL rolled back for another writer's, within bounds.

It is no trouble of the store: one of the two is rolled back, and has only to begin again. `telephony.store.locks` says in
which order locks are taken so that it happens seldom.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from telephony.domain.errors import Unavailable

log = structlog.get_logger()

T = TypeVar("T")


class Contention(StrEnum):
    """Why a transaction was rolled back for another one."""

    DEADLOCK = "deadlock"
    SERIALIZATION = "serialization"
    LOCKED = "locked"
    """A row was not free within `SHARED_WAIT_MS` or `LONE_WAIT_MS`."""
    WRITTEN = "written"
    """The other one has written the same key: both opened one caller's incident, and the second joins it now."""


_BY_SQLSTATE: Final = {
    "40P01": Contention.DEADLOCK,
    "40001": Contention.SERIALIZATION,
    "55P03": Contention.LOCKED,
    "23505": Contention.WRITTEN,
}
"""PostgreSQL 15, appendix A: deadlock_detected, serialization_failure, lock_not_available, unique_violation."""

SHARED_WAIT_MS: Final = 20
"""How long a transaction that holds work of several kinds waits for a row: see `telephony.store.locks`."""
LONE_WAIT_MS: Final = 150
"""How long work of one kind does; longer than a large group of the other daemon takes."""

MOST_RUNS: Final = 20
MOST_RUNS_OF_A_GROUP: Final = 3
MOST_RUNS_WHERE_WRITTEN: Final = 2
"""Of one item. What is refused as written again, although all is committed that was in its way, is the item's own fault."""
LONGEST_S: Final = 0.8
"""From then on a turn of the writer waits for nothing any more; well below the commit budget."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.002, 0.05


class Contended(Unavailable):
    """Another writer was in the way each time; the store itself is well."""


def contention_of(error: BaseException) -> Contention | None:
    """Return why another transaction was preferred; ``None`` for every other error."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return _BY_SQLSTATE.get(getattr(original, "sqlstate", None) or "")


class Repeats:
    """Runs transactions again that were rolled back for another one, and counts them. For the writer's thread."""

    def __init__(
        self,
        longest_s: float = LONGEST_S,
        *,
        now: Callable[[], float] = time.monotonic,
        rest: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._longest_s = longest_s
        self._now = now
        self._rest = rest
        self._rng = rng or random.SystemRandom()
        self._until = 0.0
        self._counts: Counter[Contention] = Counter()

    def begin(self) -> None:
        """Begin a turn of the writer: a bounded time for all repetitions of it."""
        self._until = self._now() + self._longest_s

    def wait_ms(self, kinds: int) -> int:
        """Return how long a transaction with so many kinds of work waits for a row."""
        return LONE_WAIT_MS if kinds == 1 and self._now() < self._until else SHARED_WAIT_MS

    def run(self, work: Callable[[], T], *, is_group: bool = False) -> T:
        """Return what ``work`` returns, which is one whole transaction.

        Raises `Contended` where others were in the way each time, and every other error as it comes.
        """
        run = 0
        while True:
            run += 1
            try:
                return work()
            except Exception as error:
                why = contention_of(error)
                if why is None:
                    raise
                self.count(why)
                if why is Contention.WRITTEN and not is_group and run >= MOST_RUNS_WHERE_WRITTEN:
                    raise
                most = MOST_RUNS_OF_A_GROUP if is_group else MOST_RUNS
                if run >= most or self._now() >= self._until:
                    raise Contended(f"store: {why} {run} times: {_words(error)}") from error
            self._rest(self._rng.uniform(0.5, 1.5) * min(FIRST_PAUSE_S * 2**run, LONGEST_PAUSE_S))

    def count(self, why: Contention) -> None:
        """Count a transaction that was rolled back."""
        self._counts[why] += 1

    @property
    def is_untold(self) -> bool:
        """Whether any were counted since `tell`."""
        return bool(self._counts)

    def tell(self) -> None:
        """Log how many there were since it was last told."""
        counts, self._counts = self._counts, Counter()
        if counts:
            log.info("transactions repeated", **{why.value: counts[why] for why in Contention})


def _words(error: BaseException) -> str:
    original: Any = getattr(error, "orig", None) or error
    return str(original).partition("\n")[0]
