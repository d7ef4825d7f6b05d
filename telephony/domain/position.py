"""A position of a phone, and the rule that decides which of two positions is believed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from telephony.domain.errors import Malformed

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of WGS 84 (IUGG)."""

WALKING_M_PER_S = 2.0
"""How fast a position grows stale: a person on foot, hurrying. Faster movement shows in circles that do not touch."""

ASSUMED_AGE = timedelta(minutes=5)
"""How old a fix of unknown age is taken to be on arrival, when two positions are compared. So it does not outdo what was
certainly measured just now, and is not passed over either; of two such fixes the later arrival is the newer one."""

OLDEST = timedelta(days=3_650)
"""Ages count up to here: a damaged time in a row must not lead out of the calendar."""

UNKNOWN_RADIUS_M = 5_000.0
"""What a point without a stated radius is taken for when two positions are compared."""

ASSUMED_CONFIDENCE = 67.0
"""Percent assumed where the network states none (GAD circles carry none; 3GPP TS 23.032)."""

LAST_KNOWN = "last-known"
"""Source of a position that is a memory of an earlier incident."""

REPORT_CONFIDENCE = 95.0
"""Percent at which every circle goes to 112, so that two circles can be compared by eye."""

_CLOSEST_TO_CERTAIN = 99.9
_FARTHEST_FROM_CERTAIN = 1.0
"""The smallest confidence that a network can state (3GPP TS 23.032 clause 6.5); a smaller one is no knowledge."""
_LATITUDES = (-90.0, 90.0)
_LONGITUDES = (-180.0, 180.0)
_CERTAIN = 100.0


@dataclass(frozen=True, slots=True)
class Position:
    """A WGS 84 fix as one circle.

    ``uncertainty_m`` is the circle's radius at ``confidence`` percent; ``None`` radius means the
    source gave a bare point, ``None`` confidence that it stated none. ``method`` is how it was found
    (``cell``, ``gnss``, ``wifi``, ``unknown`` …), ``source`` who says so (``lbs:skt``, ``device``,
    ``last-known``). ``fixed_at`` and ``received_at`` are UTC; ``fixed_at`` is ``None`` where the source did not say
    when, or not so that it can be believed: an age that is not known is never taken for none. ``altitude_m`` is metres above
    the ellipsoid, ``None`` where nobody said; it is told and never compared.

    Raises `Malformed` for anything that is no position on Earth, and for exactly 0,0, which
    live location servers send for "unknown".
    """

    latitude: float
    longitude: float
    uncertainty_m: float | None
    confidence: float | None
    method: str
    source: str
    fixed_at: datetime | None
    received_at: datetime
    altitude_m: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.latitude) and math.isfinite(self.longitude)):
            raise Malformed("a position needs finite coordinates")
        if not (
            _LATITUDES[0] <= self.latitude <= _LATITUDES[1]
            and _LONGITUDES[0] <= self.longitude <= _LONGITUDES[1]
        ):
            raise Malformed("a position needs latitude within 90 and longitude within 180 degrees")
        if self.latitude == 0.0 and self.longitude == 0.0:
            raise Malformed("0,0 is how location servers say that they know nothing")
        if self.uncertainty_m is not None and not (
            math.isfinite(self.uncertainty_m) and self.uncertainty_m >= 0.0
        ):
            raise Malformed("an uncertainty is a finite number of metres, not negative")
        if self.altitude_m is not None and not math.isfinite(self.altitude_m):
            raise Malformed("an altitude is a finite number of metres")
        if self.confidence is not None and not 0.0 < self.confidence <= _CERTAIN:
            raise Malformed("a confidence is a percentage above 0 and up to 100")

    def radius_at(self, confidence: float = REPORT_CONFIDENCE) -> float | None:
        """Radius in metres at another confidence, taking a two-dimensional circular Gaussian.

        Never shrinks: a source that is surer than asked keeps its own radius. ``None`` for a bare point.
        """
        if self.uncertainty_m is None:
            return None
        own, asked = _bounded(self.confidence or ASSUMED_CONFIDENCE), _bounded(confidence)
        if own >= asked:
            return self.uncertainty_m
        return self.uncertainty_m * math.sqrt(math.log(1 - asked / 100) / math.log(1 - own / 100))

    def age_s(self, now: datetime) -> float | None:
        """Seconds since the fix, never negative: clocks of two houses differ. ``None`` where it is not known."""
        return None if self.fixed_at is None else max(0.0, (now - self.fixed_at).total_seconds())

    @property
    def circle_m(self) -> float:
        """Radius by which positions are compared and drawn: `REPORT_CONFIDENCE`, and something for a bare point."""
        radius = self.radius_at()
        return UNKNOWN_RADIUS_M if radius is None else radius

    @property
    def measured_at(self) -> datetime:
        """The time of the fix for comparisons: never after it came, and `ASSUMED_AGE` before where it is not known."""
        return (
            self.received_at - ASSUMED_AGE if self.fixed_at is None else min(self.fixed_at, self.received_at)
        )

    @property
    def is_memory(self) -> bool:
        """Whether this is where she was in an earlier incident."""
        return self.source == LAST_KNOWN

    def reach_m(self, now: datetime) -> float:
        """Radius within which the person still is now: the circle, grown by walking pace."""
        return self.circle_m + WALKING_M_PER_S * max(0.0, (now - self.measured_at).total_seconds())

    def distance_m(self, other: Position) -> float:
        """Great-circle distance to another position."""
        a, b = math.radians(self.latitude), math.radians(other.latitude)
        half_dlat, half_dlon = (b - a) / 2, math.radians(other.longitude - self.longitude) / 2
        h = math.sin(half_dlat) ** 2 + math.cos(a) * math.cos(b) * math.sin(half_dlon) ** 2
        return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))

    def touches(self, other: Position) -> bool:
        """Whether two circles, as they are drawn, have room for one place."""
        return self.distance_m(other) <= self.circle_m + other.circle_m

    def as_if_it_came(self, at: datetime) -> Position:
        """Return the same fix, as old on arrival as it was, as if it had come at another time."""
        if self.fixed_at is None:
            return replace(self, received_at=at)
        own_age = min(self.received_at - self.measured_at, OLDEST)
        return replace(self, received_at=at, fixed_at=at - own_age)

    def as_last_known(self) -> Position:
        """Return the same fix as a memory of an earlier incident."""
        return replace(self, source=LAST_KNOWN)


def _bounded(confidence: float) -> float:
    """Percent between the bounds within which a Gaussian has a finite radius."""
    return min(max(confidence, _FARTHEST_FROM_CERTAIN), _CLOSEST_TO_CERTAIN)


def is_better(candidate: Position, current: Position | None, now: datetime) -> bool:
    """Whether the candidate says more truly where the person is now.

    One rule for every source. A memory gives way to whatever was measured after it. Of two circles that do not touch
    the newer one holds: she has left the older one, or it was wrong; how large they are, and whether she walked or was
    driven, says nothing then. Two that have room for one place are compared by how far she can be by now: an old fix
    grows at walking pace, so a coarse fresh fix replaces a sharp one only when that has had the time to grow past it.
    """
    if current is None:
        return True
    newer_by_s = (candidate.measured_at - current.measured_at).total_seconds()
    if candidate.is_memory != current.is_memory:
        return current.is_memory and newer_by_s > 0.0
    if newer_by_s and not candidate.touches(current):
        return newer_by_s > 0.0
    return candidate.reach_m(now) < current.reach_m(now)


def best_of(positions: Iterable[Position], now: datetime) -> Position:
    """Return the one that none of the later measured ones is better than. There is at least one."""
    best: Position | None = None
    for each in sorted(positions, key=lambda position: position.measured_at):
        if is_better(each, best, now):
            best = each
    if best is None:
        raise ValueError("the best of no positions")
    return best
