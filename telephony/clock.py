"""Time as a parameter: the part of the reactor that waits, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable
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
        """Give the Unix time at which it will be made."""
        ...


class Clock(Protocol):
    """The part of Twisted's IReactorTime that we use; `twisted.internet.task.Clock` is one."""

    def seconds(self) -> float:
        """Give the Unix time."""
        ...

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:  # noqa: A002, N802
        """Call back after so many seconds."""
        ...


def within(waiting: Deferred[T], seconds: float, clock: Clock) -> Deferred[T]:
    """Give up after so many seconds: the Deferred is cancelled and fails with Twisted's TimeoutError."""
    return waiting.addTimeout(seconds, clock)  # type: ignore[arg-type]


def pause(clock: Clock, seconds: float) -> Deferred[None]:
    """Wait."""
    waiting: Deferred[None] = Deferred(lambda _: call.cancel())
    call = clock.callLater(seconds, waiting.callback, None)
    return waiting
