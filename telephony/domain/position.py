"""Where a phone is believed to be, and which belief is the better one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from telephony.domain.errors import Malformed

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of WGS 84 (IUGG)."""

WALKING_M_PER_S = 2.0
"""How fast a position grows stale: a person on foot, hurrying."""

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
    ``last-known``). ``fixed_at`` and ``received_at`` are UTC; ``None`` is a fix of unknown age.

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
        """Seconds since the fix, never negative: clocks of two houses differ. ``None`` where nobody knows."""
        if self.fixed_at is None:
            return None
        return max(0.0, (now - self.fixed_at).total_seconds())

    def reach_m(self, now: datetime) -> float:
        """Radius within which the person still is now: the circle, grown by walking pace."""
        radius = self.radius_at()
        return (UNKNOWN_RADIUS_M if radius is None else radius) + WALKING_M_PER_S * (self.age_s(now) or 0.0)

    def distance_m(self, other: Position) -> float:
        """Great-circle distance to another position."""
        a, b = math.radians(self.latitude), math.radians(other.latitude)
        half_dlat, half_dlon = (b - a) / 2, math.radians(other.longitude - self.longitude) / 2
        h = math.sin(half_dlat) ** 2 + math.cos(a) * math.cos(b) * math.sin(half_dlon) ** 2
        return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))

    def as_last_known(self) -> Position:
        """Give the same fix as a memory of an earlier incident."""
        return replace(self, source=LAST_KNOWN)


def _bounded(confidence: float) -> float:
    """Percent between the bounds within which a Gaussian has a finite radius."""
    return min(max(confidence, _FARTHEST_FROM_CERTAIN), _CLOSEST_TO_CERTAIN)


def is_better(candidate: Position, current: Position | None, now: datetime) -> bool:
    """Claim that the candidate narrows down where the person is now.

    One rule for every source: compare how far she can be by now. An old fix grows at walking pace, so a
    coarse fresh fix replaces a sharp one only when that has had the time to grow past it.
    """
    return current is None or candidate.reach_m(now) < current.reach_m(now)
