"""Writes log lines: straight to a stream, or to a file descriptor in a thread that may hang without hanging others."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TextIO

from telephony.logs.lines import Encode

GATHERED_FOR_S = 0.05
"""Lines that are no warning wait this long for company: one write for many."""

MOST_WAITING = 20_000
"""Lines kept while nothing can be written, about 6 MB; further ones are counted instead."""

IDLE_S = 1.0
"""How often the thread looks up while nothing is logged."""
KEPT_SHARE = 8
"""Of a small volume the log leaves this part to others at most: an eighth."""

_PRIVATE = 0o640


class HasDescriptor(Protocol):
    """A stream over a file descriptor."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


def open_log(file: Path | None, otherwise: HasDescriptor | None) -> int:
    """Open the file for appending, or else duplicate the stream's descriptor, if there is one. Raises `OSError`."""
    if file is None:
        return os.open(os.devnull, os.O_WRONLY) if otherwise is None else os.dup(otherwise.fileno())
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)


def is_journal(stream: HasDescriptor | None, named: str | None) -> bool:
    """Whether a stream leads to systemd's journal, whose device and inode ``JOURNAL_STREAM`` names (systemd.exec(5)).

    The variable alone says nothing: a child whose standard error was led elsewhere inherits it.
    """
    if stream is None or named is None:
        return False
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{there.st_dev}:{there.st_ino}"


def has_room(descriptor: int, wanted: int) -> bool:
    """Whether writing to a descriptor leaves so much free for others, or an eighth of a small volume."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return True
        volume = os.fstatvfs(descriptor)
    except OSError:
        return True  # the write itself will tell
    return volume.f_bavail * volume.f_frsize >= min(wanted, volume.f_blocks * volume.f_frsize // KEPT_SHARE)


class Output:
    """Writes each line through to a stream, in the thread that logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str, *, is_urgent: bool) -> None:
        """Write one line; urgent or not makes no difference here."""
        del is_urgent
        self._stream.write(line + "\n")
        self._stream.flush()

    def reopen(self) -> None:
        """Keep the stream that was given."""

    def flush(self, within_s: float) -> None:
        """Do nothing: no line ever waits here."""


class ThreadedOutput:
    """Hands lines to a thread that writes them to a descriptor; `write` never blocks and never raises."""

    def __init__(
        self,
        opener: Callable[[], int],
        *,
        keep_free: int = 0,
        when_idle: Callable[[], None] | None = None,
        encode: Encode | None = None,
    ) -> None:
        """``keep_free``: octets that are left free on the volume of a file; ``when_idle`` is called about once a second."""
        self._opener = opener
        self._keep_free = keep_free
        self._when_idle = when_idle
        self._encode = Encode() if encode is None else encode
        self._descriptor = opener()
        # A deque's append and popleft are atomic: no lock stands between a press and its log line.
        self._waiting: deque[str | threading.Event] = deque()
        self._lost = 0
        self._wake = threading.Event()
        self._at_once = threading.Event()
        self._must_reopen = False
        self._must_end = False
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str, *, is_urgent: bool) -> None:
        """Have one line written, urgent ones without waiting for more."""
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        self._waiting.append(line)
        if is_urgent:
            self._at_once.set()
        if not self._wake.is_set():
            self._wake.set()

    def reopen(self) -> None:
        """Open the log again before the next line, because the file was rotated away."""
        self._must_reopen = True
        self._hurry()

    def flush(self, within_s: float) -> None:
        """Wait until everything handed over so far is written, at most the given time."""
        written = threading.Event()
        self._waiting.append(written)
        self._hurry()
        written.wait(within_s)

    def close(self, within_s: float = 2.0) -> None:
        """Write the lines that wait, within the given time, and end the thread."""
        self.flush(within_s)
        self._must_end = True
        self._hurry()
        self._thread.join(within_s)

    def _hurry(self) -> None:
        self._at_once.set()
        self._wake.set()

    def _work(self) -> None:
        while not self._must_end:
            if not self._wake.wait(IDLE_S):
                self._idle()
                continue
            self._at_once.wait(GATHERED_FOR_S)
            # Cleared before the lines are taken: what is logged from here on wakes us again.
            self._wake.clear()
            self._at_once.clear()
            if self._must_reopen:
                self._reopen()
            self._write_waiting()

    def _idle(self) -> None:
        if self._when_idle is not None:
            self._when_idle()
        if self._lost and has_room(self._descriptor, self._keep_free):
            self._hurry()

    def _write_waiting(self) -> None:
        lines: list[str] = []
        written: list[threading.Event] = []
        for _ in range(len(self._waiting)):
            item = self._waiting.popleft()
            if isinstance(item, str):
                lines.append(item)
            else:
                written.append(item)
        if lost := self._lost:
            lines.append(self._encode(None, "warning", {"event": "log lines lost", "lost_count": lost}))
        if lines:
            octets = ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")
            if self._write_octets(octets):
                self._lost -= lost
            else:
                self._lost += len(lines) - bool(lost)
        for event in written:
            event.set()

    def _write_octets(self, octets: bytes) -> bool:
        """Write all, waiting as long as it takes; ``False`` where the system refuses (disk full, pipe closed), or would soon."""
        if not has_room(self._descriptor, self._keep_free + len(octets)):
            return False
        rest = memoryview(octets)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Somebody else made the shared descriptor non-blocking (a terminal, a pipe to a supervisor).
                select.select([], [self._descriptor], [], 1.0)
            except OSError:
                return False
        return True

    def _reopen(self) -> None:
        self._must_reopen = False
        try:
            fresh = self._opener()
        except OSError as error:
            facts = {"event": "log file not opened again", "reason": error.strerror or ""}
            self._waiting.append(self._encode(None, "warning", facts))
            return
        os.close(self._descriptor)
        self._descriptor = fresh
