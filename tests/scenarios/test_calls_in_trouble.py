"""Something is broken while a key is held. 112's telephone rings all the same, and all that happened is told in the end."""

from __future__ import annotations

import signal
import sqlite3
import time

import pytest
import pytest_twisted

from telephony.asterisk.sos.journal import SLOT_CHARACTERS
from telephony.lab.phones.handset import CENTRE_HZ, PHONE_HZ
from telephony.lab.phones.sip_agent import EndedBy
from tests.asterisk.sos_events import Held
from tests.scenarios.ami_proxy import AmiProxy
from tests.scenarios.voice import BOTH_ENDS_AT_ONCE, KT, SKT, national

pytestmark = pytest.mark.xdist_group("calls-in-trouble")

ON_BOTH_TRUNKS = pytest.mark.parametrize("trunk", [SKT, KT], ids=["no-rtp", "zeros"])


# -- our daemon ------------------------------------------------------------------------------------------------------


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_killed_before_the_call_112s_telephone_rings_and_the_report_follows_after_the_start(
    voice, trunk
):
    await voice.start()
    caller = voice.caller()
    await voice.kill9()

    phone, centre = await voice.connected_call(caller, trunk)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
    assert voice.centre.requests == 0
    await voice.start()
    told = await voice.until_told(caller, call_state="connected")

    assert told.msg_type == "Alert"
    assert told.incident == centre.invite.headers.get("x-incident-id")
    assert told.parameters["call-route"] == ("112-1",)
    assert told.parameters["call-trunk"] == (trunk,)
    assert told.parameters["call-silence"] == ("no-rtp" if trunk == SKT else "zeros",)
    assert "label" not in told.parameters
    assert phone.is_silent
    await phone.hang_up()
    ended = await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    assert ended.incident == told.incident
    assert ended.parameters["call-recording"] == (f"{told.incident}.wav",)
    assert len(voice.alerts(caller)) == 1


@pytest_twisted.ensureDeferred
async def test_killed_during_the_call_the_next_process_tells_what_follows(voice):
    await voice.start()
    caller = voice.caller()
    phone, centre = await voice.connected_call(caller)
    incident = (await voice.until_told(caller, call_state="connected")).incident
    await voice.until(lambda: voice.logged("delivered", kind="update"))

    await voice.kill9()
    assert phone.is_up
    await voice.start()
    known = len(voice.reports(caller))
    await voice.soon(phone.press("11"))
    await voice.until_told(caller, knock_meaning="cannot-speak")
    await voice.onetouch("calls", "lift", incident, "--by", "seoul, desk 4")
    await voice.until(lambda: phone.ears.heard(CENTRE_HZ))
    await voice.soon(centre.hang_up())
    ended = await voice.until_told(caller, call_state="ended")

    assert ended.parameters["call-ended-by"] == ("112",)
    assert ended.incident == incident
    assert len(voice.alerts(caller)) == 1
    assert {report.msg_type for report in voice.reports(caller)[known:]} == {"Update"}
    assert voice.daemon.rows("SELECT id, press_count FROM incident") == [(incident, 1)]


@pytest_twisted.ensureDeferred
async def test_a_call_that_ends_while_nobody_watches_is_told_as_ended_after_the_next_start(voice):
    await voice.start()
    caller = voice.caller()
    phone, _ = await voice.connected_call(caller)
    await voice.until_told(caller, call_state="connected")
    await voice.until(lambda: voice.logged("delivered", kind="update"))

    await voice.kill9()
    await phone.hang_up()
    await voice.start()
    ended = await voice.until_told(caller, call_state="ended")
    await voice.restart()

    assert ended.msg_type == "Update"
    assert "call-ended-by" not in ended.parameters
    assert len(voice.reports(caller)) == 3


@pytest_twisted.ensureDeferred
async def test_a_call_that_came_and_went_while_nobody_watched_is_told_late_from_the_journal_and_once(voice):
    """A minute late as shipped; here a second."""
    await voice.start()
    callers = [voice.caller() for _ in range(3)]
    await voice.kill9()

    named = {}
    for caller in callers:
        phone, centre = await voice.connected_call(caller)
        named[caller] = centre.invite.headers.get("x-incident-id")
        await phone.hang_up()
        await voice.until(lambda: centre.is_over)  # noqa: B023 - awaited here
    await voice.until(lambda: not voice.exchange.channels())
    await voice.listen_on(1.0)
    await voice.start("late-after-a-second")
    for caller in callers:
        await voice.until_told(caller, call_state="ended")
    await voice.restart()
    await voice.restart()

    for caller in callers:
        (alert,) = voice.reports(caller)
        assert (alert.msg_type, alert.incident) == ("Alert", named[caller])
        assert alert.parameters["label"] == ("told late",)
        assert alert.parameters["call-trunk"] == (SKT,)
        assert int(alert.parameters["call-duration-s"][0]) <= 1
        assert "늦게 전달됨" in alert.raw.decode()


@ON_BOTH_TRUNKS
@pytest_twisted.ensureDeferred
async def test_a_call_that_stands_is_told_although_the_journal_names_it_no_more(voice, trunk):
    """So many calls have come since that its note is pushed out; the channel carries it too."""
    await voice.start()
    caller = voice.caller()
    await voice.kill9()

    phone, centre = await voice.connected_call(caller, trunk)
    voice.exchange.forget_calls()
    await voice.start()
    told = await voice.until_told(caller, call_state="connected")

    assert (told.msg_type, told.incident) == ("Alert", centre.invite.headers.get("x-incident-id"))
    assert told.parameters["call-trunk"] == (trunk,)
    assert told.parameters["call-silence"] == ("no-rtp" if trunk == SKT else "zeros",)
    await phone.hang_up()
    await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    assert len(voice.alerts(caller)) == 1


@pytest_twisted.ensureDeferred
async def test_a_slot_of_the_journal_keeps_the_calls_before_and_drops_the_oldest_when_it_is_full(voice):
    """A call writes into the slot of those 1021, 2042 … channels before it."""
    await voice.start()
    caller, *earlier = (voice.caller() for _ in range(8))
    await voice.kill9()
    phone, _ = await voice.connected_call(caller)

    (slot,) = voice.exchange.journal()
    began = int(time.time()) - 60  # no second of the real call, whose Uniqueid one of them would have
    calls = [Held(number, began=began, caller=national(each)) for number, each in enumerate(earlier)]
    for call in calls:
        call.sip_call_id = "10@192.0.2.100"  # so long that one note too many is in the slot
    notes = [call.note(str(began)) for call in calls]
    voice.exchange.note(slot, "".join(f"~{note}" for note in notes) + voice.exchange.journal()[slot])
    await phone.hang_up()
    await voice.until(lambda: not voice.exchange.channels())
    assert len(voice.exchange.journal()[slot]) == SLOT_CHARACTERS
    await voice.start()

    for each in (caller, *earlier[1:]):
        await voice.until_told(each, call_state="ended")
    assert voice.reports(earlier[0]) == []
    assert voice.logged("journal was full: calls of this time may be missing", slots=1)


@pytest_twisted.ensureDeferred
async def test_stopped_in_good_order_during_a_call_it_takes_the_call_up_again(voice):
    await voice.start()
    caller = voice.caller()
    phone, _ = await voice.connected_call(caller)
    await voice.until_told(caller, call_state="connected")

    await voice.restart()
    assert phone.is_up
    await phone.hang_up()

    await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    assert [report.msg_type for report in voice.reports(caller)][:2] == ["Alert", "Update"]
    assert len(voice.alerts(caller)) == 1
    assert voice.logged("alarm", alarm="link-down") == []


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_hangs_holds_up_no_call(voice):
    await voice.start()
    caller = voice.caller()

    voice.daemon.signal(signal.SIGSTOP)
    phone, centre = await voice.connected_call(caller)
    assert centre.invite.at - phone.began_at < 0.8
    assert voice.centre.requests == 0
    voice.daemon.signal(signal.SIGCONT)

    await voice.until_told(caller, call_state="connected")
    assert len(voice.alerts(caller)) == 1


# -- the way between daemon and Asterisk -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["refused", "lost"])
@pytest_twisted.ensureDeferred
async def test_calls_go_on_while_the_manager_interface_is_cut_off_and_all_is_told_afterwards(voice, how):
    """Three seconds here. What came is told from the channel list, what came and went from the journal."""
    proxy = AmiProxy(voice.reactor, voice.exchange.ami)
    proxy.listen()
    voice.ping_s = 1.0
    await voice.start(ami=proxy.port)
    stands, ends, comes_and_goes, comes, gives_up = (voice.caller() for _ in range(5))
    phones = {caller: (await voice.connected_call(caller))[0] for caller in (stands, ends)}
    for caller in (stands, ends):
        await voice.until_told(caller, call_state="connected")

    if how == "refused":
        await proxy.refuse()
    else:
        proxy.lose_everything()
    await voice.until(lambda: voice.logged("alarm", alarm="link-down", about="voice-1"))
    phones[comes_and_goes], there = await voice.connected_call(comes_and_goes)
    phones[comes], _ = await voice.connected_call(comes, KT)
    voice.operators[0].never_answer()
    phones[gives_up] = voice.call(gives_up)
    await voice.until(lambda: voice.rung(gives_up))
    for caller in (ends, comes_and_goes, gives_up):
        await phones[caller].hang_up()
    await voice.listen_on(1.0)
    assert voice.reports(comes) == voice.reports(comes_and_goes) == voice.reports(gives_up) == []
    proxy.mend()

    await voice.until(lambda: voice.logged("alarm over", alarm="link-down", about="voice-1"))
    await voice.until_told(ends, call_state="ended")
    told = await voice.until_told(comes_and_goes, call_state="ended")
    assert told.incident == there.invite.headers.get("x-incident-id")
    await voice.until_told(comes, call_state="connected", call_route="112-1")
    await voice.until_told(gives_up, call_state="ended")
    for caller in (stands, comes):
        await phones[caller].hang_up()
        await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    assert [len(voice.alerts(caller)) for caller in phones] == [1] * 5
    assert all(phone.is_silent for phone in phones.values())
    assert len(voice.logged("alarm", alarm="link-down", about="voice-1")) == 1
    await proxy.close()


# -- Asterisk --------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_asterisk_killed_in_mid_call_the_call_is_told_as_ended_and_the_next_one_works(voice):
    await voice.start()
    caller, next_caller = voice.caller(), voice.caller()
    phone, _ = await voice.connected_call(caller)
    await voice.until_told(caller, call_state="connected")

    voice.exchange.kill()
    await voice.until(lambda: voice.logged("alarm", alarm="link-down", about="voice-1"))
    await voice.restart_asterisk()
    told = await voice.until_told(caller, call_state="ended")
    await voice.until(lambda: voice.logged("alarm over", alarm="link-down", about="voice-1"))
    await voice.connected_call(next_caller)
    await voice.until_told(next_caller, call_state="connected")

    assert "call-ended-by" not in told.parameters
    assert told.parameters["incident-state"] == ("open",)
    assert len(voice.alerts(caller)) == 1
    assert phone.is_silent


@pytest_twisted.ensureDeferred
async def test_asterisk_stopped_by_an_operator_in_mid_call_hangs_up_and_the_next_call_works(voice):
    voice.expected_errors = (BOTH_ENDS_AT_ONCE,)
    await voice.start()
    caller, next_caller = voice.caller(), voice.caller()
    phone, centre = await voice.connected_call(caller, KT)
    await voice.until_told(caller, call_state="connected")

    await voice.stop_asterisk()
    assert await voice.soon(phone.ended()) is EndedBy.THEM
    assert await voice.soon(centre.ended()) is EndedBy.THEM
    await voice.restart_asterisk()
    await voice.until_told(caller, call_state="ended")
    await voice.connected_call(next_caller, KT)
    await voice.until_told(next_caller, call_state="connected")

    assert len(voice.alerts(caller)) == len(voice.alerts(next_caller)) == 1
    assert phone.is_silent


@pytest_twisted.ensureDeferred
async def test_a_recording_that_cannot_be_written_is_an_alarm_and_no_name_that_112_is_told(voice):
    folder = voice.exchange.instance.recordings
    voice.expected_errors = (str(folder),)
    await voice.start()
    caller, next_caller = voice.caller(), voice.caller()

    away = folder.rename(folder.with_name("monitor-away"))
    folder.touch()
    phone, centre = await voice.connected_call(caller)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
    await voice.until(lambda: voice.logged("alarm", alarm="recording-failing"))
    await phone.hang_up()
    ended = await voice.until_told(caller, call_state="ended")
    folder.unlink()
    away.rename(folder)
    phone, centre = await voice.connected_call(next_caller)
    await voice.hears(lambda: centre.ears.heard(PHONE_HZ))
    await phone.hang_up()
    told = await voice.until_told(next_caller, call_state="ended")

    (alarm,) = voice.logged("alarm", alarm="recording-failing")
    assert (alarm["about"], alarm["incident"]) == ("voice-1", ended.incident)
    assert "call-recording" not in ended.parameters
    assert told.parameters["call-recording"] == (f"{told.incident}.wav",)


# -- the store -------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_locked_store_keeps_neither_the_call_nor_the_report_from_112(voice):
    await voice.start()
    caller = voice.caller()
    other = sqlite3.connect(voice.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    phone, centre = await voice.connected_call(caller)
    await voice.until(lambda: voice.alerts(caller))
    await voice.until(lambda: voice.logged("alarm", alarm="store-unavailable"))
    await voice.until(lambda: voice.logged("relayed directly", channel="seoul-a"))
    other.execute("ROLLBACK")
    other.close()

    told = await voice.until_told(caller, call_state="connected")
    await phone.hang_up()
    await voice.until_told(caller, call_state="ended", call_ended_by="caller")
    (alert,) = voice.alerts(caller)
    named = centre.invite.headers.get("x-incident-id")
    assert alert.incident == told.incident == named
    assert voice.daemon.rows("SELECT id, state, press_count FROM incident") == [(named, "open", 1)]
    await voice.until(lambda: voice.logged("alarm over", alarm="store-unavailable"))
    assert phone.is_silent
