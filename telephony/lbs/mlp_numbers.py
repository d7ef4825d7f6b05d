"""Reads numbers and lengths of a location answer, with the decimal comma, signs and units that servers write."""

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType

SURVEY_FOOT_M = 1200 / 3937

_NUMBER = re.compile(
    r"([+-]?(?:\d{1,9}(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d)?) ?([^\d\s][^\d]{0,15})?", re.ASCII
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2},\d{3}", re.ASCII)

_UNITS = MappingProxyType(
    dict.fromkeys(("m", "meter", "metre", "meters", "metres", "mtr"), 1.0)
    | dict.fromkeys(("km", "kilometer", "kilometre", "kilometers", "kilometres"), 1000.0)
    | dict.fromkeys(("ft", "foot", "feet"), 0.3048)
    | dict.fromkeys(("surveyfoot", "surveyfeet", "ussurveyfoot"), SURVEY_FOOT_M)
    | dict.fromkeys(("yd", "yard", "yards"), 0.9144)
    | dict.fromkeys(("mi", "mile", "miles"), 1609.344)
    | dict.fromkeys(("nmi", "nauticalmile", "nauticalmiles"), 1852.0)
)
_NO_WORD = re.compile(r"[^a-z]")
_PLAIN = str.maketrans(
    {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}  # the wide forms of East Asian keyboards
    | dict.fromkeys("\u2212\u2013\u2010\u2011", "-")
    | {"\u066b": "."}
    # Marks of writing direction stand before a minus sign in Arabic, Hebrew and Persian; the others take no room.
    | dict.fromkeys("\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff")
)


def plain(text: str) -> str:
    """Return a text with the digits and signs of ASCII: a server's locale may format numbers in those of its language."""
    if text.isascii():
        return text
    return "".join(
        str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text.translate(_PLAIN)
    )


def read_number(text: str | None, *, units: tuple[str, ...] = ()) -> float | None:
    """Read a number with a point or a comma, bare or with one of these units; ``None`` where it is none (``NaN``)."""
    number = _NUMBER.fullmatch(plain(text).strip()) if text is not None else None
    if number is None or (number[2] or "").strip().lower() not in ("", *units):
        return None
    return float(number[1].replace(",", "."))


def read_length_m(text: str | None, unit: str | None) -> float | None:
    """Read a length of 0 or more in metres; ``unit`` is the answer's ``distanceUnit``.

    ``None`` where there is none, or where it has more than one meaning: ``1,000``, an unknown unit, two units
    that differ.
    """
    number = _NUMBER.fullmatch(plain(text).strip()) if text is not None else None
    if number is None or _THOUSANDS.fullmatch(number[1].lstrip("+-")):
        return None
    length = float(number[1].replace(",", "."))
    factors = {
        _UNITS.get(_NO_WORD.sub("", said.lower())) for said in (number[2], unit) if said and said.strip()
    }
    factor = factors.pop() if factors else 1.0
    if factors or factor is None or length < 0:
        return None
    return length * factor
