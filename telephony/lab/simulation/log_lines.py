"""Captures the daemon's log while it is written: the lines that a real one would write, and Twisted's own."""

from __future__ import annotations

import json
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, Final, Self, cast

import structlog
from structlog.contextvars import merge_contextvars
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher

from telephony.logs.masking import mask

EVENT: Final = "event"

Hear = Callable[[str, MutableMapping[str, Any], str], None]
"""Level, the facts of the line, the line as it would be written."""


class LogLines:
    """Hears every line between ``with`` and its end; nothing is printed meanwhile. Debug lines are left out.

    The list of processors is changed in place, as `structlog.testing.capture_logs` does, because loggers keep it.
    """

    def __init__(self, hear: Hear) -> None:
        self.is_deaf = False
        """Set while a dead process is cleared away: errors that it leaves unhandled would never have been handled."""
        self._hear = hear
        self._processors: list[Any] = []
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._processors = structlog.get_config()["processors"]
        self._before = list(self._processors)
        self._processors[:] = [merge_contextvars, self._take]
        structlog.configure(processors=self._processors)
        globalLogPublisher.addObserver(cast("ILogObserver", self._twisted))
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        globalLogPublisher.removeObserver(cast("ILogObserver", self._twisted))
        self._processors[:] = self._before
        structlog.configure(processors=self._processors)

    def _take(self, logger: object, level: str, facts: MutableMapping[str, Any]) -> str:
        if level != "debug":
            masked = mask(logger, level, facts)
            self._hear("error" if level == "exception" else level, masked, json.dumps(masked, default=str))
        raise structlog.DropEvent

    def _twisted(self, event: LogEvent) -> None:
        failure = event.get("log_failure")
        if failure is not None and not self.is_deaf:
            facts = {EVENT: "unhandled failure", "exception": failure.getTraceback()}
            self._hear("error", facts, json.dumps(facts))
