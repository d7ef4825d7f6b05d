"""A press as the octets that the journal seals: nothing of it is lost, and what is no press is said to be none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.domain.errors import Malformed
from telephony.domain.facts import FactKind, UnknownFact
from telephony.domain.position import Position
from telephony.domain.trigger import Part, Trigger
from telephony.journal.contents import octets_of, press_in
from tests.doubles import NOON, press
from tests.journal.strategies import TEXTS, TRIGGERS

PLAIN = octets_of(press(), "sos-1")
FULL = press(
    part=Part(1, 2, 1, octets=b"\xff", alphabet="ucs2"),
    position=Position(37.5, 127.0, 10.0, 95.0, "gnss", "device", NOON, NOON, 61.5),
    labels=("told late",),
    facts=(UnknownFact("x-new", "s", NOON, {"a": "b"}),),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([NOON.isoformat(), "none"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def assert_same(read: Trigger, written: Trigger) -> None:
    """Also in what equality leaves out."""
    assert read == written
    assert read.received_at.utcoffset() == written.received_at.utcoffset()
    if written.part is not None:
        assert read.part is not None
        assert (read.part.octets, read.part.alphabet) == (written.part.octets, written.part.alphabet)
    assert [type(each) for each in read.facts] == [type(each) for each in written.facts]
    assert type(read.labels) is tuple


@given(TRIGGERS, TEXTS)
@example(press(text="\ud83d\ude00 \ud83d", reference="\udfff"), "sos-1")
@example(press(received_at=NOON.astimezone(timezone(timedelta(hours=8, minutes=27, seconds=52)))), "sos-1")
def test_a_press_comes_back_as_it_was(trigger: Trigger, incident_id: str):
    read, named = press_in(octets_of(trigger, incident_id))

    assert_same(read, trigger)
    assert named == incident_id


@pytest.mark.parametrize("fold", [0, 1])
def test_an_hour_that_the_clocks_show_twice_comes_back_as_the_same_instant(fold: int):
    moment = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)

    read, _ = press_in(octets_of(press(received_at=moment), "sos-1"))

    assert read.received_at.timestamp() == moment.timestamp()


def test_all_that_a_press_has_is_written():
    """A field that is added to `Trigger` has to come back too."""
    changed = {
        "source": "call", "connector": "kt-1", "carrier": "kt", "msisdn": replace(press().msisdn, number="1", is_e164=False),
        "reference": "r", "received_at": NOON + timedelta(microseconds=1), "destination": "112", "text": None,
        "encoding": None, "raw": None, "part": Part(1, 2, 3), "position": FULL.position, "test": True, "labels": ("a", "b"),
        "incident_id": "sos-9", "facts": FULL.facts, "repetition": "doubtful",
    }  # fmt: skip
    assert set(changed) == set(Trigger.__dataclass_fields__)
    for name, value in changed.items():
        trigger = replace(press(), **{name: value}) if name != "repetition" else replace(
            press(), repetition=type(press().repetition)(value)
        )  # fmt: skip

        read, _ = press_in(octets_of(trigger, "sos-1"))

        assert read == trigger, name
        assert read != press(), name


def test_the_blanks_that_fill_it_up_are_no_part_of_it():
    assert press_in(PLAIN + b" " * 300) == (press(), "sos-1")


@given(st.binary(max_size=300))
def test_rubbish_is_no_press(octets: bytes):
    with pytest.raises(Malformed):
        press_in(octets)


@given(JSON)
def test_any_other_json_is_no_press(value: object):
    with pytest.raises(Malformed):
        press_in(json.dumps(value).encode())


@pytest.mark.parametrize("octets", [PLAIN, octets_of(FULL, "sos-1")], ids=["plain", "full"])
def test_a_press_that_is_cut_short_is_none(octets: bytes):
    for cut in range(len(octets)):
        with pytest.raises(Malformed):
            press_in(octets[:cut])


@given(st.integers(0, len(json.loads(PLAIN)) - 1), JSON)
def test_any_value_in_any_place_is_read_or_said_to_be_none(place: int, value: object):
    known = json.loads(octets_of(FULL, "sos-1"))
    known[place] = value
    try:
        read, named = press_in(json.dumps(known).encode())
    except Malformed:
        return

    octets_of(read, named)
    texts = (named, read.source, read.connector, read.carrier, read.reference, read.destination, *read.labels)
    assert all(isinstance(each, str) for each in texts)


@given(st.integers(0, 7), JSON)
def test_any_value_in_any_place_of_a_position_is_read_or_said_to_be_none(place: int, value: object):
    known = json.loads(octets_of(FULL, "sos-1"))
    assert known[14][0] == 37.5
    known[14][place] = value
    try:
        read, _ = press_in(json.dumps(known).encode())
    except Malformed:
        return
    assert read.position is not None
    octets_of(read, "sos-1")


def test_a_number_that_no_machine_holds_is_none():
    known = json.loads(octets_of(FULL, "sos-1"))
    known[14][2] = 10**400
    with pytest.raises(Malformed):
        press_in(json.dumps(known).encode())


@given(
    st.sampled_from(FactKind) | JSON,
    JSON,
    JSON,
    st.dictionaries(st.text(max_size=5), JSON, max_size=3) | JSON,
)
def test_any_fact_is_read_or_said_to_be_none(kind: object, subject: object, at: object, data: object):
    known = json.loads(PLAIN)
    known[-2] = [[kind, subject, NOON.isoformat() if at is None else at, data]]
    try:
        read, named = press_in(json.dumps(known).encode())
    except Malformed:
        return

    assert press_in(octets_of(read, named)) == (read, named)


def test_a_newer_form_and_a_deep_one_are_none():
    known = json.loads(PLAIN)
    known[0] = 2
    for octets in (json.dumps(known).encode(), b"[" * 100_000, b"1" * 5_000, b"[1e999]"):
        with pytest.raises(Malformed):
            press_in(octets)


def test_a_time_without_a_zone_is_none():
    with pytest.raises(Malformed):
        press_in(PLAIN.replace(NOON.isoformat().encode(), NOON.replace(tzinfo=None).isoformat().encode()))
