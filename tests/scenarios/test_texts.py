"""Texts of ours on real links: a guardian's phone shows them whole, by whatever carrier takes them, and hers never."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_RINVDSTADR, ESME_ROK
from tests.scenarios.house import HELP

SENDER = "1366"


def with_guardians(house, listed, *, dialect="ucs2", reply_s=0.0):
    """Let the daemon text from a number of ours to these guardians: (caller, guardian) pairs."""
    tables = [
        f'[sms]\nsender = "{SENDER}"',
        f'[guardians]\nby = ["sms"]\nrounds = 1\npause_s = 0.1\nreply_s = {reply_s}',
        *(f'[[guardians.listed]]\nof = "{caller}"\nphone = "{phone}"' for caller, phone in listed),
    ]
    alphabet = f'[carrier.dialect]\ntext_alphabet = "{dialect}"\n'
    house.choose(
        recognition=f'service_numbers = ["{SENDER}"]',
        more="\n".join(tables),
        skt_trunk=alphabet,
        kt_trunk=alphabet,
    )


def texts(house, phone):
    return [each for smsc in (house.skt, house.kt) for each in smsc.texts if each.to == phone]


@pytest.mark.parametrize(("dialect", "alphabet"), [("ucs2", "utf-16-be"), ("ks-x-1001", "cp949")])
@pytest_twisted.ensureDeferred
async def test_a_guardians_phone_shows_the_text_and_hers_shows_nothing(house, dialect, alphabet):
    caller, mother = house.caller(), house.caller()
    with_guardians(house, [(caller, mother)], dialect=dialect)
    await house.start()

    await house.accepted_press(caller)
    await house.until(lambda: texts(house, mother))

    (text,) = texts(house, mother)
    assert (text.sender, text.alphabet) == (SENDER, alphabet)
    assert "112" in text.text
    assert HELP not in text.text
    assert texts(house, caller) == []
    await house.until(lambda: house.logged("text sent"))
    (line,) = house.logged("text sent")
    assert line["to"] == f"{mother[:4]}******{mother[-2:]}"
    assert line["link"] in ("skt-1", "skt-2")


@pytest_twisted.ensureDeferred
async def test_refused_by_one_carrier_it_goes_by_another(house):
    caller, mother = house.caller(), house.caller()
    with_guardians(house, [(caller, mother)])
    await house.start()
    house.skt.refuse_texts(ESME_RINVDSTADR, to=mother)

    await house.accepted_press(caller)
    await house.until(lambda: house.kt.texts)

    assert [each.to for each in house.kt.texts] == [mother]
    assert house.skt.texts == []
    await house.until(lambda: house.logged("text not taken", reason="submit answered ESME_RINVDSTADR"))


@pytest_twisted.ensureDeferred
async def test_a_receipt_is_understood_and_112_reads_of_it(house):
    caller, mother = house.caller(), house.caller()
    with_guardians(house, [(caller, mother)], reply_s=30.0)
    await house.start()
    house.skt.tell_receipts()

    await house.accepted_press(caller)

    def reported():
        said = [value for report in house.reports(caller) for value in report.parameters.values()]
        return any("text-delivered" in str(value) for value in said)

    await house.until(reported)


@pytest_twisted.ensureDeferred
async def test_a_guardian_who_has_pressed_too_gets_no_text(house):
    """Each is the other's guardian, and both are in danger: no phone of theirs may light up."""
    one, other = house.caller(), house.caller()
    with_guardians(house, [(one, other), (other, one)])
    await house.start()
    for smsc in (house.skt, house.kt):
        smsc.throttle(20)

    await house.accepted_press(one)
    await house.accepted_press(other)
    await house.until(lambda: house.alerts(one) and house.alerts(other))
    for smsc in (house.skt, house.kt):
        smsc.throttle(0)
    await house.until(
        lambda: (
            house.logged("text not sent")
            or house.logged("guardian not told")
            or house.logged("guardian cannot be texted")
        )
    )

    assert texts(house, one) == texts(house, other) == []


@pytest_twisted.ensureDeferred
async def test_her_own_number_on_the_list_of_guardians_gets_no_text(house):
    caller, mother = house.caller(), house.caller()
    with_guardians(house, [(caller, caller), (caller, f"0{caller[2:]}"), (caller, mother)])
    await house.start()

    await house.accepted_press(caller)
    await house.until(lambda: texts(house, mother))

    assert texts(house, caller) == []


@pytest_twisted.ensureDeferred
async def test_a_flood_of_texts_keeps_no_press_waiting(house):
    callers = [house.caller() for _ in range(60)]
    guardians = [house.caller() for _ in callers]
    with_guardians(house, zip(callers, guardians, strict=True))
    await house.start()
    stranger = house.caller()
    answered = [house.press(caller) for caller in callers]
    for waiting in answered:
        assert await house.soon(waiting) == ESME_ROK
    await house.until(lambda: len(house.skt.texts) + len(house.kt.texts) >= 5)

    began = house.reactor.seconds()
    await house.accepted_press(stranger)
    took_s = house.reactor.seconds() - began

    assert took_s < 1.0
    await house.until(lambda: all(texts(house, guardian) for guardian in guardians))
