"""Signing up by SMS, over the real wire: end to end, and everything that must not happen."""

from __future__ import annotations

import re
import sqlite3

import pytest_twisted

from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK

SERVICE_NUMBER = "1366"
NAME = "김하늘"


def with_texts(house, **more):
    """Let people write to a service number, and be answered from it."""
    house.choose(
        recognition=f'service_numbers = ["{SERVICE_NUMBER}"]\ntest_words = ["훈련"]',
        more=f'[sms]\nsender = "{SERVICE_NUMBER}"\nper_s = 1000\n[people]\njoin = true\n',
        **more,
    )
    house.keep_secret(NAME, "홍길동")


class Phone:
    """A phone of skt: what it sends to the service number, and what it shows."""

    def __init__(self, house, number=None):
        self.house = house
        self.number = number or house.caller()

    async def sends(self, text, *, status=ESME_ROK):
        sent = self.house.skt.send_mo(self.number, SERVICE_NUMBER, text=text)
        assert await self.house.soon(sent) == status

    @property
    def shown(self):
        return [
            each.text
            for smsc in (self.house.skt, self.house.kt)
            for each in smsc.texts
            if each.to == self.number
        ]

    async def reads(self, words, count=1):
        """Wait for a text with these words; give the newest."""
        await self.house.until(lambda: sum(words in text for text in self.shown) >= count)
        return [text for text in self.shown if words in text][-1]

    async def sends_back_the_code_of(self, words):
        await self.sends(code_in(await self.reads(words)))


def code_in(text):
    return re.findall(r"(?:맞으면|동의|Reply) (\d{6})", text)[-1]


def registered(house):
    return house.daemon.rows("SELECT count(*) FROM person")[0][0]


async def adult_signs_up(house):
    phone = Phone(house)
    await phone.sends(f"등록 {NAME} 19900302")
    await phone.sends_back_the_code_of("등록: 맞으면")
    await phone.reads("등록되었습니다")
    return phone


@pytest_twisted.ensureDeferred
async def test_an_adult_signs_up_and_112_reads_who_presses(house):
    with_texts(house)
    await house.start()

    phone = await adult_signs_up(house)
    assert registered(house) == 1
    await house.accepted_press(phone.number)

    def named():
        return any(
            NAME in str(value)
            for report in house.reports(phone.number)
            for value in report.parameters.values()
        )

    await house.until(named)
    # From the press on her phone stays dark.
    shown = len(phone.shown)
    await phone.sends("도움말")
    await house.until(lambda: house.logged("answer not sent", reason="Refused"))
    assert len(phone.shown) == shown


@pytest_twisted.ensureDeferred
async def test_a_child_signs_up_with_the_mothers_consent_who_cancels_it_later(house):
    with_texts(house)
    await house.start()
    child, mother = Phone(house), Phone(house)

    await child.sends(f"등록 {NAME} 20150302 엄마 +{mother.number}")
    question = await child.reads("등록: 맞으면")
    assert mother.shown == []
    await child.sends(code_in(question))
    asked = await mother.reads("동의를 요청")
    assert registered(house) == 0
    await child.sends("보호자")
    await child.reads("아직 등록 전입니다")

    await mother.sends(f"동의 {code_in(asked)} 어머니 성인")
    await mother.reads("귀하는 보호자입니다")
    await child.reads("보호자가 동의하여")
    assert registered(house) == 1
    await child.sends("내정보")
    assert "2015-03-02" in await child.reads(NAME, 3)

    await mother.sends("해지")
    await mother.sends_back_the_code_of("해지: 모든 정보가")
    await mother.reads("지웠습니다")
    await child.reads("해지되고")
    assert registered(house) == 0
    assert house.daemon.rows("SELECT count(*) FROM awaited_reply") == [(0,)]


@pytest_twisted.ensureDeferred
async def test_a_strangers_forged_sms_activates_nothing_and_texts_nobody_but_the_number_itself(house):
    with_texts(house)
    await house.start()
    victim, stranger = Phone(house), Phone(house)

    await victim.sends(f"등록 {NAME} 20150302 +{stranger.number}")
    question = await victim.reads("등록: 맞으면")
    await stranger.sends(code_in(question))
    await stranger.reads("등록 이름 생년월일")
    await stranger.sends("동의 1234")
    await stranger.sends("내정보")
    await stranger.reads("등록되지 않은 번호입니")

    assert registered(house) == 0
    assert len(victim.shown) == 1
    assert len(stranger.shown) == 2


@pytest_twisted.ensureDeferred
async def test_cancelling_deletes(house):
    with_texts(house)
    await house.start()
    phone = await adult_signs_up(house)

    await phone.sends("CANCEL")
    question = await phone.reads("해지: 모든 정보가")
    assert registered(house) == 1
    await phone.sends(code_in(question))
    await phone.reads("지웠습니다")

    assert registered(house) == 0
    assert house.daemon.rows("SELECT count(*) FROM person_number") == [(0,)]


@pytest_twisted.ensureDeferred
async def test_a_test_proves_the_way_to_112_without_a_car_and_its_result_is_read_on_the_phone(house):
    with_texts(house)
    await house.start()
    phone = await adult_signs_up(house)

    await phone.sends("시험")
    await phone.reads("시험을 시작했습니다")
    assert re.search(r"112까지 \d+\.\d초, 정상", await phone.reads("정상입니다"))

    alert = house.alerts(phone.number)[0]
    assert alert.status in ("Exercise", "Test")
    await house.until(lambda: house.daemon.rows("SELECT state FROM incident") == [("closed",)])

    # By the key: an SOS number, and a whole text that is a test word.
    await house.accepted_press(phone.number, "훈련")
    await phone.reads("정상입니다", 2)
    await house.until(lambda: house.daemon.rows("SELECT state FROM incident") == [("closed",)] * 2)


@pytest_twisted.ensureDeferred
async def test_a_phone_in_danger_gets_neither_an_answer_nor_a_drill(house):
    with_texts(house)
    await house.start()
    phone = await adult_signs_up(house)
    shown = len(phone.shown)
    await house.accepted_press(phone.number)
    await house.until(lambda: house.alerts(phone.number))

    await phone.sends("시험")
    await house.until(lambda: house.logged("answer not sent", reason="Refused"))
    assert house.daemon.rows("SELECT count(*) FROM incident") == [(1,)]

    assert len(house.alerts(phone.number)) == 1
    assert len(phone.shown) == shown


@pytest_twisted.ensureDeferred
async def test_help_that_is_called_for_at_the_service_number_is_a_press(house):
    with_texts(house)
    await house.start()
    phone = Phone(house)
    house.keep_secret("등록 살려 주세요", "help me")

    await phone.sends("등록 살려 주세요")
    await house.until(lambda: house.alerts(phone.number))
    await phone.sends("help me")
    await house.until(lambda: house.daemon.rows("SELECT press_count FROM incident") == [(2,)])

    assert phone.shown == []


@pytest_twisted.ensureDeferred
async def test_a_locked_store_has_the_carrier_send_it_again_and_leaves_nothing_half_done(house):
    with_texts(house)
    await house.start()
    phone = Phone(house)
    other = sqlite3.connect(house.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    await phone.sends(f"등록 {NAME} 19900302", status=ESME_RMSGQFUL)
    assert phone.shown == []
    other.execute("ROLLBACK")
    other.close()

    await phone.sends_back_the_code_of("등록: 맞으면")
    await phone.reads("등록되었습니다")
    assert registered(house) == 1
    assert len([text for text in phone.shown if "맞으면" in text]) == 1


@pytest_twisted.ensureDeferred
async def test_a_restart_between_question_and_code_forgets_neither(house):
    with_texts(house)
    await house.start()
    phone = Phone(house)
    await phone.sends(f"등록 {NAME} 19900302")
    question = await phone.reads("등록: 맞으면")

    await house.restart()

    await phone.sends(code_in(question))
    await phone.reads("등록되었습니다")
    assert registered(house) == 1


@pytest_twisted.ensureDeferred
async def test_a_guardian_who_never_replies_has_agreed_to_nothing(house):
    with_texts(house)
    await house.start()
    child, mother = Phone(house), Phone(house)
    await child.sends(f"등록 {NAME} 20150302 +{mother.number}")
    await child.sends_back_the_code_of("등록: 맞으면")
    asked = await mother.reads("동의를 요청")
    await house.stop()

    # Three days later.
    with sqlite3.connect(house.daemon.store) as store:
        store.execute("UPDATE awaited_reply SET expires_at = made_at")
    store.close()
    await house.start()
    await mother.sends(f"동의 {code_in(asked)} 어머니 성인")

    await mother.reads("등록 이름 생년월일")
    assert registered(house) == 0


@pytest_twisted.ensureDeferred
async def test_a_long_registration_arrives_in_parts(house):
    with_texts(house)
    await house.start()
    phone = Phone(house)

    await phone.sends("등록 " + "아주 " * 9 + "긴이름 19900302" + " " * 60 + "+821099990009 엄마")

    await phone.reads("맞으면")
