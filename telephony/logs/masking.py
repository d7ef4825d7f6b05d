"""Masks personal data in log lines: code that logs is careful, and this is the last defence where it was not.

Values are judged by their type first: a phone number, octets or an object of ours never passes as it is. Then by their
key: where a number stands, no digits pass. Any other text or whole number passes when it holds no run of digits as long
as a subscriber's number, in whatever spelling.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import re
import traceback
import uuid
from collections.abc import Mapping, MutableMapping
from pathlib import PurePath
from typing import Any
from unicodedata import decimal

from telephony.domain.values import Msisdn

DROPPED = frozenset(
    {"latitude", "longitude", "lat", "lon", "lng", "text", "texts", "raw", "password", "authorization"}
)
"""Keys that never belong in a log, whatever is in them."""

NUMBERS = frozenset({"msisdn", "caller", "callee", "phone", "sender", "number", "guardian", "to", "tel"})
"""Keys under which a number stands: a text with digits is masked there whatever it looks like."""

IDENTIFIERS = frozenset(
    {
        "audit_entry",
        "incident",
        "incident_id",
        "reference",
        "call",
        "delivery",
        "report",
        "report_id",
        "trigger",
        "message_id",
        "seed",
    }
)
"""Keys whose long runs of digits are ids of ours or of a peer, and no subscribers."""

UNITS = ("_ns", "_us", "_ms", "_s", "_bytes", "_octets", "_total", "_count")
"""Endings of keys that say: this whole number counts something."""

SHORTEST_NUMBER = 9
"""Digits: Korean numbers have 9 to 11 with the trunk prefix (E.164 allows up to 15)."""

_SMALLEST_NUMBER = 10 ** (SHORTEST_NUMBER - 1)
_BETWEEN = (
    "[\\s.()/_\u00b7\u2010-\u2015\u2212\u30fb\ufe63\uff08\uff09\uff0d\uff0e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad-]"
    "|%(?:2[0-9A-Fa-f]|[Cc]2%[Aa]0)"
)
"""What stands between the digits of a number: blanks, points, hyphens and brackets of any width, unseen signs; in a URI escaped."""
_NUMBER = re.compile(
    r"(?P<ours>\bsos-\d{8}-[0-9a-z]{10,}(?:-\d{1,6})?\b"
    r"|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]|-\d))"
    rf"|[+\uff0b]?\d(?:(?:{_BETWEEN}){{0,3}}\d|,\d){{8,}}"
)
"""Digits of any script, however they are grouped, as many as a subscriber's number has.

First, to be left alone: our own names of incidents and reports (`telephony.services.spine.incident_names`), and IPv4 addresses.
"""
_ESCAPED = re.compile("%..")
_MASKED = re.compile(r"[0-9?]{0,4}\*+[0-9?]{0,2}")
_SHORTEST_NAMED = 5
"""Digits: what is shorter under such a key is a service's code, or counts something."""

_SMALLEST_FLOAT, _LARGEST_FLOAT = -math.inf, math.inf
_MOST_BITS = 1_000
"""Python refuses to print whole numbers of more than 4,300 digits."""
_MOST_ITEMS = 20
_DEEPEST = 3
_LONGEST_TEXT = 1_000
_LONGEST_TRACEBACK = 8_000


def mask(  # noqa: C901, PLR0912 - one branch per kind of value, in one loop for speed
    _: object, __: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Make every value of a line safe to keep and ready for JSON: a structlog processor, changes in place."""
    if "exc_info" in event_dict:
        _tell_exception(event_dict)
    if not DROPPED.isdisjoint(event_dict):
        for key in DROPPED.intersection(event_dict):
            del event_dict[key]
    for key, value in event_dict.items():
        kind = type(value)
        # The kinds that nearly every value is of are judged here: this runs for each value of each line.
        if kind is str:
            if key in NUMBERS:
                event_dict[key] = masked_number(value)
            elif len(value) >= SHORTEST_NUMBER and key not in IDENTIFIERS:
                event_dict[key] = masked(value)
        elif kind is int:
            if not -_SMALLEST_NUMBER < value < _SMALLEST_NUMBER:
                event_dict[key] = _whole_number(key, value)
        elif kind is float:
            if not _SMALLEST_FLOAT < value < _LARGEST_FLOAT:
                event_dict[key] = None
        elif kind is Msisdn:
            event_dict[key] = value.masked
        elif kind is not bool and value is not None:
            event_dict[key] = safe(value)
    return event_dict


def masked(text: str) -> str:
    """Return a text with the numbers of subscribers in it masked as `Msisdn.masked` does, and of bounded length."""
    if len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT] + "…"
    return _NUMBER.sub(_stars, text)


def masked_number(text: str) -> str:
    """Return a text that stands where a number does: masked as `Msisdn.masked` does, unless it is so already."""
    if _MASKED.fullmatch(text):
        return text
    digits = _digits(text)
    return Msisdn(digits).masked if len(digits) >= _SHORTEST_NAMED else masked(text)


def safe(value: Any, depth: int = 0) -> Any:  # noqa: C901, PLR0911, PLR0912 - one case per kind of value
    """Return the part of a value of any type that may be kept, as JSON can say it.

    An object of an unknown type is named by its type alone: its ``repr`` may tell a text or a place.
    """
    match value:
        case bool() | None:
            return value
        case Msisdn():
            return value.masked
        case enum.StrEnum():
            return value.value
        case enum.Enum():
            return value.name
        case str():
            return masked(str(value))
        case int():
            return _whole_number("", int(value))
        case float():
            return value if math.isfinite(value) else None
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} octets>"
        case dt.date():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case PurePath():
            return masked(str(value))
        case BaseException():
            return f"{type(value).__name__}: {masked(_words_of(value))}"
        case Mapping() if depth < _DEEPEST:
            kept = [(str(key), item) for key, item in value.items()][:_MOST_ITEMS]
            return {masked(key): _named(key, item, depth + 1) for key, item in kept if key not in DROPPED}
        case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
            return [safe(item, depth + 1) for item in list(value)[:_MOST_ITEMS]]
        case _:
            return f"<{type(value).__name__}>"


def _stars(match: re.Match[str]) -> str:
    return match["ours"] or Msisdn(_digits(match.group())).masked


def _named(key: str, value: Any, depth: int) -> Any:
    return masked_number(value) if key in NUMBERS and isinstance(value, str) else safe(value, depth)


def _digits(text: str) -> str:
    """Return the digits of a number in any spelling, as ASCII."""
    return "".join(str(decimal(each)) for each in _ESCAPED.sub("", text) if each.isdecimal())


def _whole_number(key: str, value: int) -> int | str:
    """Mask a whole number that is as long as a subscriber's, unless its key says that it counts or names."""
    if value.bit_length() > _MOST_BITS:
        return "<a very large number>"
    if -_SMALLEST_NUMBER < value < _SMALLEST_NUMBER or key in IDENTIFIERS or key.endswith(UNITS):
        return value
    return masked(str(value))


def _words_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an error that cannot even say what it is must not break the log
        return "?"


def _tell_exception(event_dict: MutableMapping[str, Any]) -> None:
    """Replace ``exc_info`` by ``exception``: the traceback as text, without the values of local variables."""
    told = event_dict.pop("exc_info")
    if told is True:
        lines = traceback.format_exc().splitlines(keepends=True)
    elif isinstance(told, BaseException):
        lines = traceback.format_exception(told)
    elif isinstance(told, tuple) and len(told) == 3 and isinstance(told[1], BaseException):  # noqa: PLR2004 - sys.exc_info()
        lines = traceback.format_exception(told[1])
    else:
        return
    event_dict["exception"] = _Traceback(_NUMBER.sub(_stars, "".join(lines)[-_LONGEST_TRACEBACK:]))


class _Traceback(str):
    """A text that is masked already and may be longer than others."""

    __slots__ = ()
