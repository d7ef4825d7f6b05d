"""Simulated clock: a heap of calls, made in order, as fast as the machine can."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from twisted.internet.base import DelayedCall
from twisted.python.failure import Failure

START: Final = 1_795_402_800.0
"""2026-11-23 12:00:00 in Seoul, as a Unix time."""

MOST_CALLS_AT_ONCE: Final = 100_000
"""Calls without any time between them: more is a loop that would never let time go on."""


DIGEST_OCTETS: Final = 16


class StandsStill(RuntimeError):  # noqa: N818 - a state of the clock
    """Calls without delay follow each other for ever, so that no time passes."""


class SimulatedClock:
    """The clock of the whole simulation. Every call has an owner, so that a process can die with all of its calls.

    ``on_defect`` hears of exceptions of calls; as in a real reactor the others go on.
    """

    def __init__(self, on_defect: Callable[[Failure], None], start: float = START) -> None:
        self._now = start
        self._on_defect = on_defect
        self._calls: list[tuple[float, int, DelayedCall, object]] = []
        self._made = 0
        self._asked = blake2b(digest_size=DIGEST_OCTETS)

    def seconds(self) -> float:
        """Return the Unix time."""
        return self._now

    @property
    def digest(self) -> bytes:
        """Every call that was asked for so far, in order, with its times: much of it shows in no line of a timeline."""
        return self._asked.digest()

    def call(
        self, owner: object, delay: float, what: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> DelayedCall:
        """Make a call after so many seconds, 0 or more; calls of the same instant are made in order of asking."""
        if delay < 0:
            raise ValueError(f"{delay} s is in the past")

        def move(call: DelayedCall) -> None:
            self._push(call, owner)

        call = DelayedCall(self._now + delay, what, args, kwargs, _nothing, move, self.seconds)
        self._push(call, owner)
        return call

    def forget(self, owner: object) -> None:
        """Make no more calls of this owner."""
        self._calls = [entry for entry in self._calls if entry[3] is not owner]
        heapq.heapify(self._calls)

    def pending(self, owner: object) -> int:
        """Return how many calls this owner still waits for."""
        return sum(1 for _, _, call, whose in self._calls if whose is owner and call.active())

    def run_for(self, seconds: float) -> None:
        """Let so much time pass, and make every call that is due in it."""
        end = self._now + seconds
        at_once = 0
        while self._calls and self._calls[0][0] <= end:
            due, _, call, owner = heapq.heappop(self._calls)
            if not call.active() or due != call.time:
                continue
            if call.delayed_time > 0:
                call.activate_delay()
                self._push(call, owner)
                continue
            at_once = at_once + 1 if due <= self._now else 0
            if at_once > MOST_CALLS_AT_ONCE:
                raise StandsStill(repr(call))
            self._now = max(self._now, due)
            call.called = 1
            try:
                call.func(*call.args, **call.kw)
            except Exception:  # noqa: BLE001 - a reactor outlives whatever it calls
                self._on_defect(Failure())
        self._now = end

    def _push(self, call: DelayedCall, owner: object) -> None:
        self._made += 1
        name = getattr(call.func, "__qualname__", type(call.func).__name__)
        self._asked.update(f"{self._now!r} {call.time!r} {name}\n".encode())
        heapq.heappush(self._calls, (call.time, self._made, call, owner))


def _nothing(_: DelayedCall) -> None:
    """Leave a cancelled call where it is: it is passed over when its time comes."""
