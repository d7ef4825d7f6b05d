"""When 112 is told of where the phone is: one that moves is followed, one that stays is told once and then rarely."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.clock import ages, utc_now
from telephony.domain.position import LAST_KNOWN, UNKNOWN_RADIUS_M, Position, is_better
from telephony.domain.report import UpdateReason
from telephony.domain.whereabouts import (
    RETURN_PAUSE_S,
    SIGN_OF_LIFE_PAUSES_S,
    Told,
    as_it_came_before,
    is_answer,
    is_newer,
    is_sharper,
    worth_telling,
)
from tests.doubles import NOON, SetClock

CITY_HALL = (37.5665, 126.978)
DEGREE_M = 111_195.0
HOUR_S = 3_600
LATELY = 12
KMH = 1 / 3.6

Place = tuple[float, float]
"""Metres to the east and to the north of City Hall."""


def fix(
    place: Place, radius_m: float | None, at_s: float, *, age_s: float | None = 0.0, source: str = "lbs:skt"
) -> Position:
    """A fix that came so many seconds after noon, with a circle as 112 is told it."""
    received_at = NOON + timedelta(seconds=at_s)
    east_m, north_m = place
    latitude = CITY_HALL[0] + north_m / DEGREE_M
    longitude = CITY_HALL[1] + east_m / DEGREE_M / math.cos(math.radians(CITY_HALL[0]))
    fixed_at = None if age_s is None else received_at - timedelta(seconds=age_s)
    return Position(latitude, longitude, radius_m, 95.0, "cell", source, fixed_at, received_at)


class Centre:
    """A 112 centre that takes each report at once, and what is known of one phone."""

    def __init__(self) -> None:
        self.best: Position | None = None
        self.newest: Position | None = None
        self.sharpest: Position | None = None
        self.reports: list[tuple[datetime, UpdateReason, Position, Position]] = []
        self.calm = 0

    def hear(self, found: Position) -> UpdateReason | None:
        """Take a fix; gives why 112 is told."""
        is_newest = is_newer(found, self.newest)
        if is_better(found, self.best, found.received_at):
            self.best = found
            if is_sharper(found, self.sharpest):
                self.sharpest = found
        if is_newest:
            self.newest = found
        assert self.best is not None
        assert self.newest is not None
        news = worth_telling(found, self.best, self.told, is_newest=is_newest, now=found.received_at)
        if news is None:
            return None
        self.calm = news.calm
        self.reports.append((found.received_at, news.reason, self.best, self.newest))
        return news.reason

    @property
    def told(self) -> Told:
        if not self.reports:
            return Told(NOON)
        at, _, circle, newest = self.reports[-1]
        lately = self.reports[-LATELY:]
        circles = [each[2] for each in lately]
        return Told(at, circle, newest, circles, [*circles, *(each[3] for each in lately)], self.calm)

    @property
    def circle(self) -> Position:
        return self.reports[-1][2]

    @property
    def told_newest(self) -> Position:
        return self.reports[-1][3]

    def follow(
        self, where: Callable[[float], Position], seconds: float, every_s: float = 30.0
    ) -> list[float]:
        """Ask again and again; gives the seconds after noon of the reports."""
        at_s = every_s
        while at_s <= seconds:
            self.hear(where(at_s))
            at_s += every_s
        return [(at - NOON).total_seconds() for at, *_ in self.reports]


@pytest.fixture
def centre() -> Centre:
    return Centre()


# -- somebody who moves --------------------------------------------------------------------------------------------


def test_a_fresh_cell_far_away_is_told_although_a_sharp_fix_is_known(centre: Centre):
    centre.hear(fix((0, 0), 57, 0, age_s=600))

    assert centre.hear(fix((25_000, 0), 2_466, 5)) is UpdateReason.POSITION
    assert centre.circle == centre.best == fix((25_000, 0), 2_466, 5)


@pytest.mark.parametrize(("radius_m", "first_s"), [(2_000, 30), (10_000, 150)])
def test_a_car_is_told_when_its_cell_cannot_hold_what_a_car_reaches(
    centre: Centre, radius_m: float, first_s: float
):
    centre.hear(fix((0, 0), 20, 0))

    told_s = centre.follow(lambda at_s: fix((at_s * 100 * KMH, 0), radius_m, at_s), HOUR_S)

    assert told_s[1] == first_s
    assert len(told_s) > 12


@pytest.mark.parametrize("radius_m", [20, 500, 2_000, 10_000])
@pytest.mark.parametrize("speed", [50 * KMH, 100 * KMH, 300 * KMH])
def test_112_never_looks_farther_behind_a_vehicle_than_two_of_its_circles(
    centre: Centre, radius_m: float, speed: float
):
    centre.hear(fix((0, 0), 20, 0))

    for n in range(1, 120):
        here = fix((n * 30 * speed, 0), radius_m, n * 30)
        centre.hear(here)
        behind_m = centre.told_newest.distance_m(here)
        assert behind_m <= radius_m + speed * 30
        assert (
            centre.circle.distance_m(here) <= centre.circle.reach_m(here.received_at) + radius_m + speed * 30
        )


@pytest.mark.parametrize("every_s", [5, 30, 120])
def test_somebody_who_walks_away_without_satellites_is_not_looked_for_where_they_saw_her_last(
    centre: Centre, every_s: float
):
    """What the newest cell excludes is no circle of 112's any more, although she may have walked from it."""
    centre.hear(fix((0, 0), 20, 0))

    for n in range(1, int(HOUR_S / every_s)):
        here = fix((900 + 1.4 * n * every_s, 0), 1_000, n * every_s)
        centre.hear(here)
        assert centre.best is not None
        assert centre.best.touches(here)
    assert centre.circle.circle_m == 1_000
    assert centre.sharpest == fix((0, 0), 20, 0)


def test_a_train_is_told_at_the_first_cell(centre: Centre):
    centre.hear(fix((0, 0), 20, 0))

    assert centre.hear(fix((30 * 300 * KMH, 0), 2_000, 30)) is UpdateReason.POSITION
    assert centre.circle.circle_m == 2_000


def test_somebody_on_foot_with_satellites_is_told_when_she_has_left_the_circle(centre: Centre):
    told_s = centre.follow(lambda at_s: fix((1.4 * at_s, 0), 20, at_s), 1_800)

    assert max(later - earlier for earlier, later in pairwise(told_s)) <= 60


@settings(max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    speed=st.sampled_from([0.3, 1.4, 3.0, 15.0, 40.0]),
    radius_m=st.sampled_from([30.0, 300.0, 1_000.0, 5_000.0]),
    every_s=st.sampled_from([5.0, 30.0, 120.0]),
)
@example(seed=1, speed=1.4, radius_m=1_000.0, every_s=30.0)
def test_when_she_has_moved_out_of_what_was_told_112_is_told(
    seed: int, speed: float, radius_m: float, every_s: float
):
    """She wanders; each fix holds her. At every answer the told circle or newest fix is within reach of her."""
    chance = random.Random(seed)
    centre, east_m, north_m, heading = Centre(), 0.0, 0.0, 0.0

    for n in range(200):
        heading += chance.gauss(0, 0.3)
        east_m += math.cos(heading) * speed * every_s
        north_m += math.sin(heading) * speed * every_s
        off_m, around = radius_m * math.sqrt(chance.random()), chance.uniform(0, math.tau)
        seen = (east_m + math.cos(around) * off_m, north_m + math.sin(around) * off_m)
        centre.hear(fix(seen, radius_m, n * every_s))
        she = fix((east_m, north_m), 0, n * every_s)
        nearest_m = min(each.distance_m(she) for each in (centre.circle, centre.told_newest))
        # Two circles that touch, the error of the newest fix, and neighbours among which she may go to and fro.
        assert nearest_m <= 6 * max(radius_m, 30) + radius_m + 1


# -- somebody who stays --------------------------------------------------------------------------------------------


def test_a_phone_at_rest_is_told_once_and_then_rarely_and_rarer(centre: Centre):
    told_s = centre.follow(lambda at_s: fix((0, 0), 575, at_s), 2.5 * HOUR_S, every_s=5)

    pauses_s = [later - earlier for earlier, later in pairwise(told_s)]
    assert pauses_s == [*SIGN_OF_LIFE_PAUSES_S, 1_800, 1_800]
    assert {reason for _, reason, *_ in centre.reports[1:]} == {UpdateReason.SIGN_OF_LIFE}


@pytest.mark.parametrize("apart_m", [300, 700, 1_100, 1_400, 3_000], ids=str)
def test_a_phone_between_two_neighbouring_cells_does_not_flood_112(centre: Centre, apart_m: float):
    told_s = centre.follow(lambda at_s: fix((at_s // 5 % 2 * apart_m, 0), 575, at_s), HOUR_S, every_s=5)

    assert len(told_s) <= 2 + HOUR_S / RETURN_PAUSE_S


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), radius_m=st.sampled_from([5.0, 20.0, 575.0, 5_000.0]))
def test_the_errors_of_its_fixes_do_not_make_a_phone_at_rest_flood_112(seed: int, radius_m: float):
    chance, centre = random.Random(seed), Centre()

    def somewhere(at_s: float) -> Position:
        sigma_m = max(radius_m, 20) / math.sqrt(-2 * math.log(0.05))
        return fix((chance.gauss(0, sigma_m), chance.gauss(0, sigma_m)), radius_m, at_s)

    answers = 4 * HOUR_S / 30
    assert len(centre.follow(somewhere, 4 * HOUR_S)) <= answers / 10


def test_satellites_and_then_cells_indoors_are_told_once_each(centre: Centre):
    centre.hear(fix((0, 0), 20, 0))

    told_s = centre.follow(lambda at_s: fix((300, 0), 1_000, at_s), 500)

    assert told_s == [0, 30, 330]
    assert (centre.circle.circle_m, centre.told_newest.circle_m) == (20, 1_000)
    centre.follow(lambda at_s: fix((300, 0), 1_000, 500 + at_s), HOUR_S)
    assert centre.circle.circle_m == 1_000
    assert centre.sharpest == fix((0, 0), 20, 0)


def test_a_circle_that_holds_everything_tells_nothing(centre: Centre):
    centre.hear(fix((0, 0), 575, 0))

    assert centre.follow(lambda at_s: fix((9_000, 0), 100_000, at_s), 270) == [0]
    assert centre.best == fix((0, 0), 575, 0)


def test_a_large_circle_is_better_than_nothing_and_any_smaller_one_is_news(centre: Centre):
    assert centre.hear(fix((9_000, 0), 100_000, 0)) is UpdateReason.POSITION
    assert centre.hear(fix((0, 0), 2_000, 1)) is UpdateReason.POSITION
    assert centre.hear(fix((0, 0), 1_900, 2)) is None
    assert centre.hear(fix((0, 0), 50, 3)) is UpdateReason.POSITION


# -- what a location server remembers --------------------------------------------------------------------------------


def test_the_same_fix_again_is_no_sign_of_life(centre: Centre):
    assert centre.follow(lambda at_s: fix((0, 0), 575, at_s, age_s=at_s), 3 * HOUR_S) == [30]


def test_an_older_fix_than_before_is_not_taken_for_a_move(centre: Centre):
    centre.hear(fix((0, 0), 575, 0))

    assert centre.hear(fix((25_000, 0), 575, 30, age_s=600)) is None
    assert centre.best == centre.newest == fix((0, 0), 575, 0)


def test_an_older_but_sharper_fix_of_the_same_place_is_news(centre: Centre):
    centre.hear(fix((0, 0), 575, 1))

    assert centre.hear(fix((100, 0), 20, 9, age_s=9)) is UpdateReason.POSITION
    assert (centre.circle.circle_m, centre.told_newest.circle_m) == (20, 575)


# -- unknown ages ------------------------------------------------------------------------------------------------------


def test_the_same_place_of_unknown_age_is_told_once(centre: Centre):
    assert centre.follow(lambda at_s: fix((0, 0), 575, at_s, age_s=None), 3 * HOUR_S, every_s=5) == [5]


def test_a_place_of_unknown_age_does_not_move_her_at_once_and_is_told_beside(centre: Centre):
    centre.hear(fix((0, 0), 20, 0))

    reason = centre.hear(fix((25_000, 0), 575, 30, age_s=None))

    assert (reason, centre.circle) == (UpdateReason.POSITION, fix((0, 0), 20, 0))
    assert centre.told_newest == fix((25_000, 0), 575, 30, age_s=None)
    centre.follow(lambda at_s: fix((25_000, 0), 575, 30 + at_s, age_s=None), 600)
    assert centre.circle.distance_m(fix((25_000, 0), 0, 0)) < 1


def test_somebody_whose_fixes_never_say_their_age_is_followed(centre: Centre):
    told_s = centre.follow(lambda at_s: fix((at_s * 100 * KMH, 0), 575, at_s, age_s=None), 900)

    assert len(told_s) > 20


# -- memories, points, answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius_m", [4_932, UNKNOWN_RADIUS_M, None])
def test_a_memory_gives_way_to_the_first_answer(centre: Centre, radius_m: float | None):
    memory = replace(fix((0, -300_000), 50, 0, age_s=1_800), source=LAST_KNOWN)
    centre.hear(memory)

    assert centre.hear(fix((0, 0), radius_m, 5)) is UpdateReason.POSITION
    assert centre.circle.source == "lbs:skt"
    assert centre.sharpest == centre.circle


def test_a_first_fix_is_an_answer_of_the_phone_unless_it_is_old():
    assert is_answer(fix((0, 0), 575, 0), None)
    assert is_answer(fix((0, 0), 575, 0, age_s=None), None)
    assert not is_answer(fix((0, 0), 575, 0, age_s=3_600), None)


def test_a_fix_of_unknown_age_does_not_show_that_the_phone_is_silent():
    assert is_answer(fix((0, 0), 575, 30, age_s=None), fix((0, 0), 575, 0))


def test_later_ones_are_answers_when_they_were_measured_later():
    first = fix((0, 0), 575, 0, age_s=3_600)

    assert not is_answer(fix((0, 0), 575, 30, age_s=3_630), first)
    assert is_answer(fix((0, 0), 575, 30, age_s=3_600), first)


# -- a machine's clock that is set ---------------------------------------------------------------------------------


STEPS_S = [-3_600.0, -600.0, -30.0, 30.0, 600.0, 3_600.0]


@pytest.fixture
def clock() -> SetClock:
    clock = SetClock()
    clock.advance(NOON.timestamp())
    utc_now(clock)
    return clock


def came(clock: SetClock, place: Place, radius_m: float, *, age_s: float | None = 0.0) -> Position:
    """A fix that comes now."""
    return fix(place, radius_m, (utc_now(clock) - NOON).total_seconds(), age_s=age_s)


def before(clock: SetClock, found: Position, earlier: Position) -> Position:
    return as_it_came_before(found.received_at, earlier, ages(clock))


@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_person_who_was_far_away_before_the_clock_was_set_is_where_she_is_found_now(
    clock: SetClock, step_s
):
    earlier = came(clock, (0, 0), 20)
    clock.advance(40)
    clock.set_by_s = step_s
    utc_now(clock)
    clock.advance(40)
    found = came(clock, (9_000, 0), 600)

    earlier = before(clock, found, earlier)

    assert is_newer(found, earlier)
    assert is_better(found, earlier, found.received_at)


@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_late_answer_with_an_older_fix_is_older_although_the_clock_was_set(clock: SetClock, step_s):
    earlier = came(clock, (9_000, 0), 20)
    clock.advance(40)
    clock.set_by_s = step_s
    utc_now(clock)
    clock.advance(40)
    found = came(clock, (0, 0), 600, age_s=400)

    earlier = before(clock, found, earlier)

    assert not is_newer(found, earlier)
    assert not is_better(found, earlier, found.received_at)


@pytest.mark.parametrize("age_s", [0.0, 20.0, None])
@pytest.mark.parametrize("step_s", STEPS_S)
def test_a_fix_is_as_old_on_arrival_as_it_was_although_the_clock_was_set(clock: SetClock, step_s, age_s):
    earlier = came(clock, (0, 0), 20, age_s=age_s)
    clock.advance(40)
    clock.set_by_s = step_s
    utc_now(clock)
    clock.advance(40)
    found = came(clock, (0, 0), 600)

    moved = before(clock, found, earlier)

    assert (found.received_at - moved.received_at).total_seconds() == pytest.approx(80, abs=1)
    assert moved.received_at - moved.measured_at == earlier.received_at - earlier.measured_at
    assert moved.fixed_at is None or age_s is not None


def test_where_nobody_set_the_clock_the_times_stay_to_the_microsecond(clock: SetClock):
    earlier = came(clock, (0, 0), 20, age_s=12.345)
    clock.advance(40.123)

    assert before(clock, came(clock, (0, 0), 600), earlier) is earlier


@pytest.mark.parametrize("age_s", [0.0, 20.0, 300.0])
def test_what_came_by_a_clock_that_was_set_back_unseen_came_before(clock: SetClock, age_s):
    earlier = fix((0, 0), 20, 3_600)
    found = came(clock, (9_000, 0), 600, age_s=age_s)

    earlier = before(clock, found, earlier)

    assert is_newer(found, earlier)
    assert is_better(found, earlier, found.received_at)


@pytest.mark.parametrize(("age_s", "is_new"), [(0.0, True), (300.0, False)])
def test_a_machine_that_is_some_seconds_ahead_outdates_no_fresh_fix_and_no_old_one_outdates_its_own(
    clock: SetClock, age_s, is_new
):
    of_another_machine = fix((0, 0), 50, 5)
    found = came(clock, (9_000, 0), 400, age_s=age_s)

    assert is_newer(found, before(clock, found, of_another_machine)) is is_new


ENDS_OF_TIME = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]


@pytest.mark.parametrize("received_at", ENDS_OF_TIME)
@pytest.mark.parametrize("fixed_at", ENDS_OF_TIME)
def test_a_damaged_time_in_a_row_leads_nowhere(clock: SetClock, fixed_at: datetime, received_at: datetime):
    damaged = replace(came(clock, (0, 0), 50), fixed_at=fixed_at, received_at=received_at)
    found = came(clock, (9_000, 0), 400)

    assert is_newer(found, before(clock, found, damaged))
