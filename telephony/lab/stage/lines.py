"""Lays the lab's lines out for a terminal: one event each, never wider than the screen, whatever letters are in it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from rich.cells import cell_len

from telephony.safe_text import one_line

WIDTH: Final = 80
INDENT: Final = 23
"""Where the words of a line begin."""
_WHO_WIDTH: Final = 10
_LONG_MS: Final = 100_000
_MORE: Final = "…"


class Who(StrEnum):
    """Whose doing a line tells of."""

    PHONE = "phone"
    ONETOUCH = "onetouch"
    SMSC = "SMSC"
    LBS = "LBS"
    CENTRE = "112"
    SECOND_URL = "112 URL 2"
    GUARDIAN = "guardian"
    ALARM = "ALARM"
    LAB = "lab"


KOREAN_WHO: Final = {Who.PHONE: "전화기", Who.GUARDIAN: "보호자", Who.ALARM: "경보", Who.LAB: "실험실"}


def timed(ms: float | None, who: str, what: str, *, width: int = WIDTH) -> str:
    """Return the line of an event: milliseconds since the press, who, what; cut where it does not fit."""
    return fitted(f"{_moment(ms)}  {padded(who, _WHO_WIDTH)}{one_line(what)}", width)


def timed_in_full(ms: float | None, who: str, what: str, *, width: int = WIDTH) -> Iterator[str]:
    """Return the same on as many lines as the words need."""
    first, *rest = wrapped(one_line(what), width - INDENT)
    yield timed(ms, who, first, width=width)
    yield from (" " * INDENT + each for each in rest)


def fitted(text: str, width: int) -> str:
    """Return a text that is so many columns wide at most; a letter of Hangul takes two."""
    if cell_len(text) <= width:
        return text
    return f"{_beginning(text, width - 1)}{_MORE}"


def padded(text: str, width: int) -> str:
    """Return a text with blanks up to a column."""
    return text + " " * (width - cell_len(text))


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of so many columns at most, broken at blanks where there are any."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        while cell_len(word) > width:
            lines[-1] = _beginning(word, width)
            word = word[len(lines[-1]) :]  # noqa: PLW2901 - what is left of it
            lines.append("")
        lines[-1] = word
    return lines


def _beginning(text: str, width: int) -> str:
    kept = text[:width]
    while cell_len(kept) > width:
        kept = kept[:-1]
    return kept


def _moment(ms: float | None) -> str:
    if ms is None:
        return " " * (INDENT - _WHO_WIDTH - 2)
    return f"{ms:>8.0f} ms" if ms < _LONG_MS else f"{ms / 1000:>8.0f} s "
