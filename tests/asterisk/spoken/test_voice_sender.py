"""A report is spoken to 112: delivered when the operator presses the digit, and tried again otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred, fail, succeed

from telephony.asterisk.spoken.speech import report_speech
from telephony.asterisk.spoken.voice_sender import (
    POSITION_S,
    TALK_S,
    UNCONFIRMED_RETRY_S,
    Dialling,
    VoiceSender,
)
from telephony.domain.delivery import Delivered, Outcome, Retry
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.guardians.spoken_call import CallOutcome, End
from telephony.domain.position import Position
from telephony.services.spine.reporting import first_report
from tests.asterisk.telephone import Telephone
from tests.awaiting import is_waiting, result_of
from tests.doubles import NOON, press

DIALLING = Dialling(
    "112", "centre-voice", "en", ring_s=20.0, confirm_digit="1", repeat_digit="2", caller_id="0215881120"
)
OLD = Position(37.1, 127.1, 900.0, 95.0, "cell", "lbs:skt", NOON, NOON)
NEW = Position(37.2, 127.2, 20.0, 95.0, "gnss", "lbs:skt", NOON, NOON)
ALERT = first_report(press(), "sos-1")


class House:
    """A sender on a clock of its own. ``newest`` is what the store gives, or a failure, or ``None``: it hangs."""

    def __init__(self, outcome: CallOutcome | None = None) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.telephone = Telephone(outcome or CallOutcome(End.ANSWERED, "1", "answered, pressed 1"))
        self.newest: Deferred[Position | None] = succeed(None)
        self.asked: list[str] = []
        self.told: Deferred[bool] = succeed(False)
        self.sender = VoiceSender(DIALLING, self.telephone, self._newest, self._is_told, clock=self.clock)

    async def _newest(self, incident_id: str) -> Position | None:
        self.asked.append(incident_id)
        return await self.newest

    async def _is_told(self, incident_id: str, sequence: int) -> bool:
        assert (incident_id, sequence) == ("sos-1", 1)
        return await self.told

    def send(self, report: Any = ALERT) -> Deferred[Outcome]:
        return Deferred.fromCoroutine(self.sender.send(report))

    def speech(self, position: Position | None) -> tuple[str, ...]:
        return report_speech(ALERT, position, NOON, language="en", confirm_digit="1", repeat_digit="2")


def test_the_centre_is_called_by_its_line_and_in_its_language():
    house = House()
    result_of(house.send())

    (call,) = house.telephone.called
    assert (call["dial"], call["context"]) == ("PJSIP/112@centre-voice", "spoken-report")
    assert (call["ring_s"], call["talk_s"], call["caller_id"]) == (20.0, TALK_S, "0215881120")
    assert (call["variables"]["SPOKEN_CONFIRM"], call["variables"]["SPOKEN_REPEAT"]) == ("1", "2")
    assert house.telephone.said == house.speech(None)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (CallOutcome(End.ANSWERED, "1", "said"), Delivered("said")),
        (
            CallOutcome(End.ANSWERED, "", "said"),
            Retry("the centre did not confirm: said", UNCONFIRMED_RETRY_S),
        ),
        (
            CallOutcome(End.ANSWERED, "2", "said"),
            Retry("the centre did not confirm: said", UNCONFIRMED_RETRY_S),
        ),
        (CallOutcome(End.NO_ANSWER, "", "busy"), Retry("no answer: busy")),
        (CallOutcome(End.FAILED, "", "congestion"), Retry("failed: congestion")),
        (CallOutcome(End.UNKNOWN, "1", "link lost"), Retry("unknown: link lost")),
        (CallOutcome(End.NOT_PLACED, "", "no Asterisk"), Retry("not placed: no Asterisk")),
    ],
)
def test_only_the_confirming_digit_delivers(outcome: CallOutcome, expected: Outcome):
    assert result_of(House(outcome).send()) == expected


def test_the_newest_position_is_said_not_the_one_of_the_report():
    house = House()
    house.newest = succeed(NEW)
    result_of(house.send(replace(ALERT, position=OLD)))

    assert house.asked == ["sos-1"]
    assert house.telephone.said == house.speech(NEW)


@pytest.mark.parametrize("error", [Unavailable("the store is down"), RuntimeError("a defect")])
def test_a_store_in_trouble_costs_the_newest_position_and_nothing_else(error: Exception):
    house = House()
    house.newest = fail(error)

    assert result_of(house.send()) == Delivered("answered, pressed 1")
    assert house.telephone.said == house.speech(None)


def test_what_the_report_knew_is_better_than_nothing():
    house = House()
    house.newest = fail(Unavailable("the store is down"))
    result_of(house.send(replace(ALERT, position=OLD)))

    assert house.telephone.said == house.speech(OLD)


def test_a_store_that_hangs_is_not_waited_for():
    house = House()
    house.newest = Deferred()
    sending = house.send()
    house.clock.advance(POSITION_S - 0.1)
    assert is_waiting(sending)
    house.clock.advance(0.1)

    assert isinstance(result_of(sending), Delivered)


def test_an_attempt_that_is_given_up_calls_nobody():
    house = House()
    house.newest = Deferred()
    sending = house.send()
    sending.addErrback(lambda _: None)
    sending.cancel()

    assert house.telephone.called == []


def test_a_line_that_cannot_be_dialled_is_found_at_the_start():
    with pytest.raises(Malformed):
        VoiceSender(
            replace(DIALLING, number="112&911"),
            Telephone(CallOutcome(End.FAILED)),
            House()._newest,
            House()._is_told,
            clock=task.Clock(),
        )


def test_a_report_that_112_has_by_another_channel_rings_nobody():
    house = House()
    house.told = succeed(True)

    assert isinstance(result_of(house.send()), Delivered)
    assert house.telephone.called == []


@pytest.mark.parametrize("answer", [fail(Unavailable("store: locked")), Deferred()], ids=["fails", "hangs"])
def test_a_store_that_cannot_say_whether_112_knows_does_not_keep_the_telephone_silent(answer):
    house = House()
    house.told = answer
    sending = house.send()
    house.clock.advance(POSITION_S)

    assert isinstance(result_of(sending), Delivered)
    assert len(house.telephone.called) == 1


def test_a_report_confirmed_in_one_call_is_not_spoken_in_another():
    house = House()
    result_of(house.send())

    assert isinstance(result_of(house.send()), Delivered)
    assert len(house.telephone.called) == 1


def test_a_report_that_is_being_spoken_is_not_spoken_twice_at_once():
    house = House()
    house.telephone.outcome = None
    first = house.send()
    second = result_of(house.send())

    assert isinstance(second, Retry)
    assert is_waiting(first)
    assert len(house.telephone.called) == 1
