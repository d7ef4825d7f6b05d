"""Numbers and lengths of a location answer, with the decimal comma, signs and units that servers write."""

from __future__ import annotations

import re
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


def read_number(text: str | None, *, units: tuple[str, ...] = ()) -> float | None:
    """Read a number with a point or a comma, bare or with one of these units; ``None`` where it is none (``NaN``)."""
    number = _NUMBER.fullmatch(text.strip()) if text is not None else None
    if number is None or (number[2] or "").strip().lower() not in ("", *units):
        return None
    return float(number[1].replace(",", "."))


def read_length_m(text: str | None, unit: str | None) -> float | None:
    """Read a length of 0 or more in metres; ``unit`` is the answer's ``distanceUnit``.

    ``None`` where there is none, or where it has no one meaning: ``1,000``, a unit that nobody knows, two units
    that differ.
    """
    number = _NUMBER.fullmatch(text.strip()) if text is not None else None
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
