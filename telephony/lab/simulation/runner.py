"""Runs the store's work on simulated time, as the threads of `telephony.store.threads` do in a real process."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed

from telephony.lab.simulation.disk import Disk
from telephony.lab.simulation.reactor import SimulatedReactor

HANDED_OVER_S: Final = 0.001
"""Longest time from the end of a piece of work until the reactor hears of it: here a crash loses the news of a commit."""

Work = Callable[[], Any]
Done = Callable[[Any], None]


class SimulatedRunner:
    """So many pieces of work at once, in order. It dies with its reactor: work that has not been done never will be."""

    def __init__(
        self, reactor: SimulatedReactor, disk: Disk, rng: random.Random, threads: int, *, is_writer: bool
    ) -> None:
        self._reactor = reactor
        self._disk = disk
        self._rng = rng
        self._idle = threads
        self._is_writer = is_writer
        self._waiting: deque[tuple[Work, Done]] = deque()
        self._when_empty: Deferred[None] | None = None
        self._under_way = 0

    def run(self, work: Work, done: Done) -> None:
        """Queue a piece of work."""
        self._waiting.append((work, done))
        self._next()

    def stop(self) -> Deferred[None]:
        """Fire when everything queued has been done."""
        if not self._waiting and not self._under_way:
            return succeed(None)
        self._when_empty = Deferred()
        return self._when_empty

    def _next(self) -> None:
        if self._idle and self._waiting and not self._reactor.is_dead:
            self._idle -= 1
            self._under_way += 1
            work, done = self._waiting.popleft()
            self._reactor.callLater(self._disk.delay_s(), self._start, work, done)

    def _start(self, work: Work, done: Done) -> None:
        self._disk.when_it_moves(lambda: self._work(work, done))

    def _work(self, work: Work, done: Done) -> None:
        if self._reactor.is_dead:
            return
        answer = work()
        self._reactor.callLater(self._rng.uniform(0.0, HANDED_OVER_S), self._hand_over, done, answer)
        self._idle += 1
        self._next()
        if self._is_writer:
            self._disk.committed()

    def _hand_over(self, done: Done, answer: Any) -> None:
        self._under_way -= 1
        done(answer)
        if self._when_empty is not None and not self._waiting and not self._under_way:
            empty, self._when_empty = self._when_empty, None
            empty.callback(None)
