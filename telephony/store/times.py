"""How the store keeps time: microseconds since 1970 UTC, in a 64-bit integer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Give the UTC datetime of such a count, exact."""
    return _EPOCH + timedelta(microseconds=microseconds)


def seconds_to_us(seconds: float) -> int:
    """Microseconds of a Unix time or a duration in seconds."""
    return int(seconds * 1_000_000)
