"""Texts to a service number: who gets them, answered once, bounded, and a press wherever help is called for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from telephony.domain.errors import Unavailable
from telephony.domain.people.service_text import ServiceText
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import UNLISTED_DESTINATION, Part, PartKind
from telephony.domain.values import Msisdn
from telephony.services.people.bounds import DAY_S
from telephony.services.people.long_texts import WAIT_S
from telephony.services.people.replies import PAUSES_S
from telephony.services.people.service_texts import (
    ANSWERED_ONCE_S,
    HELPS_PER_DAY,
    PER_SENDER_S,
    TEXTS_PER_SENDER,
    ServiceTexts,
)
from tests.awaiting import failure_of, is_waiting, result_of
from tests.services.enrolling import ADULT, CHILD, MOTHER, STRANGER, Office, code_in

WORDS = Recognition(
    frozenset({"112"}), service_numbers=frozenset({"1120"}), sos_words=frozenset({"살려주", "sos"})
)


class Listener:
    """Takes what begins with its word, as one who waits for guardians' replies does."""

    def __init__(self):
        self.heard: list[str | None] = []
        self.is_down = False

    async def take(self, text: ServiceText) -> bool:
        if self.is_down:
            raise Unavailable("store")
        self.heard.append(text.text)
        return (text.text or "").startswith("확인")


class House:
    """The service texts of an office."""

    def __init__(self, engines, **how):
        self.office = Office(engines, **how)
        self.texts = self.office.texts
        self.clock = self.office.clock
        self.listener = Listener()
        self.service = ServiceTexts(
            self.office.desk,
            self.office.answers,
            listeners=[self.listener],
            accept_all=self.office.presses,
            recognition_for=lambda carrier: WORDS,
            language_of=self.office.languages.of,
            language="ko",
            clock=self.clock,
        )
        self._number = 0

    def send(self, sender, text, *, reference=None, part=None, is_marked=False):
        self._number += 1
        now = datetime.fromtimestamp(self.clock.seconds(), UTC)
        reference = reference or f"ref-{self._number}"
        taken = ServiceText(sender, "skt", "skt-1", "1120", text, reference, now, part, is_marked)
        return self.service.take(taken)

    def say(self, sender, text, **how) -> str:
        """Send a text that is taken; give what the sender reads last."""
        result_of(self.send(sender, text, **how))
        return self.texts.to(sender)[-1]


@pytest.fixture
def house(engines):
    return House(engines)


def test_an_adult_signs_up_in_two_texts(house):
    house.say(ADULT, "등록 홍길동 19900302")
    assert "등록되었습니다" in house.say(ADULT, code_in(house.texts.to(ADULT)[-1]))

    assert house.office.person(ADULT).name == "홍길동"


def test_a_minor_signs_up_with_the_mothers_reply_in_english(house):
    house.say(CHILD, f"REGISTER Hong Gildong 2015-03-02 {MOTHER.international} mother")
    assert "We asked" in house.say(CHILD, code_in(house.texts.to(CHILD)[-1]))
    house.say(MOTHER, f"AGREE {code_in(house.texts.to(MOTHER)[-1])} MOTHER ADULT")

    assert house.office.person(CHILD).guardians[0].relation == "mother"
    assert "Thank you" in house.texts.to(MOTHER)[-1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("도움말", "등록 이름 생년월일"),
        ("help", "REGISTER name"),
        ("안녕하세요", "등록 이름 생년월일"),
        ("what is this", "REGISTER name"),
        (None, "등록 이름 생년월일"),
        ("", "등록 이름 생년월일"),
        ("1234", "등록 이름 생년월일"),
        ("보호자", "등록되지 않은"),
        ("보호자 01099990002 아빠", "등록되지 않은"),
        ("보호자 삭제 1", "등록되지 않은"),
        ("보호자 아빠", "보호자 전화번호가 없습니다"),
        ("변경 주소 서울", "등록되지 않은"),
        ("변경", "바꿀 수 있는 것"),
        ("해지", "등록되지 않은"),
        ("내정보", "등록되지 않은"),
        ("시험", "등록되지 않은"),
        ("등록 홍길동 01012345678", "생년월일이 없습니다"),
    ],
)
def test_every_keyword_has_its_answer_in_the_language_of_the_text(house, text, words):
    assert words in house.say(STRANGER, text)


def test_who_writes_without_hangul_is_answered_in_the_language_they_chose(house):
    house.office.signed_up(ADULT)

    assert "등록 이름 생년월일" in house.say(ADULT, "HELP")
    assert "REGISTER name" in house.say(STRANGER, "HELP")


def test_listeners_come_first_and_what_they_take_is_not_answered_here(house):
    result_of(house.send(MOTHER, "확인"))
    assert house.texts.sent == []

    house.say(MOTHER, "도움말")
    assert house.listener.heard == ["확인", "도움말"]


def test_a_listener_in_trouble_has_the_carrier_send_it_again(house):
    house.listener.is_down = True
    assert isinstance(failure_of(house.send(MOTHER, "확인", reference="a")), Unavailable)

    house.listener.is_down = False
    result_of(house.send(MOTHER, "확인", reference="a"))
    assert house.listener.heard == ["확인"]


@pytest.mark.parametrize("sender", [Msisdn("", is_e164=False), Msisdn("1588", is_e164=False)])
def test_what_is_no_phone_is_not_answered(house, sender):
    result_of(house.send(sender, "도움말"))

    assert house.texts.sent == []


# -- once ----------------------------------------------------------------------------------------------------------


def test_a_text_that_is_delivered_again_is_answered_once(house):
    house.say(STRANGER, "도움말", reference="same")
    result_of(house.send(STRANGER, "도움말", reference="same"))
    assert len(house.texts.sent) == 1

    house.clock.advance(ANSWERED_ONCE_S)
    result_of(house.send(STRANGER, "도움말", reference="same"))
    assert len(house.texts.sent) == 2


def test_a_redelivery_waits_for_the_first_that_is_being_handled(house):
    house.office.runner.hold()
    first = house.send(ADULT, "등록 홍길동 19900302", reference="same")
    again = house.send(ADULT, "등록 홍길동 19900302", reference="same")
    assert is_waiting(first)
    assert is_waiting(again)

    house.office.runner.release()

    result_of(first)
    result_of(again)
    assert len(house.texts.sent) == 1


def test_a_defect_of_ours_is_not_sent_for_again_and_again(house, monkeypatch):
    async def broken(asking):
        raise ZeroDivisionError

    monkeypatch.setattr(house.office.desk, "help", broken)

    result_of(house.send(STRANGER, "도움말"))

    assert house.texts.sent == []


# -- a press after all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["help me", "HELP he is coming"])
def test_a_cry_is_a_press_and_gets_no_answer(house, text):
    result_of(house.send(ADULT, text))

    (trigger,) = house.office.presses.taken
    assert (trigger.text, trigger.labels, trigger.test) == (text, (UNLISTED_DESTINATION,), False)
    assert house.texts.sent == []


def test_a_cry_that_cannot_be_kept_is_sent_again(house):
    house.office.presses.is_down = True

    assert isinstance(failure_of(house.send(ADULT, "help me")), Unavailable)


def test_distress_that_was_cut_in_two_by_the_phone_is_a_press(house):
    result_of(house.send(ADULT, "등록 홍길동 " * 10 + "살려", part=Part(7, 2, 1)))
    assert house.office.presses.taken == []

    result_of(house.send(ADULT, "주세요", part=Part(7, 2, 2)))

    assert len(house.office.presses.taken) == 1
    assert house.texts.sent == []


# -- long texts ----------------------------------------------------------------------------------------------------


def test_a_long_text_is_read_whole_whatever_the_order_of_its_parts(house):
    result_of(house.send(ADULT, "19900302", part=Part(7, 2, 2)))
    assert house.texts.sent == []

    assert "홍길동님 등록" in house.say(ADULT, "등록 홍길동 ", part=Part(7, 2, 1))


def test_a_part_whose_rest_does_not_come_is_read_alone_after_a_minute(house):
    result_of(house.send(ADULT, "등록 홍길동 ", part=Part(7, 2, 1)))

    house.clock.advance(WAIT_S)

    assert "생년월일이 없습니다" in house.texts.to(ADULT)[-1]


def test_a_long_text_that_could_not_be_handled_needs_only_its_last_part_again(house):
    house.office.signed_up(ADULT)
    house.listener.is_down = True
    result_of(house.send(ADULT, "변경 주소 ", part=Part(7, 2, 1), reference="a"))
    failure_of(house.send(ADULT, "서울시", part=Part(7, 2, 2), reference="b"))

    house.listener.is_down = False
    assert "등록 내용 변경" in house.say(ADULT, "서울시", part=Part(7, 2, 2), reference="b")

    house.clock.advance(WAIT_S)
    assert len(house.texts.sent) == 1


def test_a_character_that_was_cut_between_two_parts_is_read_whole(house):
    octets = "등록 홍길동 19900302".encode("utf-16-be")
    first, second = (
        Part(7, 2, number, octets=part, alphabet="utf-16-be")
        for number, part in ((1, octets[:9]), (2, octets[9:]))
    )

    result_of(house.send(ADULT, "등록 홍", part=first))

    assert "홍길동님 등록" in house.say(ADULT, "동 19900302", part=second)


def test_a_number_that_comes_again_with_other_words_begins_another_text(house):
    result_of(house.send(ADULT, "첫째 말 ", part=Part(7, 2, 1), reference="a"))
    result_of(house.send(ADULT, "등록 홍길동 ", part=Part(7, 2, 1), reference="b"))
    assert len(house.texts.sent) == 1

    assert "홍길동님 등록" in house.say(ADULT, "19900302", part=Part(7, 2, 2), reference="c")


def test_references_of_different_kinds_never_meet(house):
    result_of(house.send(ADULT, "등록 홍길동 ", part=Part(7, 2, 1, PartKind.SAR)))
    result_of(house.send(ADULT, "19900302", part=Part(7, 2, 2, PartKind.CONCATENATED_16)))

    assert house.texts.sent == []


def test_parts_of_two_senders_never_meet(house):
    result_of(house.send(ADULT, "등록 홍길동 ", part=Part(7, 2, 1)))
    result_of(house.send(STRANGER, "19900302", part=Part(7, 2, 2)))

    assert house.texts.sent == []


# -- bounds --------------------------------------------------------------------------------------------------------


def test_a_sender_who_floods_is_told_once_and_then_no_more_answered_for_a_while(house):
    for _ in range(TEXTS_PER_SENDER + 5):
        result_of(house.send(STRANGER, "도움말"))
    assert len(house.texts.sent) == TEXTS_PER_SENDER + 1
    assert "나중에 다시" in house.texts.to(STRANGER)[-1]

    house.clock.advance(PER_SENDER_S)
    result_of(house.send(STRANGER, "도움말"))
    assert len(house.texts.sent) == TEXTS_PER_SENDER + 2


def test_a_flood_of_parts_is_bounded_too(house):
    for number in range(TEXTS_PER_SENDER + 5):
        result_of(house.send(STRANGER, "도움말", part=Part(number, 2, 1)))
    house.clock.advance(WAIT_S)

    assert len(house.texts.sent) == TEXTS_PER_SENDER + 1


def test_no_machine_is_told_that_it_floods(house):
    for _ in range(TEXTS_PER_SENDER + 1):
        result_of(house.send(STRANGER, "delivered", is_marked=True))
    for _ in range(TEXTS_PER_SENDER + 1):
        result_of(house.send(Msisdn("1588", is_e164=False), "out of office"))

    assert house.texts.sent == []


def test_a_cry_for_help_is_a_press_however_many_texts_came_before(house):
    for _ in range(TEXTS_PER_SENDER + 5):
        result_of(house.send(STRANGER, "도움말"))
    answered = len(house.texts.sent)

    result_of(house.send(STRANGER, "help he is here"))

    assert [trigger.text for trigger in house.office.presses.taken] == ["help he is here"]
    assert len(house.texts.sent) == answered


def test_a_text_too_many_while_the_store_is_down_is_dropped(house, monkeypatch):
    async def down(phone):
        raise Unavailable("store")

    for _ in range(TEXTS_PER_SENDER):
        result_of(house.send(STRANGER, "help"))
    monkeypatch.setattr(house.service, "_language_of", down)

    result_of(house.send(STRANGER, "help"))

    assert len(house.texts.sent) == TEXTS_PER_SENDER


def test_what_asks_nothing_is_answered_once_a_minute_and_three_times_a_day_and_a_keyword_always(house):
    """A phone that answers by itself, or a receipt that was not recognised, never makes texts go round."""
    for number in range(HELPS_PER_DAY + 3):
        result_of(house.send(STRANGER, "out of office"))
        result_of(house.send(STRANGER, "this phone is off"))
        assert len(house.texts.to(STRANGER)) == min(number + 1, HELPS_PER_DAY + 1)
        house.clock.advance(PER_SENDER_S)
    assert "again later" in house.texts.to(STRANGER)[-1]

    assert "REGISTER name" in house.say(STRANGER, "help")
    assert len(house.texts.to(STRANGER)) == HELPS_PER_DAY + 2
    assert "REGISTER name" in house.say(MOTHER, "out of office")

    house.clock.advance(DAY_S)
    house.say(STRANGER, "out of office")
    assert len(house.texts.to(STRANGER)) == HELPS_PER_DAY + 3


def test_what_was_marked_as_an_acknowledgement_is_listened_to_and_never_answered_with_help(house):
    result_of(house.send(STRANGER, "delivered soon", is_marked=True))
    assert house.listener.heard == ["delivered soon"]
    assert house.texts.sent == []

    assert "등록 이름 생년월일" in house.say(STRANGER, "도움말", is_marked=True)
    house.say(ADULT, "등록 홍길동 19900302", is_marked=True)
    assert "등록되었습니다" in house.say(ADULT, code_in(house.texts.to(ADULT)[-1]), is_marked=True)


def test_answers_that_no_message_centre_takes_are_tried_again_for_a_few_minutes(house):
    house.texts.fail()
    result_of(house.send(STRANGER, "도움말"))
    house.clock.advance(PAUSES_S[0])
    assert house.texts.sent == []

    house.texts.error = None
    house.clock.advance(PAUSES_S[1])
    assert len(house.texts.sent) == 1


def test_an_answer_that_silence_forbids_is_dropped_for_good(house):
    house.texts.refuse()
    result_of(house.send(STRANGER, "도움말"))

    house.texts.error = None
    house.clock.pump(PAUSES_S)
    assert house.texts.sent == []


def test_answers_to_a_forged_number_are_bounded_by_the_day_and_the_last_says_so(engines):
    house = House(engines, texts_per_day=5)
    for _ in range(3):
        for _ in range(TEXTS_PER_SENDER):
            result_of(house.send(STRANGER, "도움말"))
        house.clock.advance(PER_SENDER_S)

    assert len(house.texts.to(STRANGER)) == 5 + 1
    assert "나중에 다시" in house.texts.to(STRANGER)[-1]


def test_who_can_be_asked_no_code_today_reads_that_it_is_too_many(engines):
    house = House(engines, texts_per_day=1)
    house.say(STRANGER, "도움말")

    assert "나중에 다시" in house.say(STRANGER, "등록 홍길동 19900302")
    assert house.office.waiting_of(STRANGER) == []
