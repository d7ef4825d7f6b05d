"""Decides which fixes 112 is told: at once where one shows something new, otherwise a sign of life now and then. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from telephony.domain.position import ASSUMED_AGE, OLDEST, Position
from telephony.domain.report import UpdateReason

SIGN_OF_LIFE_PAUSES_S: Final = (300.0, 600.0, 1_200.0, 1_800.0)
"""Pauses between reports that say of a phone only that it is still there; the last one repeats."""

RETURN_PAUSE_S: Final = SIGN_OF_LIFE_PAUSES_S[0]
"""The longest time for which 112 is not told that the phone is back in a neighbouring circle that it was told before."""

SHARPER: Final = 0.7
"""A circle is worth a report when its radius is at most so much of the told one's."""

DRIVING_M_PER_S: Final = 40.0
"""144 km/h: what a car does on an expressway."""

LEAST_CIRCLE_M: Final = 30.0
"""Satellite fixes wander by this much among houses, however small a circle they claim."""

SAME_PLACE: Final = 0.75
"""Circles whose centres are no farther apart than this part of a radius say the same: the fixes of a phone at rest differ."""

NEIGHBOURS: Final = 3.0
"""Circles whose centres lie within so many times both radii are cells between which a phone at rest may change."""


@dataclass(frozen=True, slots=True)
class Told:
    """The position that the last report tells, or will tell."""

    at: datetime
    """When that report was written."""
    position: Position | None = None
    """Its circle."""
    newest: Position | None = None
    """The newest fix that it names: the circle itself, or another."""
    circles: Sequence[Position] = ()
    """The circles of the last few reports."""
    places: Sequence[Position] = ()
    """The circles and the newest fixes of the last few reports."""
    calm: int = 0
    """How many reports in a row showed nothing new."""
    is_waiting: bool = False
    """No attempt to send it has begun."""


class WorthTelling(NamedTuple):
    """Why 112 is told of a fix, and how many reports in a row will then have shown nothing new."""

    reason: UpdateReason
    calm: int


AgeOf = Callable[[datetime], float]
"""Gives the seconds since a moment that was written down, whatever the machine's clock was set to since; at least 0."""

CLOCK_SET = timedelta(seconds=1)
"""By how much the clock must have been set to matter."""


def on_the_clock_of(now: datetime, earlier: datetime, age_s: AgeOf) -> datetime:
    """Return the time of something that is known to have come earlier, by the clock that showed ``now``.

    The machine's clock may have been set between them: how long ago each was is asked of the part that noticed. A time that,
    for all that was noticed, is yet to come was written down by another clock. Then there is the order of arrival alone, and as
    much time is taken to lie between as the two clocks disagree by.
    """
    age = timedelta(seconds=age_s(earlier))
    apart = age - timedelta(seconds=age_s(now)) if age else abs(now - earlier)
    then = now - min(apart, OLDEST)
    return earlier if abs(then - earlier) < CLOCK_SET else then


def as_it_came_before(now: datetime, earlier: Position, age_s: AgeOf) -> Position:
    """Return a position that came earlier with the times that it would have by the clock that showed ``now``."""
    came_at = on_the_clock_of(now, earlier.received_at, age_s)
    return earlier if came_at == earlier.received_at else earlier.as_if_it_came(came_at)


def is_newer(found: Position, newest: Position | None) -> bool:
    """Whether a fix was measured after the newest that is known; a location server may repeat what it remembers.

    One of unknown age is taken for new, and told as what it is.
    """
    if newest is None or found.measured_at > newest.measured_at:
        return True
    if found.fixed_at is None:
        return found.received_at > newest.received_at
    return found.measured_at == newest.measured_at and _circle(found) != _circle(newest)


def is_sharper(found: Position, sharpest: Position | None) -> bool:
    """Whether a fix takes the place of the sharpest of an incident; of two equal ones the newer is kept."""
    return not found.is_memory and (sharpest is None or found.circle_m <= sharpest.circle_m)


def is_answer(found: Position, newest: Position | None) -> bool:
    """Whether the phone itself has answered, and not the memory of a location server.

    A server whose clock is wrong still gives a later time with each answer. A fix of unknown age counts as an answer:
    it does not show that the phone is silent.
    """
    if found.is_memory:
        return False
    if found.fixed_at is None:
        return True
    if newest is None or newest.is_memory:
        return found.measured_at >= found.received_at - ASSUMED_AGE
    return is_newer(found, newest)


def worth_telling(
    found: Position, best: Position, told: Told, *, is_newest: bool, now: datetime
) -> WorthTelling | None:
    """Return why 112 is to be told now of a fix that has come; ``None`` where nothing in it is news.

    ``best`` is what is believed since it came: the circle of the next report. At once is told the first position, a
    sharper circle, a circle that does not touch the told one, and a newest fix in a place that was not told lately and
    that does not hold everything a car may have reached from the told place. So a phone that moves is followed, while
    one between neighbouring cells is told once in each. The rest are signs of life, and rarer the longer it is calm;
    a fix of unknown age is none, for it may be the same one again.
    """
    if _is_news(found, best, told, is_newest=is_newest):
        return WorthTelling(UpdateReason.POSITION, 0)
    if told.is_waiting or not is_newest:
        return None
    calm_s = (now - told.at).total_seconds()
    pause_s = SIGN_OF_LIFE_PAUSES_S[min(told.calm, len(SIGN_OF_LIFE_PAUSES_S) - 1)]
    if _has_left(best, told) and calm_s >= min(pause_s, RETURN_PAUSE_S):
        return WorthTelling(UpdateReason.POSITION, told.calm + 1)
    if found.fixed_at is not None and calm_s >= pause_s:
        return WorthTelling(UpdateReason.SIGN_OF_LIFE, told.calm + 1)
    return None


def _is_news(found: Position, best: Position, told: Told, *, is_newest: bool) -> bool:
    circle = told.position
    if circle is None or (circle.is_memory and not best.is_memory):
        return True
    is_much_sharper = best.circle_m < circle.circle_m and best.circle_m <= SHARPER * circle.circle_m
    has_gone_on = _has_left(best, told) and not _is_return(best, circle, told.circles)
    return is_much_sharper or has_gone_on or (is_newest and _shows_another_place(found, told))


def _has_left(best: Position, told: Told) -> bool:
    return told.position is not None and _is_outside(best, told.position)


def _shows_another_place(found: Position, told: Told) -> bool:
    newest = told.newest
    if newest is None:
        return True
    elapsed_s = max(0.0, (found.measured_at - newest.measured_at).total_seconds())
    reached_m = found.distance_m(newest) + newest.circle_m + DRIVING_M_PER_S * elapsed_s
    return reached_m > found.circle_m and not _is_among(found, told.places)


def _is_return(best: Position, circle: Position, circles: Sequence[Position]) -> bool:
    """Whether the phone is back in a circle that was told lately, next to the one told last."""
    near_m = NEIGHBOURS * (_wandering_m(best) + _wandering_m(circle))
    return best.distance_m(circle) <= near_m and _is_among(best, circles)


def _is_among(place: Position, others: Iterable[Position]) -> bool:
    return any(_is_same_place(place, other) for other in others)


def _is_same_place(one: Position, other: Position) -> bool:
    """Whether two circles of about the same size say the same."""
    smaller_m, larger_m = sorted((_wandering_m(one), _wandering_m(other)))
    return larger_m <= 2 * smaller_m and one.distance_m(other) <= SAME_PLACE * larger_m


def _is_outside(one: Position, other: Position) -> bool:
    """Whether two circles do not touch, as they are drawn: a person in one has left the other."""
    return one.distance_m(other) > _wandering_m(one) + _wandering_m(other)


def _wandering_m(position: Position) -> float:
    return max(position.circle_m, LEAST_CIRCLE_M)


def _circle(position: Position) -> tuple[float, float, float | None]:
    return position.latitude, position.longitude, position.uncertainty_m
