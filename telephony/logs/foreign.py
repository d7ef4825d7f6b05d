"""Logs what Twisted and the standard library log as lines of our own, so that nothing is printed elsewhere."""

from __future__ import annotations

import logging
from typing import cast

import structlog
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogBeginner,
    globalLogPublisher,
)

# Twisted's "info" is about factories starting and stopping: of use to somebody who debugs, noise to an operator.
_LEVELS = {
    LogLevel.debug: logging.DEBUG,
    LogLevel.info: logging.DEBUG,
    LogLevel.warn: logging.WARNING,
    LogLevel.error: logging.ERROR,
    LogLevel.critical: logging.ERROR,
}


def observe(event: LogEvent) -> None:
    """Log a Twisted event: a `twisted.logger` observer."""
    log = structlog.get_logger()
    level = _LEVELS.get(event.get("log_level", LogLevel.info), logging.WARNING)
    failure = event.get("log_failure")
    if failure is not None:
        exception = (failure.type, failure.value, failure.getTracebackObject())
        log.error("unhandled failure", what=formatEvent(event), where=_namespace(event), exc_info=exception)
    elif log.is_enabled_for(level):
        log.log(level, "twisted", what=formatEvent(event), where=_namespace(event))


def _namespace(event: LogEvent) -> str:
    return str(event.get("log_namespace", ""))


class StandardLibrary(logging.Handler):
    """Logs what libraries tell `logging`: warnings and errors, for the root logger's level stays as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; a broken format string is told, never raised."""
        try:
            what = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's mistake in its own message
            what = str(record.msg)
        structlog.get_logger().log(
            min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL),
            "library",
            what=what,
            where=record.name,
            exc_info=record.exc_info,
        )


def adopt_foreign_logs(*, is_under_twistd: bool) -> None:
    """Take over Twisted's and the standard library's logs; a second call changes nothing."""
    root = logging.getLogger()
    if any(isinstance(handler, StandardLibrary) for handler in root.handlers):
        return
    root.addHandler(StandardLibrary())
    observer = cast("ILogObserver", observe)
    if is_under_twistd:
        globalLogPublisher.addObserver(observer)  # twistd has begun logging already, and may do so only once
    else:
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
