"""Beside a question to a guardian: whom it concerns, and a reminder; both end with the question, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.people.steps import Asker, Register
from telephony.domain.values import Msisdn
from telephony.store.awaited import awaited_from, settle, text_left
from telephony.store.engines import one_transaction
from telephony.store.enrolment_orders import OwnOrder, Terms
from telephony.store.enrolment_steps import Enrolling
from telephony.store.enrolment_waits import guardian_awaited, reminders_due, take_reminder
from telephony.store.people import Registry
from tests.doubles import NOON, keys

CHILD, MOTHER, FATHER = Msisdn("821011110001"), Msisdn("821099990001"), Msisdn("821099990002")
END = NOON + timedelta(hours=72)
TERMS = Terms("123456", END, EnrolmentRules(today=NOON.date()))


class Desk:
    """A child's signing up, and what waits for it."""

    def __init__(self, connection) -> None:
        self.connection = connection
        self.registry = Registry(keys)

    def child_asks(self, guardian=MOTHER, *, is_sent=True) -> int:
        fields = {
            "name": "홍길동",
            "birth_date": "2015-03-02",
            "number": CHILD.international,
            "guardian1_phone": guardian.international,
        }
        asker = Asker(CHILD, "USSD", "ko", "skt", NOON)
        outcome = Enrolling(self.registry).carry_out(
            self.connection, OwnOrder(Register(fields), asker, TERMS)
        )
        if is_sent:
            text_left(self.connection, outcome.asked.key, NOON)
        return outcome.asked.key

    def due(self, at=END - timedelta(hours=1)):
        return reminders_due(self.connection, at + timedelta(hours=24), at)

    def take(self, at=END - timedelta(hours=1)):
        ((_, key),) = self.due(at)
        return take_reminder(self.connection, self.registry, key, at)


@pytest.fixture
def desk(engines):
    with engines[0].connect() as connection, one_transaction(connection):
        yield Desk(connection)


def test_the_guardian_who_is_awaited_is_known_by_the_childs_phone_alone(desk):
    desk.child_asks()

    assert guardian_awaited(desk.connection, CHILD, NOON) == MOTHER
    assert guardian_awaited(desk.connection, MOTHER, NOON) is None
    assert guardian_awaited(desk.connection, CHILD, END) is None


def test_of_two_guardians_who_were_asked_the_one_who_has_not_answered_is_awaited(desk):
    first = desk.child_asks()
    desk.child_asks(FATHER)
    settle(desk.connection, first)

    assert guardian_awaited(desk.connection, CHILD, NOON) == FATHER


def test_a_reminder_is_due_when_its_time_has_come_and_is_taken_once(desk):
    desk.child_asks()
    assert desk.due(NOON) == []

    letter = desk.take()

    assert (letter.to, letter.facts["code"], letter.facts["name"]) == (MOTHER, "123456", "홍길동")
    assert desk.due() == []


def test_a_question_that_was_asked_again_is_reminded_of_once(desk):
    desk.child_asks()
    desk.child_asks()

    assert len(desk.due()) == 1


def test_what_has_not_left_or_was_settled_brings_no_letter(desk):
    desk.child_asks(is_sent=False)
    assert desk.take() is None

    settle(desk.connection, desk.child_asks(FATHER))
    assert desk.take() is None


def test_the_notes_are_no_replies_that_are_awaited(desk):
    desk.child_asks()

    assert awaited_from(desk.connection, CHILD, now=NOON) == []
    assert len(awaited_from(desk.connection, MOTHER, now=NOON)) == 1
