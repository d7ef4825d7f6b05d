"""A log line read back: which ones are wanted, and how a person reads them. Total: any octets will do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from telephony.safe_text import in_json, one_line

LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
COLOURS: Mapping[str, str] = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}
HEAD = ("timestamp", "level", "event", "exception")
NUMBERS = ("msisdn", "caller", "number")
"""Keys under which a line may name a caller."""
LINKS = ("carrier", "connector", "link", "channel")
"""Keys under which a line may name a carrier or something of it."""

OTHER = "| "
"""Stands before a line that is no log, so that it cannot pass for one."""

_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_.:-]+")
_AMBIGUOUS = re.compile(r'[\s="\\]')
"""In a value: what could pass for the end of it, or for another fact."""
_WORDS = re.compile(r'[^="\\]+')
"""An event: words, and no fact among them."""

Entry = Mapping[str, Any]


def entry_of(line: bytes) -> Entry | None:
    """Read a line of ours; ``None`` for anything else."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and isinstance(entry.get("event"), str) else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are wanted; ``None`` for "any"."""

    incident: str | None = None
    number: str | None = None
    carrier: str | None = None
    level: str | None = None

    @property
    def is_everything(self) -> bool:
        """Claim that no filter is set."""
        return self == Wanted()

    def matches(self, entry: Entry) -> bool:
        """Claim that every filter that is set agrees."""
        return (
            (self.incident is None or str(entry.get("incident", "")).startswith(self.incident))
            and (self.number is None or any(may_be(entry.get(key), self.number) for key in NUMBERS))
            and (self.carrier is None or any(_belongs(entry.get(key), self.carrier) for key in LINKS))
            and (self.level is None or _weight(entry) >= LEVELS[self.level])
        )


def may_be(masked: object, last_digits: str) -> bool:
    """Claim that a masked number (``8210******78``) may end in these digits."""
    if not isinstance(masked, str) or not masked or len(last_digits) > len(masked):
        return False
    ending = masked[len(masked) - len(last_digits) :]
    return "*" in masked and all(
        shown in ("*", digit) for shown, digit in zip(ending, last_digits, strict=True)
    )


def _belongs(name: object, carrier: str) -> bool:
    """Claim that a link, channel or carrier name is this one or, like ``skt-1`` or ``locate:skt``, one of it."""
    if not isinstance(name, str):
        return False
    return name == carrier or name.startswith(f"{carrier}-") or name.endswith(f":{carrier}")


def _weight(entry: Entry) -> int:
    """Give the level as a number; a level that nobody knows is shown rather than hidden."""
    level = entry.get("level")
    return LEVELS.get(level, LEVELS["critical"]) if isinstance(level, str) else LEVELS["critical"]


def readable(entry: Entry) -> str:
    """Write one entry as a person reads it: time, level, event, facts; the traceback on lines of its own."""
    level = entry.get("level", "?")
    colour = COLOURS.get(level) if isinstance(level, str) else None
    told = level if isinstance(level, str) and (level in LEVELS or level == "?") else in_json(level)
    text = f"{click.style(f'{_time(entry):<12}', dim=True)} {click.style(f'{told:<8}', fg=colour)} "
    text += click.style(_event(entry["event"]), bold=True)
    for key, value in entry.items():
        if key not in HEAD:
            name = key if _KEY.fullmatch(key) else in_json(key)
            text += f" {click.style(f'{name}=', dim=True)}{_fact(value)}"
    if exception := entry.get("exception"):
        lines = map(one_line, str(exception).splitlines())
        text += "".join(f"\n    {click.style(line, fg=colour)}" for line in lines)
    return text


def other(line: bytes) -> str:
    """Write a line that is no log as a person reads it."""
    return OTHER + one_line(line.decode("utf-8", "replace").rstrip("\r\n"))


def _time(entry: Entry) -> str:
    """Give the time of day (UTC) with its milliseconds, or in quotes whatever stands there."""
    timestamp = entry.get("timestamp", "")
    clock = timestamp.partition("T")[2].removesuffix("Z") if isinstance(timestamp, str) else ""
    return clock if _TIME.fullmatch(clock) else in_json(timestamp)


def _event(event: str) -> str:
    return event if _WORDS.fullmatch(event) and one_line(event) == event else in_json(event)


def _fact(value: Any) -> str:
    """Give a value that has one meaning where it stands: in quotes, unless it is one plain word."""
    if isinstance(value, str) and value and not _AMBIGUOUS.search(value) and one_line(value) == value:
        return value
    return in_json(value)
