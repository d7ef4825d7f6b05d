"""The one bridge from Twisted callbacks to coroutines."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import structlog
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

log = structlog.get_logger()


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
