"""The one timer of a session: performs `telephony.net.lifecycle.StartTimer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum

from telephony.clock import Call, Clock
from telephony.net.lifecycle import CLOSE_S, Ending


class SessionTimer:
    """Runs one limit at a time. ``seconds`` has those of the protocol; ``ran_out`` is called at the end of each."""

    def __init__(self, clock: Clock, seconds: Mapping[Enum, float], ran_out: Callable[[], None]) -> None:
        self.limit: Enum | None = None
        """The limit that runs, or ran out last; none once it was stopped."""
        self._clock = clock
        self._seconds = {Ending.CLOSE: CLOSE_S, **seconds}
        self._ran_out = ran_out
        self._call: Call | None = None

    def start(self, limit: Enum, seconds: float | None = None) -> None:
        """Start a limit in place of the one that runs; ``seconds`` where it has been running for a while already."""
        self.stop()
        self.limit = limit
        self._call = self._clock.callLater(self._seconds[limit] if seconds is None else seconds, self._end)

    def stop(self) -> None:
        """Run no longer."""
        self.limit = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _end(self) -> None:
        self._call = None
        self._ran_out()
