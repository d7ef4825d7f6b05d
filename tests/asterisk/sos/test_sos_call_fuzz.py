"""Whatever packets come, in whatever order: no exception, bounded memory, and happenings that fit together."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.sos import sos_call
from telephony.asterisk.sos.journal import read_note
from telephony.asterisk.sos.sos_call import (
    LONGEST_TEXT,
    MOST_LEGS,
    Arrived,
    Forgotten,
    SosCall,
    SosCalls,
    began_at,
    incident_id,
    route_of,
)
from telephony.store.fact_rows import to_data
from tests.asterisk.sos_events import SERVER, Held, captured
from tests.doubles import NINE_HOURS

MOST = 5
NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
CAPTURES = (
    "third-route-ended-by-112",
    "given-up-at-once",
    "hung-up-by-order",
    "zeros-with-a-tap",
    "call-back-busy",
)

anything = st.text(st.characters(exclude_categories=[]), max_size=40) | st.sampled_from(
    ["x" * 70_000, "²", "\ud800"]
)
uniqueids = st.sampled_from([Held(number).uniqueid for number in range(8)]) | anything
VALUES = {
    "Uniqueid": uniqueids,
    "Linkedid": uniqueids,
    "Context": st.sampled_from(["from-skt-voice", "from-112", "sos"]) | anything,
    "Exten": st.sampled_from(["112", "1588112", "s", ""]) | anything,
    "ChannelState": st.sampled_from(["0", "4", "6"]) | anything,
    "CallerIDNum": st.sampled_from(["01012345678", "<unknown>"]) | anything,
    "UserEvent": st.just("SOSCall") | anything,
    "Stage": st.sampled_from(["start", "drill", "route", "route-over", "end", "call-back"]) | anything,
    "Trunk": st.just("skt-voice") | anything,
    "Route": st.sampled_from(["1", "2", "3"]) | anything,
    "Status": st.sampled_from(["ANSWER", "NOANSWER", "BUSY", "LOST"]) | anything,
    "Cause": st.sampled_from(["16", "17", "0"]) | anything,
    "By": st.just("112") | anything,
    "DialStatus": st.just("ANSWER") | anything,
    "DestChannel": st.sampled_from(["PJSIP/centre-1-00000001", "Local/s@sos-up-00000000;1"]) | anything,
    "Direction": st.just("Received") | anything,
    "Digit": st.sampled_from(["1", "#"]) | anything,
    "TokenDigest": anything,
    "SIPCallID": anything,
    "Silence": anything,
    "Round": anything,
}  # fmt: skip
names = (
    st.sampled_from(["Newchannel", "UserEvent", "DialEnd", "DTMFEnd", "HangupRequest", "Hangup"]) | anything
)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """An event with the headers that matter, some of them missing, all of them wrong at times."""
    present = draw(st.sets(st.sampled_from(sorted(VALUES)), min_size=12)) | {"Uniqueid"}
    headers = [("Event", draw(names)), *((name, draw(VALUES[name])) for name in sorted(present))]
    return Packet(tuple(headers))


steps = st.one_of(
    packets(),
    st.tuples(st.just("lost"), uniqueids, st.none() | st.just(NOW)),
    st.tuples(st.just("standing"), uniqueids, st.none() | st.sampled_from(["", "1", "2"])),
    st.tuples(st.just("learn"), st.integers(0, 7), st.sampled_from(["", "1795465005"])),
)


class Listener:
    """Keeps what a follower would, and looks at whether it fits."""

    def __init__(self) -> None:
        self.now = NOW
        self.calls = SosCalls(
            SERVER,
            {"from-skt-voice": "skt-voice"},
            lambda dialled: dialled == "1588112",
            lambda: self.now,
            NINE_HOURS,
        )
        self.followed: dict[str, SosCall] = {}

    def take(self, step) -> None:
        self.now += timedelta(seconds=0.25)
        match step:
            case Packet():
                happened = self.calls.event(step)
            case ("lost", uniqueid, ended):
                happened = self.calls.lost(uniqueid, ended)
            case ("standing", uniqueid, route):
                happened = self.calls.standing(uniqueid, route)
            case (_, number, ended):
                happened = self.calls.learn(read_note(SERVER, Held(number).note(ended)))
        for happening in happened:
            self._follow(happening)
        assert {call.uniqueid for call in self.calls.live()} == set(self.followed)
        assert len(self.calls) <= MOST

    def _follow(self, happening) -> None:
        call = happening.call
        _is_sound(call)
        if isinstance(happening, Arrived):
            assert call.uniqueid not in self.followed
            if not call.is_over:
                self.followed[call.uniqueid] = call
            return
        assert self.followed[call.uniqueid] is call
        if isinstance(happening, Forgotten) or call.is_over:
            del self.followed[call.uniqueid]


def _is_sound(call: SosCall) -> None:
    assert len(call.legs) <= MOST_LEGS
    assert [leg for leg in call.legs[:-1] if leg.ended is None] == []
    for text in (call.uniqueid, call.channel, call.trunk, call.dialled, call.caller, call.token_digest):
        assert len(text) <= LONGEST_TEXT
    for name, value in to_data(call.fact(NOW)).items():
        assert value
        assert isinstance(value, str)
        assert len(value) < (LONGEST_TEXT + 20) * (2 * MOST_LEGS if name == "legs" else 1)


@pytest.fixture(autouse=True)
def _few_calls(monkeypatch):
    monkeypatch.setattr(sos_call, "MOST_CALLS", MOST)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40))
def test_any_packets_in_any_order_give_happenings_that_fit_together(sequence):
    listener = Listener()
    for step in sequence:
        listener.take(step)


def mangled(rng: random.Random) -> list[Packet]:
    """Captured calls with events lost, doubled and moved."""
    events = [event for name in rng.sample(CAPTURES, len(CAPTURES)) for event in captured(name)]
    copies = rng.choices((0, 1, 2), (1, 8, 1), k=len(events))
    heard = [event for event, count in zip(events, copies, strict=True) for _ in range(count)]
    reach = rng.choice((0, 3, 1000))
    places = [place + rng.uniform(0, reach) for place in range(len(heard))]
    return [event for _, event in sorted(zip(places, heard, strict=True), key=lambda pair: pair[0])]


@pytest.mark.parametrize("seed", range(40))
def test_captured_calls_lost_doubled_and_out_of_order_give_happenings_that_fit_together(seed):
    listener = Listener()
    for event in mangled(random.Random(seed)):
        listener.take(event)


@settings(max_examples=200, deadline=None)
@given(
    anything
    | st.lists(
        anything | st.sampled_from(["1795464999", "voice-1-1795464999.0"]), min_size=8, max_size=8
    ).map("|".join)
)
def test_reading_notes_and_names_is_total(text):
    call = read_note(SERVER, text)

    if call is not None:
        _is_sound(call)
    assert route_of(text) == "" or text.startswith("PJSIP/")
    assert began_at(text).tzinfo is UTC
    assert incident_id(text, NINE_HOURS) is None


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 9_999_999_999),
    st.integers(0, 9_999_999_999),
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,11}", fullmatch=True),
)
def test_every_call_of_a_server_with_a_name_has_an_id_of_its_own_that_fits(began, count, system):
    found = incident_id(f"{system}-{began:010d}.{count}", NINE_HOURS)

    if count < 10_000_000:
        assert found is not None
    assert found is None or len(found) <= sos_call.LONGEST_ID
