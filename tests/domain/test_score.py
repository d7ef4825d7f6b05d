"""The label beside a press: what makes an accident likely, what unlikely, and what no evidence may do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.facts import CallState, EndedBy, Newer, ReasonCode
from telephony.domain.score import (
    DRILL,
    FALSE_ALARM,
    KNOWING_NOTHING,
    LEAST,
    MOST,
    PRESS,
    Earlier,
    Evidence,
    is_worth_an_update,
    score,
)

MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=9)))
NOTHING = Evidence(opened_at=MONDAY_NOON)


def at(*seconds):
    return tuple(MONDAY_NOON + timedelta(seconds=each) for each in seconds)


def before(kind, *, days=30.0, distance_m=None):
    return Earlier(kind, MONDAY_NOON - timedelta(days=days), distance_m)


def reasons(**known):
    return [str(reason.because) for reason in score(replace(NOTHING, **known)).reasons]


def likelihood(**known):
    return score(replace(NOTHING, **known)).likelihood


def test_without_evidence_the_label_gives_no_reason():
    assert score(NOTHING).likelihood == KNOWING_NOTHING
    assert score(NOTHING).reasons == ()


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"pressed_at": at(0, 3, 6, 9, 12, 15)}, ["stuck-key=6"]),
        ({"pressed_at": at(0, 3.2, 6.2, 9.4, 12.3, 15.3)}, ["stuck-key=6"]),
        ({"pressed_at": at(0, 4, 6, 15, 17, 24)}, ["pressed-at-once=6"]),
        ({"pressed_at": at(0, 3, 6, 9, 12)}, ["pressed-at-once=5"]),
        ({"pressed_at": at(0, 600, 1200, 1800, 2400, 3000)}, ["pressed-later=6"]),
        ({"pressed_at": at(9, 0)}, ["pressed-at-once=2"]),
        ({"pressed_at": at(0, 11)}, ["pressed-later=2"]),
        ({"pressed_at": at(0)}, []),
        ({"ways": frozenset({"sms", "call"})}, ["another-way"]),
        ({"texts": ("SOS", "SOS ", "SOS")}, []),
        ({"texts": ("SOS", "He has a knife")}, ["typed"]),
        ({"texts": ("SOS", "*112#")}, []),
        ({"texts": ("a" * 71,)}, ["typed"]),
        ({"texts": ("a" * 70,)}, []),
        ({"knocks": 2}, ["knocked=2"]),
        ({"call_state": CallState.GIVEN_UP, "pressed_at": at(0)}, ["call-given-up"]),
        ({"call_state": CallState.GIVEN_UP, "pressed_at": at(0, 30)}, ["pressed-later=2"]),
        ({"call_state": CallState.ENDED, "call_ended_by": EndedBy.CALLER, "call_s": 4}, ["call-cut-short=4"]),
        ({"call_state": CallState.ENDED, "call_ended_by": EndedBy.CENTRE, "call_s": 4}, []),
        ({"call_state": CallState.ENDED, "call_ended_by": EndedBy.CALLER, "call_s": 90}, []),
        ({"call_state": CallState.GIVEN_UP, "knocks": 1}, ["knocked=1"]),
        ({"earlier": (before(FALSE_ALARM),)}, ["false-alarms=1"]),
        ({"earlier": (before(FALSE_ALARM), before(FALSE_ALARM, days=3))}, ["false-alarms=2", "recent-false-alarm"]),
        ({"earlier": (before(FALSE_ALARM, distance_m=80.0),)}, ["false-alarms=1", "place-of-false-alarm"]),
        ({"earlier": (before(FALSE_ALARM, distance_m=900.0),)}, ["false-alarms=1"]),
        ({"earlier": (before(DRILL, days=0.5 / 24),)}, ["drilled=30"]),
        ({"earlier": (before(DRILL, days=2 / 24),)}, []),
        ({"earlier": (before(DRILL, distance_m=10.0),)}, ["place-of-drill"]),
        ({"earlier": (before(PRESS, days=1, distance_m=10.0),) * 9}, []),
        ({"nearby": 1}, ["nearby=1"]),
        ({"moved_m": 450.4}, ["moving=450"]),
        ({"moved_m": 40.0}, []),
        ({"opened_at": MONDAY_NOON.replace(hour=2)}, ["night"]),
        ({"device": "u-relief", "age": 9}, ["school-hours"]),
        ({"device": "u-relief", "age": 9, "opened_at": MONDAY_NOON - timedelta(days=1)}, []),
        ({"device": "u-relief", "age": 9, "opened_at": MONDAY_NOON.replace(hour=19)}, []),
        ({"device": "u-relief", "age": 70}, []),
        ({"device": "phone", "age": 9}, []),
        ({"is_registered": False}, ["unregistered"]),
        ({"is_registered": True}, []),
        ({"is_said_false": True}, ["said-false"]),
    ],
)  # fmt: skip
def test_each_piece_of_evidence_gives_its_reason(known, told):
    assert reasons(**known) == told


def test_the_weightiest_reason_comes_first():
    assert reasons(is_registered=False, knocks=3, nearby=1) == ["knocked=3", "nearby=1", "unregistered"]


def test_a_call_to_a_friend_after_a_false_alarm_last_week_is_likely_an_accident_and_words_are_not():
    habit = (before(FALSE_ALARM, days=2, distance_m=50.0), before(FALSE_ALARM, days=9))
    assert likelihood(earlier=habit) == 75
    assert likelihood(earlier=habit, texts=("SOS", "He is here")) == 30


def test_the_more_of_a_kind_the_further_it_goes():
    around = [likelihood(nearby=number) for number in range(6)]
    false = [likelihood(earlier=(before(FALSE_ALARM),) * number) for number in range(6)]

    assert around == sorted(around, reverse=True)
    assert false == sorted(false)
    assert len(set(around[:4])) == len(set(false[:4])) == 4


# -- what no evidence may do -----------------------------------------------------------------------------------------

moments = st.timedeltas(timedelta(-3650), timedelta(3650)).map(lambda away: MONDAY_NOON + away)
earlier = st.builds(
    Earlier, st.sampled_from([PRESS, DRILL, FALSE_ALARM, "odd"]), moments, st.none() | st.floats(0, 1e7)
)
evidence = st.builds(
    Evidence,
    opened_at=moments,
    pressed_at=st.lists(moments, max_size=12),
    ways=st.frozensets(st.sampled_from(["sms", "call", "ussd"])),
    texts=st.lists(st.text(max_size=90), max_size=4),
    call_state=st.sampled_from([None, *CallState, Newer("odd")]),
    call_ended_by=st.sampled_from([None, *EndedBy, Newer("odd")]),
    call_s=st.none() | st.integers(-5, 10**9),
    knocks=st.integers(-1, 10**6),
    is_registered=st.none() | st.booleans(),
    device=st.sampled_from(["", "phone", "u-relief"]),
    age=st.none() | st.integers(-1, 200),
    earlier=st.lists(earlier, max_size=6),
    nearby=st.integers(-1, 10**6),
    moved_m=st.floats(0, 1e12),
    is_said_false=st.booleans(),
)


@given(evidence)
def test_whatever_is_known_there_is_a_score_and_it_is_never_a_certainty(known):
    found = score(known)
    assert LEAST <= found.likelihood <= MOST
    assert {reason.because.code for reason in found.reasons} <= set(ReasonCode)
    assert all(";" not in str(reason.because) for reason in found.reasons)


@given(evidence)
def test_one_input_alone_never_says_more_than_90(known):
    assert all(0 < KNOWING_NOTHING + abs(reason.points) <= 90 for reason in score(known).reasons)


@given(evidence, earlier.map(lambda each: replace(each, kind=FALSE_ALARM)))
def test_one_more_false_alarm_never_lowers_the_score(known, another):
    more = replace(known, earlier=[*known.earlier, another])
    assert score(more).likelihood >= score(known).likelihood


@given(evidence, earlier.map(lambda each: replace(each, kind=DRILL)))
def test_one_more_drill_never_lowers_the_score(known, another):
    more = replace(known, earlier=[*known.earlier, another])
    assert score(more).likelihood >= score(known).likelihood


@given(evidence, st.integers(1, 50))
def test_more_presses_around_here_never_raise_the_score(known, others):
    more = replace(known, nearby=max(known.nearby, 0) + others)
    assert score(more).likelihood <= score(known).likelihood


@given(evidence, st.integers(1, 50))
def test_knocking_never_raises_the_score(known, taps):
    assert score(replace(known, knocks=max(known.knocks, 0) + taps)).likelihood <= score(known).likelihood


@given(evidence, st.text(max_size=90))
def test_more_words_never_raise_the_score(known, words):
    assert score(replace(known, texts=[*known.texts, words])).likelihood <= score(known).likelihood


@given(evidence)
def test_to_be_called_a_false_alarm_never_lowers_the_score(known):
    said, unsaid = (score(replace(known, is_said_false=each)).likelihood for each in (True, False))
    assert said >= unsaid


@given(evidence)
def test_earlier_presses_that_were_none_of_these_say_nothing(known):
    more = replace(known, earlier=[*known.earlier, Earlier(PRESS, known.opened_at, 0.0)])
    assert score(more) == score(known)


# -- when 112 hears of it by itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before_", "now", "is_told"),
    [
        (None, 30, False),
        (None, 59, False),
        (None, 60, True),
        (30, 59, False),
        (30, 60, True),
        (60, 75, False),
        (60, 80, True),
        (90, 70, True),
        (90, 75, False),
        (60, 59, True),
        (95, 5, True),
        (10, 45, False),
    ],
)
def test_the_score_alone_is_an_update_where_it_passes_the_mark_or_leaps_above_it(before_, now, is_told):
    assert is_worth_an_update(before_, now, tell_from=60) is is_told
