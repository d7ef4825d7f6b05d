"""A log line read back: which ones are wanted, and how a person reads them. Total: any octets will do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
COLOURS: Mapping[str, str] = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}
HEAD = ("timestamp", "level", "event", "exception")
NUMBERS = ("msisdn", "caller", "number")
"""Keys under which a line may name a caller."""
LINKS = ("carrier", "connector", "link", "channel")
"""Keys under which a line may name a carrier or something of it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters and changes of writing direction; tabs and line feeds are harmless."""

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
    level = str(entry.get("level", "?"))
    moment = _time(str(entry.get("timestamp", "")))
    colour = COLOURS.get(level)
    text = f"{click.style(f'{moment:<12}', dim=True)} {click.style(f'{plain(level):<8}', fg=colour)} "
    text += click.style(plain(str(entry["event"])), bold=True)
    for key, value in entry.items():
        if key not in HEAD:
            text += f" {click.style(f'{plain(key)}=', dim=True)}{plain(_fact(value))}"
    if exception := entry.get("exception"):
        lines = (plain(line) for line in str(exception).splitlines())
        text += "".join(f"\n    {click.style(line, fg=colour)}" for line in lines)
    return text


def _time(timestamp: str) -> str:
    """Give the time of day (UTC) with its milliseconds, or whatever stands there."""
    _, separator, clock = timestamp.partition("T")
    return plain(clock.removesuffix("Z") if separator else timestamp)


def _fact(value: Any) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)


def plain(text: str) -> str:
    """Take away what could steer a terminal: far ends put words of theirs into our logs."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.rstrip("\r\n"))
