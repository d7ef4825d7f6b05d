"""Logs: one JSON object a line, with the ids of the incident bound to it and nothing personal in it.

A line is made in the thread that logs and written in a thread of its own, because a log must never hold up a
press: a full pipe or a hanging disk costs lines, which are counted, and nothing else. Warnings are written at once;
other lines together with those of the next 50 ms. ``kill -9`` therefore loses at most that much of the log, and
nothing that was acknowledged: the store does not depend on the log.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import structlog
from pydantic import Field
from structlog.contextvars import merge_contextvars

from telephony.fields import Table
from telephony.logs.floods import Floods
from telephony.logs.foreign import adopt_foreign_logs
from telephony.logs.lines import Encode
from telephony.logs.masking import mask
from telephony.logs.writing import Output, ThreadedOutput, is_journal, open_log

Level = Literal["debug", "info", "warning", "error"]
LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

METHODS = (
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "critical",
    "exception",
    "log",
    "is_enabled_for",
    "get_effective_level",
)


class LogSettings(Table):
    """``[log]``: how much is logged, and where to."""

    level: Level = "info"
    file: Path | None = None
    """Appended to; unset: standard error. Opened again on SIGHUP, so that it can be rotated."""
    keep_free_mib: Annotated[int, Field(ge=0, le=1_000_000)] = 64
    """MiB of the file's volume, at most an eighth of it, that the log leaves to others; then lines are counted only."""


class Destination:
    """The destination of all loggers: structlog's logger factory, and the wrapped logger that it gives to every caller.

    structlog calls the method that is named like the level, with the finished line.
    """

    def __init__(self, output: Output | ThreadedOutput) -> None:
        self.output = output
        self.debug = self.info = self.msg = partial(output.write, is_urgent=False)
        self.warning = self.error = self.critical = partial(output.write, is_urgent=True)

    def __call__(self, *_: Any) -> Destination:
        """Return itself: one destination for every logger."""
        return self


def configure(settings: LogSettings, stream: TextIO | None = None, *, is_under_twistd: bool = False) -> None:
    """Send every log of this process, Twisted's and the standard library's too, to one place.

    With ``stream`` lines are written through at once in this thread (tests, simulations). Without, they go to
    ``settings.file`` or standard error by a thread that is ended at exit. Raises `OSError` when the file cannot be
    opened. Under twistd its own log goes on beside ours. To be called once, before the first line: a logger keeps what it finds when it is first used. Afterwards
    `change_level` and `reopen` change what may change.
    """
    output: Output | ThreadedOutput
    encode = Encode()
    floods = Floods()
    if stream is not None:
        output = Output(stream)
    else:
        is_for_journal = settings.file is None and is_journal(
            sys.__stderr__, os.environ.get("JOURNAL_STREAM")
        )
        encode = Encode(is_for_journal=is_for_journal)
        # The real standard error: twistd puts an object into its place that would log what we write, for ever.
        output = ThreadedOutput(
            partial(open_log, settings.file, sys.__stderr__),
            keep_free=settings.keep_free_mib << 20,
            when_idle=floods.sum_up,
            encode=encode,
        )
        atexit.register(output.close)
    wrapper: Any = type("Log", (structlog.make_filtering_bound_logger(LEVELS[settings.level]),), {})
    structlog.configure(
        processors=[merge_contextvars, floods, mask, encode],
        wrapper_class=wrapper,
        logger_factory=Destination(output),
        cache_logger_on_first_use=True,
    )
    adopt_foreign_logs(is_under_twistd=is_under_twistd)


def change_level(level: Level) -> None:
    """Change the level of every logger, also of those already in use.

    A cached logger cannot be replaced, but the methods of its class can: those below the level become structlog's
    own "do nothing", so that a debug line that is not wanted costs a call and no more.
    """
    current = structlog.get_config()
    if not isinstance(current["logger_factory"], Destination):
        return  # never configured: the class is structlog's own, and not ours to change
    wrapper = current["wrapper_class"]
    filtering = structlog.make_filtering_bound_logger(LEVELS[level])
    for method in METHODS:
        setattr(wrapper, method, getattr(filtering, method))


def reopen() -> None:
    """Open the log file again, after it was rotated away; the old one is kept where that fails."""
    _with_output(lambda output: output.reopen())


def flush(within_s: float = 2.0) -> None:
    """Have everything written that was logged so far, or give up after the given time."""
    _with_output(lambda output: output.flush(within_s))


def _with_output(act: Callable[[Output | ThreadedOutput], None]) -> None:
    destination = structlog.get_config()["logger_factory"]
    if isinstance(destination, Destination):
        act(destination.output)
