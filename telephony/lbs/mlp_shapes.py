"""The shape elements of MLP 3.5 as servers send them, to the shapes of `geometry`.

Children are found by name, in any order. A size that is missing or no number makes a bare point; a place that is
missing or not on Earth makes the whole shape `Malformed`. Any ``srsName`` is taken for WGS 84, which we ask for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from telephony.domain.errors import Malformed
from telephony.hardened_xml import Element
from telephony.lbs import geometry
from telephony.lbs.geodesy import Coord, coord

SURVEY_FOOT_M = 1200 / 3937

_NUMBER = re.compile(r"\d{1,9}(?:\.\d*)?(?:[eE][+-]?\d)?", re.ASCII)


def read_number(text: str | None) -> float | None:
    """Read a size that is 0 or more; ``None`` where there is none or it is no number (``NaN``)."""
    return float(text) if text is not None and _NUMBER.fullmatch(text) else None


def read_shape(element: Element) -> geometry.Shape:
    """Read one of the elements in `SHAPES`. Raises `Malformed` where it gives no place."""
    return _READERS[element.name](element)


def _point(element: Element) -> geometry.Point:
    return geometry.Point(_coords(element)[0])


def _line(element: Element) -> geometry.LineString:
    return geometry.LineString(tuple(_coords(element)))


def _polygon(element: Element) -> geometry.Polygon:
    return geometry.Polygon(tuple(_coords(element)))


def _box(element: Element) -> geometry.Box:
    corners = _coords(element)
    if len(corners) != 2:  # noqa: PLR2004 - a box has two
        raise Malformed("a Box has two corners")
    return geometry.Box(*corners)


def _multi_point(element: Element) -> geometry.MultiPoint:
    return geometry.MultiPoint(tuple(map(geometry.Point, _coords(element))))


def _multi_line(element: Element) -> geometry.MultiLineString:
    return geometry.MultiLineString(tuple(map(_line, element.outermost({"LineString"}))))


def _multi_polygon(element: Element) -> geometry.MultiPolygon:
    return geometry.MultiPolygon(tuple(map(_area, element.outermost(_AREAS))))


def _area(element: Element) -> geometry.Area:
    shape = _AREAS[element.name](element)
    return geometry.CircularArea(shape.at, 0.0) if isinstance(shape, geometry.Point) else shape


def _round_shape(element: Element) -> geometry.CircularArea | geometry.EllipticalArea | geometry.Point:
    """Read a circle or an ellipse by what it holds: servers put an ellipse into CircularArea.

    Without any size it is a bare point.
    """
    centre = _coords(element)[0]
    to_metres = _metres_per_unit(element)
    radius, major, minor = (
        read_number(element.text_of(name)) for name in ("radius", "semiMajor", "semiMinor")
    )
    if major is not None:
        shorter = major if minor is None else minor
        return geometry.EllipticalArea(centre, major * to_metres, shorter * to_metres)
    return geometry.Point(centre) if radius is None else geometry.CircularArea(centre, radius * to_metres)


def _arc(element: Element) -> geometry.CircularArcArea:
    """Read an arc. The coordinate is the mast, so without an outer radius it says nothing of the phone."""
    inner, outer, start, included = (
        read_number(element.text_of(name)) for name in ("inRadius", "outRadius", "startAngle", "stopAngle")
    )
    if outer is None:
        raise Malformed("a CircularArcArea without outRadius")
    inner = inner or 0.0
    if inner > outer:
        # The network's own coding (TS 23.032 clause 6.7) gives the width of the ring instead of its outer radius.
        outer += inner
    if start is None or included is None:
        start, included = 0.0, 360.0
    elif (element.text_of("angularUnit") or "").lower().startswith("rad"):
        start, included = math.degrees(start), math.degrees(included)
    to_metres = _metres_per_unit(element)
    return geometry.CircularArcArea(
        _coords(element)[0], inner * to_metres, outer * to_metres, start % 360.0, min(included, 360.0)
    )


def _metres_per_unit(element: Element) -> float:
    unit = (element.text_of("distanceUnit") or "meter").lower()
    if unit in ("meter", "metre", "meters", "metres", "m"):
        return 1.0
    if unit == "surveyfoot":
        return SURVEY_FOOT_M
    raise Malformed("a distanceUnit that is neither meter nor surveyfoot")


def _coords(element: Element) -> list[Coord]:
    """Read the places of a shape. X is latitude, Y longitude, Z is ignored (clauses 5.3.144 to 5.3.146)."""
    places = element.outermost({"coord"}, without={"innerBoundaryIs"})
    return [_coord(place) for place in places or [element]]


def _coord(place: Element) -> Coord:
    x, y = place.text_of("X"), place.text_of("Y")
    if x is None or y is None:
        raise Malformed("a coord without X or Y")
    return coord(geometry.parse_latitude(x), geometry.parse_longitude(y))


_AREAS: Mapping[str, Callable[[Element], geometry.Area | geometry.Point]] = MappingProxyType(
    {
        "Polygon": _polygon,
        "LinearRing": _polygon,
        "Box": _box,
        "CircularArea": _round_shape,
        "EllipticalArea": _round_shape,
        "CircularArcArea": _arc,
    }
)

_READERS: Mapping[str, Callable[[Element], geometry.Shape]] = MappingProxyType(
    {
        **_AREAS,
        "Point": _point,
        "LineString": _line,
        "MultiPoint": _multi_point,
        "MultiLineString": _multi_line,
        "MultiPolygon": _multi_polygon,
    }
)

SHAPES = frozenset(_READERS)
"""Names of the elements that `read_shape` reads."""
