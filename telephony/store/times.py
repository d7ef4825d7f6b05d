"""The store's times: microseconds since 1970 UTC, in a 64-bit integer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Return the UTC datetime of such a count, exact."""
    return _EPOCH + timedelta(microseconds=microseconds)


def seconds_to_us(seconds: float) -> int:
    """Microseconds of a Unix time or a duration in seconds."""
    return int(seconds * 1_000_000)


_NOT_KNOWN = 0
"""Stands in the column of a fix's time where none was stated; no phone was located in 1970."""


def fix_time_to_us(moment: datetime | None) -> int:
    """Return the time of a fix as its column holds it."""
    return _NOT_KNOWN if moment is None else to_us(moment)


def fix_time(microseconds: int) -> datetime | None:
    """Return the time of a fix from its column; ``None`` where it is not known."""
    return None if microseconds == _NOT_KNOWN else from_us(microseconds)
