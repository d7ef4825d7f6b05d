"""Where we speak, by the real daemon and a real Asterisk: to 112 when the data link fails, to guardians, to anyone who tries
her key out."""

from __future__ import annotations

import sqlite3

import pytest
import pytest_twisted
from twisted.internet import reactor

from telephony.lab.phones.sip_agent import EndedBy
from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.conftest import _in_good_order
from tests.scenarios.house import SEOUL
from tests.scenarios.spoken_house import (
    AFTER_S,
    DRILL_NUMBER,
    LAST_WORD_HZ,
    MENU_HZ,
    OUR_NUMBER,
    OVER_HZ,
    RECORDED_HZ,
    SERVICE_NUMBER,
    SPOKEN_RING_S,
    VOICE,
    WAIT_S,
    SpokenExchange,
    SpokenHouse,
)
from tests.scenarios.voice import KT, SKT, national

pytestmark = pytest.mark.xdist_group("spoken-fallback")

FATHER, AUNT = "821073320001", "821073320002"


@pytest.fixture(scope="module")
def exchange():
    """Asterisk; fails where none is installed, saying what to do."""
    place = SpokenExchange()
    try:
        place.start()
        place.wait_for_boot()
        yield place
    finally:
        place.remove()


@pytest.fixture
def spoken(tmp_path, exchange):
    """Everything but the daemon; no channel may be left, no secret told, and Asterisk have no error to complain of."""
    place = SpokenHouse(tmp_path, reactor, exchange)
    yield from _in_good_order(place)
    assert [line for line in place.asterisk_log if "ERROR" in line] == []


# To 112.


@pytest_twisted.ensureDeferred
async def test_with_both_addresses_down_the_report_is_spoken_once_and_delivered_by_a_digit(spoken):
    spoken.choose(second_after_s=0.2)
    await spoken.start()
    await spoken.data_link_fails()
    caller, at = spoken.caller(SEOUL), spoken.reactor.seconds()

    await spoken.accepted_press(caller)
    call = await spoken.report_is_spoken()
    await spoken.is_audible(call)
    spoken.press_and_listen_no_more(call, "1")
    await spoken.until(lambda: spoken.delivered(VOICE))

    assert AFTER_S <= call.invite.at - at < AFTER_S + 2
    assert call.invite.caller.uri.startswith(f"sip:{OUR_NUMBER}@")
    assert call.ears.peak_rms > 1_000
    assert await spoken.soon(call.ended()) is EndedBy.THEM
    assert "pressed 1" in spoken.delivered(VOICE)[0]["detail"]
    for channel in ("seoul-a", "seoul-b"):
        assert ("alert", "pending") in [owed[1:3] for owed in spoken.owed(channel)]

    # The data link returns: what it has begun it still owes, and an update is told there alone.
    await spoken.accepted_press(caller, "두 번째 도움 요청")
    await spoken.data_link_returns()
    for centre in (spoken.centre, spoken.second):
        await spoken.until(lambda centre=centre: spoken.alerts(caller, centre))
    await spoken.until(lambda: spoken.reports(caller)[-1].parameters["press-count"] == ("2",))
    assert spoken.located(caller)
    await spoken.listen_on(AFTER_S)
    told = await spoken.story(spoken.alerts(caller)[0].incident)
    delivered = [line["channel"] for line in told if (line["what"], line.get("sequence")) == ("delivered", 1)]
    assert delivered[0] == VOICE
    assert sorted(delivered) == ["seoul-a", "seoul-b", VOICE]
    assert spoken.owed(VOICE) == [(1, "alert", "delivered", 1)]
    assert len(spoken.invites_to_112) == 1


@pytest_twisted.ensureDeferred
async def test_where_nobody_confirms_112_is_called_again(spoken):
    """On one line somebody listens and presses nothing; at the same time another rings in vain."""
    await spoken.start()
    await spoken.data_link_fails()
    caller = spoken.caller()

    await spoken.accepted_press(caller)
    call = await spoken.report_is_spoken()
    ((unconfirmed, *_),) = spoken.incidents()
    spoken.operators[0].never_answer()
    await spoken.accepted_press(spoken.caller())
    await spoken.until(lambda: len(spoken.reports_spoken) == 2)
    rings = spoken.reports_spoken[1]

    await spoken.until(lambda: spoken.logged("will retry", channel=VOICE, incident=unconfirmed))
    ended_at = spoken.reactor.seconds()
    assert call.ears.heard(LAST_WORD_HZ)
    await spoken.until(lambda: spoken.next_attempts(VOICE)[0][2])
    attempts, due_at, why = spoken.next_attempts(VOICE)[0]
    assert attempts == 1
    assert due_at - ended_at == pytest.approx(60, abs=1.5)
    assert "did not confirm" in why

    assert await spoken.soon(rings.ended()) is EndedBy.THEM
    assert rings.ended_at - rings.began_at == pytest.approx(SPOKEN_RING_S, abs=1)
    spoken.operators[0].answer_after(0.1)
    again = await spoken.report_is_spoken(3)
    await spoken.is_audible(again)
    spoken.press_and_listen_no_more(again, "1")
    await spoken.until(lambda: spoken.delivered(VOICE))
    assert again.invite.at - rings.ended_at < 3


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_killed_while_it_speaks_speaks_again_until_it_is_confirmed(spoken):
    await spoken.start()
    await spoken.data_link_fails()
    await spoken.accepted_press(spoken.caller())
    call = await spoken.report_is_spoken()

    await spoken.kill9()
    spoken.press_and_listen_no_more(call, "1")
    await spoken.start()
    again = await spoken.report_is_spoken(2)
    await spoken.is_audible(again)
    assert not spoken.delivered(VOICE), "that key was not heard"
    spoken.press_and_listen_no_more(again, "1")

    await spoken.until(lambda: spoken.delivered(VOICE))
    assert [(number, state) for number, _, state, _ in spoken.owed(VOICE)] == [(1, "delivered")]


@pytest_twisted.ensureDeferred
async def test_without_a_store_no_telephone_rings_while_the_data_link_works(spoken):
    await spoken.start()
    caller = spoken.caller()
    other = sqlite3.connect(spoken.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    assert await spoken.soon(spoken.press(caller)) == ESME_ROK
    await spoken.until(lambda: spoken.alerts(caller))
    await spoken.listen_on(AFTER_S + 0.5)
    other.execute("ROLLBACK")
    other.close()
    await spoken.until(lambda: spoken.skt.queued == 0)
    await spoken.until(lambda: spoken.delivered("seoul-a"))
    await spoken.listen_on(AFTER_S + 0.5)

    assert spoken.invites_to_112 == []
    await spoken.until(lambda: spoken.owed(VOICE) == [(1, "alert", "superseded", 0)])


@pytest_twisted.ensureDeferred
async def test_what_was_confirmed_without_a_store_is_not_spoken_again_when_there_is_one(spoken):
    await spoken.start()
    await spoken.data_link_fails()
    other = sqlite3.connect(spoken.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    at = spoken.reactor.seconds()

    assert await spoken.soon(spoken.press(spoken.caller())) == ESME_ROK
    call = await spoken.report_is_spoken()
    other.execute("ROLLBACK")
    other.close()
    await spoken.until(lambda: spoken.logged("press accepted"))
    await spoken.is_audible(call)
    spoken.press_and_listen_no_more(call, "1")
    await spoken.until(lambda: spoken.logged("relayed directly", channel=VOICE))
    await spoken.until(lambda: spoken.delivered(VOICE))

    assert call.invite.at - at >= AFTER_S
    assert len(spoken.invites_to_112) == 1


# To guardians.


@pytest_twisted.ensureDeferred
async def test_guardians_are_called_in_order_and_112_is_told_while_the_callers_own_phone_never_rings(spoken):
    caller = spoken.caller()
    spoken.list_guardians(caller, {"own": national(caller), "father": f"+{FATHER}", "aunt": f"+{AUNT}"})
    await spoken.start()
    spoken.family.never_answer()
    at = spoken.reactor.seconds()

    await spoken.accepted_press(caller)
    await spoken.until(lambda: spoken.guardians_called == [FATHER])
    spoken.family.answer_after(0.1)
    await spoken.until(lambda: spoken.guardian_states(caller) == (("1", "calling", "father"),))
    await spoken.until(lambda: spoken.guardians_called == [FATHER, AUNT])
    await spoken.until(lambda: spoken.family.newest.is_up)
    await spoken.is_audible(spoken.family.newest)
    spoken.press_and_listen_no_more(spoken.family.newest, "1")
    told = (("1", "no-answer", "father"), ("2", "confirmed", "aunt"))
    await spoken.until(lambda: spoken.guardian_states(caller) == told)

    (alert,) = spoken.alerts(caller)
    assert alert.at < spoken.family.invites[0].at
    assert alert.at - at < 1
    assert "guardian" not in alert.parameters
    assert spoken.reports(caller)[-1].msg_type == "Update"
    first = spoken.family.calls[0]
    assert first.ended_at - first.began_at == pytest.approx(SPOKEN_RING_S, abs=1)
    assert all(invite.caller.uri.startswith(f"sip:{OUR_NUMBER}@") for invite in spoken.family.invites)


@pytest_twisted.ensureDeferred
async def test_closing_the_incident_ends_the_calling_of_guardians(spoken):
    caller = spoken.caller()
    spoken.list_guardians(caller, {"father": f"+{FATHER}", "aunt": f"+{AUNT}"})
    spoken.daemon.pause_s = 4.0
    await spoken.start()
    spoken.family.refuse(486)

    await spoken.accepted_press(caller)
    await spoken.until(lambda: spoken.guardians_called == [FATHER, AUNT])
    await spoken.onetouch("incidents", "close", spoken.alerts(caller)[0].incident, "--reason", "found safe")
    await spoken.until(lambda: spoken.reports(caller)[-1].parameters.get("close-reason"))
    called = len(spoken.guardians_called)
    await spoken.listen_on(9.0)

    assert len(spoken.guardians_called) == called < 6
    assert [row[2] for row in spoken.owed("guardians")] == ["superseded"]


@pytest_twisted.ensureDeferred
async def test_closing_the_incident_ends_the_call_that_stands_with_a_sentence(spoken):
    caller = spoken.caller()
    spoken.list_guardians(caller, {"father": f"+{FATHER}"})
    await spoken.start()
    spoken.exchange.cli("dialplan set global VOICE_WAIT 60")
    try:
        await spoken.accepted_press(caller)
        await spoken.until(lambda: spoken.family.calls and spoken.family.ears.heard(LAST_WORD_HZ))

        (alert,) = spoken.alerts(caller)
        await spoken.onetouch("incidents", "close", alert.incident, "--reason", "found safe")

        assert await spoken.soon(spoken.family.newest.ended(), 30) is EndedBy.THEM
    finally:
        spoken.exchange.cli(f"dialplan set global VOICE_WAIT {WAIT_S}")
    assert spoken.family.ears.heard(OVER_HZ)
    await spoken.until(lambda: spoken.reports(caller)[-1].parameters.get("close-reason"))
    assert spoken.guardians_called == [FATHER]


# To a person who tries her key out.


@pytest_twisted.ensureDeferred
async def test_a_key_that_is_tested_at_the_service_number_is_a_drill_and_the_call_itself_no_press(spoken):
    await spoken.start()
    caller = spoken.caller()

    call = spoken.call(caller, dialled=SERVICE_NUMBER)
    await spoken.until(lambda: call.is_up and call.ears.loud)
    spoken.press_and_listen_no_more(call, "1")
    await spoken.until(lambda: call.ears.heard(MENU_HZ))
    assert spoken.incidents() == []
    spoken.press_and_listen_no_more(call, "1")
    await spoken.until(lambda: call.ears.heard(RECORDED_HZ))
    await spoken.until(lambda: spoken.alerts(caller))
    await spoken.soon(call.hang_up())
    await spoken.listen_on(AFTER_S)

    assert {report.status for report in spoken.reports(caller)} == {"Test"}
    assert [is_drill for _, _, is_drill in spoken.incidents()] == [1]
    assert spoken.invites_to_112 == []
    assert len(spoken.logged("press accepted")) == 1


@pytest_twisted.ensureDeferred
async def test_a_call_to_the_drill_number_is_silent_and_rings_nobody(spoken):
    await spoken.start()
    callers = {trunk: spoken.caller() for trunk in (SKT, KT)}

    calls = [spoken.call(caller, trunk, dialled=DRILL_NUMBER) for trunk, caller in callers.items()]
    for caller in callers.values():
        await spoken.until(lambda caller=caller: spoken.alerts(caller))
    for call in calls:
        assert await spoken.soon(call.ended()) is EndedBy.THEM

    assert all(call.is_silent and call.answered_at is not None for call in calls)
    for caller in callers.values():
        assert {report.status for report in spoken.reports(caller)} == {"Test"}
    assert spoken.invites_to_112 == []
