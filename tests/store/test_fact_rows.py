"""Facts as rows: whatever kind, what is written is read, and what somebody else wrote is kept or refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.domain.facts import (
    CallFact,
    CallState,
    FactKind,
    GuardianFact,
    GuardianNumber,
    Leg,
    LegState,
    Newer,
    PersonFact,
    Registered,
    UnknownFact,
    folded,
)
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import FactRow, fact_of, fact_row, from_data, storable_fact, to_data
from tests.any_fact import FACTS, LEGS
from tests.doubles import NOON, keys

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=8)
"""With halves of surrogate pairs, and NUL."""
SOME_DATA = st.dictionaries(
    st.sampled_from(
        ["state", "legs", "taps", "digits", "round", "by", "score", "reasons", "at", "born", "guardians", "duration-s"]
    )
    | ANY_TEXT,
    ANY_TEXT | st.sampled_from(["7", "112-1 busy 3 s (2 times)", "connected", "night=2;drilled", "2015-03-02", "mother +8210"]),
)  # fmt: skip
SUBJECTS = ANY_TEXT | st.sampled_from(["caller", "phone", "112", "guardian 1", "unit 2", "1", "1.2"])


@settings(max_examples=500)
@given(FACTS)
def test_a_fact_of_whatever_kind_comes_back_as_it_was_kept(known):
    kept = storable_fact(known)
    row = FactRow(*fact_row(keys(), 1, 1, kept))

    assert from_data(known.kind, known.subject, known.at, to_data(known)) == known
    assert fact_of(keys(), row) == kept
    assert fact_row(keys(), 1, 1, known)[2:5] == row[2:5]
    assert storable_fact(kept) == kept


@example(FactKind.KNOCK, "", {"ko": ""})
@given(st.sampled_from(FactKind) | ANY_TEXT, SUBJECTS, SOME_DATA)
def test_whatever_stands_in_a_row_is_a_fact_with_the_same_identity_or_malformed(kind, subject, data):
    try:
        known = from_data(kind, subject, NOON, data)
    except Malformed:
        return
    assert (known.kind, known.subject, known.at) == (kind, subject, NOON)
    again = to_data(known)
    assert to_data(from_data(kind, subject, NOON, again)) == again
    kept = storable_fact(known)
    assert storable_fact(kept) == kept
    assert fact_of(keys(), FactRow(*fact_row(keys(), 1, 1, known))) == kept


@pytest.mark.parametrize(
    ("kind", "subject", "data"),
    [
        (FactKind.SCORE, "caller", {"score": "many"}),
        (FactKind.SCORE, "caller", {"score": "²"}),
        (FactKind.KNOCK, "v#1", {"digits": "1", "taps": "1.5"}),
        (FactKind.GUARDIAN, "1", {"state": "texted", "round": "²"}),
        (FactKind.CALL, "v/1", {"state": "ended", "duration-s": "long"}),
        (FactKind.CALL, "v/1", {"state": "arrived", "started": "then"}),
        (FactKind.CALL, "v/1", {"state": "arrived", "started": "2026-11-23T06:05:02"}),
        (FactKind.PERSON, "caller", {"registered": "yes", "born": "soon"}),
        (FactKind.REACH, "phone", {"state": "not-answering", "last-answered": "then"}),
        (FactKind.DEVICE, "phone", {"battery": "full"}),
        (FactKind.DISPATCHED, "unit 1", {"unit": "12", "eta": "soon"}),
        (FactKind.ARRIVED, "unit 1", {"at": "then"}),
        (FactKind.NOTE, "note 1", {"at": "then"}),
        (FactKind.CENTRE_STATUS, "1f", {"said": "then"}),
        (FactKind.DEVICE, "phone", {"pressed": "2026-11-23T06:05:02"}),
        (FactKind.FALSE_ALARM, "112", {"at": "x"}),
        (FactKind.ACKNOWLEDGED, "112", {"at": "x"}),
        (FactKind.DISPATCHED, "unit 1", {"unit": "12", "at": "2026-11-23T06:05:02"}),
    ],
)
def test_a_number_or_a_time_that_is_none_is_malformed(kind, subject, data):
    with pytest.raises(Malformed):
        from_data(kind, subject, NOON, data)


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("weather", "sky"),
        ("guardian", "the first"),
        ("silence", "lamp"),
        ("false-alarm", "neighbour"),
        ("acknowledged", "fire brigade"),
        ("dispatched", "unit 0"),
        ("dispatched", "unit 12a"),
    ],
)
def test_what_a_newer_release_tells_of_is_kept_as_it_is(kind, subject):
    data = {"rain": "much", "score": "many"}

    known = from_data(kind, subject, NOON, data)

    assert known == UnknownFact(kind, subject, NOON, data)
    assert to_data(known) == data


def test_a_state_of_a_newer_release_is_kept_as_its_word():
    known = from_data("call", "v/1", NOON, {"state": "parked", "legs": "112-1 on hold 3 s (2 times)"})

    assert known == CallFact("v/1", NOON, Newer("parked"), legs=(Leg("112-1", Newer("on hold"), 3, 2),))


@pytest.mark.parametrize(
    ("written", "leg"),
    [
        ("112-1 no answer 6 s", Leg("112-1", LegState.NO_ANSWER, 6)),
        ("112-2 unreachable 0 s (25 times)", Leg("112-2", LegState.UNREACHABLE, 0, 25)),
        ("112 connected", Leg("112", LegState.CONNECTED)),
        ("112-1 lost -1 s", Leg("112-1", LegState.LOST, -1)),
        ("by pigeon", Leg("", Newer("by pigeon"))),
    ],
)
def test_a_leg_is_read_as_it_is_written(written, leg):
    known = from_data("call", "v/1", NOON, {"state": "dialling", "legs": f"{written}; 112-9 dialling"})

    assert known == CallFact("v/1", NOON, CallState.DIALLING, legs=(leg, Leg("112-9", LegState.DIALLING)))
    assert to_data(known)["legs"] == f"{written}; 112-9 dialling"


@given(st.lists(LEGS, max_size=8))
def test_folding_legs_loses_none_and_keeps_their_order(legs):
    found = folded(legs)

    assert sum(leg.times for leg in found) == sum(leg.times for leg in legs)
    assert [(leg.route, leg.state) for leg in found] == list(
        dict.fromkeys((leg.route, leg.state) for leg in legs)
    )
    assert folded(found) == found


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("mother +821098760001", [("mother", Msisdn("821098760001"))]),
        ("+821098760001", [("", Msisdn("821098760001"))]),
        ("aunt, far 023456", [("aunt, far", Msisdn("023456", is_e164=False))]),
        ("a; b +8210", [("", Msisdn("a", is_e164=False)), ("b", Msisdn("8210"))]),
    ],
)
def test_guardians_numbers_are_read_as_they_are_written(written, numbers):
    known = from_data("person", "caller", NOON, {"registered": "yes", "guardians": written})

    assert known == PersonFact(
        NOON, Registered.YES, guardians=tuple(GuardianNumber(relation, phone) for relation, phone in numbers)
    )
    assert to_data(known)["guardians"] == written


def test_what_is_said_of_people_and_places_is_not_in_a_repr():
    known = (
        from_data("person", "caller", NOON, {"registered": "yes", "name": "Haneul", "guardians": "mum +821098760001"}),
        from_data("guardian", "1.1", NOON, {"state": "words", "words": "Haneul", "relation": "Haneul"}),
        from_data("knock", "v#1", NOON, {"digits": "98760001", "meaning": "Haneul", "ko": "Haneul"}),
        from_data("call", "v/1", NOON, {"state": "arrived", "cell": "450-05-98760001", "geolocation": "Haneul"}),
        from_data("weather", "sky", NOON, {"over": "Haneul"}),
    )  # fmt: skip

    assert "Haneul" not in repr(known)
    assert "98760001" not in repr(known)


def test_a_guardian_is_known_by_place_and_each_text_by_its_number():
    state = from_data("guardian", "12", NOON, {"state": "texted", "round": "2"})
    text = from_data("guardian", "12.3", NOON, {"state": "words", "words": "help"})

    assert isinstance(state, GuardianFact)
    assert isinstance(text, GuardianFact)
    assert (state.place, state.text_number, state.round) == (12, None, 2)
    assert (text.place, text.text_number, text.words) == (12, 3, "help")
