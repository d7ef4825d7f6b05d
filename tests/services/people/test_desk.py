"""Signing up by phone: nothing is changed, and no one else is texted, on the word of a number that may be forged."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from telephony.domain.errors import Unavailable
from telephony.domain.guardians.standing import AgeGroup, Relation, Standing
from telephony.domain.people.consent_items import ConsentItem
from telephony.domain.people.person import Device, Draft, Refusal
from telephony.domain.values import Msisdn
from telephony.services.people.desk import TESTS_PER_DAY
from telephony.services.people.replies import PAUSES_S
from telephony.store.engines import one_transaction
from telephony.store.presses import NewPress, PressRecorder, Rules
from tests.awaiting import failure_of, result_of
from tests.doubles import NOON, ONE_CENTRE, press
from tests.services.enrolling import (
    ADULT,
    CHILD,
    CHILD_BORN,
    FATHER,
    MOTHER,
    STRANGER,
    Office,
    Texts,
    code_in,
)


@pytest.fixture
def office(engines):
    return Office(engines)


# -- an adult ------------------------------------------------------------------------------------------------------


def test_an_adult_is_signed_up_once_their_own_phone_has_sent_the_code_back(office):
    question = office.register(ADULT)

    assert "홍길동" in question
    assert office.person(ADULT) is None
    answer = office.reply(ADULT, code_in(question))

    assert "등록되었습니다" in answer
    person = office.person(ADULT)
    assert (person.name, person.birth_date) == ("홍길동", date(1990, 3, 2))
    assert person.devices == (Device(ADULT, "skt", "phone"),)
    assert (person.consent.by, person.consent.means, person.consent.at) == ("홍길동", "SMS", NOON)
    assert office.audit() == [("by SMS of the person", "changed a person", "signed up")]


def test_by_ussd_the_network_vouches_for_the_number_and_it_is_done_at_once(office):
    assert "등록되었습니다" in office.register(ADULT, by="ussd")

    assert office.person(ADULT).consent.means == "USSD"


def wrong_of(code, by=1):
    return f"{(int(code) + by) % 1_000_000:06d}"


def test_five_wrong_codes_end_it_for_a_day_and_the_person_is_told_once(office):
    code = code_in(office.register(ADULT))

    left = [office.reply(ADULT, wrong_of(code, by)) for by in range(1, 6)]
    assert [f"{number}번 더" in text for number, text in zip((4, 3, 2, 1), left, strict=False)] == [True] * 4
    assert "하루 동안" in left[-1]
    texts = len(office.texts.sent)

    assert office.reply(ADULT, code) is None
    assert result_of(office.desk.register(office.asking(ADULT), "홍길동", "19900302")) == ""
    assert len(office.texts.sent) == texts
    assert office.person(ADULT) is None
    assert "등록되었습니다" in office.register(ADULT, by="ussd")


def test_a_day_later_the_codes_of_a_phone_count_again(office):
    code = code_in(office.register(ADULT))
    for by in range(1, 6):
        office.reply(ADULT, wrong_of(code, by))

    office.clock.advance(86_400.0)
    office.reply(ADULT, code_in(office.register(ADULT)))

    assert office.person(ADULT) is not None


def test_a_new_question_gives_nobody_more_tries(office):
    for by in range(1, 5):
        office.reply(ADULT, wrong_of(code_in(office.register(ADULT)), by))

    assert "하루 동안" in office.reply(ADULT, wrong_of(code_in(office.register(ADULT))))


@pytest.mark.parametrize("spoil", [Texts.fail, Texts.refuse])
def test_nothing_waits_for_a_code_whose_text_has_not_left(office, spoil):
    office.signed_up(ADULT)
    spoil(office.texts)
    assert result_of(office.desk.cancel(office.asking(ADULT))) == ""

    codes = (f"{number:06d}" for number in range(0, 1_000_000, 37_511))
    assert {office.reply(ADULT, code) for code in codes} == {None}
    assert office.person(ADULT) is not None


def test_a_question_that_leaves_late_may_be_replied_to_then(office):
    office.texts.fail()
    assert result_of(office.desk.register(office.asking(ADULT), "홍길동", "19900302")) == ""
    office.texts.error = None

    office.clock.advance(PAUSES_S[0])
    office.reply(ADULT, code_in(office.texts.to(ADULT)[-1]))

    assert office.person(ADULT) is not None


def test_forging_a_number_and_guessing_for_days_changes_nothing(engines):
    """The forger asks and guesses as often as he likes, and reads no text."""
    office, forger = Office(engines, texts_per_day=20), random.Random(3)
    office.signed_up(ADULT)
    guesses = 0
    for _ in range(5):
        for _ in range(12):
            result_of(office.desk.cancel(office.asking(ADULT)))
            answer = office.reply(ADULT, f"{forger.randrange(1_000_000):06d}")
            guesses += answer is not None and ("번 더" in answer or "하루" in answer)
        office.clock.advance(86_400.0)

    assert guesses == 5 * 5
    assert office.person(ADULT) is not None
    assert len(office.texts.to(ADULT)) <= 5 * 20


def test_a_day_of_texts_used_up_leaves_no_code_to_guess(engines):
    office = Office(engines, texts_per_day=2)
    office.signed_up(ADULT)
    for _ in range(4):
        result_of(office.desk.cancel(office.asking(ADULT)))

    assert len(office.texts.to(ADULT)) == 2
    (waiting,) = office.waiting_of(ADULT)
    assert waiting.payload["code"] == code_in(office.texts.to(ADULT)[-1])


def test_a_code_counts_from_the_phone_that_was_asked_and_from_no_other(office):
    code = code_in(office.register(ADULT))

    assert office.reply(STRANGER, code) is None

    assert office.person(ADULT) is None
    assert office.person(STRANGER) is None


def test_a_code_is_of_no_use_after_its_time(office):
    code = code_in(office.register(ADULT))
    office.clock.advance(72 * 3600.0)

    assert office.reply(ADULT, code) is None
    assert office.person(ADULT) is None


def test_a_code_serves_once(office):
    code = code_in(office.register(ADULT))
    office.reply(ADULT, code)

    assert office.reply(ADULT, code) is None


def test_who_asks_again_gets_a_new_code_and_the_old_one_is_worth_nothing(office):
    first = code_in(office.register(ADULT))
    second = code_in(office.register(ADULT, name="홍길순"))
    assert first != second

    assert "번호가 다릅니다" in office.reply(ADULT, first)
    office.reply(ADULT, second)

    assert office.person(ADULT).name == "홍길순"


def test_a_refusal_ends_it(office):
    code = code_in(office.register(ADULT))

    assert "거절" in office.reply(ADULT, f"거절 {code}")

    assert office.reply(ADULT, code) is None
    assert office.person(ADULT) is None


def test_a_stranger_who_forges_a_number_gets_nobody_else_texted(office):
    """The one text goes to the number itself, and tells how to ignore it."""
    office.register(ADULT, guardian=f"{STRANGER.international} 친구")
    office.register(CHILD, birth=CHILD_BORN, guardian=STRANGER.international)

    assert office.texts.to(STRANGER) == []
    assert {message.to for message in office.texts.sent} == {ADULT, CHILD}
    assert office.person(ADULT) is None
    assert office.person(CHILD) is None


@pytest.mark.parametrize(
    ("name", "birth", "guardian", "words"),
    [
        ("", "19900302", "", "이름이 없습니다"),
        ("홍길동", "", "", "생년월일이 없습니다"),
        ("홍길동", "900302", "", "생년월일이 날짜가 아닙니다"),
        ("홍길동", "19900231", "", "없는 날짜"),
        ("홍길동", "20990101", "", "미래"),
        ("홍길동", "900302-1234567", "", "주민등록번호"),
        ("홍길동", "20150302", "", "보호자 번호가 필요합니다"),
        ("홍길동", "20150302", "12", "보호자 전화번호가 전화번호가 아닙니다"),
        ("홍길동", "20150302", CHILD.international, "본인 번호는 보호자가 될 수 없습니다"),
        ("홍" * 81, "19900302", "", "80자"),
    ],
)
def test_faults_are_told_at_once_with_what_to_correct(office, name, birth, guardian, words):
    answer = office.register(CHILD, name=name, birth=birth, guardian=guardian)

    assert words in answer
    assert office.reply(CHILD, "0000") is None


def test_faults_are_told_in_english_to_those_who_write_english(office):
    answer = office.register(ADULT, birth="", language="en")

    assert answer == "The birth date is empty (e.g. 20150302)."


def test_a_number_that_is_registered_to_somebody_else_is_not_taken_over(office):
    office.signed_up(ADULT)

    answer = office.register(ADULT, name="김철수", birth="1985-01-01")

    assert "다른 이름과 생년월일" in answer
    assert office.person(ADULT).name == "홍길동"


def test_signing_up_again_changes_what_is_said_and_keeps_the_rest(office):
    office.signed_up(ADULT)
    office.reply(
        ADULT,
        code_in(office.text_of(office.desk.change(office.asking(ADULT), "주소", "서울시 종로구 1"), ADULT)),
    )

    office.reply(ADULT, code_in(office.register(ADULT, name="홍길순")))

    person = office.person(ADULT)
    assert (person.name, person.texts["address"]) == ("홍길순", "서울시 종로구 1")


def test_a_staged_opening_holds_for_cohorts_and_for_carriers(engines):
    office = Office(engines, opens_to=["seoul-1", "kt"])

    assert "등록 기간이 아닙니다" in office.register(ADULT)
    assert "등록되었습니다" in office.register(ADULT, by="ussd", carrier="kt")
    assert "등록 기간이 아닙니다" in office.register(ADULT, by="ussd")
    office.database.transact(
        office.registry.change,
        ADULT,
        lambda person: type(person)(
            person.name, person.birth_date, person.devices, person.consent, (), {"cohort": "seoul-1"}
        ),
        NOON,
    )
    assert "등록되었습니다" in office.register(ADULT, by="ussd")


# -- a minor -------------------------------------------------------------------------------------------------------


def test_a_minor_is_signed_up_by_the_guardians_reply_which_is_the_consent(office):
    question = office.register(CHILD, birth=CHILD_BORN, guardian=f"엄마 {MOTHER.international}")
    assert office.texts.to(MOTHER) == []

    assert "보호자(끝번호 0001)께" in office.reply(CHILD, code_in(question))
    (asked,) = office.texts.to(MOTHER)
    assert "홍길동" in asked
    assert CHILD.number not in asked
    assert office.person(CHILD) is None

    assert "귀하는 보호자입니다" in office.reply(MOTHER, f"동의 {code_in(asked)} 엄마 성인")

    person = office.person(CHILD)
    (mother,) = person.guardians
    assert (mother.phone, mother.relation, mother.is_confirmed) == (MOTHER, "엄마", True)
    assert mother.standing == Standing(Relation.MOTHER, AgeGroup.ADULT, "SMS", NOON)
    consent = person.consent
    assert consent.is_by_guardian
    assert MOTHER.international in consent.by
    assert (consent.means, consent.at, consent.until) == ("SMS", NOON, date(2034, 3, 2))
    assert "보호자가 동의하여" in office.texts.to(CHILD)[-1]
    assert office.audit() == [
        ("by SMS of the guardian", "changed a person", "signed up with a guardian's consent")
    ]


def test_the_question_says_what_is_agreed_to_and_the_consent_keeps_which_question_and_which_items(office):
    question = office.register(CHILD, birth=CHILD_BORN, guardian=MOTHER.international)
    assert "개인정보" not in question, "the child agrees to nothing"
    office.reply(CHILD, code_in(question))
    (asked,) = office.texts.to(MOTHER)
    for said in (
        "개인정보",
        "건강정보",
        "위치정보",
        "제3자",
        "보관: 해지까지",
        "거절해도 SOS는 112에 닿습니다",
    ):
        assert said in asked

    office.reply(MOTHER, f"동의 {code_in(asked)} 엄마 성인")

    consent = office.person(CHILD).consent
    assert (consent.text, consent.items) == ("sms-2/ko", tuple(ConsentItem))
    assert consent.is_valid_on(NOON.date())


@pytest.mark.parametrize(
    "words",
    ["동의 {code} 1 3", "{code} 동의 3", "AGREE {code} 13", "{code} 1,3"],
    ids=["in full", "code first", "in English", "code alone"],
)
def test_an_adult_may_agree_to_some_items_and_what_is_refused_is_not_kept(office, words):
    question = office.register(ADULT)
    assert "1 개인정보(필수)" in question
    assert "4 제3자 제공" in question

    office.reply(ADULT, words.format(code=code_in(question)))

    consent = office.person(ADULT).consent
    assert consent.items == (ConsentItem.PERSONAL, ConsentItem.LOCATION)
    notes = Draft(
        "홍길동", date(1990, 3, 2), (Device(ADULT, "skt"),), texts={"medical": "천식", "address": "서울 1"}
    )
    with office.writing.connect() as connection, one_transaction(connection):
        office.registry.enrol(connection, [notes], NOON)
    assert office.person(ADULT).texts == {"language": "ko", "address": "서울 1"}
    on_paper = replace(notes, consent_by="홍길동", consent_means="서면")
    with office.writing.connect() as connection, one_transaction(connection):
        office.registry.enrol(connection, [on_paper], NOON)
    assert office.person(ADULT).texts["medical"] == "천식"


def test_a_question_of_an_earlier_release_and_a_menu_leave_a_consent_given_as_a_whole(office):
    office.signed_up()

    consent = office.person(ADULT).consent

    assert (consent.text, consent.items) == ("", ())
    assert all(consent.allows(item) for item in ConsentItem)


def test_a_child_who_asks_by_ussd_needs_no_code_but_the_guardian_all_the_same(office):
    office.register(CHILD, birth=CHILD_BORN, guardian=MOTHER.international, by="ussd")
    assert office.person(CHILD) is None

    office.reply(MOTHER, f"{code_in(office.texts.to(MOTHER)[0])} 어머니, 성인입니다")

    assert office.person(CHILD).consent.means == "USSD + SMS"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("동의 {code}", "관계와 성인임"),
        ("{code}", "관계와 성인임"),
        ("동의 {code} 1 3", "관계와 성인임"),
        ("동의 {code} 엄마", "관계와 성인임"),
        ("동의 {code} 성인", "관계와 성인임"),
        ("동의 {code} 할머니 성인", "관계와 성인임"),
        ("동의 {code} 엄마는 아니고 성인", "관계와 성인임"),
        ("동의 {code} 오빠 17세", "19세 미만은"),
        ("AGREE {code} mother, minor", "19세 미만은"),
    ],
)
def test_who_does_not_say_that_he_is_a_guardian_of_age_consents_to_nothing_and_may_say_it_still(
    office, words, answer
):
    office.reply(CHILD, code_in(office.register(CHILD, birth=CHILD_BORN, guardian=MOTHER.international)))
    code = code_in(office.texts.to(MOTHER)[0])

    assert answer in office.reply(MOTHER, words.format(code=code))
    assert office.person(CHILD) is None

    office.clock.advance(60.0)
    assert "귀하는 보호자입니다" in office.reply(MOTHER, f"동의 {code} 1 3 엄마이고 42세입니다")
    person = office.person(CHILD)
    (mother,) = person.guardians
    later = NOON + timedelta(seconds=60)
    assert mother.standing == Standing(Relation.MOTHER, AgeGroup.ADULT, "SMS", later)
    assert mother.relation == "어머니"
    assert person.consent.items == (ConsentItem.PERSONAL, ConsentItem.LOCATION), "42 are years, no items"


@pytest.mark.parametrize(("words", "is_legal"), [("동의 {code}", False), ("동의 {code} 아버지 성인", True)])
def test_a_further_guardian_of_a_minor_who_agrees_may_consent_only_once_he_says_who_he_is(
    office, words, is_legal
):
    office.child_signed_up()
    result_of(office.desk.add_guardian(office.asking(CHILD, by="ussd"), FATHER.international, "아빠"))
    (asked,) = office.texts.to(FATHER)
    assert "19세 이상 부모·후견인이면" in asked

    office.reply(FATHER, words.format(code=code_in(asked)))

    father = office.person(CHILD).guardians[-1]
    assert (father.phone, father.is_confirmed, father.is_legal) == (FATHER, True, is_legal)


def test_the_guardian_who_may_consent_is_not_taken_from_a_minor_for_one_who_may_not(office):
    office.child_signed_up()
    result_of(office.desk.add_guardian(office.asking(CHILD, by="ussd"), FATHER.international, "아저씨"))
    office.reply(FATHER, f"동의 {code_in(office.texts.to(FATHER)[-1])}")

    answer = result_of(office.desk.remove_guardian(office.asking(CHILD, by="ussd"), "1"))

    assert "한 명 이상" in answer
    assert [each.is_legal for each in office.person(CHILD).guardians] == [True, False]


def test_a_guardian_who_was_named_and_refuses_is_taken_out_and_the_registrar_sees_it(office):
    office.signed_up(ADULT)
    result_of(office.desk.add_guardian(office.asking(ADULT, by="ussd"), FATHER.international, "아빠"))

    office.reply(FATHER, f"거절 {code_in(office.texts.to(FATHER)[-1])}")

    person = office.person(ADULT)
    assert person.guardians == ()
    assert person.refused == (Refusal("0002", "SMS", NOON),)
    assert office.audit()[-1] == ("by SMS of the guardian", "changed a person", "the guardian refused")
    assert "거절했습니다" in office.texts.to(ADULT)[-1]


def test_a_refusal_reaches_no_phone_whose_silence_holds_and_counts_all_the_same(office):
    office.signed_up(ADULT)
    result_of(office.desk.add_guardian(office.asking(ADULT, by="ussd"), FATHER.international, "아빠"))
    code, texts = code_in(office.texts.to(FATHER)[-1]), len(office.texts.sent)
    office.texts.refuse()

    office.reply(FATHER, f"거절 {code}")

    assert len(office.texts.sent) == texts
    assert office.person(ADULT).guardians == ()


def test_a_guardian_who_never_replies_has_agreed_to_nothing(office):
    office.reply(CHILD, code_in(office.register(CHILD, birth=CHILD_BORN, guardian=MOTHER.international)))
    code = code_in(office.texts.to(MOTHER)[0])

    office.clock.advance(72 * 3600.0)

    assert office.reply(MOTHER, f"동의 {code} 어머니 성인") is None
    assert office.person(CHILD) is None


def test_a_guardian_may_refuse_and_the_child_is_told(office):
    office.reply(CHILD, code_in(office.register(CHILD, birth=CHILD_BORN, guardian=MOTHER.international)))

    assert "거절하셨습니다" in office.reply(MOTHER, f"거절 {code_in(office.texts.to(MOTHER)[0])}")

    assert office.person(CHILD) is None
    assert "거절했습니다" in office.texts.to(CHILD)[-1]


def test_a_yes_without_the_code_is_asked_for_the_code_by_sms_and_enough_by_ussd(office):
    office.register(CHILD, birth=CHILD_BORN, guardian=MOTHER.international, by="ussd")

    assert "여섯 자리" in office.reply(MOTHER, "동의")
    assert office.person(CHILD) is None
    assert "귀하는 보호자입니다" in office.reply(MOTHER, "동의 어머니 성인", by="ussd")

    assert office.person(CHILD).consent.means == "USSD"


def test_a_yes_by_ussd_is_not_enough_where_two_children_ask(office):
    sister = Msisdn("821011110009")
    for child in (CHILD, sister):
        office.register(child, birth=CHILD_BORN, guardian=MOTHER.international, by="ussd")

    assert "여섯 자리" in office.reply(MOTHER, "동의", by="ussd")
    office.reply(MOTHER, f"{code_in(office.texts.to(MOTHER)[1])} 어머니 성인")

    assert office.person(CHILD) is None
    assert office.person(sister) is not None


# -- guardians -----------------------------------------------------------------------------------------------------


def test_a_further_guardian_counts_once_they_have_agreed_and_the_person_is_told(office):
    office.signed_up(ADULT)
    question = office.text_of(office.desk.add_guardian(office.asking(ADULT), "010-9999-0002", "아빠"), ADULT)
    assert office.texts.to(FATHER) == []

    office.reply(ADULT, code_in(question))
    assert [each.is_confirmed for each in office.person(ADULT).guardians] == [False]
    assert "동의 대기" in result_of(office.desk.guardians(office.asking(ADULT)))

    office.reply(FATHER, f"동의 {code_in(office.texts.to(FATHER)[0])}")

    (father,) = office.person(ADULT).guardians
    assert (father.phone, father.relation, father.is_confirmed) == (FATHER, "아빠", True)
    assert "0002" in office.texts.to(ADULT)[-1]
    assert "동의 대기" not in result_of(office.desk.guardians(office.asking(ADULT)))


def test_a_guardian_named_at_sign_up_is_asked_too(office):
    office.reply(ADULT, code_in(office.register(ADULT, guardian=f"{MOTHER.international} 엄마")))

    assert [each.is_confirmed for each in office.person(ADULT).guardians] == [False]
    office.reply(MOTHER, code_in(office.texts.to(MOTHER)[0]))
    assert [each.is_confirmed for each in office.person(ADULT).guardians] == [True]


def test_a_guardian_who_refuses_is_off_the_list(office):
    office.signed_up(ADULT)
    result_of(office.desk.add_guardian(office.asking(ADULT, by="ussd"), FATHER.international, "아빠"))

    office.reply(FATHER, f"거절 {code_in(office.texts.to(FATHER)[0])}")

    assert office.person(ADULT).guardians == ()
    assert "거절했습니다" in office.texts.to(ADULT)[-1]


def test_naming_a_guardian_again_takes_no_agreement_away(office):
    office.child_signed_up()

    answer = result_of(office.desk.add_guardian(office.asking(CHILD, by="ussd"), MOTHER.international, ""))

    assert "이미 등록된" in answer
    assert [each.is_confirmed for each in office.person(CHILD).guardians] == [True]


def test_ones_own_number_is_no_guardian(office):
    office.signed_up(ADULT)

    answer = office.text_of(office.desk.add_guardian(office.asking(ADULT), "01011110002", "나"), ADULT)

    assert "본인 번호" in answer


def test_removing_a_guardian_takes_a_code(office):
    office.signed_up(ADULT)
    result_of(office.desk.add_guardian(office.asking(ADULT, by="ussd"), FATHER.international, "아빠"))

    question = office.text_of(office.desk.remove_guardian(office.asking(ADULT), "1"), ADULT)
    assert len(office.person(ADULT).guardians) == 1
    assert "삭제했습니다" in office.reply(ADULT, code_in(question))

    assert office.person(ADULT).guardians == ()


@pytest.mark.parametrize("place", ["2", "0", "", "x", "01055555555"])
def test_a_guardian_who_is_not_there_cannot_be_removed(office, place):
    office.child_signed_up()

    assert "그런 보호자가 없습니다" in office.text_of(
        office.desk.remove_guardian(office.asking(CHILD), place), CHILD
    )


def test_a_minors_last_guardian_stays(office):
    office.child_signed_up()
    result_of(office.desk.add_guardian(office.asking(CHILD, by="ussd"), FATHER.international, "아빠"))

    answer = result_of(office.desk.remove_guardian(office.asking(CHILD, by="ussd"), "1"))

    assert "한 명 이상" in answer
    assert len(office.person(CHILD).guardians) == 2


# -- changes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "seen"),
    [
        ("이름", "홍길순", lambda person: person.name == "홍길순"),
        ("ADDRESS", "1 Jongno, Seoul", lambda person: person.texts.get("address") == "1 Jongno, Seoul"),
        ("언어", "영어", lambda person: person.texts["language"] == "en"),
        ("통신사", "KT", lambda person: person.devices[0].carrier == "kt"),
    ],
)
def test_changes_take_a_code(office, field, value, seen):
    office.signed_up(ADULT)

    question = office.text_of(office.desk.change(office.asking(ADULT), field, value), ADULT)
    assert not seen(office.person(ADULT))
    assert "변경되었습니다" in office.reply(ADULT, code_in(question))

    assert seen(office.person(ADULT))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("색깔", "빨강", "바꿀 수 있는 것"),
        ("이름", "", "이름이 없습니다"),
        ("언어", "라틴어", "언어를 알 수 없습니다"),
        ("통신사", "아무거나", "통신사를 알 수 없습니다"),
        ("번호", "12", "전화번호가 전화번호가 아닙니다"),
    ],
)
def test_a_change_that_cannot_be_is_told_before_any_code(office, field, value, words):
    office.signed_up(ADULT)

    assert words in office.text_of(office.desk.change(office.asking(ADULT), field, value), ADULT)
    assert office.reply(ADULT, "0000") is None


def test_a_number_is_changed_from_the_old_phone_and_confirmed_from_the_new_one(office):
    new = Msisdn("821022220002")
    office.signed_up(ADULT)
    question = office.text_of(office.desk.change(office.asking(ADULT), "번호", new.international), ADULT)
    assert office.texts.to(new) == []

    assert "0002" in office.reply(ADULT, code_in(question))
    assert office.person(new) is None
    assert "바뀌었습니다" in office.reply(new, code_in(office.texts.to(new)[0]), carrier="kt")

    assert office.person(ADULT) is None
    assert office.person(new).devices == (Device(new, "kt", "phone"),)
    assert "옮겨졌습니다" in office.texts.to(ADULT)[-1]


def test_a_number_that_somebody_has_is_not_moved_to(office):
    office.signed_up(ADULT)
    office.signed_up(STRANGER, name="다른이")

    answer = office.text_of(office.desk.change(office.asking(ADULT), "번호", STRANGER.international), ADULT)

    assert "이미 등록된 번호" in answer


# -- cancelling ----------------------------------------------------------------------------------------------------


def test_cancelling_deletes_after_the_code(office):
    office.signed_up(ADULT)
    question = office.text_of(office.desk.cancel(office.asking(ADULT), is_sure=True), ADULT)
    assert office.person(ADULT) is not None

    assert "지웠습니다" in office.reply(ADULT, code_in(question))

    assert office.person(ADULT) is None
    assert office.audit()[-1] == ("by SMS of the person", "deleted a person", "cancelled")


def test_by_ussd_it_is_asked_once_and_then_done(office):
    office.signed_up(ADULT)

    assert "정말" in result_of(office.desk.cancel(office.asking(ADULT, by="ussd")))
    assert office.person(ADULT) is not None
    result_of(office.desk.cancel(office.asking(ADULT, by="ussd"), is_sure=True))

    assert office.person(ADULT) is None


def test_a_minors_guardian_may_cancel_and_both_are_told(office):
    office.child_signed_up()

    question = office.text_of(office.desk.cancel(office.asking(MOTHER)), MOTHER)
    answer = office.reply(MOTHER, code_in(question))

    assert "지웠습니다" in answer
    assert office.person(CHILD) is None
    assert "해지되고" in office.texts.to(CHILD)[-1]


def test_a_minor_who_cancels_has_the_guardian_told(office):
    office.child_signed_up()

    office.reply(CHILD, code_in(office.text_of(office.desk.cancel(office.asking(CHILD)), CHILD)))

    assert office.person(CHILD) is None
    assert "해지되고" in office.texts.to(MOTHER)[-1]


def test_a_guardian_who_has_not_agreed_and_a_guardian_of_an_adult_cancel_nobody(office):
    office.signed_up(ADULT)
    result_of(office.desk.add_guardian(office.asking(ADULT, by="ussd"), FATHER.international, "아빠"))
    office.reply(FATHER, code_in(office.texts.to(FATHER)[0]))
    office.child_signed_up()
    result_of(office.desk.add_guardian(office.asking(CHILD, by="ussd"), STRANGER.international, "남"))

    for phone in (FATHER, STRANGER):
        assert "등록되지 않은" in office.text_of(office.desk.cancel(office.asking(phone)), phone)
        for ward in (ADULT, CHILD):
            refused = office.text_of(office.desk.cancel(office.asking(phone), ward=ward.international), phone)
            assert "등록되지 않은" in refused

    assert office.person(ADULT) is not None
    assert office.person(CHILD) is not None


def test_a_guardian_of_two_says_which(office):
    sister = Msisdn("821011110009")
    office.child_signed_up()
    office.register(sister, birth=CHILD_BORN, guardian=MOTHER.international, by="ussd")
    office.reply(MOTHER, f"{code_in(office.texts.to(MOTHER)[-1])} 어머니 성인")

    assert "누구를" in office.text_of(office.desk.cancel(office.asking(MOTHER)), MOTHER)
    question = office.text_of(office.desk.cancel(office.asking(MOTHER), ward="010-1111-0009"), MOTHER)
    office.reply(MOTHER, code_in(question))

    assert office.person(sister) is None
    assert office.person(CHILD) is not None


# -- one's own data ------------------------------------------------------------------------------------------------


def test_people_get_their_own_data_and_that_is_audited(office):
    office.child_signed_up()

    said = result_of(office.desk.my_data(office.asking(CHILD)))

    assert "홍길동" in said
    assert "2015-03-02" in said
    assert "엄마" in said
    assert MOTHER.number not in said
    assert office.audit()[-1][1] == "gave a person their own data"


def test_who_is_not_registered_is_told_so(office):
    for method in (office.desk.my_data, office.desk.guardians, office.desk.test, office.desk.cancel):
        assert "등록되지 않은" in result_of(method(office.asking(STRANGER)))
    assert office.presses.taken == []


def test_the_language_that_somebody_chose_is_known(office):
    office.signed_up(ADULT)

    assert result_of(office.languages.of(ADULT)) == "ko"
    assert result_of(office.languages.of(STRANGER)) is None


# -- drills --------------------------------------------------------------------------------------------------------


def test_a_test_is_a_press_that_is_marked_as_one(office):
    office.signed_up(ADULT)

    assert "시험을 시작" in result_of(office.desk.test(office.asking(ADULT)))

    (drill,) = office.presses.taken
    assert drill.test
    assert (drill.msisdn, drill.carrier, drill.source) == (ADULT, "skt", "sms")


def test_no_test_while_a_call_for_help_is_open(office):
    office.signed_up(ADULT)
    recorder = PressRecorder(Rules(ONE_CENTRE, "test#1", {}))
    office.database.batch(recorder, [NewPress(press(ADULT.number), "20261123-1")])

    result_of(office.desk.test(office.asking(ADULT)))

    assert office.presses.taken == []


def test_nobody_tests_more_often_than_a_few_times_a_day(office):
    office.signed_up(ADULT)

    said = [result_of(office.desk.test(office.asking(ADULT))) for _ in range(TESTS_PER_DAY + 3)]

    assert len(office.presses.taken) == TESTS_PER_DAY
    assert "나중에 다시" in said[TESTS_PER_DAY]
    assert said[TESTS_PER_DAY + 1 :] == ["", ""]
    assert "나중에 다시" in result_of(office.desk.test(office.asking(ADULT, by="ussd")))

    assert len(office.presses.taken) == TESTS_PER_DAY


# -- trouble -------------------------------------------------------------------------------------------------------


def test_where_the_store_is_in_trouble_nothing_is_done_and_the_asker_tries_again(office):
    office.signed_up(ADULT)
    office.presses.is_down = True

    assert isinstance(failure_of(office.desk.test(office.asking(ADULT))), Unavailable)


def test_no_phone_is_texted_more_than_so_often_a_day_on_somebodys_asking(engines):
    office = Office(engines, texts_per_day=3)
    office.signed_up(ADULT)
    asking = office.asking(ADULT, by="ussd")
    for _ in range(3):
        result_of(office.desk.add_guardian(asking, FATHER.international, "아빠"))

    refused = result_of(office.desk.add_guardian(asking, FATHER.international, "아빠"))

    assert "나중에" in refused
    assert len(office.texts.to(FATHER)) == 3
    office.clock.advance(timedelta(days=1).total_seconds())
    result_of(office.desk.add_guardian(asking, FATHER.international, "아빠"))
    assert len(office.texts.to(FATHER)) == 4


def test_a_phone_that_owes_many_replies_is_asked_nothing_more_and_nothing_is_half_done(office):
    others = [Msisdn(f"82103333000{number}") for number in range(5)]
    for other in others:
        office.signed_up(other)
    answers = [
        result_of(office.desk.add_guardian(office.asking(other, by="ussd"), MOTHER.international, ""))
        for other in others
    ]

    assert "답을 기다리는 문자가 많습니다" in answers[-1]
    assert len(office.texts.to(MOTHER)) == 4
    # The fifth has no guardian on the list who was never asked.
    assert office.person(others[4]).guardians == ()


def test_asking_the_same_guardian_again_replaces_the_earlier_question(office):
    office.signed_up(ADULT)
    for _ in range(6):
        result_of(office.desk.add_guardian(office.asking(ADULT, by="ussd"), MOTHER.international, ""))
    codes = [code_in(text) for text in office.texts.to(MOTHER)]

    assert "번호가 다릅니다" in office.reply(MOTHER, codes[0])
    assert "보호자가 되셨습니다" in office.reply(MOTHER, codes[-1])
