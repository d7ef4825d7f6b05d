"""A child reads that its guardian has not answered yet; the guardian is reminded once, and no phone of an open incident."""

from __future__ import annotations

import pytest

from telephony.services.people.reminders import LEFT, LOOK_S, Reminders
from telephony.smpp.wire.text_parts import text_parts
from telephony.store.incidents import close_incident
from telephony.store.presses import NewPress, PressRecorder, Rules
from tests.awaiting import result_of
from tests.doubles import NOON, ONE_CENTRE, press
from tests.services.enrolling import ADULT, CHILD, CHILD_BORN, FATHER, MOTHER, STRANGER, Office, code_in

REPLY_S = 72 * 3600.0
REMINDED_S = REPLY_S * (1 - LEFT)


class House:
    """An office with somebody who reminds."""

    def __init__(self, engines, **how):
        self.office = Office(engines, reply_s=REPLY_S, **how)
        self.texts, self.clock = self.office.texts, self.office.clock
        self.reminders = Reminders(
            self.office.database,
            self.office.registry,
            self.office.answers,
            reply_s=REPLY_S,
            clock=self.clock,
        )
        self.reminders.startService()

    def child_asks(self, guardian=MOTHER, name="홍길동", language="ko"):
        text = f"{guardian.international} 엄마"
        self.office.register(CHILD, name, CHILD_BORN, text, by="ussd", language=language)

    def pass_time(self, seconds):
        for _ in range(int(seconds // LOOK_S) + 1):
            self.clock.advance(LOOK_S)

    def asks(self, what, *words, phone=CHILD, **how) -> str:
        return result_of(getattr(self.office.desk, what)(self.office.asking(phone, **how), *words))


@pytest.fixture
def house(engines):
    return House(engines)


# -- the child -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        ("my_data",),
        ("guardians",),
        ("test",),
        ("cancel",),
        ("remove_guardian", "1"),
        ("add_guardian", FATHER.international, "아빠"),
        ("change", "주소", "서울"),
        ("not_understood",),
        ("register", "됐나요", ""),
    ],
    ids=lambda asked: asked[0],
)
@pytest.mark.parametrize("by", ["sms", "ussd"])
def test_a_child_whose_guardian_has_not_answered_reads_that_whatever_it_asks(house, asked, by):
    house.child_asks()

    assert house.asks(*asked, by=by) == (
        "아직 등록 전입니다. 보호자(끝번호 0001)의 답장을 기다립니다. 다시 물으려면 등록 문자를 다시 보내세요."
    )
    assert "0001" not in (house.asks(*asked, phone=STRANGER) or "")


def test_it_reads_so_in_its_language(house):
    house.child_asks()

    assert "has not replied" in house.asks("my_data", language="en")


@pytest.mark.parametrize("reply", ["동의 {} 어머니 성인", "거절 {}"])
def test_once_the_guardian_has_answered_it_reads_that_no_more(house, reply):
    house.child_asks()
    result_of(
        house.office.desk.reply(house.office.asking(MOTHER), reply.format(code_in(house.texts.to(MOTHER)[0])))
    )

    assert "기다립니다" not in house.asks("my_data")


def test_once_the_time_is_over_it_reads_that_it_is_not_registered(house):
    house.child_asks()
    house.clock.advance(REPLY_S)

    assert "등록되지 않은 번호" in house.asks("my_data")


def test_a_child_that_signs_up_again_may_have_the_same_guardian_asked_again(house):
    house.child_asks()
    first = house.texts.to(MOTHER)

    answer = house.office.register(CHILD, "홍길동", CHILD_BORN, MOTHER.international)
    assert answer.startswith("보호자(끝번호 0001)가 아직 답하지 않았습니다")
    assert house.texts.to(MOTHER) == first

    house.office.reply(CHILD, code_in(answer))
    assert len(house.texts.to(MOTHER)) == 2
    assert len(house.office.waiting_of(MOTHER)) == 1
    assert "끝번호 0001" in house.asks("my_data")


def test_a_child_that_names_another_guardian_is_asked_as_ever(house):
    house.child_asks()

    assert house.office.register(CHILD, "홍길동", CHILD_BORN, FATHER.international).startswith(
        "홍길동님 등록"
    )


# -- the guardian --------------------------------------------------------------------------------------------------


def test_a_guardian_is_reminded_once_a_day_before_the_end_with_the_same_code(house):
    house.child_asks()
    (question,) = house.texts.to(MOTHER)

    house.pass_time(REMINDED_S - 2 * LOOK_S)
    assert house.texts.to(MOTHER) == [question]

    house.pass_time(2 * LOOK_S)
    _, reminder = house.texts.to(MOTHER)
    assert (
        reminder
        == f"홍길동님 SOS 등록 동의를 기다립니다. 동의 {code_in(question)} 어머니 성인, 거절 {code_in(question)}"
    )

    house.pass_time(REPLY_S)
    assert len(house.texts.to(MOTHER)) == 2


def test_a_reply_to_the_reminder_signs_the_child_up(house):
    house.child_asks()
    house.pass_time(REMINDED_S)

    house.office.reply(MOTHER, f"동의 {code_in(house.texts.to(MOTHER)[-1])} 어머니 성인")

    assert house.office.person(CHILD) is not None


def test_a_guardian_of_an_adult_is_reminded_too_and_reads_it_in_english(house):
    house.office.register(
        ADULT, "Ann Lee", guardian=f"{FATHER.international} father", by="ussd", language="en"
    )
    house.pass_time(REMINDED_S)

    question, reminder = house.texts.to(FATHER)
    assert reminder.startswith("Ann Lee still waits for your reply as SOS guardian. Reply AGREE")
    assert code_in(reminder) == code_in(question)


def test_who_has_answered_is_not_reminded(house):
    house.child_asks()
    house.office.reply(MOTHER, f"동의 {code_in(house.texts.to(MOTHER)[0])} 어머니 성인")
    said = len(house.texts.to(MOTHER))

    house.pass_time(REMINDED_S)

    assert len(house.texts.to(MOTHER)) == said


def test_nobody_is_reminded_for_somebody_who_has_cancelled(house):
    house.office.register(ADULT, guardian=FATHER.international, by="ussd")
    result_of(house.office.desk.cancel(house.office.asking(ADULT, by="ussd"), is_sure=True))

    house.pass_time(REMINDED_S)

    assert len(house.texts.to(FATHER)) == 1


def test_a_question_that_never_left_is_not_reminded_of(house):
    house.texts.refuse()
    house.child_asks()
    house.texts.error = None

    house.pass_time(REMINDED_S)

    assert house.texts.to(MOTHER) == []


def test_a_phone_with_an_open_incident_is_reminded_when_that_is_over(house):
    house.child_asks()
    recorder = PressRecorder(Rules(ONE_CENTRE, "test#1", {}))
    (recorded,) = result_of(
        house.office.database.batch(recorder, [NewPress(press(MOTHER.number), "20261123-1")])
    )

    house.pass_time(REMINDED_S)
    assert len(house.texts.to(MOTHER)) == 1

    incident_id = recorded.receipt.incident_id
    result_of(house.office.database.transact(close_incident, ONE_CENTRE, incident_id, "over", NOON))
    house.pass_time(LOOK_S)
    assert len(house.texts.to(MOTHER)) == 2


def test_a_phone_that_had_its_texts_of_the_day_is_reminded_on_the_next(engines):
    house = House(engines, texts_per_day=1)
    house.child_asks()
    house.pass_time(REMINDED_S - 3600)
    house.office.answers.post(MOTHER, "something else")

    house.pass_time(3600)
    assert len(house.texts.to(MOTHER)) == 2

    house.pass_time(23 * 3600)
    assert "기다립니다" in house.texts.to(MOTHER)[-1]


@pytest.mark.parametrize(("language", "name"), [("ko", "가" * 80), ("en", "A" * 80)])
def test_a_reminder_is_one_part_with_the_longest_name(house, language, name):
    house.child_asks(name=name, language=language)
    house.office.register(ADULT, name, guardian=FATHER.international, by="ussd", language=language)

    house.pass_time(REMINDED_S)

    for guardian in (MOTHER, FATHER):
        _, reminder = house.texts.to(guardian)
        assert len(text_parts(reminder, 1, alphabet="ucs2").parts) == 1
