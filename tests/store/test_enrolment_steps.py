"""What was decided is written, unless another writer has come between the reading and the writing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from telephony.domain.people.draft import EnrolmentRules
from telephony.domain.people.problems import Problem
from telephony.domain.people.steps import Asker, Move, Register
from telephony.domain.people.texts import Text
from telephony.domain.values import Msisdn
from telephony.store.audit import entries
from telephony.store.awaited import expect
from telephony.store.engines import one_transaction
from telephony.store.enrolment_orders import NUMBER, OwnOrder, RepliedOrder, Terms
from telephony.store.enrolment_payloads import payload_of
from telephony.store.enrolment_steps import Enrolling
from telephony.store.people import Registry
from tests.doubles import NOON, keys

OLD, NEW = Msisdn("821011110001"), Msisdn("821011110002")
TERMS = Terms("123456", NOON + timedelta(days=3), EnrolmentRules(today=NOON.date()))


class LateRegistry(Registry):
    """Does not find one number yet: another writer is about to commit it."""

    unseen: Msisdn | None = None

    def find(self, connection, number):
        return None if number == self.unseen else super().find(connection, number)


@pytest.fixture
def registry():
    return LateRegistry(keys)


@pytest.fixture
def connection(engines):
    with engines[0].connect() as connection, one_transaction(connection):
        yield connection


def order(phone, name):
    fields = {"name": name, "birth_date": "1990-03-02" if name == "홍길동" else "1985-01-01"}
    step = Register({**fields, "number": phone.international})
    return OwnOrder(step, Asker(phone, "USSD", "ko", "skt", NOON), TERMS)


def test_a_number_that_became_somebodys_meanwhile_is_not_moved_to(connection, registry):
    enrolling = Enrolling(registry)
    enrolling.carry_out(connection, order(OLD, "홍길동"))
    enrolling.carry_out(connection, order(NEW, "김철수"))
    payload = payload_of("123456", Move(OLD), "ko")
    key = expect(connection, NEW, NUMBER, payload, NOON, TERMS.expires_at)
    noted = len(list(entries(connection)))

    registry.unseen = NEW
    reply = RepliedOrder(Move(OLD), Asker(NEW, "SMS", "ko", "skt", NOON), TERMS, key)
    outcome = enrolling.carry_out(connection, reply)

    registry.unseen = None
    assert (outcome.text, outcome.letters) == (Text.NUMBER_TAKEN, ())
    assert [registry.find(connection, each).name for each in (OLD, NEW)] == ["홍길동", "김철수"]
    assert len(list(entries(connection))) == noted


def test_who_signed_up_meanwhile_is_not_taken_over(connection, registry):
    enrolling = Enrolling(registry)
    enrolling.carry_out(connection, order(OLD, "홍길동"))

    registry.unseen = OLD
    outcome = enrolling.carry_out(connection, order(OLD, "김철수"))

    registry.unseen = None
    assert [each.problem for each in outcome.faults] == [Problem.SOMEBODY_ELSES]
    assert registry.find(connection, OLD).name == "홍길동"
