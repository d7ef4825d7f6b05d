"""Reads log lines back, filters them, and writes them for people. Total: any octets will do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

import click

from telephony.safe_text import in_json, one_line

LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
COLOURS: Mapping[str, str] = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}
HEAD = ("timestamp", "level", "priority", "event", "exception")
NUMBERS = ("msisdn", "caller", "number")
"""Keys under which a line may name a caller."""
LINKS = ("carrier", "connector", "link", "channel")
"""Keys under which a line may name a carrier or something of it."""

OTHER = "| "
"""Stands before a line that is no log, so that it cannot pass for one."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z", re.ASCII)
_DAY = re.compile(r"\A[0-9]{8}-", re.ASCII)
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
    """The filters of lines; ``None`` for "any"."""

    incident: str | None = None
    number: str | None = None
    carrier: str | None = None
    level: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no filter is set."""
        return self == Wanted()

    def matches(self, entry: Entry) -> bool:
        """Whether every filter that is set agrees."""
        return (
            (self.incident is None or _is_begun(str(entry.get("incident", "")), self.incident))
            and (self.number is None or any(may_be(entry.get(key), self.number) for key in NUMBERS))
            and (self.carrier is None or any(_belongs(entry.get(key), self.carrier) for key in LINKS))
            and (self.level is None or _weight(entry) >= LEVELS[self.level])
        )


def _is_begun(incident: str, said: str) -> bool:
    """Whether an incident's id begins so: with ``sos-``, without it, or behind the date."""
    rest = incident.removeprefix("sos-")
    begins = (incident, rest, _DAY.sub("", rest))
    return any(each.startswith(said.strip().lower()) for each in begins)


def last_incident(lines: Iterable[bytes]) -> str | None:
    """Return the incident that the last line about one is about."""
    last = None
    for line in lines:
        entry = entry_of(line) if b'"incident"' in line else None
        if entry is not None and isinstance(entry.get("incident"), str):
            last = str(entry["incident"])
    return last


def may_be(masked: object, last_digits: str) -> bool:
    """Whether a masked number (``8210******78``) may end in these digits."""
    if not isinstance(masked, str) or not masked or len(last_digits) > len(masked):
        return False
    ending = masked[len(masked) - len(last_digits) :]
    return "*" in masked and all(
        shown in ("*", digit) for shown, digit in zip(ending, last_digits, strict=True)
    )


def _belongs(name: object, carrier: str) -> bool:
    """Whether a link, channel or carrier name is this one or, like ``skt-1`` or ``locate:skt``, one of it."""
    if not isinstance(name, str):
        return False
    return name == carrier or name.startswith(f"{carrier}-") or name.endswith(f":{carrier}")


def _weight(entry: Entry) -> int:
    """Return the level as a number; an unknown level is shown rather than hidden."""
    level = entry.get("level")
    return LEVELS.get(level, LEVELS["critical"]) if isinstance(level, str) else LEVELS["critical"]


def readable(entry: Entry, zone: tzinfo | None) -> str:
    """Write one entry as a person reads it: time by this clock (None: the machine's), level, event, facts; the traceback on lines of its own."""
    level = entry.get("level", "?")
    colour = COLOURS.get(level) if isinstance(level, str) else None
    told = level if isinstance(level, str) and (level in LEVELS or level == "?") else in_json(level)
    text = f"{click.style(f'{_time(entry, zone):<16}', dim=True)} {click.style(f'{told:<8}', fg=colour)} "
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


def _time(entry: Entry, zone: tzinfo | None) -> str:
    """Return the time of day with its milliseconds and its zone, or in quotes whatever stands there."""
    timestamp = entry.get("timestamp", "")
    if not isinstance(timestamp, str) or not _TIME.fullmatch(timestamp):
        return in_json(timestamp)
    try:
        at = datetime.fromisoformat(timestamp).astimezone(zone)
    except (ValueError, OverflowError):
        return in_json(timestamp)
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} {at:%Z}"


def _event(event: str) -> str:
    return event if _WORDS.fullmatch(event) and one_line(event) == event else in_json(event)


def _fact(value: Any) -> str:
    """Return a value that has one meaning where it stands: in quotes, unless it is one plain word."""
    if isinstance(value, str) and value and not _AMBIGUOUS.search(value) and one_line(value) == value:
        return value
    return in_json(value)
