"""Reads the time of a fix (MLP 3.5 clause 5.3.131), where the text has only one meaning."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from telephony.lbs.mlp_numbers import plain

TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours a server's clock may be; a time beyond that is none."""

_LOCAL_OFFSET = timedelta(hours=9)
"""Korea has had one offset since 1988; a server that leaves ``utc_off`` out writes UTC, as MLP says, or this."""

_TIME = re.compile(
    r"(\d{4})([-/.]?)(\d\d)\2(\d\d) ?T? ?(\d\d)(:?)(\d\d)(?:\6(\d\d)(?:[.,](\d{1,9}))?|(?<=:\d\d)) ?(\D.{0,12})?",
    re.ASCII,
)
"""Seconds may be absent where colons tell what is what."""
_UNPUNCTUATED_FRACTION = re.compile(r"(\d{14})(\d{3})(?!\d)", re.ASCII)
_ZONE_NAME = re.compile(r"\[[A-Z_/]{1,40}\]$", re.ASCII)
"""As in ``2026-11-23T15:05:00+09:00[Asia/Seoul]``: it repeats the offset."""
_EPOCH = re.compile(r"(\d{10})(\d{3})?", re.ASCII)
"""Seconds or milliseconds since 1970, in UTC by their nature."""
_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+-]?)(?:(\d{1,2})|(\d{1,2}):?(\d\d))", re.ASCII)
_ZONES = {"Z": timedelta(0), "UTC": timedelta(0), "GMT": timedelta(0), "KST": _LOCAL_OFFSET}
_ZONES |= dict.fromkeys(("ASIA/SEOUL", "ROK"), _LOCAL_OFFSET)
_LARGEST_OFFSET = timedelta(hours=14, minutes=59)
_QUARTER = 15
_LONGEST = 64


def read_time(text: str, utc_off: str, received_at: datetime) -> datetime | None:
    """Read ``time`` and its ``utc_off`` (empty where it is absent), or ISO 8601; ``None`` where it is unreadable.

    The result may lie ahead of ``received_at``: the caller judges the clock. Without any offset the time is read
    only where one of the two usual readings is left, the other being in the future.
    """
    said = plain(text[: _LONGEST + 1]).strip().upper()
    if epoch := _EPOCH.fullmatch(said):
        return datetime.fromtimestamp(int(epoch[1]), UTC) + timedelta(milliseconds=int(epoch[2] or 0))
    said = _UNPUNCTUATED_FRACTION.sub(r"\1.\2", _ZONE_NAME.sub("", said))
    time = _TIME.fullmatch(said) if len(text) <= _LONGEST else None
    if time is None:
        return None
    year, _, month, day, hour, _, minute, second, fraction, own_off = time.groups()
    offsets = {_offset(said) for said in (own_off or "", utc_off) if said.strip()}
    if None in offsets or len(offsets) > 1:
        return None
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    try:
        day_begins = datetime(int(year), int(month), int(day), tzinfo=UTC)
        local = day_begins + _since_midnight(int(hour), int(minute), int(second or 0), microsecond)
        readings = [
            local - offset for offset in offsets or {timedelta(0), _LOCAL_OFFSET} if offset is not None
        ]
    except (ValueError, OverflowError):
        return None
    if not offsets:
        readings = [reading for reading in readings if reading <= received_at + TOLERANCE]
    return readings[0] if len(readings) == 1 else None


def _since_midnight(hour: int, minute: int, second: int, microsecond: int) -> timedelta:
    """Return the time of a day. Midnight may be 24:00, and a leap second is the next one. Raises `ValueError`."""
    if minute > 59 or second > 60 or hour > 24 or (hour == 24 and minute + second + microsecond):  # noqa: PLR2004 - a clock
        raise ValueError("no time of a day")
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microsecond)


def _offset(text: str) -> timedelta | None:
    """Read ``+0900``, ``0900``, ``+09:00``, ``+09``, ``+9``, ``+900``, ``Z``, or these after ``UTC`` or ``GMT``."""
    said = plain(text).strip().upper()
    if said in _ZONES:
        return _ZONES[said]
    offset = _OFFSET.fullmatch(said)
    if offset is None:
        return None
    sign, only_hours, hours, minutes = offset.groups()
    behind = timedelta(hours=int(only_hours or hours), minutes=int(minutes or 0))
    if behind > _LARGEST_OFFSET or int(minutes or 0) % _QUARTER:
        return None
    return -behind if sign == "-" else behind
