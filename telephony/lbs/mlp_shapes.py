"""Reads the shape elements of MLP 3.5, as servers send them, into the shapes of `geometry`.

Children are found by name, in any order. A size that is missing, absurd or no number makes a bare point; a place
that is missing or not on Earth makes the whole shape `Malformed`, but one corner of a polygon. Any ``srsName`` is taken for WGS 84, which we ask for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from telephony.domain.errors import Malformed
from telephony.lbs import geometry
from telephony.lbs.coordinates import is_nowhere, read_place
from telephony.lbs.geodesy import Coord, destination
from telephony.lbs.mlp_numbers import read_length_m, read_number
from telephony.net.xml.hardened import Element

_ANGULAR_UNITS = ("\u00b0", "deg", "degree", "degrees")
_PIECES = frozenset(
    {
        *(
            "coord",
            "X",
            "Y",
            "radius",
            "inRadius",
            "outRadius",
            "startAngle",
            "stopAngle",
            "semiMajor",
            "semiMinor",
        ),
        *("distanceUnit", "angularUnit", "outerBoundaryIs", "innerBoundaryIs"),
    }
)
_CORNERS_OF_AN_AREA = 3
_ENDS_OF_A_LINE = 2


def read_shape(element: Element) -> geometry.Shape:
    """Read one of the elements in `SHAPES`. Raises `Malformed` where it gives no place."""
    return _READERS[element.name](element)


def check_undamaged(shapes: Sequence[Element], entry: Element, around: Element) -> None:
    """Raise `Malformed` where damage may have taken a piece from one of these shapes of an entry.

    What is missing from a shape would make it another place: a part of it, or an unknown element around it, that
    has no end of its own; text where elements belong (a tag that is none any more); a piece of a shape outside it
    (an end that came too early). ``around`` is where no such piece may stand: the whole answer, or the entry.
    """
    may_be_cut = {"pd", "shape", entry.name}
    suspects = [
        element
        for element in entry.walk()
        if not (element.is_whole or element.name in may_be_cut) or (element.children and element.text.strip())
    ]
    inside = [element for shape in shapes for element in shape.walk()]
    if any(held.name in _HELD for suspect in suspects for held in suspect.walk()):
        raise Malformed("a shape that is damaged")
    if _count_pieces(around.walk()) != _count_pieces(inside):
        raise Malformed("a shape of which a piece stands outside")


def _count_pieces(elements: Iterable[Element]) -> int:
    return sum(element.name in _PIECES for element in elements)


def _point(element: Element) -> geometry.Point:
    return geometry.Point(_centre(element))


def _line(element: Element) -> geometry.LineString:
    return geometry.LineString(_corners(element, _ENDS_OF_A_LINE))


def _polygon(element: Element) -> geometry.Polygon:
    return geometry.Polygon(_corners(element, _CORNERS_OF_AN_AREA))


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
    centre = _centre(element)
    radius, major, minor = (_length_m(element, name) for name in ("radius", "semiMajor", "semiMinor"))
    if major is not None:
        return geometry.EllipticalArea(centre, major, major if minor is None else minor)
    return geometry.Point(centre) if radius is None else geometry.CircularArea(centre, radius)


def _arc(element: Element) -> geometry.CircularArcArea | geometry.Point:
    """Read an arc. The coordinate is the mast: alone it says nothing of the phone.

    Without an outer radius the place is known, on the middle bearing at the inner radius, and the size is not.
    """
    mast = _centre(element)
    inner, outer = (_length_m(element, name) for name in ("inRadius", "outRadius"))
    start, included = (
        read_number(element.text_of(name), units=_ANGULAR_UNITS) for name in ("startAngle", "stopAngle")
    )
    unit = (element.text_of("angularUnit") or "degrees").lower()
    if start is None or included is None or not unit.startswith(("deg", "rad")):
        start, included = 0.0, 360.0
    elif unit.startswith("rad"):
        start, included = math.degrees(start), math.degrees(included)
    if included < 0.0:
        start, included = start + included, -included
    start, included = start % 360.0, min(included, 360.0)
    if outer is None:
        if inner is None:
            raise Malformed("a CircularArcArea without a radius")
        length_m = inner if included < 180.0 else 0.0  # noqa: PLR2004 - half a turn looks to no one side
        return geometry.Point(destination(mast, start + included / 2, length_m))
    inner = inner or 0.0
    if inner > outer:
        # The network's own coding (TS 23.032 clause 6.7) gives the width of the ring instead of its outer radius.
        outer += inner
    return geometry.CircularArcArea(mast, inner, outer, start, included)


def _length_m(element: Element, name: str) -> float | None:
    """Read a size; one that nothing on Earth can have says nothing."""
    length = read_length_m(_only_text(element, name), element.text_of("distanceUnit"))
    return None if length is None or length > geometry.MAX_LENGTH_M else length


def _corners(element: Element, at_least: int) -> tuple[Coord, ...]:
    """Read the corners of an area or line, without those left unfilled and one that is unreadable.

    Raises `Malformed` where too few are left to say where it is.
    """
    places = _places(element)
    corners, faults = [], []
    for place in places:
        try:
            corner = _place(place)
        except Malformed as fault:
            faults.append(fault)
            continue
        if not is_nowhere(corner):
            corners.append(corner)
    if len(faults) > 1 or (faults and len(corners) < at_least):
        raise faults[0]
    if not corners or (len(corners) < len(places) and len(corners) < at_least):
        raise _nowhere()
    return tuple(corners)


def _centre(element: Element) -> Coord:
    """Read the one place of a shape. Raises `Malformed` where it has two."""
    centre, *others = _coords(element)
    if any(other != centre for other in others):
        raise Malformed("a shape with two centres")
    return centre


def _only_text(element: Element, name: str) -> str | None:
    """Return what stands in the elements of this name; ``None`` where they are none, or contradict each other."""
    texts = {each.text.strip() for each in element.outermost({name})}
    return texts.pop() if len(texts) == 1 else None


def _coords(element: Element) -> list[Coord]:
    """Read the places of a shape, each of which must be one."""
    coords = [_place(place) for place in _places(element)]
    if any(map(is_nowhere, coords)):
        raise _nowhere()
    return coords


def _places(element: Element) -> list[Element]:
    return element.outermost({"coord"}, without={"innerBoundaryIs"}) or [element]


def _place(element: Element) -> Coord:
    """Read X and Y, latitude and longitude; Z is ignored (clauses 5.3.144 to 5.3.146)."""
    x, y = _only_text(element, "X"), _only_text(element, "Y")
    if x is None or y is None:
        raise Malformed("a coord without X or Y, or with two of them")
    return read_place(x, y)


def _nowhere() -> Malformed:
    return Malformed("0,0 is how location servers say that they know nothing, and -1,-1 and 90,180")


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

_HELD = SHAPES | _PIECES | {"shape"}
