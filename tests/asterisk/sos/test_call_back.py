"""Ringing the caller's phone: what is asked of Asterisk, and its answer in words."""

from __future__ import annotations

import random

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred, fail, succeed

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.sos.call_back import GRACE_S, NOBODY_KNOWS, RING_S, CallBack
from telephony.domain.errors import Refused, Unavailable
from tests.asterisk.sos_events import captured, packet
from tests.awaiting import failure_of, result_of


class Asterisk:
    """A manager interface that takes Originate, or does not."""

    def __init__(self, *, is_ready=True):
        self.is_ready = is_ready
        self.originated = []
        self.answer = lambda: succeed(packet(Response="Success"))

    def action(self, name, fields):
        assert name == "Originate"
        self.originated.append(fields)
        return self.answer()


class House:
    def __init__(self):
        self.clock = task.Clock()
        self.away, self.here = Asterisk(is_ready=False), Asterisk()
        self.call_back = CallBack(
            {"voice-1": self.away, "voice-2": self.here},
            {"skt": "skt-voice"},
            clock=self.clock,
            rng=random.Random(7),
        )
        self.came = []

    def ring(self, carrier="skt"):
        ringing = Deferred.fromCoroutine(self.call_back.ring("+821012345678", carrier, "sos-1"))
        ringing.addBoth(self.came.append)
        return ringing

    @property
    def uniqueid(self):
        return dict(self.here.originated[-1])["ChannelId"]

    def say(self, event, **fields):
        self.call_back.heard(packet(Event=event, **({"Uniqueid": self.uniqueid} | fields)))


@pytest.fixture
def house():
    return House()


def test_the_phone_is_rung_over_its_carriers_trunk_by_an_asterisk_that_can_be_asked(house):
    house.ring()

    assert house.away.originated == []
    [fields] = house.here.originated
    assert fields == [
        ("Channel", "PJSIP/+821012345678@skt-voice"),
        ("ChannelId", house.uniqueid),
        ("Context", "sos-callback"),
        ("Exten", "s"),
        ("Priority", "1"),
        ("Timeout", "30000"),
        ("CallerID", '"112" <112>'),
        ("Variable", "__SOS_ID=sos-1"),
        ("Variable", "__SOS_CALLER=+821012345678"),
        ("Async", "true"),
    ]
    assert house.uniqueid.startswith("back-")
    assert house.came == []


def test_a_phone_that_answers_is_said_to_have_answered(house):
    house.ring()
    house.clock.advance(12)

    house.say("OriginateResponse", Response="Success", Reason="4")

    assert house.came == ["answered"]
    assert house.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("cause", "reason", "words"),
    [
        ("", "1", "no answer"),
        ("", "3", "no answer"),
        ("", "5", "busy"),
        ("", "8", "congestion"),
        # As PJSIP has it: the reason is 0 and the cause of Q.850 comes before it.
        ("1", "0", "no such number"),
        ("17", "0", "busy"),
        ("19", "0", "no answer"),
        ("20", "0", "the phone cannot be reached"),
        ("21", "0", "rejected"),
        ("34", "0", "congestion"),
        ("", "0", "failed (reason 0, cause unknown)"),
        ("96", "0", "failed (reason 0, cause 96)"),
        ("17", "3", "no answer"),
    ],
)
def test_what_came_of_it_is_said_in_words(house, cause, reason, words):
    house.ring()

    if cause:
        house.say("HangupRequest", Cause=cause)
    house.say("OriginateResponse", Response="Failure", Reason=reason)

    assert house.came == [words]


def test_a_busy_phone_as_on_the_wire(house):
    house.ring()

    for each in captured("call-back-busy"):
        ours = tuple((name, value.replace("back-486", house.uniqueid)) for name, value in each.headers)
        house.call_back.heard(Packet(ours))

    assert house.came == ["busy"]


def test_an_answer_that_comes_before_asterisk_has_taken_the_order_counts(house):
    taken = Deferred()
    house.here.answer = lambda: taken
    house.ring()

    house.say("OriginateResponse", Response="Failure", Reason="5")
    house.say("OriginateResponse", Response="Failure", Reason="5")
    assert house.came == []
    taken.callback(packet(Response="Success"))

    assert house.came == ["busy"]


def test_two_phones_ring_beside_each_other(house):
    house.ring()
    first = house.uniqueid
    house.ring()
    assert house.uniqueid != first

    house.say("OriginateResponse", Response="Success")
    assert house.came == ["answered"]
    house.say("OriginateResponse", Uniqueid=first, Response="Failure", Reason="3")

    assert house.came == ["answered", "no answer"]


def test_events_of_other_calls_and_events_that_come_too_late_are_left(house):
    house.ring()
    house.say("OriginateResponse", Uniqueid="back-of-somebody-else", Response="Success")
    house.say("Hangup", Cause="16")
    assert house.came == []

    house.say("OriginateResponse", Response="Success")
    house.say("OriginateResponse", Response="Failure", Reason="5")
    house.say("HangupRequest", Cause="16")

    assert house.came == ["answered"]


def test_a_phone_of_which_nothing_is_heard_is_given_up(house):
    house.ring()

    house.clock.advance(RING_S + GRACE_S - 0.1)
    assert house.came == []
    house.clock.advance(0.2)

    assert house.came == [NOBODY_KNOWS]
    house.say("OriginateResponse", Response="Success")
    assert house.came == [NOBODY_KNOWS]


def test_a_phone_does_not_ring_twice_because_contact_was_lost_after_the_order(house):
    house.here.answer = lambda: fail(Unavailable("no answer to Originate in 5 s"))

    assert result_of(house.ring()) is None
    assert house.came == [NOBODY_KNOWS]


def test_an_order_that_asterisk_refuses_is_refused(house):
    house.here.answer = lambda: fail(Refused("Permission denied"))
    ringing = house.call_back.ring("+821012345678", "skt", "sos-1")

    assert str(failure_of(ringing)) == "Permission denied"


def test_without_an_asterisk_it_is_tried_again_later(house):
    house.here.is_ready = False

    assert isinstance(failure_of(house.call_back.ring("+821012345678", "skt", "sos-1")), Unavailable)


def test_a_carrier_without_a_trunk_is_refused(house):
    refused = failure_of(house.call_back.ring("+821012345678", "kt", "sos-1"))

    assert isinstance(refused, Refused)
    assert "kt" in str(refused)
    assert house.here.originated == []


def test_nothing_is_kept_of_a_phone_that_rings_no_more(house):
    for answer in (succeed(packet(Response="Success")), fail(Unavailable("gone")), fail(Refused("no"))):
        house.here.answer = lambda answer=answer: answer
        house.ring()
    house.clock.advance(60)

    assert house.call_back._ringing == {}
