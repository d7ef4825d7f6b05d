"""Guardians are told by text: in order and in rounds until one confirms, and that it is over; the caller's phone never."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from telephony.smpp.wire.constants import ESME_ROK, ESME_RSYSERR
from tests.scenarios.house import SEOUL

SERVICE = "1588112"
NAME = "김하늘"
MOTHER, FATHER, AUNT = "821098760001", "821098760002", "821098760003"
HEADINGS = "이름,생년월일,전화번호,보호자1 관계,보호자1 전화번호,보호자1 언어,보호자2 관계,보호자2 전화번호,보호자2 언어"
LISTED = '[[guardians.listed]]\nof = "{of}"\nphone = "{phone}"\n'


def choose(house, *, reply_s=60.0, rounds=3, listed=()):
    """Set that guardians are told by text."""
    rows = "".join(LISTED.format(of=of, phone=phone) for of, phone in listed)
    house.keep_secret(NAME, "98760001", "98760002", "98760003")
    house.choose(
        recognition=f'service_numbers = ["{SERVICE}"]',
        more=(
            f'[sms]\nsender = "{SERVICE}"\n'
            f'[guardians]\nby = ["sms"]\nreply_s = {reply_s}\nrounds = {rounds}\npause_s = 0.1\n{rows}'
        ),
    )


async def sign_up(house, caller, *, second="아버지"):
    """Import a school's file with this child, whose mother reads Korean and whose father reads English."""
    file = house.folder / "class-3.csv"
    file.write_text(f"{HEADINGS}\n{NAME},2015-03-02,{caller},어머니,{MOTHER},ko,{second},{FATHER},en\n")
    said = await house.onetouch("people", "import", str(file), "--by", "박보호", "--means", "서면 동의")
    assert "추가 1" in said


def texts(house, to=None):
    """Return the texts that phones of both carriers have shown."""
    shown = [*house.skt.texts, *house.kt.texts]
    return [each for each in shown if to is None or each.to == to]


def told(house, caller):
    """Return what the newest report says of guardians, as (which, state)."""
    parameters = house.reports(caller)[-1].parameters if house.reports(caller) else {}
    return list(zip(parameters.get("guardian", ()), parameters.get("guardian-state", ()), strict=True))


def states(house, *, guardian=1):
    """Return the states that the log tells of a guardian, in order."""
    return [line["state"] for line in house.logged("guardian", guardian=guardian)]


async def reply(house, phone, words):
    """Write back from a guardian's phone."""
    assert await house.soon(house.kt.send_mo(phone, SERVICE, text=words)) == ESME_ROK


async def close(house, caller):
    """Close the caller's incident as an operator does; give its id."""
    incident = house.reports(caller)[-1].incident
    await house.onetouch("incidents", "close", incident, "--reason", "found safe")
    return incident


async def never_hears(house, caller):
    """Nothing may have reached her phone."""
    await deferLater(house.reactor, 0.3)
    assert texts(house, caller) == []


@pytest_twisted.ensureDeferred
async def test_the_mother_is_told_at_once_in_words_she_understands(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: texts(house, MOTHER))

    [text] = texts(house)
    assert text.sender == SERVICE
    assert text.text.startswith(f"[112신고됨] {NAME} ")
    assert text.text.endswith(" SOS 누름. 위험하니 그 폰에 전화 마세요. 확인은 1 답장")
    assert len(text.message_ids) == 1
    await house.until(lambda: ("1", "texted") in told(house, caller))
    await never_hears(house, caller)


@pytest_twisted.ensureDeferred
async def test_without_a_reply_the_next_one_is_told_and_then_the_first_again_until_the_rounds_are_over(house):
    choose(house, reply_s=0.5, rounds=2)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: house.logged("rejected", channel="guardians"))

    assert [text.to for text in sorted(texts(house), key=lambda each: int(each.message_ids[0]))] == [
        MOTHER, FATHER, MOTHER, FATHER
    ]  # fmt: skip
    assert (
        "pressed the SOS key" in texts(house, FATHER)[0].text or "112 knows" in texts(house, FATHER)[0].text
    )
    await never_hears(house, caller)


@pytest.mark.parametrize("words", ["1", "\uff11 ", "네 확인했습니다!", "OK"])
@pytest_twisted.ensureDeferred
async def test_a_reply_confirms_and_ends_the_rounds_once_each_was_told(house, words):
    choose(house, reply_s=1.0)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: texts(house, MOTHER))
    await reply(house, MOTHER, words)

    await house.until(lambda: ("1", "confirmed") in told(house, caller))
    assert house.reports(caller)[-1].parameters["guardian-by"] == ("sms",)
    await house.until(lambda: house.logged("delivered", channel="guardians"))
    assert [text.to for text in sorted(texts(house), key=lambda each: int(each.message_ids[0]))] == [
        MOTHER,
        FATHER,
    ]


@pytest_twisted.ensureDeferred
async def test_words_of_a_guardian_reach_112_and_no_log(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: texts(house, MOTHER))
    house.keep_secret("학원 앞이에요")
    await reply(house, MOTHER, "학원 앞이에요")

    await house.until(lambda: ("1.1", "words") in told(house, caller))
    assert "학원 앞이에요" in house.reports(caller)[-1].parameters["guardian-words"]
    assert "학원 앞이에요" in house.reports(caller)[-1].raw.decode()


@pytest_twisted.ensureDeferred
async def test_a_mistake_is_a_label_and_closes_nothing(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: texts(house, MOTHER))
    await reply(house, MOTHER, "잘못 눌렀어요")

    await house.until(lambda: "guardian 1" in str(house.reports(caller)[-1].parameters))
    await house.accepted_press(caller, "again")
    assert len(house.alerts(caller)) == 1, "the incident is open, and the press joins it"


@pytest_twisted.ensureDeferred
async def test_a_stranger_confirms_nothing(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: texts(house, MOTHER))
    await reply(house, AUNT, "1")

    await deferLater(house.reactor, 0.5)
    assert ("1", "confirmed") not in told(house, caller)
    assert house.logged("guardian replied") == []


@pytest_twisted.ensureDeferred
async def test_a_receipt_is_told_and_confirms_nothing(house):
    choose(house)
    for smsc in (house.skt, house.kt):
        smsc.tell_receipts()
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)

    await house.until(lambda: ("1", "text-delivered") in told(house, caller))
    await house.until(lambda: states(house) == ["texted", "text-delivered"])


@pytest_twisted.ensureDeferred
async def test_a_phone_that_never_got_the_text_is_not_waited_for(house):
    choose(house, reply_s=60.0)
    for smsc in (house.skt, house.kt):
        smsc.tell_receipts("UNDELIV")
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)

    await house.until(lambda: texts(house, FATHER))
    await house.until(lambda: states(house)[:2] == ["texted", "text-failed"])


@pytest_twisted.ensureDeferred
async def test_with_one_carrier_dead_the_other_one_carries_the_text(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL, carrier="kt")
    await sign_up(house, caller)
    house.skt.ignore_binds()
    house.skt.drop_link()
    await house.until(lambda: not house.skt.links)
    await house.accepted_press(caller, smsc=house.kt)

    await house.until(lambda: texts(house, MOTHER))
    assert house.skt.texts == []


@pytest_twisted.ensureDeferred
async def test_while_no_carrier_takes_texts_nobody_loses_a_turn(house):
    choose(house, rounds=1, reply_s=60.0)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    for smsc in (house.skt, house.kt):
        smsc.refuse_texts(ESME_RSYSERR)
    await house.accepted_press(caller)
    await house.until(lambda: house.logged("guardian not texted"))
    for smsc in (house.skt, house.kt):
        smsc.accept_texts()

    await house.until(lambda: texts(house, MOTHER) or texts(house, FATHER))
    await house.until(lambda: states(house, guardian=1) + states(house, guardian=2) == ["texted"])


@pytest_twisted.ensureDeferred
async def test_her_own_number_as_a_guardian_gets_nothing(house):
    caller = house.caller(SEOUL)
    choose(house, reply_s=0.2, rounds=1, listed=[(caller, caller), (caller, AUNT)])
    await house.start()
    await house.accepted_press(caller)
    await house.until(lambda: house.logged("rejected", channel="guardians"))

    assert [text.to for text in texts(house)] == [AUNT]
    assert f"***-{caller[-4:]}" in texts(house)[0].text, (
        "not registered: the last digits say whose phone it is"
    )
    await close(house, caller)
    await house.until(lambda: len(texts(house, AUNT)) == 2)
    await never_hears(house, caller)


@pytest_twisted.ensureDeferred
async def test_a_guardian_who_is_in_danger_herself_gets_nothing_and_the_next_one_is_told(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(MOTHER)
    await house.until(lambda: house.alerts(MOTHER))
    await house.accepted_press(caller)

    await house.until(lambda: texts(house, FATHER))
    await never_hears(house, MOTHER)
    await house.until(lambda: states(house) == ["failed"])


@pytest_twisted.ensureDeferred
async def test_closing_tells_those_who_were_told_and_nobody_else(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: texts(house, MOTHER))
    await house.until(lambda: ("1", "texted") in told(house, caller))
    await close(house, caller)

    await house.until(lambda: len(texts(house, MOTHER)) == 2)
    assert texts(house, MOTHER)[-1].text.startswith(f"[112신고 종료] {NAME} ")
    await house.until(lambda: house.logged("delivered", channel="guardians-over"))
    await house.restart()
    await never_hears(house, caller)
    assert (len(texts(house, MOTHER)), texts(house, FATHER)) == (2, [])


@pytest_twisted.ensureDeferred
async def test_a_reply_after_it_is_over_is_no_confirmation(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: texts(house, MOTHER))
    await house.until(lambda: ("1", "texted") in told(house, caller))
    await close(house, caller)
    await reply(house, MOTHER, "1")

    await deferLater(house.reactor, 0.3)
    assert house.logged("guardian replied") == []


@pytest.mark.parametrize("how", ["restart", "kill"])
@pytest_twisted.ensureDeferred
async def test_after_a_restart_it_goes_on_with_the_right_turn(house, how):
    choose(house, reply_s=3.0, rounds=1)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    await house.accepted_press(caller)
    await house.until(lambda: ("1", "texted") in told(house, caller))
    if how == "restart":
        await house.restart()
    else:
        await house.kill9()
        await house.start()

    await house.until(lambda: texts(house, FATHER))
    assert len(texts(house, MOTHER)) == 1
    await house.until(lambda: house.logged("rejected", channel="guardians"))
    assert len(texts(house)) == 2


@pytest_twisted.ensureDeferred
async def test_killed_between_the_text_and_its_record_it_tells_the_mother_again_rather_than_never(house):
    choose(house)
    caller = house.caller(SEOUL)
    await house.start()
    await sign_up(house, caller)
    await house.stop()
    await house.start("before-a-text-is-on-record")
    await house.accepted_press(caller)
    await house.died()
    before = len(texts(house, MOTHER))
    await house.start()

    await house.until(lambda: len(texts(house, MOTHER)) == before + 1)
    await house.until(lambda: ("1", "texted") in told(house, caller))
    assert texts(house, FATHER) == []


@pytest_twisted.ensureDeferred
async def test_presses_and_reports_go_ahead_of_texts(house):
    choose(house)
    await house.start()
    caller = house.caller(SEOUL)
    await sign_up(house, caller)
    flood = [house.caller() for _ in range(300)]
    pressed = [house.press(each) for each in (*flood[:150], caller, *flood[150:])]
    for each in pressed:
        assert await house.soon(each) == ESME_ROK

    await house.until(lambda: all(house.alerts(each) for each in flood))
    await house.until(lambda: texts(house, MOTHER))
