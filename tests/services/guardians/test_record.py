"""The record of telling guardians: kept in the store, and where that is in trouble remembered; told to 112."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, update
from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import Deferred, fail

from telephony.domain.delivery import GUARDIANS, Again, Delivered
from telephony.domain.errors import Unavailable
from telephony.domain.facts import GuardianState, GuardianWay
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.spoken_call import Standing
from telephony.domain.guardians.turns import Turn
from telephony.domain.guardians.words import GuardianReply
from telephony.domain.incident import CLOSED
from telephony.domain.people.service_text import ServiceText
from telephony.domain.values import Msisdn
from telephony.services.guardians.record import RECORD_S, REMEMBERED, GuardianRecord
from telephony.services.guardians.replies import GuardianReplies
from telephony.store.fact_rows import to_data
from telephony.store.schema import incident
from tests.awaiting import failure_of, is_waiting, result_of
from tests.doubles import NOON, ONE_CENTRE, database, outbox, press
from tests.store.ledger import Ledger

INCIDENT = "sos-821012345678"
MOTHER = Guardian(Msisdn("821011112222"), "ko", "mother")
TURN = Turn(MOTHER, 1, 1)
PLAN = replace(ONE_CENTRE, tells_guardians=True)


class House:
    """A record over a real store, with an open incident."""

    def __init__(self, engines) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.database = database(*engines)
        self.ledger = Ledger(engines[0], PLAN)
        self.ledger.record(press())
        self.woken: list[str] = []
        self.outbox = outbox(self.database, PLAN, self.woken)
        self.record = GuardianRecord(self.outbox, clock=self.clock)
        self.replies = GuardianReplies(self.record)

    def states(self, incident=INCIDENT):
        return [to_data(fact)["state"] for fact in result_of(self.record.facts(incident))]

    def take(self, words, phone=MOTHER.phone):
        text = ServiceText(phone, "skt", "skt-1", "1588112", words, "ref-1", datetime.now(UTC))
        return self.replies.take(text)


@pytest.fixture
def house(engines):
    return House(engines)


class Down:
    """A store that fails, or that never answers, in the place of the real one."""

    def __init__(self, database, answer) -> None:
        self.read = database.read
        self.transact = lambda *_: answer()


def test_a_state_is_on_record_and_112_is_woken_for(house):
    result_of(house.record.tell(INCIDENT, TURN, GuardianState.TEXTED, GuardianWay.SMS))

    assert house.states() == ["texted"]
    assert house.woken == [INCIDENT]


def test_how_it_stands_with_112_is_by_what_it_has_acknowledged(house):
    assert result_of(house.record.standing(INCIDENT)) is Standing.ASKED

    (alert,) = house.ledger.claim()
    house.ledger.settle(alert, Delivered())

    assert result_of(house.record.standing(INCIDENT)) is Standing.KNOWN
    house.ledger.close()

    assert result_of(house.record.standing(INCIDENT)) is Standing.OVER


def test_a_store_that_does_not_answer_keeps_no_call_waiting(house):
    house.outbox.database = SimpleNamespace(read=lambda *_: Deferred())
    asked = Deferred.fromCoroutine(house.record.standing(INCIDENT))

    house.clock.advance(RECORD_S)

    assert isinstance(failure_of(asked), Unavailable)


def test_what_another_hand_has_closed_is_not_over(house):
    change = update(incident).values(state=CLOSED)
    house.ledger.transact(Connection.execute, change)

    assert result_of(house.record.standing(INCIDENT)) is Standing.ASKED


def test_what_112_knows_already_rings_no_bell(house):
    for _ in range(2):
        result_of(house.record.tell(INCIDENT, TURN, GuardianState.TEXTED, GuardianWay.SMS))

    assert house.woken == [INCIDENT]


def test_a_store_in_trouble_is_no_obstacle_and_what_it_did_not_keep_is_remembered(house):
    house.outbox.database = Down(house.database, lambda: fail(Unavailable("store: locked")))
    with capture_logs() as logs:
        result_of(house.record.tell(INCIDENT, TURN, GuardianState.TEXTED, GuardianWay.SMS))
        result_of(house.record.expect(INCIDENT, TURN))

    assert house.states() == ["texted"]
    assert house.ledger.rows("fact") == []
    assert [entry["event"] for entry in logs] == [
        "guardian",
        "guardian's state not kept",
        "reply not awaited",
    ]


def test_a_store_that_hangs_is_not_waited_for(house):
    house.outbox.database = Down(house.database, Deferred)
    telling = Deferred.fromCoroutine(house.record.tell(INCIDENT, TURN, GuardianState.TEXTED, GuardianWay.SMS))
    expecting = Deferred.fromCoroutine(house.record.expect(INCIDENT, TURN))
    assert is_waiting(telling)
    assert is_waiting(expecting)
    house.clock.advance(RECORD_S)

    result_of(telling)
    result_of(expecting)
    assert house.states() == ["texted"]


def test_what_was_not_kept_is_remembered_up_to_a_bound(house):
    house.outbox.database = Down(house.database, lambda: fail(Unavailable("store: locked")))
    with capture_logs():
        for number in range(REMEMBERED + 5):
            result_of(house.record.tell(f"sos-{number}", TURN, GuardianState.TEXTED))

    assert house.states("sos-0") == []
    assert house.states(f"sos-{REMEMBERED + 4}") == ["texted"]


def test_a_guardian_is_hastened_and_the_relay_woken(house):
    [turn] = house.ledger.claim(GUARDIANS)
    house.ledger.settle(turn, Again(60.0, GUARDIANS, GUARDIANS))
    result_of(house.record.hasten(INCIDENT))

    assert house.woken == [INCIDENT]
    assert len(house.ledger.claim(GUARDIANS)) == 1


# Replies.


def test_a_reply_of_a_guardian_who_was_told_confirms(house):
    result_of(house.record.expect(INCIDENT, TURN))
    with capture_logs() as logs:
        assert result_of(house.take("\uff11"))

    assert house.states() == ["confirmed"]
    assert house.woken == [INCIDENT]
    assert logs == [
        {
            "event": "guardian replied",
            "log_level": "info",
            "incident": INCIDENT,
            "guardian": "1",
            "said": "confirmed",
        }
    ]


def test_words_go_to_112_and_into_no_log(house):
    result_of(house.record.expect(INCIDENT, TURN))
    with capture_logs() as logs:
        assert result_of(house.take("학원에 있어요"))

    assert house.states() == ["words"]
    assert "학원" not in str(logs)
    assert logs[0]["said"] == "words for 112"


def test_a_mistake_is_said_to_be_one(house):
    result_of(house.record.expect(INCIDENT, TURN))
    with capture_logs() as logs:
        assert result_of(house.take("오작동"))

    assert logs[-1]["said"] == "says it was a mistake"


@pytest.mark.parametrize(
    ("words", "phone"),
    [
        ("1", Msisdn("821099990000")),
        ("1", Msisdn("")),
        (None, MOTHER.phone),
        ("", MOTHER.phone),
        ("123456", MOTHER.phone),
    ],
)
def test_any_other_text_is_left_to_somebody_else(house, words, phone):
    result_of(house.record.expect(INCIDENT, TURN))

    assert not result_of(house.take(words, phone))
    assert house.states() == []


def test_a_reply_that_cannot_be_kept_is_to_come_again(house):
    house.outbox.database = Down(house.database, lambda: fail(Unavailable("store: locked")))

    assert isinstance(failure_of(house.take("1")), Unavailable)


def test_a_reply_to_no_question_rings_no_bell(house):
    assert result_of(house.record.reply(MOTHER.phone, GuardianReply(confirms=True))) == []
    assert house.woken == []
