"""A press by USSD: the code is dialled, 112 knows, and the phone shows one text that does not show what was dialled."""

from __future__ import annotations

import sqlite3

import pytest
import pytest_twisted

from telephony.lab.carrier.ussd_gateway import KINDS
from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK
from tests.scenarios.house import SEOUL

CODE = "*112#"
KOREAN, ENGLISH = "요청이 처리되었습니다.", "Request completed."


def gateway_of(profile, language="ko"):
    """Return the tables of a carrier with such a gateway, as TOML."""
    return (
        f'[carrier.recognition]\nussd_codes = ["{CODE}"]\n'
        f'[carrier.ussd]\nprofile = "{profile}"\nlanguage = "{language}"\n'
    )


def shown(house):
    """Return what the phones of skt have shown; nothing else may have reached one."""
    assert house.skt.ussd.strays == []
    assert house.skt.counts.submitted == len(house.skt.ussd.shown)
    return house.skt.ussd.shown


@pytest.mark.parametrize("kind", KINDS)
@pytest_twisted.ensureDeferred
async def test_a_dialled_code_reaches_112_and_the_session_ends_with_a_neutral_text(house, kind):
    house.choose(skt_trunk=gateway_of(kind))
    await house.start()
    caller = house.caller(SEOUL)

    assert await house.soon(house.skt.send_ussd(caller, CODE, kind)) == ESME_ROK
    await house.until(lambda: house.located(caller))
    await house.until(lambda: shown(house))

    alert = house.alerts(caller)[0]
    assert alert.parameters["trigger-source"] == ("ussd",)
    assert alert.parameters["destination"] == (CODE,)
    assert "caller-text" not in alert.parameters
    (text,) = shown(house)
    assert (text.number, text.text, text.ends_session) == (caller, KOREAN, True)
    assert text.octets <= 160
    assert text.data_coding == (0x48 if kind in ("service-op", "huawei") else 0x08)
    await house.until(lambda: house.logged("press accepted", source="ussd"))


@pytest.mark.parametrize("kind", ["generic", "huawei"])
@pytest_twisted.ensureDeferred
async def test_a_carrier_may_have_the_text_in_gsm_7_bit(house, kind):
    house.choose(skt_trunk=gateway_of(kind, "en"))
    await house.start()

    await house.soon(house.skt.send_ussd(house.caller(), CODE, kind))
    await house.until(lambda: shown(house))

    (text,) = shown(house)
    assert (text.text, text.octets) == (ENGLISH, len(ENGLISH))
    assert text.data_coding == (0x0F if kind == "huawei" else 0x00)


@pytest.mark.parametrize("ack_after", ["journal", "store"])
@pytest_twisted.ensureDeferred
async def test_with_the_store_down_112_is_told_directly_and_the_phone_shows_the_same(house, ack_after):
    house.choose(skt_trunk=gateway_of("generic"), ack_after=ack_after)
    await house.start()
    caller = house.caller()
    other = sqlite3.connect(house.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    status = ESME_ROK if ack_after == "journal" else ESME_RMSGQFUL
    assert await house.soon(house.skt.send_ussd(caller, CODE)) == status
    await house.until(lambda: house.alerts(caller))
    assert [text.text for text in shown(house)] == [KOREAN]
    other.execute("ROLLBACK")
    other.close()

    await house.until(lambda: house.skt.queued == 0)
    await house.until(lambda: house.logged("delivered", kind="alert"))
    (alert,) = house.alerts(caller)
    assert house.daemon.rows("SELECT id, state, press_count FROM incident") == [(alert.incident, "open", 1)]
    assert len(shown(house)) == 1


@pytest_twisted.ensureDeferred
async def test_the_same_session_on_both_binds_is_one_press_and_one_text(house):
    house.choose(skt_trunk=gateway_of("sixdee"))
    await house.start()
    caller = house.caller()

    await house.soon(house.skt.send_ussd(caller, CODE, "sixdee"))
    for _ in range(2):
        await house.soon(house.skt.redeliver())
    await house.until(lambda: len(house.logged("press accepted")) == 3)
    # Whatever would still follow the repeats has come when this one is through.
    await house.accepted_press(house.caller())

    assert {line["connector"] for line in house.logged("press accepted", source="ussd")} == {"skt-1", "skt-2"}
    assert house.daemon.rows("SELECT press_count FROM incident ORDER BY opened_at LIMIT 1") == [(1,)]
    assert len(shown(house)) == 1


@pytest_twisted.ensureDeferred
async def test_a_session_that_is_aborted_is_no_press_and_takes_nothing_back(house):
    house.choose(skt_trunk=gateway_of("tata"))
    await house.start()
    caller, other = house.caller(), house.caller()
    await house.soon(house.skt.send_ussd(caller, CODE, "tata"))
    await house.until(lambda: shown(house))
    house.skt.ussd.dial(other, CODE, "tata")

    assert await house.soon(house.skt.send_pdus([house.skt.ussd.abort(other)])) == ESME_ROK

    await house.until(lambda: house.alerts(caller))
    assert house.reports(other) == []
    assert house.daemon.rows("SELECT state FROM incident") == [("open",)]


@pytest_twisted.ensureDeferred
async def test_dialling_again_and_an_sms_beside_it_join_the_incident(house):
    house.choose(skt_trunk=gateway_of("generic"))
    await house.start()
    caller = house.caller()

    await house.soon(house.skt.send_ussd(caller, CODE))
    await house.accepted_press(caller)
    await house.soon(house.skt.send_ussd(caller, CODE))
    await house.until(lambda: house.reports(caller)[-1].parameters["press-count"] == ("3",))

    assert len(house.alerts(caller)) == 1
    await house.until(lambda: len(shown(house)) == 2)


@pytest_twisted.ensureDeferred
async def test_another_code_that_the_gateway_sends_us_is_a_press_and_labelled(house):
    house.choose(skt_trunk=gateway_of("generic"))
    await house.start()
    caller = house.caller()

    assert await house.soon(house.skt.send_ussd(caller, "*999#")) == ESME_ROK
    await house.until(lambda: house.alerts(caller))

    (alert,) = house.alerts(caller)
    assert "등록되지 않은 수신 번호로 온 신고" in alert.raw.decode()
    await house.until(lambda: shown(house))


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_was_killed_after_the_commit_knows_the_press_when_it_comes_again(house):
    """Its sender waits for the store: of a press that it knows the phone is shown nothing more."""
    house.choose(skt_trunk=gateway_of("mica"))
    await house.start("before-acknowledging")
    caller = house.caller()

    acknowledgement = house.skt.send_ussd(caller, CODE, "mica")
    await house.died()
    await house.start()

    assert await house.soon(acknowledgement) == ESME_ROK
    await house.until(lambda: house.alerts(caller))
    assert house.daemon.rows("SELECT state, press_count FROM incident") == [("open", 1)]
    # How old the session is, is not known any more; a text after its end could open one of its own.
    assert shown(house) == []
