"""Asks the store how much is owed and open, for whoever wants to know how things stand: on a thread of its own, with a bound.

A store that hangs keeps that thread and nothing else. While it does, nobody is made to wait for it again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TooLate
from twisted.python.failure import Failure

from telephony.background import Runner
from telephony.clock import Clock, within
from telephony.store.database import Database
from telephony.store.outbox.owed import Owed, owed

WITHIN_S: Final = 1.0
"""How long the first who asks waits; whoever asks later is told at once that the answer is still awaited."""
GOOD_FOR_S: Final = 1.0
"""How long an answer is given again: a dozen people who watch cost the store one look a second."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The store does not say, and why."""

    reason: str


class StoreLook:
    """The counts of the store, not older than a second."""

    def __init__(self, database: Database, reader: Runner, clock: Clock) -> None:
        self._read: Callable[[], Deferred[Owed]] = lambda: database.read_on(reader, owed)
        self._clock = clock
        self._asked_s = 0.0
        """When the look that is under way began."""
        self._waiting: list[Deferred[None]] = []
        self._is_asking = False
        self._last: tuple[float, Owed | NoAnswer] | None = None

    async def __call__(self) -> Owed | NoAnswer:
        """Look, or return what was seen a moment ago."""
        now = self._clock.seconds()
        if self._last is not None and now - self._last[0] < GOOD_FOR_S:
            return self._last[1]
        if not self._is_asking:
            self._ask(now)
        if self._is_asking:
            left_s = self._asked_s + WITHIN_S - now
            if left_s > 0:
                await self._seen_within(left_s)
        if self._is_asking or self._last is None:
            return NoAnswer(f"it has not answered for {self._clock.seconds() - self._asked_s:.0f} s")
        return self._last[1]

    def _ask(self, now: float) -> None:
        self._is_asking, self._asked_s = True, now
        self._read().addBoth(self._seen)

    def _seen(self, result: Owed | Failure) -> None:
        self._is_asking = False
        answer = NoAnswer(str(result.value)) if isinstance(result, Failure) else result
        self._last = (self._clock.seconds(), answer)
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    async def _seen_within(self, seconds: float) -> None:
        seen: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(seen)
        with suppress(TooLate):
            await within(seen, seconds, self._clock)
