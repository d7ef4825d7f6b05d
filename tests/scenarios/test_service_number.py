"""The service number on a real Asterisk: a person tries her SOS key out, and whatever our daemon does she is not left in
silence, nor a channel behind her."""

from __future__ import annotations

import signal

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from telephony.lab.phones.handset import Caller
from telephony.lab.phones.sip_agent import EndedBy
from tests.scenarios.service_line import (
    CALLER,
    PROMPT_S,
    MenuProcess,
    ServiceLine,
    eventually,
    hanging,
    heard,
)
from tests.scenarios.service_menu_process import DIGIT_S

pytestmark = pytest.mark.xdist_group("service-number")

IDLE_S = 4.0
"""Longest step of the menu here; 30 s as shipped."""
SORRY = {"ko/service-sorry", "en/service-sorry"}


@pytest.fixture(scope="module")
def asterisk():
    line = ServiceLine(reactor)
    yield line
    line.close()


@pytest.fixture
def line(asterisk):
    """Whatever a test has done, no channel is left, and Asterisk has nothing to complain about but the connection."""
    yield asterisk
    pytest_twisted.blockon(Deferred.fromCoroutine(asterisk.hang_up()))
    assert pytest_twisted.blockon(Deferred.fromCoroutine(asterisk.channels_are_gone()))
    assert "ERROR" not in asterisk.log


@pytest.fixture
def menus(line):
    """Starts the menu; it is gone afterwards."""
    started = []

    def start(answer="recorded"):
        started.append(MenuProcess(line.agi_port, idle_s=IDLE_S, answer=answer))
        return started[-1]

    yield start
    for menu in started:
        menu.close()


# -- the daemon is well ---------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_key_is_tested_in_the_language_of_her_choice(line, menus):
    menu = menus()
    call = line.call()
    assert await line.hears(call, "ko/service-language") < 1
    await line.hears(call, "en/service-language")
    await call.press("2")
    await line.hears(call, "en/service-menu")
    await call.press("1")
    await line.hears(call, "en/service-recorded")
    await line.hears(call, "en/service-menu", time=2)
    await call.hang_up()

    (trigger,) = menu.lines("trigger")
    assert trigger["reference"].startswith("voice-1/voice-1-")
    del trigger["reference"], trigger["event"]
    assert trigger == {
        "test": True,
        "source": "call",
        "connector": "skt-voice",
        "carrier": "skt",
        "number": "821012345678",
        "destination": "1588112",
    }
    assert not heard(call) & SORRY
    await eventually(reactor, lambda: menu.lines("service call cut short"))


@pytest_twisted.ensureDeferred
async def test_a_test_that_was_not_recorded_is_said_to_be_so(line, menus):
    menus("not-recorded")
    call = line.call()
    await line.hears(call, "ko/service-language")
    await call.press("1")
    await line.hears(call, "ko/service-menu")
    await call.press("1")
    await line.hears(call, "ko/service-not-recorded")
    assert "ko/service-recorded" not in heard(call)


@pytest_twisted.ensureDeferred
async def test_who_presses_nothing_hears_the_menu_three_times_and_goodbye(line, menus):
    """It takes longer than both bounds together: each step renews its own."""
    menu = menus()
    call = line.call()
    for time in (1, 2, 3):
        await line.hears(call, "ko/service-menu", time=time)
    goodbye_after_s = await line.hears(call, "ko/service-goodbye")
    assert await call.ended() is EndedBy.THEM
    assert goodbye_after_s > IDLE_S + 1
    assert not heard(call) & SORRY
    assert menu.lines("service call served")


@pytest_twisted.ensureDeferred
async def test_a_name_full_of_agi_says_nothing_to_the_menu(line, menus):
    menu = menus()
    call = line.call(Caller(CALLER, 'x"\\ agi_callerid: 112, agi_arg_1: /etc ${SHELL(id)}'))
    await line.hears(call, "ko/service-language")
    await call.press("1")
    await line.hears(call, "ko/service-menu")
    await call.press("1")
    await line.hears(call, "ko/service-recorded")
    assert [trigger["number"] for trigger in menu.lines("trigger")] == ["821012345678"]
    assert "SHELL" not in menu.said


@pytest_twisted.ensureDeferred
async def test_a_caller_without_a_number_may_test_her_key(line, menus):
    menu = menus()
    call = line.call(Caller("anonymous", is_asserted=False))
    await line.hears(call, "ko/service-language")
    await call.press("1")
    await line.hears(call, "ko/service-menu")
    await call.press("1")
    await line.hears(call, "ko/service-recorded")
    assert [trigger["number"] for trigger in menu.lines("trigger")] == [""]


# -- the daemon is not ----------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_is_down_is_told_at_once(line):
    call = line.call()
    assert await line.hears(call, "ko/service-sorry") < 1
    await line.hears(call, "en/service-sorry")
    assert await call.ended() is EndedBy.THEM
    assert heard(call) == SORRY


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_hangs_from_the_start_is_told_after_two_seconds(line):
    with hanging(line.agi_port):
        call = line.call()
        assert 2.0 < await line.hears(call, "ko/service-sorry", 5) < 3.0
        await line.hears(call, "en/service-sorry")
        assert await call.ended() is EndedBy.THEM
        assert heard(call) == SORRY
        assert await line.channels_are_gone()


@pytest_twisted.ensureDeferred
async def test_a_caller_who_does_not_wait_for_a_hanging_daemon_leaves_no_channel(line):
    """Without AGIEXITONHANGUP the channel of a caller who has gone stays for as long as the daemon hangs."""
    with hanging(line.agi_port):
        call = line.call()
        await call.answered()
        assert line.channels == 1
        await call.hang_up()
        assert await line.channels_are_gone()


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_stops_in_mid_menu_is_told_after_the_time_of_a_step(line, menus):
    menu = menus()
    call = line.call()
    await line.hears(call, "ko/service-language")
    await call.press("1")
    step_began_s = await line.hears(call, "ko/service-menu")
    menu.signal(signal.SIGSTOP)
    assert IDLE_S - 1 < await line.hears(call, "ko/service-sorry", 10) - step_began_s < IDLE_S + 1
    assert await call.ended() is EndedBy.THEM
    assert await line.channels_are_gone()

    menu.signal(signal.SIGCONT)
    await eventually(reactor, lambda: menu.lines("service call cut short"))
    again = line.call()
    await line.hears(again, "ko/service-language")


@pytest_twisted.ensureDeferred
async def test_a_daemon_that_dies_in_mid_menu_is_told_before_the_next_step(line, menus):
    """The prompt goes on to its end, and the wait for a digit too."""
    menu = menus()
    call = line.call()
    await line.hears(call, "ko/service-language")
    await call.press("1")
    await line.hears(call, "ko/service-menu")
    menu.signal(signal.SIGKILL)
    died_s = reactor.seconds() - call.began_at
    assert await line.hears(call, "ko/service-sorry") - died_s < PROMPT_S + DIGIT_S + 1
    assert await call.ended() is EndedBy.THEM
