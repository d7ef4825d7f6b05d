"""Time as a parameter: the clock of the reactor, and the functions that read it, wait on it and measure ages by it.

Times, and which is for what:

- ``clock.seconds()`` never steps, forwards or backwards. Durations, time-outs, pacing and everything that is waited for.
- `utc_now` is the machine's clock, for what people and 112 read. It steps whenever it is set.
- `due_s` is for the times in the outbox, which outlive a process and are shared with other processes: it follows the
  machine's clock forwards and never goes back, so that nothing that is due waits for a clock that was set back.
- `age_s` and `ago` are for times that were written down by the machine's clock and last for a while: they take out the
  steps that this process has seen (and those before it: `clock_steps`), so that a clock set forward ends nothing early and one set back prolongs nothing.
  `ages` is `age_s` of one instant, for another thread.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any, Final, Protocol, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")

STEP_S: Final = 1.0
"""What the machine's clock must gain or lose to have been set: less makes no difference to any age that matters."""
Step = tuple[float, float]
"""From when (steady time) by how many seconds the machine's clock was ahead of the steady one."""
MOST_STEPS: Final = 64
"""Steps that are remembered; of a clock that is set more often the latest count."""


class Call(Protocol):
    """A call that will be made (Twisted's IDelayedCall)."""

    def cancel(self) -> None:
        """Do not make it."""
        ...

    def active(self) -> bool:
        """Whether it is neither made nor cancelled."""
        ...

    def getTime(self) -> float:  # noqa: N802 - Twisted's name
        """Return when it will be made, on the clock that it was asked of."""
        ...


class Clock(Protocol):
    """The part of Twisted's IReactorTime that we use; `twisted.internet.task.Clock` is one."""

    def seconds(self) -> float:
        """Return seconds that run on evenly whatever becomes of the machine's clock."""
        ...

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:  # noqa: A002, N802
        """Call back after so many seconds."""
        ...


class MachineClock:
    """Unix time beside a clock that never steps, the ratchet of `due_s`, and the steps for `age_s` and `ago`."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offset_s = self._ahead_s = wall() - steady()
        self._steps = deque[Step]([(steady(), self._offset_s)], MOST_STEPS)
        self.on_step: Callable[[], None] | None = None
        """Told after each step."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """What the machine's clock was set to, oldest first."""
        return tuple(self._steps)

    def take_up(self, earlier: Sequence[Step]) -> None:
        """Go on from the steps that an earlier process of the same boot has seen."""
        (now, offset_s) = self._steps[-1]
        seen = [step for step in earlier if step[0] <= now]
        if seen and abs(offset_s - seen[-1][1]) <= STEP_S:
            self._steps.clear()
        self._steps.extendleft(reversed(seen[-(MOST_STEPS - len(self._steps)) :]))

    def seconds(self) -> float:
        """Return steady seconds that began as the Unix time of the start."""
        return self._steady() + self._offset_s

    def wall(self) -> float:
        """Return the Unix time that the machine believes in."""
        wall, steady = self._wall(), self._steady()
        offset_s = wall - steady
        if abs(offset_s - self._steps[-1][1]) > STEP_S:
            self._steps.append((steady, offset_s))
            if self.on_step is not None:
                self.on_step()
        return wall

    def due(self) -> float:
        """Return the latest Unix time that this process can vouch for; never earlier than before."""
        steady = self._steady()
        self._ahead_s = max(self._ahead_s, self._wall() - steady)
        return steady + self._ahead_s

    def age(self, unix_s: float) -> float:
        """Return the seconds since the machine's clock showed this time, the last time that it did; at least 0.

        What it never showed in this process's life was written by another one, with the clock of now.
        """
        return self.ages()(unix_s)

    def ages(self) -> Callable[[float], float]:
        """Return a function that gives ages as of now, whenever and on whichever thread it is called."""
        self.wall()
        return partial(_age, self.steps, self._steady())

    def ago(self, seconds: float) -> float:
        """Return a Unix time so early that whatever was written before it is at least so many seconds old."""
        self.wall()
        then = self._steady() - seconds
        steps = [*self._steps, (float("inf"), 0.0)]
        in_force = [offset_s for (_, offset_s), (end, _) in pairwise(steps) if end > then]
        return then + min(in_force)


def _age(steps: Sequence[Step], now: float, unix_s: float) -> float:
    ends = [since for since, _ in steps][1:]
    shown = [
        unix_s - offset_s
        for (since, offset_s), end in zip(steps, [*ends, now], strict=True)
        if since - STEP_S <= unix_s - offset_s <= end + STEP_S
    ]
    if unix_s - steps[0][1] < steps[0][0]:
        shown.append(unix_s - steps[0][1])
    last = max(shown, default=unix_s - steps[-1][1])
    return max(0.0, now - last)


def keep_steady(reactor: Any, clock: MachineClock | None = None) -> None:
    """Put a reactor on steady time, whose waiting calls keep their times.

    Its own is `time.time`: whatever waits would wait longer by as much as the machine's clock is set back. Doing it
    twice changes nothing.
    """
    if hasattr(reactor, "due"):
        return
    kept = clock or MachineClock()
    reactor.seconds, reactor.wall, reactor.due = kept.seconds, kept.wall, kept.due
    reactor.age, reactor.ages, reactor.ago, reactor.machine_clock = kept.age, kept.ages, kept.ago, kept


def wall_s(clock: Clock) -> float:
    """Return the Unix time, as people and 112 read it. A clock of tests, which is never set, has one time only."""
    wall: Callable[[], float] = getattr(clock, "wall", clock.seconds)
    return wall()


def utc_now(clock: Clock) -> datetime:
    """Return the time as people and 112 read it, in UTC."""
    return datetime.fromtimestamp(wall_s(clock), UTC)


def as_logged(unix_s: float) -> str:
    """Return a Unix time as log lines have it: UTC, to the second (ISO 8601)."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds")


def due_s(clock: Clock) -> float:
    """Return the Unix time by which the outbox goes: see the head of this file."""
    due: Callable[[], float] = getattr(clock, "due", clock.seconds)
    return due()


def age_s(clock: Clock, moment: datetime) -> float:
    """Return the seconds since a moment that was written down by the machine's clock; at least 0.

    The steps of that clock which this process has seen count for nothing.
    """
    age: Callable[[float], float] | None = getattr(clock, "age", None)
    unix_s = moment.timestamp()
    return max(0.0, clock.seconds() - unix_s) if age is None else age(unix_s)


def ages(clock: Clock) -> Callable[[datetime], float]:
    """Return a function that gives `age_s` as of now, whenever and on whichever thread it is called."""
    taken: Callable[[], Callable[[float], float]] | None = getattr(clock, "ages", None)
    now = clock.seconds()
    age = (lambda unix_s: max(0.0, now - unix_s)) if taken is None else taken()
    return lambda moment: age(moment.timestamp())


def ago(clock: Clock, seconds: float) -> datetime:
    """Return a time so early that whatever was written down before it is at least so many seconds old."""
    earlier: Callable[[float], float] | None = getattr(clock, "ago", None)
    unix_s = clock.seconds() - seconds if earlier is None else earlier(seconds)
    return datetime.fromtimestamp(unix_s, UTC)


def within(waiting: Deferred[T], seconds: float, clock: Clock) -> Deferred[T]:
    """Give up after so many seconds: the Deferred is cancelled and fails with Twisted's TimeoutError."""
    return waiting.addTimeout(seconds, clock)  # type: ignore[arg-type]


def pause(clock: Clock, seconds: float) -> Deferred[None]:
    """Wait."""
    waiting: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, waiting.callback, None)
    return waiting
