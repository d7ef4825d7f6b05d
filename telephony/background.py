"""Background work: the one bridge from callbacks to coroutines, and runners that take work to a thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import structlog
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

T = TypeVar("T")

log = structlog.get_logger()


class Runner(Protocol):
    """Runs work away from the reactor, one piece after another, and tells the reactor when it is done."""

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run ``work``; call ``done`` in the reactor with what it returned. ``work`` never raises."""
        ...

    def stop(self) -> Deferred[None]:
        """Finish the work that was handed over, then end."""
        ...


class OnDemand:
    """A runner that is made when the first work comes: a thread that may never be needed takes no memory until then."""

    def __init__(self, make: Callable[[], Runner]) -> None:
        self._make = make
        self._runner: Runner | None = None

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run ``work``, as `Runner.run`."""
        if self._runner is None:
            self._runner = self._make()
        self._runner.run(work, done)

    def stop(self) -> Deferred[None]:
        """Finish the work that was handed over, then end."""
        return succeed(None) if self._runner is None else self._runner.stop()


def handed_to(runner: Runner, work: Callable[[], T]) -> Deferred[T]:
    """Have work done away from the reactor; fires with what it returned or raised.

    Cancelling ends the waiting, not the work.
    """

    def shielded() -> T | Failure:
        try:
            return work()
        except Exception:  # noqa: BLE001 - told to whoever waits: it must not end the thread
            return Failure()

    done: Deferred[Any] = Deferred()
    runner.run(shielded, done.callback)
    return done


def run_in_background(coroutine: Coroutine[Deferred[Any], Any, Any], what: str) -> Deferred[None]:
    """Start a coroutine from a callback; whatever it raises is logged with its name, never lost.

    The Deferred fires with None when the coroutine has ended, however it ended; cancelling it cancels
    the coroutine.
    """

    def failed(failure: Failure) -> None:
        if not isinstance(failure.value, CancelledError):
            log.error("background work failed", what=what, exc_info=failure.value)

    def done(_: object) -> None:
        return None

    return Deferred.fromCoroutine(coroutine).addCallbacks(done, failed)
