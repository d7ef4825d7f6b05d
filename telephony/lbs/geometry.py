"""Shapes of a location answer, and the one circle that covers each of them.

Shapes are those of MLP 3.5 and 3GPP TS 23.032; all coordinates are WGS 84 degrees, all lengths
metres, all bearings degrees clockwise from north. A centre is looked for on a plane that touches the ellipsoid
amid the shape; the radius is measured on the ellipsoid at the end, so that a circle always covers its shape.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from telephony.domain.errors import Malformed
from telephony.lbs.geodesy import (
    Coord,
    Plane,
    Xy,
    destination,
    distance_m,
    middle,
)

MAX_POINTS = 512
"""MLP allows a polygon 15 points; a multi-shape with more than this many is an attack or an accident."""

MAX_LENGTH_M = 5_000_000.0
"""The largest radius GAD can code is 1,807 km (TS 23.032); an arc may double it, nothing more."""

_HALF_TURN = 180.0
_FULL_TURN = 360.0

_RIM_POINTS = 16
"""Points that stand for the rim of a disc while a centre is looked for; the final radius is exact all the same."""

_ROUNDS = 100
"""More than a search for a centre ever took; a bound where rounding errors might go in circles."""

_NO_EXTENT_M = 0.001
"""A radius up to this is a rounding error of equal places, not a claim of the network's."""

_CLOSE_ENOUGH = 1 + 1e-9

_SAME_PLACE_M = 50.0
"""Two shapes of one fix this far apart are one place, written twice with fewer digits."""


_Disc = tuple[Coord, float]
"""A centre and a radius in metres. Every shape is written as discs that cover it; a corner is one of radius 0."""


class Circle(NamedTuple):
    """The circle that covers a shape. ``radius_m`` is ``None`` where the shape says nothing of its size."""

    latitude: float
    longitude: float
    radius_m: float | None


def _check_lengths(*lengths_m: float) -> None:
    if not all(0.0 <= length <= MAX_LENGTH_M for length in lengths_m):
        raise Malformed("a length is a number of metres from 0 to 5,000,000")


def _check_points(points: Sequence[object]) -> None:
    if not 1 <= len(points) <= MAX_POINTS:
        raise Malformed(f"a shape has 1 to {MAX_POINTS} points")


@dataclass(frozen=True, slots=True)
class Point:
    """A place of unknown size: never a circle of radius 0."""

    at: Coord

    def discs(self) -> list[_Disc]:
        """Return the place."""
        return [(self.at, 0.0)]


@dataclass(frozen=True, slots=True)
class CircularArea:
    """A disc."""

    centre: Coord
    radius_m: float

    def __post_init__(self) -> None:
        _check_lengths(self.radius_m)

    def discs(self) -> list[_Disc]:
        """Return the disc itself."""
        return [(self.centre, self.radius_m)]


@dataclass(frozen=True, slots=True)
class CircularArcArea:
    """A piece of a ring around a mast.

    ``start_deg`` is the bearing of its first edge; ``included_deg`` is the angle from there to the second edge,
    not a bearing (MLP 3.5 clause 5.3.123). Both radii are measured from the mast. The phone is in the ring,
    not at the mast.
    """

    mast: Coord
    inner_m: float
    outer_m: float
    start_deg: float
    included_deg: float

    def __post_init__(self) -> None:
        _check_lengths(self.inner_m, self.outer_m)
        if self.inner_m > self.outer_m:
            raise Malformed("the inner radius of an arc is not above the outer one")
        if not (abs(self.start_deg) <= _FULL_TURN and 0.0 <= self.included_deg <= _FULL_TURN):
            raise Malformed("the angles of an arc stay within one turn")

    def discs(self) -> list[_Disc]:
        """Return the least disc, whose centre lies on the middle bearing.

        From any centre on that bearing the farthest places are the ends of the outer and of the inner edge. An
        arc of half a turn or more cannot do better than the whole outer circle. Otherwise the disc rests on the
        ends of the outer edge alone, or on all four ends where the ring is narrow.
        """
        if self.included_deg >= _HALF_TURN:
            return [(self.mast, self.outer_m)]
        half = math.radians(self.included_deg / 2)
        outer_end = self.outer_m * math.cos(half), self.outer_m * math.sin(half)
        along_m = min(outer_end[0], (self.inner_m + self.outer_m) / (2 * math.cos(half)))
        centre = destination(self.mast, self.start_deg + self.included_deg / 2, along_m)
        return [(centre, math.dist(outer_end, (along_m, 0.0)))]


@dataclass(frozen=True, slots=True)
class EllipticalArea:
    """An ellipse; ``bearing_deg`` is that of its major axis."""

    centre: Coord
    semi_major_m: float
    semi_minor_m: float
    bearing_deg: float = 0.0

    def __post_init__(self) -> None:
        _check_lengths(self.semi_major_m, self.semi_minor_m)

    def discs(self) -> list[_Disc]:
        """Return the disc of the longer half-axis."""
        return [(self.centre, max(self.semi_major_m, self.semi_minor_m))]


@dataclass(frozen=True, slots=True)
class Polygon:
    """An area by its outer corners; the ring may be closed or left open."""

    corners: tuple[Coord, ...]

    def __post_init__(self) -> None:
        _check_points(self.corners)

    def discs(self) -> list[_Disc]:
        """Return the corners."""
        return [(corner, 0.0) for corner in self.corners]


@dataclass(frozen=True, slots=True)
class Box:
    """An area between two parallels and two meridians, by two opposite corners."""

    first: Coord
    second: Coord

    def discs(self) -> list[_Disc]:
        """Return the four corners."""
        latitudes, longitudes = zip(self.first, self.second, strict=True)
        return [(Coord(*corner), 0.0) for corner in itertools.product(latitudes, longitudes)]


@dataclass(frozen=True, slots=True)
class LineString:
    """A way by its points."""

    points: tuple[Coord, ...]

    def __post_init__(self) -> None:
        _check_points(self.points)

    def discs(self) -> list[_Disc]:
        """Return the points."""
        return [(point, 0.0) for point in self.points]


class _Several:
    """Base of the multi-shapes: they are covered by the discs of their parts."""

    __slots__ = ()
    parts: tuple[Any, ...]

    def __post_init__(self) -> None:
        _check_points(self.parts)
        _check_points(self.discs())

    def discs(self) -> list[_Disc]:
        """Return the discs of all parts."""
        return [disc for part in self.parts for disc in part.discs()]


@dataclass(frozen=True, slots=True)
class MultiPoint(_Several):
    """One of several places."""

    parts: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class MultiLineString(_Several):
    """One of several ways."""

    parts: tuple[LineString, ...]


@dataclass(frozen=True, slots=True)
class MultiPolygon(_Several):
    """One of several areas of any kind."""

    parts: tuple[Area, ...]


Area = Polygon | Box | CircularArea | CircularArcArea | EllipticalArea
Shape = Point | LineString | MultiPoint | MultiLineString | MultiPolygon | Area


def covering_circle(shape: Shape) -> Circle:
    """Return the smallest circle that this shape fits in, at the shape's own confidence.

    A shape without extent (a point, a circle of radius 0, a polygon of equal corners) has an unknown radius:
    a radius of 0 would claim a certainty that no network has.
    """
    centre, radius_m = _least_disc(shape.discs())
    return Circle(centre.latitude, centre.longitude, radius_m if radius_m > _NO_EXTENT_M else None)


def likeliest_circle(shapes: Sequence[Shape]) -> Circle:
    """Return one circle for shapes that are said of one fix: the sharpest, where all of them can be true.

    A bare point beside a circle says less than the circle. Where two exclude each other, the circle covers all:
    it is unknown which of them is right. Raises `Malformed` for more than `MAX_POINTS` in all.
    """
    circles = sorted(
        map(covering_circle, shapes), key=lambda each: (each.radius_m is None, each.radius_m or 0.0)
    )
    sharpest = circles[0]
    if all(_can_meet(sharpest, other) for other in circles[1:]):
        return sharpest
    discs = [disc for shape in shapes for disc in shape.discs()]
    _check_points(discs)
    centre, radius_m = _least_disc(discs)
    return Circle(centre.latitude, centre.longitude, radius_m)


def _can_meet(one: Circle, other: Circle) -> bool:
    apart_m = distance_m(Coord(one.latitude, one.longitude), Coord(other.latitude, other.longitude))
    return apart_m <= (one.radius_m or 0.0) + (other.radius_m or 0.0) + _SAME_PLACE_M


def _least_disc(discs: Sequence[_Disc]) -> _Disc:
    """Cover discs with one, by the least circle around their rims."""
    if len(discs) == 1:
        return discs[0]
    plane = Plane(middle([centre for centre, _ in discs]))
    rims = [point for centre, radius_m in discs for point in _rim(plane.point(centre), radius_m)]
    centre = plane.place(_least_circle_centre(rims))
    return centre, max(distance_m(centre, other) + radius_m for other, radius_m in discs)


def _rim(centre: Xy, radius_m: float) -> list[Xy]:
    if radius_m == 0:
        return [centre]
    turns = (2 * math.pi * step / _RIM_POINTS for step in range(_RIM_POINTS))
    return [(centre[0] + radius_m * math.cos(t), centre[1] + radius_m * math.sin(t)) for t in turns]


def _least_circle_centre(points: Sequence[Xy]) -> Xy:
    """Find the centre of the least circle around points on a plane.

    Start anywhere and take in the farthest point outside, again and again: the least circle of at most four
    points (the two or three that hold the circle, and the new one) grows each time, so this ends; for a polygon
    after a handful of rounds. Deterministic, unlike Welzl's algorithm, of which this is the pivoting form.
    """
    held: tuple[Xy, ...] = (points[0],)
    centre, radius = points[0], 0.0
    for _ in range(_ROUNDS):
        farthest = max(points, key=lambda point: math.dist(centre, point))
        if math.dist(centre, farthest) <= radius * _CLOSE_ENOUGH:
            break
        centre, radius, held = _circle_around_few((*held, farthest))
    return centre


def _circle_around_few(points: tuple[Xy, ...]) -> tuple[Xy, float, tuple[Xy, ...]]:
    """Return centre, radius and holding points of the least circle around two to four points."""
    best: tuple[Xy, float, tuple[Xy, ...]] | None = None
    for held in (*itertools.combinations(points, 2), *itertools.combinations(points, 3)):
        centre = _through(held)
        if centre is None:
            continue
        radius = max(math.dist(centre, point) for point in points)
        if best is None or radius < best[1]:
            best = centre, radius, held
    assert best is not None  # a pair always has a centre
    return best


def _through(held: tuple[Xy, ...]) -> Xy | None:
    """Return the middle of two points, or of the circle through three; ``None`` for three on a line."""
    (ax, ay), (bx, by) = held[0], held[1]
    if len(held) == 2:  # noqa: PLR2004 - a pair
        return (ax + bx) / 2, (ay + by) / 2
    bx, by, cx, cy = bx - ax, by - ay, held[2][0] - ax, held[2][1] - ay
    twice_area = bx * cy - by * cx
    if abs(twice_area) <= 1e-12 * (math.hypot(bx, by) * math.hypot(cx, cy) + 1e-300):
        return None
    b2, c2 = bx * bx + by * by, cx * cx + cy * cy
    return ax + (cy * b2 - by * c2) / (2 * twice_area), ay + (bx * c2 - cx * b2) / (2 * twice_area)
