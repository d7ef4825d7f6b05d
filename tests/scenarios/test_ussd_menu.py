"""The USSD menu over the real wire: people sign up by dialling a code, and no one in danger ever sees a page."""

from __future__ import annotations

import re
import sqlite3

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from telephony.lab.carrier.ussd_gateway import UssdPhone
from telephony.smpp.wire.constants import ESME_ROK
from telephony.ussd.menus import REPEAT_S

SERVICE_NUMBER, CODE, SOS_CODE = "1366", "*1120#", "*112#"
CLOSING = "요청이 처리되었습니다."
NAME = "김하늘"
RECOGNITION = f'service_numbers = ["{SERVICE_NUMBER}", "{CODE}"]'
SMS = f'[sms]\nsender = "{SERVICE_NUMBER}"\nper_s = 1000\n'


def with_menu(house, profile="generic", more=""):
    """Choose a carrier with such a gateway, a service code and a number that texts come from."""
    house.choose(
        recognition=RECOGNITION,
        more=SMS,
        skt_trunk=(
            f'[carrier.recognition]\nussd_codes = ["{SOS_CODE}"]\n[carrier.ussd]\nprofile = "{profile}"\n{more}'
        ),
    )
    house.keep_secret(NAME, "홍길동", "살려주세요")


class Person:
    """Somebody with a phone on skt's gateway, who reads before typing."""

    def __init__(self, house, kind="generic", number=None):
        self.house = house
        self.number = number or house.caller()
        self._typed = ""
        self.phone = UssdPhone(house.skt.ussd, house.skt.send_pdus, self.number, kind)

    async def dials(self, code=CODE):
        return await self._sees(self.phone.dial(code))

    async def types(self, *answers):
        screen = ""
        for words in answers:
            if words == self._typed:
                # No person types the same again within half a second, but a gateway repeats a message that fast.
                await deferLater(self.house.reactor, REPEAT_S)
            self._typed = words
            screen = await self._sees(self.phone.answer(words))
        return screen

    async def _sees(self, sending):
        assert await self.house.soon(sending) == ESME_ROK
        await self.house.until(lambda: self.phone.screen is not None)
        return self.phone.screen.text


def texts_to(house, number):
    return [each.text for each in house.skt.texts if each.to == number]


async def signs_up(person, name=NAME):
    await person.dials()
    return await person.types("1", name, "19900102", "1")


@pytest_twisted.ensureDeferred
async def test_a_child_signs_up_in_korean_and_the_guardian_agrees_by_sms(house):
    with_menu(house)
    await house.start()
    child, guardian = Person(house), house.caller()

    assert (await child.dials()).startswith("1 등록\n2 보호자\n3 내 정보")
    assert "이름" in await child.types("1")
    assert "생년월일" in await child.types(NAME)
    assert "보호자 전화번호" in await child.types("20150302")
    assert f"+{guardian}" in await child.types(guardian)
    assert "동의를 물었습니다" in await child.types("1")
    await house.until(lambda: texts_to(house, guardian))
    code = re.search(r"동의 (\d{6})", texts_to(house, guardian)[0])[1]
    assert (
        await house.soon(house.skt.send_mo(guardian, SERVICE_NUMBER, text=f"동의 {code} 어머니 성인"))
        == ESME_ROK
    )
    await house.until(lambda: any("등록되었습니다" in text for text in texts_to(house, child.number)))

    await child.types("0")
    assert NAME in await child.types("3")
    assert house.reports(child.number) == []
    assert all(each.octets <= 160 and each.data_coding == 0x08 for each in house.skt.ussd.shown)


@pytest.mark.parametrize("kind", ["korits", "tata", "sixdee", "mica", "huawei", "nowsms"])
@pytest_twisted.ensureDeferred
async def test_every_kind_of_gateway_takes_a_person_through_it(house, kind):
    with_menu(house, kind)
    await house.start()
    person = Person(house, kind)

    assert "등록되었습니다" in await signs_up(person)
    assert (await person.types("0", "9")).startswith("1 Register")
    assert await person.types("0") == "Thank you."

    assert person.phone.screen.ends_session
    assert house.skt.ussd.strays == []
    assert house.reports(person.number) == []


@pytest_twisted.ensureDeferred
async def test_a_registered_person_adds_a_guardian_tests_and_cancels(house):
    with_menu(house)
    await house.start()
    person, guardian = Person(house), house.caller()
    await signs_up(person)

    await person.types("0", "2", "2", guardian, "1")
    assert "물었습니다" in await person.types("1")
    assert "동의 대기" in await person.types("0", "1")
    assert "시험을 시작했습니다" in (await person.types("0", "0", "4", "1"))
    assert person.phone.screen.ends_session
    await house.until(lambda: house.reports(person.number))
    assert {report.status for report in house.reports(person.number)} == {"Test"}

    await person.dials()
    assert "해지되었고" in await person.types("5", "1")
    assert person.phone.screen.ends_session or "# 다음" in person.phone.screen.text
    await person.dials()
    assert "등록되지 않은 번호" in await person.types("3")


@pytest_twisted.ensureDeferred
async def test_a_phone_in_danger_that_dials_the_service_code_sees_nothing_and_112_hears_of_it(house):
    with_menu(house)
    await house.start()
    person = Person(house)
    await house.accepted_press(person.number)

    assert await person.dials() == CLOSING

    await house.until(lambda: house.reports(person.number)[-1].parameters["press-count"] == ("2",))
    assert len(house.alerts(person.number)) == 1
    assert "본인이 아닐 수 있음" in house.reports(person.number)[-1].raw.decode()
    await house.until(lambda: house.logged("menu asked for during an incident"))
    assert person.phone.screen.ends_session


@pytest_twisted.ensureDeferred
async def test_a_phone_that_comes_into_danger_in_the_middle_of_the_menu_sees_no_more_of_it(house):
    with_menu(house)
    await house.start()
    person = Person(house)
    await person.dials()
    await house.accepted_press(person.number)

    assert await person.types("3") == CLOSING


@pytest.mark.parametrize("words", [SOS_CODE, "살려주세요"])
@pytest_twisted.ensureDeferred
async def test_a_call_for_help_in_the_menu_is_a_press(house, words):
    with_menu(house)
    await house.start()
    person = Person(house)
    await person.dials()
    await person.types("1")

    assert await person.types(words) == CLOSING

    await house.until(lambda: house.alerts(person.number))
    (alert,) = house.alerts(person.number)
    assert alert.parameters["trigger-source"] == ("ussd",)
    assert alert.parameters["destination"] == ((SOS_CODE,) if words == SOS_CODE else (CODE,))
    assert words in alert.raw.decode()


@pytest_twisted.ensureDeferred
async def test_hanging_up_is_the_end_and_no_press(house):
    with_menu(house)
    await house.start()
    person = Person(house)
    await person.dials()
    await person.types("1")

    assert await house.soon(person.phone.hang_up()) == ESME_ROK
    assert (await person.dials()).startswith("1 등록")

    assert house.reports(person.number) == []


@pytest_twisted.ensureDeferred
async def test_a_redelivered_answer_does_not_go_on_twice(house):
    with_menu(house)
    await house.start()
    person = Person(house)
    await person.dials()
    await person.types("1")
    shown = len(person.phone.pages)

    assert await house.soon(person.phone.repeat()) == ESME_ROK
    assert "생년월일" in await person.types(NAME)

    assert len(person.phone.pages) == shown + 1


@pytest_twisted.ensureDeferred
async def test_after_a_restart_the_next_answer_starts_at_the_first_page(house):
    with_menu(house)
    await house.start()
    person = Person(house)
    await person.dials()
    await person.types("1")
    await house.restart()

    assert (await person.types(NAME)).startswith("시간이 지나 처음부터 시작합니다.\n1 등록")


@pytest_twisted.ensureDeferred
async def test_with_the_store_down_nobody_is_shown_a_page_and_nobody_is_reported(house):
    with_menu(house, more="session_s = 10\n")
    await house.start()
    person = Person(house)
    await person.dials()
    other = sqlite3.connect(house.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        screen = await person.types("1", NAME, "19900102", "1")
    finally:
        other.execute("ROLLBACK")
        other.close()

    assert screen == CLOSING or screen.startswith("지금 처리하지 못했습니다.")
    assert house.reports(person.number) == []
