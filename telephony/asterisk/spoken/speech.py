"""Puts a report to 112, or a message to a guardian, into a sequence of spoken prompts. Pure.

A prompt ``ko/report`` is the file ``dialplans/sounds/ko/report.ulaw``; the words of each stand in
``dialplans/sounds/prompts.tsv``. The listener may have to write numbers down, so they are spoken digit by digit in
groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from telephony.domain.delivery import CLOSING
from telephony.domain.position import Position
from telephony.domain.report import Report
from telephony.domain.values import Msisdn

Language = Literal["ko", "en"]
Prompts = tuple[str, ...]

RADII: Final = (
    (50, "within-50m"), (100, "within-100m"), (200, "within-200m"), (500, "within-500m"), (1_000, "within-1km"),
    (2_000, "within-2km"), (5_000, "within-5km"), (10_000, "within-10km"), (30_000, "within-30km"),
)  # fmt: skip
"""Metres and how they are said. A radius becomes the next larger one: never less than the truth."""
AGES: Final = ((60, "age-1m"), (300, "age-5m"), (900, "age-15m"), (3_600, "age-1h"), (21_600, "age-6h"))
"""Seconds and how they are said; an age too becomes the next larger one."""
METHODS: Final = {"cell": "by-cell", "wifi": "by-wifi", "gnss": "by-gnss"}

DECIMALS: Final = 4
"""Of a degree: 11 m, less than any circle that is said."""
GROUP: Final = 4
"""Digits that a person keeps in mind while writing."""
LONGEST_NUMBER: Final = 20
"""Digits; a longer one is no number that can be called."""
SHOWN_TO_GUARDIANS: Final = 4
"""Last digits of the number by which a guardian knows whose phone it is."""

VOCABULARY: Final = (
    *"0123456789", "plus", "point", "pause", "drill", "report", "closed", "number", "number-unknown", "silent",
    "no-position", "position", "last-known", "accuracy-unknown", *(name for _, name in RADII), "within-more",
    *METHODS.values(), *(name for _, name in AGES), "age-more", "age-unknown", "north", "south", "east", "west",
    "guardian", "ends-in", "police", "police-asked", "do-not-call", "to-confirm", "to-repeat", "key",
)  # fmt: skip
"""Every prompt that a language has."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """How people of this country write their numbers: ``+82 10…`` is 010…."""

    country_code: str = "82"
    trunk_prefix: str = "0"


KOREA: Final = Numbering()


def report_speech(
    report: Report,
    position: Position | None,
    now: datetime,
    *,
    language: Language,
    confirm_digit: str,
    repeat_digit: str,
    numbering: Numbering = KOREA,
) -> Prompts:
    """Say a report to an operator of 112, with the position that is known now (aware, UTC)."""

    def say() -> Iterator[str]:
        if report.test:
            yield "drill"
        is_over = report.kind == CLOSING
        yield "closed" if is_over else "report"
        yield from _number(report.msisdn, numbering)
        if not is_over:
            yield from _whereabouts(position, now)
            yield "silent"
        yield from ("pause", "to-confirm", confirm_digit, "key", "to-repeat", repeat_digit, "key")

    return _in(language, say)


def guardian_speech(
    caller: Msisdn, *, does_112_know: bool, language: Language, confirm_digit: str, is_drill: bool = False
) -> Prompts:
    """Say to a guardian whose key was pressed, and whether 112 has acknowledged it. No place: anyone may have picked up the phone."""

    def say() -> Iterator[str]:
        if is_drill:
            yield "drill"
        yield "guardian"
        ending = _digits_of(caller)[-SHOWN_TO_GUARDIANS:]
        if ending:
            yield from ("ends-in", *ending, "pause")
        yield "police" if does_112_know else "police-asked"
        yield from ("do-not-call", "pause", "to-confirm", confirm_digit, "key")

    return _in(language, say)


def over_speech(language: Language) -> str:
    """Say to a guardian in the middle of a call that it is over: one prompt."""
    return f"{language}/closed"


def _in(language: Language, say: Callable[[], Iterable[str]]) -> Prompts:
    return tuple(f"{language}/{name}" for name in say())


def _number(msisdn: Msisdn, numbering: Numbering) -> Iterator[str]:
    digits = _digits_of(msisdn)
    if not digits:
        yield "number-unknown"
        return
    yield "number"
    if msisdn.is_e164 and digits.startswith(numbering.country_code):
        digits = numbering.trunk_prefix + digits[len(numbering.country_code) :]
    elif msisdn.is_e164:
        yield "plus"
    yield from _grouped(digits)
    yield "pause"


def _digits_of(msisdn: Msisdn) -> str:
    """Return what can be spoken of a number; nothing where it is withheld or no number."""
    number = msisdn.number
    return number if number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER else ""


def _grouped(digits: str) -> Iterator[str]:
    """Say digits in groups, the last ones full: 010, 1234, 5678."""
    first = len(digits) % GROUP or GROUP
    yield from digits[:first]
    for start in range(first, len(digits), GROUP):
        yield "pause"
        yield from digits[start : start + GROUP]


def _whereabouts(position: Position | None, now: datetime) -> Iterator[str]:
    if position is None:
        yield "no-position"
        return
    yield "last-known" if position.is_memory else "position"
    radius_m = position.radius_at()
    yield "accuracy-unknown" if radius_m is None else _rounded_up(radius_m, RADII, "within-more")
    if position.method in METHODS:
        yield METHODS[position.method]
    age_s = position.age_s(now)
    yield "age-unknown" if age_s is None else _rounded_up(age_s, AGES, "age-more")
    yield "north" if position.latitude >= 0 else "south"
    yield from _degrees(position.latitude)
    yield "east" if position.longitude >= 0 else "west"
    yield from _degrees(position.longitude)


def _rounded_up(value: float, steps: Iterable[tuple[int, str]], beyond: str) -> str:
    return next((name for step, name in steps if math.ceil(value) <= step), beyond)


def _degrees(value: float) -> Iterator[str]:
    """Say 37.5665: 3 7 point 5 6, 6 5."""
    whole, _, decimals = f"{abs(value):.{DECIMALS}f}".partition(".")
    yield from (*whole, "point", *decimals[:2], "pause", *decimals[2:], "pause")
