"""The orders of 112: carried out on the calls that stand, refused where silence holds, tried again where they cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.sos.control import CallControl
from telephony.domain.delivery import (
    CALL_BACK,
    CALL_CONTROL,
    HANG_UP,
    HOLD_SILENCE,
    LIFT_SILENCE,
    Delivered,
    Delivery,
    Errand,
    Rejected,
    Retry,
)
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.values import Msisdn
from telephony.store.calls import CallRecord, KnownCall
from tests.asterisk.sos_events import SERVER, Held, local_row
from tests.awaiting import result_of

INCIDENT = "sos-20261124-voice-1-051639-0"
NOW = datetime(2026, 11, 24, 5, 17, tzinfo=UTC)
CENTRE = "PJSIP/centre-1-000000aa"


class Switch:
    """A manager interface with channels and variables; what it is told is kept."""

    def __init__(self, *held):
        self.calls = {each.uniqueid: each for each in held}
        self.rows = [row for each in held for row in (each.row(), local_row(each), each.centre_row())]
        self.told = []
        self.faults = {}
        """By the first field that an action names, or the action's name: what comes of it instead."""
        self.on_lifted = lambda: None

    async def listing(self, name):
        assert name == "CoreShowChannels"
        self._fail(name)
        return [Packet(row) for row in self.rows]

    async def action(self, name, fields):
        given = dict(fields)
        self._fail(name, given["Channel"])
        if name == "Getvar":
            assert given["Variable"] == "SOS_SILENCE"
            silence = next(each.silence for each in self.calls.values() if each.channel == given["Channel"])
            return Packet((("Response", "Success"), ("Value", silence)))
        self.told.append((name, *list(given.values())))
        if given.get("Variable") == "__SOS_LIFTED":
            self.on_lifted()
        return Packet((("Response", "Success"),))

    def _fail(self, *about):
        for each in about:
            if each in self.faults:
                raise self.faults[each]


class Ledger:
    def __init__(self, *held, server=SERVER):
        self.calls = [
            KnownCall(CallRecord(each.reference, server, each.channel, each.trunk, NOW), INCIDENT)
            for each in held
        ]
        self.is_lifted = True
        self.fault = None

    async def of_incident(self, incident_id):
        assert incident_id == INCIDENT
        return self.calls

    async def silence_lifted(self, incident_id):
        if self.fault is not None:
            raise self.fault
        return self.is_lifted


class House:
    def __init__(self, *held, server=SERVER):
        self.switch, self.ledger = Switch(*held), Ledger(*held, server=server)
        self.clients = {SERVER: self.switch}
        self.rung = []
        self.rings = "answered"
        self.control = CallControl(self.clients, self.ledger, self.ring, now=NOW.timestamp)

    async def ring(self, number, carrier, incident_id):
        if isinstance(self.rings, Exception):
            raise self.rings
        self.rung.append((number, carrier, incident_id))
        return self.rings

    def order(self, kind, *, age_s=0.0, errand=True):
        given = NOW - timedelta(seconds=age_s)
        content = Errand(Msisdn("821012345678"), "skt", given) if errand else None
        delivery = Delivery(
            7, INCIDENT, CALL_CONTROL, -999_999, kind, {"by": "desk 7"}, given, content=content
        )
        return result_of(self.control.deliver(delivery))


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def house(held):
    return House(held)


# -- silence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "lifted", "mute"), [(LIFT_SILENCE, "yes", "off"), (HOLD_SILENCE, "no", "on")]
)
def test_without_rtp_silence_is_the_muting_of_the_phones_channel(house, held, order, lifted, mute):
    assert house.order(order) == Delivered(f"{order}: 1 of 1 calls")

    assert house.switch.told == [
        ("Setvar", held.channel, "__SOS_LIFTED", lifted),
        ("Setvar", held.channel, "MUTEAUDIO(out)", mute),
    ]


@pytest.mark.parametrize(
    ("order", "lifted", "mute"), [(LIFT_SILENCE, "yes", "off"), (HOLD_SILENCE, "no", "on")]
)
def test_with_zeros_silence_is_the_muting_of_each_leg_of_the_centre(order, lifted, mute):
    held = Held(silence="zeros")
    house = House(held)
    house.switch.rows += [held.centre_row(2), Held(5).centre_row(3)]

    assert house.order(order) == Delivered(f"{order}: 1 of 1 calls")

    assert house.switch.told == [
        ("Setvar", held.channel, "__SOS_LIFTED", lifted),
        ("Setvar", CENTRE, "MUTEAUDIO(in)", mute),
        ("Setvar", "PJSIP/centre-2-000000aa", "MUTEAUDIO(in)", mute),
    ]


def test_a_leg_that_begins_while_silence_is_held_again_is_held_too():
    """It was made before the call's variable changed, and so does not know of it."""
    held = Held(silence="zeros")
    house = House(held)
    house.switch.on_lifted = lambda: house.switch.rows.append(held.centre_row(2))

    house.order(HOLD_SILENCE)

    assert ("Setvar", "PJSIP/centre-2-000000aa", "MUTEAUDIO(in)", "on") in house.switch.told


def test_a_leg_that_has_just_ended_leaves_no_other_as_it_was():
    held = Held(silence="zeros")
    house = House(held)
    house.switch.rows.append(held.centre_row(2))
    house.switch.faults[CENTRE] = Refused("No such channel")

    with capture_logs() as logs:
        assert house.order(HOLD_SILENCE) == Delivered("hold-silence: 1 of 1 calls")

    assert house.switch.told[-1] == ("Setvar", "PJSIP/centre-2-000000aa", "MUTEAUDIO(in)", "on")
    assert logs[0]["event"] == "leg not changed"


def test_silence_is_not_lifted_once_it_holds_again(house):
    house.ledger.is_lifted = False

    assert house.order(LIFT_SILENCE) == Rejected("silence holds again")
    assert house.switch.told == []


def test_silence_is_held_and_calls_are_ended_without_asking_whether_they_may_be(house):
    house.ledger.is_lifted = False

    assert isinstance(house.order(HOLD_SILENCE), Delivered)
    assert isinstance(house.order(HANG_UP), Delivered)
    assert len(house.switch.told) == 4


# -- the end ---------------------------------------------------------------------------------------------------


def test_hanging_up_ends_the_phones_channel_and_says_that_112_did(house, held):
    assert house.order(HANG_UP) == Delivered("hang-up: 1 of 1 calls")

    assert house.switch.told == [
        ("Setvar", held.channel, "SOS_ENDED_BY", "112"),
        ("Hangup", held.channel, "16"),
    ]


def test_a_call_whose_phone_is_gone_is_left(house, held):
    house.switch.rows = [local_row(held), held.centre_row()]

    assert house.order(HANG_UP) == Delivered("hang-up: 0 of 1 calls")
    assert house.switch.told == []


def test_an_incident_without_calls_has_nothing_to_end():
    assert House().order(HANG_UP) == Delivered("hang-up: no call stands")


def test_a_call_on_a_server_that_is_no_longer_in_the_settings_is_left(held):
    house = House(held, server="voice-9")

    assert house.order(HANG_UP) == Delivered("hang-up: 0 of 1 calls")


# -- trouble ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [LIFT_SILENCE, HOLD_SILENCE, HANG_UP])
@pytest.mark.parametrize("action", ["CoreShowChannels", "Setvar"])
def test_an_asterisk_that_cannot_be_reached_is_tried_again(house, order, action):
    house.switch.faults[action] = Unavailable("voice-1 is not connected")

    assert house.order(order) == Retry("voice-1 is not connected", 1.0)


def test_a_server_that_cannot_be_reached_does_not_keep_the_order_from_the_others():
    here, there = Held(1), Held(2, server="voice-2")
    house = House(here, there)
    house.ledger.calls = Ledger(there, server="voice-2").calls + Ledger(here).calls
    lost = house.clients["voice-2"] = Switch(there)
    lost.faults["CoreShowChannels"] = Unavailable("voice-2 is not connected")

    assert house.order(HANG_UP) == Retry("voice-2 is not connected", 1.0)

    assert ("Hangup", here.channel, "16") in house.switch.told


def test_a_call_that_has_just_ended_does_not_keep_the_order_from_the_others():
    one, other = Held(1), Held(2)
    house = House(one, other)
    house.switch.faults[one.channel] = Refused("No such channel")

    with capture_logs() as logs:
        assert house.order(HANG_UP) == Delivered("hang-up: 1 of 2 calls")

    assert ("Hangup", other.channel, "16") in house.switch.told
    assert [(e["event"], e["call"]) for e in logs if "call" in e] == [
        ("order not carried out", one.reference)
    ]


@pytest.mark.parametrize("order", [LIFT_SILENCE, CALL_BACK])
def test_a_store_that_cannot_be_asked_whether_silence_holds_is_asked_again(house, order):
    house.ledger.fault = Unavailable("database is locked")

    assert house.order(order) == Retry("database is locked", 1.0)
    assert (house.switch.told, house.rung) == ([], [])


@pytest.mark.parametrize("order", [LIFT_SILENCE, HOLD_SILENCE, HANG_UP, CALL_BACK])
def test_an_order_is_given_up_after_five_minutes(house, order):
    assert house.order(order, age_s=301) == Rejected("not carried out in time")
    assert (house.switch.told, house.rung) == ([], [])

    assert isinstance(house.order(order, age_s=299), Delivered)


def test_an_order_without_an_errand_is_rejected(house):
    assert house.order(HANG_UP, errand=False) == Rejected("an order of kind hang-up without an errand")
    assert house.switch.told == []


# -- call-back -------------------------------------------------------------------------------------------------


def test_the_caller_is_called_back_once_silence_is_lifted(house):
    assert house.order(CALL_BACK) == Delivered("answered")
    assert house.rung == [("+821012345678", "skt", INCIDENT)]


def test_the_caller_is_not_called_back_while_silence_holds(house):
    house.ledger.is_lifted = False

    rejected = house.order(CALL_BACK)

    assert isinstance(rejected, Rejected)
    assert "silence holds" in rejected.reason
    assert house.rung == []


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Unavailable("no Asterisk can be reached"), Retry("no Asterisk can be reached", 1.0)),
        (Refused("carrier skt has no trunk to call by"), Rejected("carrier skt has no trunk to call by")),
        (Malformed("field 'Channel' holds CR, LF or NUL"), Rejected("field 'Channel' holds CR, LF or NUL")),
    ],
)
def test_a_call_back_that_fails_is_tried_again_or_rejected(house, fault, outcome):
    house.rings = fault

    assert house.order(CALL_BACK) == outcome


@pytest.mark.parametrize("order", [HOLD_SILENCE, HANG_UP])
def test_a_call_back_that_rings_or_stands_is_ended_when_nothing_may_reach_her_phone(order):
    house = House()
    mine = (("Uniqueid", f"back-{INCIDENT}-0123456789abcdef"), ("Channel", "PJSIP/skt-voice-000000bb"))
    another = (("Uniqueid", "back-sos-other-0123456789abcdef"), ("Channel", "PJSIP/skt-voice-000000cc"))
    house.switch.rows = [mine, another]

    assert house.order(order) == Delivered(f"{order}: 0 of 0 calls, 1 call-backs ended")
    assert house.switch.told == [("Hangup", "PJSIP/skt-voice-000000bb", "16")]


def test_a_lift_ends_no_call_back():
    house = House()
    house.switch.rows = [(("Uniqueid", f"back-{INCIDENT}-01"), ("Channel", "PJSIP/skt-voice-000000bb"))]

    house.order(LIFT_SILENCE)

    assert house.switch.told == []


def test_a_phone_that_rings_holds_up_no_other_order_and_is_not_rung_again_after_a_restart():
    house = House()
    rings = Deferred()

    async def ring(*_):
        return await rings

    house.control = CallControl(house.clients, house.ledger, ring, now=NOW.timestamp)
    assert house.order(CALL_BACK) == Delivered("her phone is being called")

    with capture_logs() as logs:
        rings.callback("no answer")
    assert [(entry["event"], entry["outcome"]) for entry in logs] == [("call-back over", "no answer")]


def test_who_ordered_what_is_in_the_log(house):
    with capture_logs() as logs:
        house.order(HOLD_SILENCE)

    assert [(e["order"], e["by"]) for e in logs if e["event"] == "order carried out"] == [
        ("hold-silence", "desk 7")
    ]
