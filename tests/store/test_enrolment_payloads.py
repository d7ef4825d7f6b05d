"""Steps that wait for a reply, as JSON: what earlier releases have written is read, and written in the same form."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from telephony.domain.people.steps import (
    AddGuardian,
    BeGuardian,
    Cancel,
    Change,
    ChangeNumber,
    Consent,
    Move,
    Register,
    RemoveGuardian,
    Step,
)
from telephony.domain.values import Msisdn
from telephony.store.crypto import Damaged
from telephony.store.enrolment_payloads import code_of, is_about, language_of, payload_of, step_of

CHILD, MOTHER = Msisdn("821011110001"), Msisdn("821099990001")
FIELDS = {"name": "홍길동", "birth_date": "20150302"}

STEPS = {
    '{"do": "register", "fields": {"name": "홍길동", "birth_date": "20150302"}}': Register(FIELDS),
    '{"do": "register", "fields": {"name": "홍길동", "birth_date": "20150302"}, "text": "sms-2/ko"}': Register(
        FIELDS, "sms-2/ko"
    ),
    (
        '{"do": "consent", "number": "821011110001", "fields": {"name": "홍길동", "birth_date": "20150302"}, '
        '"means": "SMS", "carrier": "skt", "text": "sms-2/ko"}'
    ): Consent(CHILD, FIELDS, "SMS", "skt", "sms-2/ko"),
    '{"do": "add guardian", "phone": "821099990001", "relation": "엄마"}': AddGuardian(MOTHER, "엄마"),
    '{"do": "guardian agreed", "number": "821011110001"}': BeGuardian(CHILD),
    '{"do": "remove guardian", "phone": "821099990001"}': RemoveGuardian(MOTHER),
    '{"do": "change", "field": "address", "value": "서울시"}': Change("address", "서울시"),
    '{"do": "change number", "new": "821011110002"}': ChangeNumber(Msisdn("821011110002")),
    '{"do": "move", "number": "821011110001"}': Move(CHILD),
    '{"do": "cancel", "number": "821011110001"}': Cancel(CHILD),
}


@pytest.mark.parametrize(
    ("written", "step"), STEPS.items(), ids=[str(number) for number in range(len(STEPS))]
)
def test_a_step_is_read_as_it_was_written_and_written_as_it_was_read(written, step):
    payload = json.loads(f'{{"code": "123456", "step": {written}, "language": "en"}}')

    assert step_of(payload) == step
    assert payload_of("123456", step, "en") == payload
    assert (code_of(payload), language_of(payload)) == ("123456", "en")


def test_every_step_can_wait():
    assert {type(step) for step in STEPS.values()} == set(get_args(Step))


def test_a_consent_of_the_first_release_says_nothing_of_its_question():
    step = {"do": "consent", "number": CHILD.number, "fields": FIELDS, "means": "SMS", "carrier": "skt"}

    assert step_of({"step": step}) == Consent(CHILD, FIELDS, "SMS", "skt", "")


@pytest.mark.parametrize("step", [{}, {"do": "dance"}, {"do": "cancel"}, {"do": ["cancel"]}])
def test_what_no_release_has_written_is_damaged(step):
    with pytest.raises(Damaged):
        step_of({"step": step})


def test_a_question_is_known_by_whom_it_is_about():
    assert is_about(payload_of("1", BeGuardian(CHILD), "ko"), CHILD)
    assert not is_about(payload_of("1", BeGuardian(CHILD), "ko"), MOTHER)
    assert not is_about(payload_of("1", Change("name", "a"), "ko"), CHILD)
