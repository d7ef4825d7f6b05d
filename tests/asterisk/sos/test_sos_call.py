"""What the events of one Asterisk say about its SOS calls: packets in, happenings out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from telephony.asterisk.sos import sos_call
from telephony.asterisk.sos.journal import read_note
from telephony.asterisk.sos.sos_call import (
    MOST_LEGS,
    Arrived,
    Changed,
    Forgotten,
    SosCalls,
    Tapped,
    began_at,
    incident_id,
    route_of,
)
from telephony.store.fact_rows import to_data
from tests.asterisk.sos_events import SERVER, Held, captured, packet, without
from tests.doubles import NINE_HOURS

NOW = datetime(2026, 11, 23, 20, 16, 39, 500_000, tzinfo=UTC)


def said(call):
    """What 112 is told of a call, as its row has it."""
    return to_data(call.fact(NOW))


class Ear:
    """SosCalls on a clock that a test moves."""

    def __init__(self, service_numbers=("1588112",)):
        self.now = NOW
        self.calls = SosCalls(
            SERVER,
            {"from-skt-voice": "skt-voice", "from-kt-voice": "kt-voice"},
            lambda dialled: dialled in service_numbers,
            lambda: self.now,
            NINE_HOURS,
        )

    def hear(self, *packets, after_s=0.0):
        self.now += timedelta(seconds=after_s)
        return [happening for each in packets for happening in self.calls.event(each)]

    def connected(self, held):
        self.hear(held.arrives(), held.starts(), held.dials(1), held.is_answered())
        return self.calls.get(held.uniqueid)


@pytest.fixture
def ear():
    return Ear()


def kinds(happenings):
    return [type(each) for each in happenings]


# -- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uniqueid", "expected"),
    [
        # Pairs of Uniqueid and SOSID that Asterisk 16 sent.
        ("voice-1-1795464999.0", "sos-20261124-voice-1-051639-0"),
        ("voice-1-1795465001.4", "sos-20261124-voice-1-051641-4"),
        ("voice-1-1795465027.16", "sos-20261124-voice-1-051707-16"),
        # The last second of a day in Korea, and the first of the next.
        ("voice-1-1795532399.1", "sos-20261124-voice-1-235959-1"),
        ("voice-1-1795532400.1", "sos-20261125-voice-1-000000-1"),
        ("a-1795465027.1234567", "sos-20261124-a-051707-1234567"),
        ("seoul-2-b-1795465027.7", "sos-20261124-seoul-2-b-051707-7"),
        ("2026-1795465027.7", "sos-20261124-2026-051707-7"),
    ],
)
def test_the_incident_has_the_id_that_the_dialplan_gives_it(uniqueid, expected):
    assert incident_id(uniqueid, NINE_HOURS) == expected


@pytest.mark.parametrize(
    "uniqueid",
    ["", "1795464999.0", "voice-1-1795464999", "voice-1-179546499.0", "voice-1-1795464999.0.1", "Voice-1-1795464999.0",
     "voice 1-1795464999.0", "voice-1-1795464999.0\n", "back-0123456789abcdef", f"voice-1-{chr(0xFF11) * 10}.0", "-" * 99],
)  # fmt: skip
def test_a_uniqueid_of_another_shape_names_no_incident(uniqueid):
    assert incident_id(uniqueid, NINE_HOURS) is None


def test_an_id_that_would_not_fit_is_left_to_intake():
    assert incident_id("a-name-of-13c-1795465027.1234567", NINE_HOURS) is None


def test_a_uniqueid_tells_when_its_channel_was_made_also_without_a_systemname():
    moment = datetime.fromtimestamp(1_795_464_999, UTC)

    assert began_at("voice-1-1795464999.0") == began_at("1795464999.0") == moment
    assert began_at("Voice.One-1795464999.17") == moment
    assert began_at("back-1") == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("channel", "route"),
    [
        ("PJSIP/centre-1-00000001", "1"),
        ("PJSIP/centre-3-0000002c", "3"),
        ("PJSIP/police-seoul-2-000000ff", "2"),
        ("PJSIP/police-00000001", ""),
        ("PJSIP/centre-10-00000001", ""),
        ("Local/s@sos-up-00000000;1", ""),
        ("", ""),
    ],
)
def test_the_name_of_a_leg_tells_its_route_where_the_endpoints_are_named_as_ours(channel, route):
    assert route_of(channel) == route


# -- a press ---------------------------------------------------------------------------------------------------


def test_a_channel_in_a_trunks_context_is_a_press_before_the_dialplan_has_run(ear):
    held = Held()

    [arrived] = ear.hear(held.arrives())

    assert isinstance(arrived, Arrived)
    call = arrived.call
    assert (call.reference, call.trunk, call.dialled, call.caller, call.started) == (
        f"voice-1/{held.uniqueid}", "skt-voice", "112", "01012345678", NOW,
    )  # fmt: skip
    assert said(call) == {
        "id": held.incident, "state": "arrived", "trunk": "skt-voice", "dialled": "112",
        "started": "2026-11-23T20:16:39.500+00:00",
    }  # fmt: skip


def test_a_caller_who_gave_up_before_the_dialplan_ran_is_a_press_that_was_given_up(ear):
    held = Held()

    happened = ear.hear(held.arrives(), packet(Event="Hangup", Uniqueid=held.uniqueid))

    assert kinds(happened) == [Arrived, Changed]
    assert happened[0].call.state == "given-up"
    assert len(ear.calls) == 0


def test_a_dialplan_that_starts_unheard_of_is_a_press_too(ear):
    """Another context of the site's own may lead to the SOS entry."""
    held = Held()

    happened = ear.hear(held.starts())

    assert kinds(happened) == [Arrived, Changed]
    assert (happened[0].call.caller, happened[0].call.token_digest) == ("01012345678", held.token_digest)


def test_the_start_adds_what_only_the_dialplan_knows_and_is_no_news(ear):
    held = Held(silence="zeros")
    ear.hear(held.arrives())

    [changed] = ear.hear(held.starts())

    assert not changed.is_news
    assert changed.call.token_digest == held.token_digest
    assert said(changed.call).items() >= {
        "silence": "zeros", "sip-call-id": "0@127.0.0.1",
    }.items()  # fmt: skip


def test_a_drill_without_a_channel_heard_of_is_a_press_too_and_has_no_recording(ear):
    happened = ear.hear(Held(dialled="1129").drills())

    assert kinds(happened) == [Arrived, Changed]
    assert "recording" not in said(happened[0].call)


def test_a_withheld_number_is_an_empty_one(ear):
    [arrived] = ear.hear(Held(caller="<unknown>").arrives())

    assert not arrived.call.caller


@pytest.mark.parametrize(
    "heard",
    [
        Held(trunk="lgu-voice").arrives(),
        Held().arrives(Context="from-112"),
        Held(dialled="1588112").arrives(),
        Held(trunk="LGU, voice").starts(),
        Held().dials(1),
        Held().is_answered(),
        Held().taps("1"),
        *Held().hangs_up(),
        packet(Event="UserEvent", UserEvent="Spoken", Uniqueid=Held().uniqueid, Stage="start", Trunk="skt-voice"),
        packet(Event="FullyBooted"),
        packet(Response="Success"),
    ],
)  # fmt: skip
def test_whatever_is_not_of_a_held_key_is_none(ear, heard):
    assert ear.hear(heard) == []
    assert len(ear.calls) == 0


def test_a_call_back_begins_in_the_trunks_context_and_is_no_press(ear):
    assert ear.hear(*captured("call-back-busy")) == []
    assert ear.hear(Held().arrives(ChannelState="0", Exten="s")) == []


def test_a_channel_that_is_said_twice_is_one_press(ear):
    held = Held()

    assert kinds(ear.hear(held.arrives(), held.arrives())) == [Arrived]


# -- its legs --------------------------------------------------------------------------------------------------


def test_the_local_channel_by_which_the_call_is_answered_is_not_112(ear):
    held = Held()
    ear.hear(held.arrives(), held.starts())

    assert ear.hear(held.is_answered("Local/s@sos-up-00000000;1")) == []
    assert ear.hear(held.dials(1), held.is_answered("Local/s@sos-up-00000000;1")) == []

    call = ear.calls.get(held.uniqueid)
    assert (call.state, call.connected) == ("dialling", None)


def test_112_has_the_call_when_its_leg_answers(ear):
    held = Held()
    ear.hear(held.arrives(), held.starts(), held.dials(1))

    [changed] = ear.hear(held.is_answered(), after_s=2)

    assert changed.is_news
    assert said(changed.call).items() >= {
        "state": "connected", "route": "112-1", "legs": "112-1 connected",
        "connected": "2026-11-23T20:16:41.500+00:00",
    }.items()  # fmt: skip


def test_what_a_leg_came_to_without_an_answer_is_left_to_the_dialplan(ear):
    held = Held()
    ear.hear(held.arrives(), held.dials(1))

    assert ear.hear(held.is_answered(status="BUSY")) == []


def test_three_routes_give_three_legs_with_their_seconds(ear):
    held = Held()
    ear.hear(held.arrives(), held.starts(), held.dials(1))

    first = ear.hear(held.route_over(1, "NOANSWER"), after_s=6)
    ear.hear(held.dials(2))
    second = ear.hear(held.route_over(2, "CHANUNAVAIL"), after_s=0.2)
    ear.hear(held.dials(3), held.is_answered("PJSIP/centre-3-000000aa"), after_s=1)

    assert kinds(first + second) == [Changed, Changed]
    call = ear.calls.get(held.uniqueid)
    assert said(call)["legs"] == "112-1 no answer 6 s; 112-2 unreachable 0 s; 112-3 connected"
    assert said(call)["route"] == "112-3"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("BUSY", "busy"),
        ("CONGESTION", "congestion"),
        ("CANCEL", "cancelled"),
        ("INVALIDARGS", "invalidargs"),
        ("", "failed"),
    ],
)
def test_every_dialstatus_has_its_words(ear, status, words):
    held = Held()
    ear.hear(held.arrives(), held.dials(1))

    [changed] = ear.hear(held.route_over(1, status))

    assert said(changed.call)["legs"] == f"112-1 {words} 0 s"


@pytest.mark.parametrize(("status", "cause"), [("ANSWER", "38"), ("LOST", ""), ("ANSWER", "")])
def test_an_answered_leg_that_breaks_is_lost_and_the_next_route_is_dialled(ear, status, cause):
    held = Held()
    ear.connected(held)

    [changed] = ear.hear(held.route_over(1, status, cause), after_s=9)

    assert said(changed.call).items() >= {"state": "dialling", "legs": "112-1 lost 9 s"}.items()
    assert "route" not in said(changed.call)
    ear.hear(held.dials(2), held.is_answered("PJSIP/centre-2-000000ab"))
    call = ear.calls.get(held.uniqueid)
    assert said(call)["legs"] == "112-1 lost 9 s; 112-2 connected"
    assert said(call)["route"] == "112-2"
    assert call.connected == NOW, "112 had her from the first answer on"


def test_the_rounds_are_gone_through_again_and_the_newest_legs_are_kept(ear):
    held = Held()
    ear.hear(held.arrives())

    for number in range(MOST_LEGS + 5):
        ear.hear(held.dials(number % 3 + 1, round_=number // 3 + 1))
        ear.hear(held.route_over(number % 3 + 1, "NOANSWER"), after_s=1)

    legs = ear.calls.get(held.uniqueid).legs
    assert len(legs) == MOST_LEGS
    assert legs[-1].round == str((MOST_LEGS + 4) // 3 + 1)


# -- its end ---------------------------------------------------------------------------------------------------


def test_the_caller_ends_a_connected_call(ear):
    held = Held()
    ear.connected(held)

    [changed] = ear.hear(*held.hangs_up(), after_s=30.4)

    assert changed.is_news
    assert said(changed.call).items() >= {
        "state": "ended", "ended-by": "caller", "duration-s": "30", "route": "112-1",
        "legs": "112-1 connected 30 s", "ended": "2026-11-23T20:17:09.900+00:00",
    }.items()  # fmt: skip
    assert ear.calls.get(held.uniqueid) is None


def test_the_caller_who_ends_the_call_while_112_rings_has_given_up(ear):
    held = Held()
    ear.hear(held.arrives(), held.starts(), held.dials(1))

    [changed] = ear.hear(*held.hangs_up(), after_s=3)

    assert said(changed.call).items() >= {
        "state": "given-up", "ended-by": "caller", "legs": "112-1 not answered 3 s",
    }.items()  # fmt: skip


def test_112_ends_the_call(ear):
    held = Held()
    ear.connected(held)

    assert ear.hear(held.route_over(1, "ANSWER", "16"), after_s=5) == [], "told with the end, not before"
    [changed] = ear.hear(*held.is_over())

    assert said(changed.call).items() >= {
        "state": "ended", "ended-by": "112", "legs": "112-1 connected 5 s",
    }.items()  # fmt: skip


def test_112_ends_the_call_by_an_order(ear):
    held = Held()
    ear.connected(held)

    [changed] = ear.hear(*held.is_over(by="112"))

    assert changed.call.ended_by == "112"


def test_the_network_ends_the_call_where_nobody_else_did(ear):
    held = Held()
    ear.connected(held)

    [changed] = ear.hear(*held.is_over())

    assert changed.call.ended_by == "network"


def test_the_end_of_another_channel_of_the_call_is_not_its_end(ear):
    held = Held()
    ear.connected(held)

    leg = {"Uniqueid": f"{held.uniqueid}1", "Linkedid": held.uniqueid}
    assert ear.hear(packet(Event="HangupRequest", **leg), packet(Event="Hangup", **leg)) == []

    assert ear.hear(*held.is_over())[0].call.ended_by == "network"


def test_a_call_that_was_lost_while_nobody_listened_is_over_by_nobody(ear):
    held = Held()
    ear.connected(held)

    [changed] = ear.calls.lost(held.uniqueid, None)

    assert changed.call.state == "ended"
    assert changed.call.ended == NOW
    assert "ended-by" not in said(changed.call)
    assert ear.calls.lost(held.uniqueid, None) == []


def test_the_journal_tells_when_a_lost_call_ended_and_what_was_heard_tells_by_whom(ear):
    held = Held()
    ear.connected(held)
    ear.hear(held.hangs_up()[0])
    ended = NOW + timedelta(seconds=20)

    [changed] = ear.calls.lost(held.uniqueid, ended)

    assert said(changed.call).items() >= {
        "duration-s": "20", "ended-by": "caller", "legs": "112-1 connected 20 s",
    }.items()  # fmt: skip


def test_no_call_ends_before_it_began_whatever_the_clock_of_asterisk_says(ear):
    held = Held()
    ear.connected(held)

    [changed] = ear.calls.lost(held.uniqueid, NOW - timedelta(hours=1))

    assert said(changed.call)["duration-s"] == "0"


# -- digits ----------------------------------------------------------------------------------------------------


def test_a_digit_that_the_caller_tapped_is_told(ear):
    held = Held()
    ear.connected(held)

    assert ear.hear(held.taps("#")) == [Tapped(ear.calls.get(held.uniqueid), "#")]


def test_a_digit_that_was_sent_or_is_none_is_not(ear):
    held = Held()
    ear.connected(held)

    assert ear.hear(held.taps("1", direction="Sent"), held.taps(""), held.taps("12")) == []


# -- what was not heard ----------------------------------------------------------------------------------------


def test_an_answer_counts_although_nobody_heard_the_leg_being_dialled(ear):
    """Contact was lost while 112 was dialled and came back before it answered."""
    held = Held()
    ear.hear(held.arrives())

    [changed] = ear.hear(held.is_answered("PJSIP/centre-2-000000aa"), after_s=4)

    assert said(changed.call).items() >= {"state": "connected", "route": "112-2"}.items()
    assert said(ear.hear(*held.is_over())[0].call)["legs"] == "112-2 connected 4 s"


def test_a_leg_whose_end_nobody_heard_is_over_when_the_next_is_dialled(ear):
    held = Held()
    ear.hear(held.arrives(), held.dials(1))

    ear.hear(held.dials(2), after_s=6)

    assert said(ear.calls.get(held.uniqueid))["legs"] == "112-1 not answered 6 s; 112-2 dialling"


def test_the_end_of_a_route_that_nobody_heard_being_dialled_is_not_anothers(ear):
    held = Held()
    ear.hear(held.arrives(), held.dials(1))

    assert ear.hear(held.route_over(2, "NOANSWER")) == []

    assert said(ear.calls.get(held.uniqueid))["legs"] == "112-1 dialling"


@pytest.mark.parametrize(
    ("before", "route", "state", "legs"),
    [
        ([], None, "arrived", None),
        ([], "2", "connected", "112-2 connected"),
        ([], "", "connected", "112 connected"),
        (["dials"], None, "dialling", "112-1 dialling"),
        (["dials"], "1", "connected", "112-1 connected"),
        (["dials"], "", "connected", "112-1 connected"),
        (["dials"], "2", "connected", "112-1 not answered 9 s; 112-2 connected"),
        (["dials", "answers"], None, "dialling", "112-1 lost 9 s"),
        (["dials", "answers"], "1", "connected", "112-1 connected"),
        (["dials", "answers"], "", "connected", "112-1 connected"),
        (["dials", "answers"], "2", "connected", "112-1 lost 9 s; 112-2 connected"),
    ],
)
def test_after_a_gap_a_call_is_with_whom_the_channel_list_says(ear, before, route, state, legs):
    held = Held()
    steps = {"dials": held.dials(1), "answers": held.is_answered()}
    ear.hear(held.arrives(), *(steps[step] for step in before))
    call = ear.calls.get(held.uniqueid)
    told = dict(said(call))
    ear.now += timedelta(seconds=9)

    happened = ear.calls.standing(held.uniqueid, route)

    assert (call.state, said(call).get("legs")) == (state, legs)
    assert happened == ([Changed(call)] if said(call) != told else [])
    assert ear.calls.standing(held.uniqueid, route) == []


def test_nothing_stands_of_a_call_that_is_not_known(ear):
    assert ear.calls.standing("voice-1-1795464999.0", "1") == []


# -- the journal -----------------------------------------------------------------------------------------------


def test_a_note_of_the_journal_is_a_call():
    held = Held(7, silence="zeros")

    call = read_note(SERVER, held.note())

    assert call is not None
    assert (call.reference, call.trunk, call.dialled, call.caller) == (
        f"voice-1/{held.uniqueid}", "skt-voice", "112", "01012345678",
    )  # fmt: skip
    assert (call.token_digest, call.silence, call.sip_call_id) == (held.token_digest, "zeros", "7@127.0.0.1")
    assert call.started == datetime.fromtimestamp(1_795_464_999, UTC)
    assert not call.is_over


def test_a_note_with_an_end_is_a_call_that_is_over():
    call = read_note(SERVER, Held().note("1795465005"))

    assert call is not None
    assert (call.state, said(call)["duration-s"]) == ("ended", "6")
    assert "ended-by" not in said(call)


def test_a_server_without_a_systemname_has_a_journal_too():
    note = Held().note().replace("voice-1-", "", 1)

    call = read_note(SERVER, note)

    assert call is not None
    assert (call.uniqueid, call.incident_id) == ("1795464999.0", None)
    assert call.started == datetime.fromtimestamp(1_795_464_999, UTC)


@pytest.mark.parametrize(
    "note", ["", "|", Held().note() + "|", Held().note()[:-1], "|" * 7, Held().note().replace("1795464999", "now")]
)  # fmt: skip
def test_what_is_no_note_is_none(note):
    assert read_note(SERVER, note) is None


@pytest.mark.parametrize("ended", ["soon", "12345678901", "²", "-1", " 1"])
def test_an_end_that_is_no_time_is_not_known(ended):
    call = read_note(SERVER, Held().note(ended))

    assert call is not None
    assert not call.is_over


def test_a_call_from_the_journal_is_learnt_once(ear):
    call = read_note(SERVER, Held().note())

    assert ear.calls.learn(call) == [Arrived(call)]
    assert ear.calls.learn(read_note(SERVER, Held().note())) == []
    assert ear.hear(*Held().hangs_up())[0].call is call


def test_a_call_that_is_over_is_learnt_and_not_kept(ear):
    call = read_note(SERVER, Held().note("1795465005"))

    assert ear.calls.learn(call) == [Arrived(call)]
    assert len(ear.calls) == 0


# -- bounds ----------------------------------------------------------------------------------------------------


def test_the_oldest_of_too_many_calls_is_forgotten_and_said(ear, monkeypatch):
    monkeypatch.setattr(sos_call, "MOST_CALLS", 2)
    first, second, third = Held(1), Held(2), Held(3)
    ear.hear(first.arrives(), second.arrives())
    oldest = ear.calls.get(first.uniqueid)

    happened = ear.hear(third.arrives())

    assert happened == [Arrived(ear.calls.get(third.uniqueid)), Forgotten(oldest)]
    assert len(ear.calls) == 2
    assert ear.hear(*first.hangs_up()) == []


def test_long_texts_are_cut(ear):
    long = "7" * 60_000
    held = Held(caller=long, dialled=long)
    ear.hear(held.arrives(), held.starts(Token=long, SIPCallID=long, Silence=long), held.dials(1))
    [changed] = ear.hear(held.route_over(1, long))

    assert max(len(text) for text in said(changed.call).values()) < 600
    assert len(changed.call.caller) == 256
    assert len(changed.call.token_digest) == 40
    call = read_note(SERVER, held.note())
    assert call is not None
    assert max(len(text) for text in said(call).values()) < 600


def test_a_uniqueid_longer_than_asterisk_makes_belongs_to_no_call(ear):
    long = "voice-1-" + "1" * 300
    assert ear.hear(Held().arrives(Uniqueid=long), Held().starts(Uniqueid=long)) == []


# -- as it was on the wire -------------------------------------------------------------------------------------


def test_two_routes_fail_and_the_third_answers_as_on_the_wire(ear):
    happened = ear.hear(*captured("third-route-ended-by-112"))

    assert kinds(happened) == [Arrived, Changed, Changed, Changed, Changed, Changed]
    call = happened[0].call
    assert said(call)["legs"] == "112-1 busy 0 s; 112-2 congestion 0 s; 112-3 connected 0 s"
    assert (call.state, call.ended_by, said(call)["route"]) == ("ended", "112", "112-3")
    assert call.sip_call_id


def test_a_cancel_right_behind_the_invite_as_on_the_wire(ear):
    happened = ear.hear(*captured("given-up-at-once"))

    assert kinds(happened) == [Arrived, Changed, Changed]
    call = happened[0].call
    assert (call.state, call.ended_by, call.legs) == ("given-up", "caller", [])


def test_a_silent_call_of_exact_zeros_with_a_tap_as_on_the_wire(ear):
    happened = ear.hear(*captured("zeros-with-a-tap"))

    assert kinds(happened) == [Arrived, Changed, Changed, Tapped, Changed]
    call = happened[0].call
    assert (call.silence, call.state, call.ended_by) == ("zeros", "ended", "caller")
    assert happened[3].digit == "7"
    assert said(call)["legs"] == "112-1 connected 0 s"


def test_a_call_that_112_had_hung_up_as_on_the_wire(ear):
    happened = ear.hear(*captured("hung-up-by-order"))

    assert said(happened[-1].call).items() >= {"state": "ended", "ended-by": "112"}.items()


def test_a_capture_with_its_dialling_unheard_still_ends_connected(ear):
    packets = without(captured("third-route-ended-by-112"), event="UserEvent", Stage="route")

    happened = ear.hear(*packets)

    assert said(happened[-1].call).items() >= {"state": "ended", "route": "112-3", "ended-by": "112"}.items()


def test_routes_that_are_all_dead_are_news_once_and_counted_afterwards(ear):
    held = Held()
    ear.hear(held.arrives(), held.starts())
    news = []
    for round_ in range(1, 26):
        for route in (1, 2):
            news += ear.hear(held.dials(route, round_), held.route_over(route, "CHANUNAVAIL"))

    assert [one.is_news for one in news if isinstance(one, Changed)].count(True) == 2
    legs = said(news[-1].call)["legs"]
    assert legs.count(";") == 1
    assert "112-1 unreachable" in legs
    assert "(25 times)" in legs


# -- a press that the network delivers twice ------------------------------------------------------------------------


def test_a_second_leg_that_is_taken_back_has_been_no_call_that_nobody_answered(ear):
    held = Held()
    waits = held._says("second-leg", Of="sos-the-first")

    happened = ear.hear(held.arrives(), held.starts(), waits, *held.hangs_up())

    (call,) = {id(each.call): each.call for each in happened}.values()
    assert said(call).items() >= {"state": "second-leg", "of": "sos-the-first", "ended-by": "caller"}.items()
    assert [each.is_news for each in happened if isinstance(each, Changed)] == [False, False, True]


def test_a_second_leg_that_goes_on_is_a_call_like_any_other(ear):
    held = Held()
    waits = held._says("second-leg", Of="sos-the-first")

    happened = ear.hear(
        held.arrives(), held.starts(), waits, held.dials(1), held.is_answered(), *held.hangs_up()
    )

    assert (
        said(happened[-1].call).items() >= {"state": "ended", "route": "112-1", "of": "sos-the-first"}.items()
    )
