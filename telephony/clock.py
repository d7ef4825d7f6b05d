"""Time as a parameter: the part of the reactor that waits, and what is done with it.

Three times, and which is for what:

- ``clock.seconds()`` never steps, forwards or backwards. Durations, time-outs, pacing and everything that is waited for.
- `utc_now` is the machine's clock, for what people and 112 read. It steps whenever somebody sets it.
- `due_s` is for the times in the outbox, which outlive a process and are shared with other processes: it follows the
  machine's clock forwards and never goes back, so that nothing that is due waits for a clock that was set back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")


class Call(Protocol):
    """A call that will be made (Twisted's IDelayedCall)."""

    def cancel(self) -> None:
        """Do not make it."""
        ...

    def active(self) -> bool:
        """Claim that it is neither made nor cancelled."""
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
    """Unix time beside a clock that never steps, and the ratchet of `due_s`."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offset_s = self._ahead_s = wall() - steady()

    def seconds(self) -> float:
        """Return steady seconds that began as the Unix time of the start."""
        return self._steady() + self._offset_s

    def wall(self) -> float:
        """Return the Unix time that the machine believes in."""
        return self._wall()

    def due(self) -> float:
        """Return the latest Unix time that this process can vouch for; never earlier than before."""
        steady = self._steady()
        self._ahead_s = max(self._ahead_s, self._wall() - steady)
        return steady + self._ahead_s


def keep_steady(reactor: Any, clock: MachineClock | None = None) -> None:
    """Put a reactor on steady time, whose waiting calls keep their times.

    Its own is `time.time`: whatever waits would wait longer by as much as the machine's clock is set back. Doing it
    twice changes nothing.
    """
    if hasattr(reactor, "due"):
        return
    kept = clock or MachineClock()
    reactor.seconds, reactor.wall, reactor.due = kept.seconds, kept.wall, kept.due


def wall_s(clock: Clock) -> float:
    """Return the Unix time, as people and 112 read it. A clock of tests, which nobody sets, has one time only."""
    wall: Callable[[], float] = getattr(clock, "wall", clock.seconds)
    return wall()


def utc_now(clock: Clock) -> datetime:
    """Return the time as people and 112 read it, in UTC."""
    return datetime.fromtimestamp(wall_s(clock), UTC)


def due_s(clock: Clock) -> float:
    """Return the Unix time by which the outbox goes: see the head of this file."""
    due: Callable[[], float] = getattr(clock, "due", clock.seconds)
    return due()


def age_s(clock: Clock, moment: datetime) -> float:
    """Return the seconds since a moment that people read; never negative, the clock may have been set back since."""
    return max(0.0, wall_s(clock) - moment.timestamp())


def within(waiting: Deferred[T], seconds: float, clock: Clock) -> Deferred[T]:
    """Give up after so many seconds: the Deferred is cancelled and fails with Twisted's TimeoutError."""
    return waiting.addTimeout(seconds, clock)  # type: ignore[arg-type]


def pause(clock: Clock, seconds: float) -> Deferred[None]:
    """Wait."""
    waiting: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, waiting.callback, None)
    return waiting
