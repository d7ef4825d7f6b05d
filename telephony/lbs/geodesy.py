"""Geodesy on the WGS 84 ellipsoid: distance, bearing, and a tangent plane.

Everything goes by way of earth-centred coordinates, so that the antimeridian and the poles are places like any
other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from telephony.domain.errors import Malformed

MAX_LATITUDE = 90.0
MAX_LONGITUDE = 180.0

_A = 6_378_137.0
_F = 1 / 298.257223563
_E2 = _F * (2 - _F)
_B = _A * (1 - _F)
_MEAN_RADIUS = 6_371_008.8


class Coord(NamedTuple):
    """A place: degrees north and degrees east. Made by `coord`, which refuses what is not on Earth."""

    latitude: float
    longitude: float


Xy = tuple[float, float]
"""A point on a `Plane`: metres east and north."""


def coord(latitude: float, longitude: float) -> Coord:
    """Check a place. Raises `Malformed` beyond 90 and 180 degrees and for NaN."""
    if not (abs(latitude) <= MAX_LATITUDE and abs(longitude) <= MAX_LONGITUDE):
        raise Malformed("latitude is within 90 and longitude within 180 degrees")
    return Coord(latitude, longitude)


def distance_m(a: Coord, b: Coord) -> float:
    """Metres between two places on the WGS 84 ellipsoid; error below 0.01 % up to 1,000 km, 0.5 % anywhere."""
    half_chord = math.dist(_earth_centred(a), _earth_centred(b)) / 2
    return 2 * _MEAN_RADIUS * math.asin(min(1.0, half_chord / _MEAN_RADIUS))


def destination(start: Coord, bearing_deg: float, length_m: float) -> Coord:
    """Return the place reached from another by a bearing and a length in metres (at most 5,000 km)."""
    bearing = math.radians(bearing_deg)
    return Plane(start).place((length_m * math.sin(bearing), length_m * math.cos(bearing)))


def _earth_centred(place: Coord) -> tuple[float, float, float]:
    latitude, longitude = math.radians(place.latitude), math.radians(place.longitude)
    n = _A / math.sqrt(1 - _E2 * math.sin(latitude) ** 2)
    across = n * math.cos(latitude)
    return across * math.cos(longitude), across * math.sin(longitude), n * (1 - _E2) * math.sin(latitude)


def _geodetic(x: float, y: float, z: float) -> Coord:
    """Bowring's formula; exact to far below a millimetre near the surface."""
    across = math.hypot(x, y)
    reduced = math.atan2(z * _A, across * _B)
    latitude = math.atan2(
        z + _E2 / (1 - _E2) * _B * math.sin(reduced) ** 3,
        across - _E2 * _A * math.cos(reduced) ** 3,
    )
    return Coord(math.degrees(latitude), math.degrees(math.atan2(y, x)))


def middle(places: Sequence[Coord]) -> Coord:
    """Return a place amid others, or the first of them where they surround the Earth."""
    sums = [math.fsum(axis) for axis in zip(*map(_earth_centred, places), strict=True)]
    if math.hypot(*sums) < len(places) * _A / 100:
        return places[0]
    x, y, z = (axis / math.hypot(*sums) * _A for axis in sums)
    return _geodetic(x, y, z)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


class Plane:
    """The plane that touches the ellipsoid at one place; lengths from that place are true on it."""

    def __init__(self, touches: Coord) -> None:
        latitude, longitude = math.radians(touches.latitude), math.radians(touches.longitude)
        sin_lat, cos_lat = math.sin(latitude), math.cos(latitude)
        sin_lon, cos_lon = math.sin(longitude), math.cos(longitude)
        self._origin = _earth_centred(touches)
        self._east = (-sin_lon, cos_lon, 0.0)
        self._north = (-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat)
        self._up = (cos_lat * cos_lon, cos_lat * sin_lon, sin_lat)
        self._radius = _A * math.sqrt(1 - _E2) / (1 - _E2 * sin_lat**2)  # Gaussian radius of curvature

    def point(self, place: Coord) -> Xy:
        """Return metres east and north."""
        offset = [there - here for there, here in zip(_earth_centred(place), self._origin, strict=True)]
        east, north, up = (_dot(offset, axis) for axis in (self._east, self._north, self._up))
        across = math.hypot(east, north)
        if across == 0:
            return 0.0, 0.0
        stretch = math.atan2(across, self._radius + up) * self._radius / across
        return east * stretch, north * stretch

    def place(self, point: Xy) -> Coord:
        """Return the place of a point in metres east and north."""
        length = math.hypot(*point)
        if length == 0:
            return _geodetic(*self._origin)
        turn = length / self._radius
        shrink = self._radius * math.sin(turn) / length
        east, north, up = point[0] * shrink, point[1] * shrink, self._radius * (math.cos(turn) - 1)
        x, y, z = (
            here + east * e + north * n + up * u
            for here, e, n, u in zip(self._origin, self._east, self._north, self._up, strict=True)
        )
        return _geodetic(x, y, z)
