"""Words for reading aloud: telephone numbers digit by digit, times and ages as people say them, lines of 78 columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from telephony.domain.values import Msisdn

Language = Literal["ko", "en"]

COLUMNS = 78
"""Of a terminal that has the usual 80."""

_DIGITS: Mapping[Language, Mapping[str, str]] = MappingProxyType(
    {
        "ko": dict(zip("0123456789", "공일이삼사오육칠팔구", strict=True))
        | {"+": "플러스 ", "*": "별표 ", "#": "우물정 "},
        "en": dict(
            zip(
                "0123456789",
                ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
                strict=True,
            )
        )
        | {"+": "plus", "*": "star", "#": "hash"},
    }
)
_SEOUL = "02"
_LAST_GROUP = 4


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a number is dialled in this country: E.164 country code, and what stands for it at home."""

    country_code: str
    trunk_prefix: str


def dialled(number: Msisdn, home: Numbering) -> str:
    """Return a number as it is dialled here, in groups: ``010-1234-5678``; one of another country after its plus sign.

    What is no global number stays as the carrier gave it.
    """
    if not number.is_e164:
        return number.number
    if number.number.startswith(home.country_code):
        return _at_home(home.trunk_prefix + number.number.removeprefix(home.country_code))
    return "+" + "-".join(_groups(number.number))


def spoken(grouped: str, language: Language) -> str:
    """Return a dialled number as it is read aloud, digit by digit, a pause after each group."""
    digits = _DIGITS[language]
    between = "" if language == "ko" else " "
    groups = (between.join(digits.get(each, each) for each in group) for group in grouped.split("-"))
    return ", ".join(" ".join(group.split()) for group in groups)


def since(moment: datetime, now: datetime, language: Language) -> str:
    """Return how long ago something was, in at most two units; below a minute it is just now."""
    minutes = max(0, int((now - moment).total_seconds())) // 60
    hours, days = minutes // 60, minutes // 1440
    if minutes == 0:
        return "방금 전" if language == "ko" else "just now"
    if days:
        parts = ((days, "일", "day"), (hours % 24, "시간", "hour"))
    else:
        parts = ((hours, "시간", "hour"), (minutes % 60, "분", "minute"))
    return " ".join(_counted(*part, language) for part in parts if part[0]) + (
        " 전" if language == "ko" else " ago"
    )


def clock(moment: datetime, now: datetime, language: Language) -> str:
    """Return a local time to the minute, with its day where that is not today. Both are in the zone that is meant."""
    if language == "ko":
        day = "오늘" if moment.date() == now.date() else f"{moment.month}월 {moment.day}일"
        return f"{day} {moment.hour}시 {moment.minute}분"
    day = "today" if moment.date() == now.date() else f"on {moment.day} {_MONTHS[moment.month - 1]}"
    return f"at {moment:%H:%M} {day}"


def wrapped(line: str, *, indent: str = "  ") -> Iterator[str]:
    """Return a line as lines of at most `COLUMNS`, broken at blanks; Korean letters are two columns wide."""
    kept, width = "", 0
    for word in line.split(" "):
        wide = _columns(word)
        if kept.strip() and width + 1 + wide > COLUMNS:
            yield kept
            kept, width = indent + word, len(indent) + wide
        else:
            kept, width = (f"{kept} {word}", width + 1 + wide) if kept else (word, wide)
    yield kept


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def _at_home(national: str) -> str:
    """Group a national number: area or mobile code, exchange, last four digits."""
    if len(national) <= 2 * _LAST_GROUP:
        return "-".join(_groups(national))
    code = _SEOUL if national.startswith(_SEOUL) else national[:3]
    rest = national[len(code) :]
    return "-".join((code, *_groups(rest)))


def _groups(digits: str) -> list[str]:
    """Group digits from the end: four, and before them threes."""
    head, groups = digits[:-_LAST_GROUP], [digits[-_LAST_GROUP:]]
    while len(head) > _LAST_GROUP:
        head, groups = head[:-3], [head[-3:], *groups]
    return [head, *groups] if head else groups


def _counted(count: int, korean: str, english: str, language: Language) -> str:
    return f"{count}{korean}" if language == "ko" else f"{count} {english}{'' if count == 1 else 's'}"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)
