"""What a Deferred or coroutine has come to, for tests that run in one thread on their own clock."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

_NOTHING_YET = object()


def _outcome(waiting: Deferred[Any] | Coroutine[Any, Any, Any]) -> Any:
    deferred = waiting if isinstance(waiting, Deferred) else Deferred.fromCoroutine(waiting)
    outcomes: list[Any] = []
    deferred.addBoth(outcomes.append)
    return outcomes[0] if outcomes else _NOTHING_YET


def result_of(waiting: Deferred[Any] | Coroutine[Any, Any, Any]) -> Any:
    """Return what it has come to; it must have come to something, and no failure."""
    outcome = _outcome(waiting)
    assert outcome is not _NOTHING_YET, "nothing has come of it yet"
    if isinstance(outcome, Failure):
        outcome.raiseException()
    return outcome


def failure_of(waiting: Deferred[Any] | Coroutine[Any, Any, Any]) -> BaseException:
    """Return the exception that it has come to."""
    outcome = _outcome(waiting)
    assert isinstance(outcome, Failure), f"no failure but {outcome!r}"
    assert outcome.value is not None
    return outcome.value


def is_waiting(waiting: Deferred[Any]) -> bool:
    """Whether nothing has come of it yet."""
    return not waiting.called
