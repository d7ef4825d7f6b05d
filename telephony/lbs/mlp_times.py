"""The time of a fix (MLP 3.5 clause 5.3.131): when it was, if the text has one meaning."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from telephony.lbs.mlp_numbers import plain

TOLERANCE = timedelta(minutes=5)
"""How far ahead of ours a server's clock may be; a time beyond that is none."""

_LOCAL_OFFSET = timedelta(hours=9)
"""Korea has had one offset since 1988; a server that leaves ``utc_off`` out writes UTC, as MLP says, or this."""

_TIME = re.compile(
    r"(\d{4})([-/.]?)(\d\d)\2(\d\d) ?T? ?(\d\d)(:?)(\d\d)\6(\d\d)(?:[.,](\d{1,9}))? ?(\D.{0,12})?", re.ASCII
)
_OFFSET = re.compile(r"(?:UTC|GMT)? ?([+-]?)(?:(\d{1,2})|(\d{1,2}):?(\d\d))", re.ASCII)
_ZONES = {"Z": timedelta(0), "UTC": timedelta(0), "GMT": timedelta(0), "KST": _LOCAL_OFFSET}
_LARGEST_OFFSET = timedelta(hours=14, minutes=59)
_QUARTER = 15
_LONGEST = 64


def read_time(text: str, utc_off: str, received_at: datetime) -> datetime | None:
    """Read ``time`` and its ``utc_off`` (empty where it is absent), or ISO 8601; ``None`` where it is unreadable.

    The result may lie ahead of ``received_at``: the caller judges the clock. Without any offset the time is read
    only where one of the two usual readings is left, the other being in the future.
    """
    time = _TIME.fullmatch(plain(text).strip().upper()) if len(text) <= _LONGEST else None
    if time is None:
        return None
    year, _, month, day, hour, _, minute, second, fraction, own_off = time.groups()
    offsets = {_offset(said) for said in (own_off or "", utc_off) if said.strip()}
    if None in offsets or len(offsets) > 1:
        return None
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), microsecond, tzinfo=UTC
        )
        readings = [
            local - offset for offset in offsets or {timedelta(0), _LOCAL_OFFSET} if offset is not None
        ]
    except (ValueError, OverflowError):
        return None
    if not offsets:
        readings = [reading for reading in readings if reading <= received_at + TOLERANCE]
    return readings[0] if len(readings) == 1 else None


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
