"""Reads the log of the lab's daemon from its standard error, line by line. Total: what is no line of a log is passed over."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

Entry = dict[str, Any]
Hear = Callable[[Entry], None]


class DaemonLog:
    """Keeps the log in a file, which `onetouch tail` can follow, and tells every line to those who ``hear``, in order."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begun = b""
        self._hearers: list[Hear] = []
        self._waiting: list[tuple[str, Deferred[Entry]]] = []

    def on_entry(self, hear: Hear) -> None:
        """Call with every line from now on."""
        self._hearers.append(hear)

    def wait_for(self, event: str) -> Deferred[Entry]:
        """Fire with the next line of this event."""
        waiting: Deferred[Entry] = Deferred()
        self._waiting.append((event, waiting))
        return waiting

    def take(self, octets: bytes) -> None:
        """Take what the daemon has written; a line that is not whole waits for its end."""
        with self._file.open("ab") as file:
            file.write(octets)
        *whole, self._begun = (self._begun + octets).split(b"\n")
        for line in whole:
            entry = entry_of(line)
            if entry is not None:
                self._tell(entry)

    def break_off(self) -> None:
        """Forget the line that was begun: its process has been killed."""
        if self._begun:
            self._begun = b""
            self.take(b"\n")

    def _tell(self, entry: Entry) -> None:
        for hear in self._hearers:
            hear(entry)
        met = [waiting for event, waiting in self._waiting if event == entry["event"]]
        self._waiting = [each for each in self._waiting if each[0] != entry["event"]]
        for waiting in met:
            waiting.callback(entry)


def entry_of(line: bytes) -> Entry | None:
    """Read a line; ``None`` for what is no line of a log."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("event"), str) else None


def at(entry: Entry) -> float | None:
    """Return when a line was logged, in Unix time; ``None`` where that cannot be read."""
    try:
        return datetime.fromisoformat(entry["timestamp"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
