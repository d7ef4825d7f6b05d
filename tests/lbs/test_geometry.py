"""Every shape becomes one circle that covers it and is no larger than it must be."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.lbs.geodesy import Coord, coord, destination, distance_m
from telephony.lbs.geometry import (
    MAX_POINTS,
    Box,
    CircularArcArea,
    CircularArea,
    EllipticalArea,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
    covering_circle,
    likeliest_circle,
)

CITY_HALL = Coord(37.5665, 126.9778)


def centre_of(circle):
    return Coord(circle.latitude, circle.longitude)


@pytest.mark.parametrize("place", [(90.1, 0), (0, 180.1), (math.nan, 0), (0, math.nan), (math.inf, 0)])
def test_a_place_that_is_not_on_earth_is_malformed(place):
    with pytest.raises(Malformed):
        coord(*place)


@pytest.mark.parametrize("latitude", [-60, 0, 33.1, 37.5, 38.6, 60, 85])
def test_distances_are_those_of_the_ellipsoid(latitude):
    """Lengths of a degree by the series of Helmert, to a tenth of a per mille."""
    phi = math.radians(latitude)
    north = 111_132.954 - 559.822 * math.cos(2 * phi) + 1.175 * math.cos(4 * phi)
    east = 111_412.84 * math.cos(phi) - 93.5 * math.cos(3 * phi) + 0.118 * math.cos(5 * phi)

    here = Coord(latitude, 127.0)

    assert distance_m(here, Coord(latitude + 0.1, 127.0)) == pytest.approx(north / 10, rel=2e-4)
    assert distance_m(here, Coord(latitude, 127.1)) == pytest.approx(east / 10, rel=2e-4)


@given(
    st.floats(-89.9, 89.9),
    st.floats(-180, 180),
    st.floats(-360, 360),
    st.floats(1, 100_000),
)
def test_a_destination_is_as_far_as_asked(latitude, longitude, bearing, length_m):
    start = Coord(latitude, longitude)
    assert distance_m(start, destination(start, bearing, length_m)) == pytest.approx(length_m, rel=1e-4)


def test_bearings_run_clockwise_from_north():
    assert destination(CITY_HALL, 0, 1000).latitude > CITY_HALL.latitude
    assert destination(CITY_HALL, 90, 1000).longitude > CITY_HALL.longitude
    assert destination(CITY_HALL, 180, 1000).latitude < CITY_HALL.latitude
    assert destination(CITY_HALL, 270, 1000).longitude < CITY_HALL.longitude


def test_a_point_has_an_unknown_radius_and_never_zero():
    assert covering_circle(Point(CITY_HALL)).radius_m is None
    assert covering_circle(CircularArea(CITY_HALL, 0.0)).radius_m is None
    assert covering_circle(Polygon((CITY_HALL,) * 4)).radius_m is None
    assert covering_circle(MultiPoint((Point(CITY_HALL),))).radius_m is None


def test_a_circle_is_itself_and_an_ellipse_is_covered_by_its_longer_half_axis():
    assert covering_circle(CircularArea(CITY_HALL, 57.3)) == (*CITY_HALL, 57.3)
    assert covering_circle(EllipticalArea(CITY_HALL, 40, 15, 30)) == (*CITY_HALL, 40)
    assert covering_circle(EllipticalArea(CITY_HALL, 15, 40, 30)) == (*CITY_HALL, 40)


@pytest.mark.parametrize(
    ("inner", "outer", "included", "from_mast", "radius"),
    [
        (280, 830, 120, 415.0, 718.8),
        (0, 1000, 120, 500.0, 866.0),
        (3594, 4148, 20, 3930.7, 736.6),
        (280, 830, 360, 0.0, 830.0),
        (280, 830, 180, 0.0, 830.0),
        (280, 830, 200, 0.0, 830.0),
        (500, 500, 0, 500.0, 0.0),
        (100, 300, 0, 200.0, 100.0),
    ],
)
def test_an_arc_is_covered_by_the_least_circle_on_its_middle_bearing(
    inner, outer, included, from_mast, radius
):
    circle = covering_circle(CircularArcArea(CITY_HALL, inner, outer, 40, included))

    assert distance_m(CITY_HALL, centre_of(circle)) == pytest.approx(from_mast, abs=0.1)
    assert (circle.radius_m or 0.0) == pytest.approx(radius, abs=0.1)
    middle = destination(CITY_HALL, 40 + included / 2, from_mast)
    assert distance_m(middle, centre_of(circle)) < 0.1


@given(
    st.floats(0, 5000),
    st.floats(0.1, 5000),
    st.floats(0, 360),
    st.floats(0, 360),
)
def test_no_place_of_an_arc_is_outside_its_circle(inner, width, start, included):
    circle = covering_circle(CircularArcArea(CITY_HALL, inner, inner + width, start, included))

    for part, length in itertools.product(range(13), (inner, inner + width / 2, inner + width)):
        place = destination(CITY_HALL, start + included * part / 12, length)
        assert distance_m(place, centre_of(circle)) <= circle.radius_m * 1.0005 + 0.01


def test_the_mast_of_a_sector_is_not_the_centre():
    circle = covering_circle(CircularArcArea(CITY_HALL, 1000, 1550, 0, 60))
    assert distance_m(CITY_HALL, centre_of(circle)) > 1000


near = st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
homes = st.sampled_from([(37.5, 127.0), (33.2, 126.5), (0.0, 180.0), (-45.0, -179.95), (70.0, 10.0)])


def around(home, offsets):
    def wrapped(longitude):
        return (longitude + 180) % 360 - 180

    return tuple(coord(home[0] + lat, wrapped(home[1] + lon)) for lat, lon in offsets)


@settings(max_examples=200)
@given(homes, st.lists(near, min_size=2, max_size=15))
def test_a_polygon_is_covered_by_the_least_circle_around_its_corners(home, offsets):
    corners = around(home, offsets)
    circle = covering_circle(Polygon(corners))
    radius = circle.radius_m or 0.0

    centre = centre_of(circle)
    # Without a radius the corners are one place, to within the millimetre up to which they count as that.
    slack_m = 0.001 if circle.radius_m is None else 1e-6
    assert all(distance_m(centre, corner) <= radius * 1.000001 + slack_m for corner in corners)
    longest = max(distance_m(a, b) for a in corners for b in corners)
    assert radius <= longest / math.sqrt(3) * 1.001 + 1e-3  # Jung's theorem
    assert circle.radius_m is not None or longest < 0.01
    for bearing in range(0, 360, 45):  # the greatest distance is convex: no better neighbour, no better place
        neighbour = destination(centre, bearing, radius * 0.02)
        assert max(distance_m(neighbour, corner) for corner in corners) >= radius * 0.9999 - 1e-6


def test_the_antimeridian_and_the_poles_are_places_like_any_other():
    across = covering_circle(Polygon((Coord(37, 179.9), Coord(37, -179.9), Coord(37.1, 180))))
    assert abs(across.longitude) == pytest.approx(180, abs=1e-6)
    assert across.radius_m == pytest.approx(9_118, abs=5)

    pole = covering_circle(Polygon((Coord(89.9, 0), Coord(89.9, 120), Coord(89.9, -120))))
    assert pole.latitude == pytest.approx(90, abs=1e-6)
    assert pole.radius_m == pytest.approx(11_169, abs=5)


def test_corners_on_a_line_and_corners_twice_are_covered():
    west, middle, east = Coord(37.5, 127.0), Coord(37.5, 127.05), Coord(37.5, 127.1)
    circle = covering_circle(Polygon((west, middle, east, west, east)))
    assert circle.radius_m == pytest.approx(distance_m(west, east) / 2, rel=1e-4)


def test_a_box_a_line_and_several_of_each_are_covered():
    south_west, north_east = Coord(37.5, 127.0), Coord(37.51, 127.01)
    half_diagonal = distance_m(south_west, north_east) / 2

    for shape in (
        Box(south_west, north_east),
        LineString((south_west, north_east)),
        MultiPoint((Point(south_west), Point(north_east))),
        MultiLineString((LineString((south_west,)), LineString((north_east, south_west)))),
        MultiPolygon((Box(south_west, north_east),)),
    ):
        assert covering_circle(shape).radius_m == pytest.approx(half_diagonal, rel=1e-3)


def test_areas_with_a_size_are_covered_whole():
    a, b = CITY_HALL, destination(CITY_HALL, 90, 2000)
    circle = covering_circle(MultiPolygon((CircularArea(a, 300), EllipticalArea(b, 500, 100))))

    assert circle.radius_m == pytest.approx((300 + 2000 + 500) / 2, rel=0.01)
    assert distance_m(centre_of(circle), a) + 300 <= circle.radius_m * 1.000001
    assert distance_m(centre_of(circle), b) + 500 <= circle.radius_m * 1.000001


@pytest.mark.parametrize(
    "make",
    [
        lambda: CircularArea(CITY_HALL, -1),
        lambda: CircularArea(CITY_HALL, math.nan),
        lambda: CircularArea(CITY_HALL, math.inf),
        lambda: CircularArea(CITY_HALL, 6_000_000),
        lambda: EllipticalArea(CITY_HALL, 40, -15),
        lambda: CircularArcArea(CITY_HALL, 500, 400, 0, 120),
        lambda: CircularArcArea(CITY_HALL, 100, 400, math.nan, 120),
        lambda: CircularArcArea(CITY_HALL, 100, 400, 0, 361),
        lambda: Polygon(()),
        lambda: Polygon((CITY_HALL,) * (MAX_POINTS + 1)),
        lambda: MultiPoint(()),
        lambda: MultiPolygon((Polygon((CITY_HALL,) * 300),) * 2),
        lambda: MultiLineString((LineString((CITY_HALL,) * 300),) * 2),
    ],
)
def test_a_shape_cannot_exist_in_a_wrong_state(make):
    with pytest.raises(Malformed):
        make()


def test_the_largest_shape_is_covered_in_a_moment():
    """512 discs on a ring: the hardest case for a search that takes in the farthest place."""
    ring = [destination(CITY_HALL, bearing * 360 / MAX_POINTS, 5000) for bearing in range(MAX_POINTS)]
    circle = covering_circle(MultiPolygon(tuple(CircularArea(place, 100) for place in ring)))
    assert circle.radius_m == pytest.approx(5100, rel=0.002)


def test_places_all_around_the_earth_are_covered_too():
    corners = (Coord(0, 0), Coord(0, 90), Coord(0, 180), Coord(0, -90), Coord(90, 0), Coord(-90, 0))
    circle = covering_circle(Polygon(corners))
    assert all(distance_m(centre_of(circle), corner) <= circle.radius_m for corner in corners)


def test_of_several_shapes_of_one_fix_the_sharpest_is_told():
    near = destination(CITY_HALL, 90, 120)
    shapes = [Point(CITY_HALL), CircularArea(near, 2000), CircularArea(near, 200)]
    assert likeliest_circle(shapes) == (*near, 200)
    assert likeliest_circle([Point(CITY_HALL)]) == (*CITY_HALL, None)


def test_shapes_that_cannot_both_be_true_are_covered_together():
    """It is not known which of them is right: 112 must not be sent to one of two places."""
    far = destination(CITY_HALL, 90, 10_000)
    for other in (CircularArea(far, 500), Point(far)):
        circle = likeliest_circle([CircularArea(CITY_HALL, 200), other])
        for place in (CITY_HALL, far):
            assert distance_m(centre_of(circle), place) <= circle.radius_m


def test_shapes_of_too_many_points_in_all_are_malformed():
    far = destination(CITY_HALL, 90, 10_000)
    with pytest.raises(Malformed, match="points"):
        likeliest_circle([Polygon((CITY_HALL,) * 300), Polygon((far,) * 300)])
