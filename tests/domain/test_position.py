"""Where a phone is believed to be, and which belief is the better one."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.domain.position import (
    ASSUMED_AGE,
    ASSUMED_CONFIDENCE,
    LAST_KNOWN,
    UNKNOWN_RADIUS_M,
    WALKING_M_PER_S,
    Position,
    best_of,
    is_better,
)
from tests.doubles import NOON

CITY_HALL = Position(37.5665, 126.978, 100.0, 95.0, "cell", "lbs:skt", NOON, NOON)

radii = st.floats(0, 1_000_000)
ages_s = st.floats(0, 1_000_000)
confidences = st.floats(0, 100, exclude_min=True)


def fix(radius_m: float | None, age_s: float = 0.0) -> Position:
    """A fix whose radius holds at the confidence at which 112 is told."""
    return replace(CITY_HALL, uncertainty_m=radius_m, fixed_at=NOON - timedelta(seconds=age_s))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"latitude": math.nan},
        {"longitude": math.inf},
        {"latitude": 90.000001},
        {"latitude": -90.000001},
        {"longitude": 180.000001},
        {"longitude": -180.000001},
        {"latitude": 0.0, "longitude": 0.0},
        {"latitude": -0.0, "longitude": 0.0},
        {"uncertainty_m": -1.0},
        {"uncertainty_m": math.nan},
        {"uncertainty_m": math.inf},
        {"confidence": 0.0},
        {"confidence": -1.0},
        {"confidence": 100.5},
        {"confidence": math.nan},
    ],
    ids=str,
)
def test_what_is_no_place_on_earth_is_refused(nonsense: dict[str, float]):
    with pytest.raises(Malformed):
        replace(CITY_HALL, **nonsense)


@pytest.mark.parametrize(
    "place", [(90.0, 0.0), (-90.0, 180.0), (0.0, 0.0001), (0.0001, 0.0), (-33.4569, -180.0)], ids=str
)
def test_the_edges_of_the_earth_are_places(place: tuple[float, float]):
    latitude, longitude = place

    assert replace(CITY_HALL, latitude=latitude, longitude=longitude)


@pytest.mark.parametrize(
    ("own", "asked", "factor"),
    [
        (68, 90, 1.4216),
        (68, 95, 1.6215),
        (67, 95, 1.6438),
        (39, 95, 2.4618),
        (50, 95, 2.0789),
        (85, 95, 1.2566),
        (90, 95, 1.1406),
        (95, 95, 1.0),
    ],
)
def test_a_radius_is_scaled_as_a_circular_gaussian(own: float, asked: float, factor: float):
    radius = replace(CITY_HALL, uncertainty_m=1000.0, confidence=own).radius_at(asked)

    assert radius == pytest.approx(1000 * factor, abs=0.05)


def test_a_source_surer_than_asked_keeps_its_radius():
    assert replace(CITY_HALL, confidence=99.0).radius_at(95) == 100.0
    assert replace(CITY_HALL, confidence=100.0).radius_at(95) == 100.0


def test_a_circle_without_a_confidence_is_taken_for_what_networks_mean():
    unsaid = replace(CITY_HALL, confidence=None)

    assert unsaid.radius_at() == replace(CITY_HALL, confidence=ASSUMED_CONFIDENCE).radius_at()


def test_a_bare_point_has_no_radius():
    assert replace(CITY_HALL, uncertainty_m=None).radius_at() is None


@given(radii, confidences, st.floats(1, 100))
def test_a_circle_of_any_confidence_has_a_finite_radius_that_never_shrinks(
    radius_m: float, own: float, asked: float
):
    radius = replace(CITY_HALL, uncertainty_m=radius_m, confidence=own).radius_at(asked)

    assert radius is not None
    assert math.isfinite(radius)
    assert radius >= radius_m


def test_an_age_is_never_negative():
    assert CITY_HALL.age_s(NOON - timedelta(seconds=5)) == 0.0
    assert CITY_HALL.age_s(NOON + timedelta(seconds=5)) == 5.0


def test_distances_are_those_of_the_map():
    station = replace(CITY_HALL, latitude=37.5547, longitude=126.9707)
    busan = replace(CITY_HALL, latitude=35.1796, longitude=129.0756)

    assert CITY_HALL.distance_m(station) == pytest.approx(1461, rel=0.005)
    assert CITY_HALL.distance_m(busan) == pytest.approx(325_100, rel=0.005)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(-90, 90), st.floats(-180, 180))
def test_a_distance_is_the_same_both_ways_and_at_most_half_round_the_earth(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
):
    here = replace(CITY_HALL, latitude=latitude or 1e-9, longitude=longitude)
    there = replace(CITY_HALL, latitude=other_latitude or 1e-9, longitude=other_longitude)

    assert here.distance_m(there) == pytest.approx(there.distance_m(here), abs=0.01)
    assert 0 <= here.distance_m(there) <= 20_016_000
    assert here.distance_m(here) == 0


def test_any_fix_is_better_than_none():
    assert is_better(fix(None, age_s=1e6), None, NOON)


def test_the_same_fix_again_is_no_better():
    assert not is_better(CITY_HALL, CITY_HALL, NOON)


@given(radii, radii, ages_s)
def test_a_fresh_sharper_fix_always_wins(one: float, other: float, age_s: float):
    sharp, coarse = sorted((one, other))
    known = fix(coarse, age_s)

    assert is_better(fix(sharp), known, NOON) == (sharp < coarse + WALKING_M_PER_S * known.age_s(NOON))
    assert not is_better(known, fix(sharp), NOON)


@given(radii, st.floats(1, 1_000_000), ages_s)
def test_an_old_sharp_fix_gives_way_to_a_coarse_fresh_one_only_when_it_has_grown_past_it(
    sharp_m: float, coarser_by_m: float, age_s: float
):
    old, fresh = fix(sharp_m, age_s), fix(sharp_m + coarser_by_m)
    walked_m = WALKING_M_PER_S * old.age_s(NOON)

    if abs(walked_m - coarser_by_m) > 0.01:
        assert is_better(fresh, old, NOON) == (walked_m > coarser_by_m)


def test_a_bare_point_gives_way_to_a_circle_that_is_not_very_coarse():
    assert is_better(fix(UNKNOWN_RADIUS_M - 1), fix(None), NOON)
    assert not is_better(fix(UNKNOWN_RADIUS_M + 1), fix(None), NOON)


@given(radii, ages_s, radii, ages_s)
def test_two_fixes_are_never_each_better_than_the_other(
    one: float, one_age: float, two: float, two_age: float
):
    first, second = fix(one, one_age), fix(two, two_age)

    assert not (is_better(first, second, NOON) and is_better(second, first, NOON))


FAR_M = 25_000


def elsewhere(radius_m: float | None, age_s: float = 0.0, *, distance_m: float = FAR_M) -> Position:
    """A fix so far to the north of the others."""
    return replace(fix(radius_m, age_s), latitude=CITY_HALL.latitude + distance_m / 111_195)


@given(
    radii.filter(lambda radius_m: radius_m < FAR_M / 4), radii.filter(lambda radius_m: radius_m < FAR_M / 4)
)
def test_of_two_circles_that_do_not_touch_the_newer_one_holds(one: float, other: float):
    older, newer = fix(one, age_s=600), elsewhere(other)

    assert is_better(newer, older, NOON)
    assert not is_better(older, newer, NOON)


@pytest.mark.parametrize("age_s", [1, 60, 600, 3_600])
def test_a_sharp_old_circle_holds_only_while_the_coarse_new_one_touches_it(age_s: float):
    """Although she may have walked from one to the other: as it is drawn, the old one holds her no more."""
    sharp = fix(20, age_s=age_s)

    assert is_better(elsewhere(9_000, distance_m=9_021), sharp, NOON)
    assert not is_better(elsewhere(9_000, distance_m=9_019), sharp, NOON)


def test_two_fixes_of_one_moment_are_compared_by_size_however_far_apart():
    assert is_better(fix(20), elsewhere(50), NOON)
    assert not is_better(elsewhere(50), fix(20), NOON)


def test_a_circle_that_reaches_everywhere_never_moves_her():
    assert not is_better(elsewhere(100_000), fix(20, age_s=3_600), NOON)


@pytest.mark.parametrize("radius_m", [20.0, 3_000.0, UNKNOWN_RADIUS_M, None, 100_000.0])
def test_a_memory_gives_way_to_any_later_answer(radius_m: float | None):
    memory = fix(50, age_s=1_800).as_last_known()

    for answer in (fix(radius_m), elsewhere(radius_m), replace(elsewhere(radius_m), fixed_at=None)):
        assert is_better(answer, memory, NOON)
        assert not is_better(memory, answer, NOON)


def test_a_memory_does_not_give_way_to_what_was_measured_before_it():
    memory = fix(50, age_s=60).as_last_known()

    assert not is_better(elsewhere(20, age_s=3_600), memory, NOON)


def test_a_fix_of_unknown_age_is_compared_as_if_it_were_some_minutes_old():
    unknown = replace(elsewhere(500), fixed_at=None)
    assumed_s = ASSUMED_AGE.total_seconds()

    assert not is_better(unknown, fix(500, age_s=assumed_s - 1), NOON)
    assert is_better(unknown, fix(500, age_s=assumed_s + 1), NOON)
    assert is_better(replace(fix(20), fixed_at=None), fix(1_000), NOON)


def test_of_two_fixes_of_unknown_age_the_later_arrival_is_the_newer():
    earlier = replace(fix(500), fixed_at=None, received_at=NOON - timedelta(seconds=30))
    later = replace(elsewhere(500), fixed_at=None)

    assert is_better(later, earlier, NOON)
    assert not is_better(earlier, later, NOON)


def test_a_clock_that_is_ahead_does_not_make_a_fix_the_newest_for_ever():
    ahead = replace(fix(50), fixed_at=NOON + timedelta(days=1), received_at=NOON - timedelta(seconds=60))

    assert is_better(elsewhere(500), ahead, NOON)


@given(st.permutations([fix(20, age_s=600), elsewhere(2_000), elsewhere(500, age_s=30), fix(50, age_s=90)]))
def test_the_best_of_several_is_the_same_in_whatever_order_they_come(positions: list[Position]):
    assert best_of(positions, NOON) == elsewhere(500, age_s=30)


def test_there_is_no_best_of_nothing():
    with pytest.raises(ValueError, match="no positions"):
        best_of([], NOON)


def test_a_memory_is_the_same_fix_by_another_name():
    memory = CITY_HALL.as_last_known()

    assert memory.source == LAST_KNOWN
    assert replace(memory, source=CITY_HALL.source) == CITY_HALL
