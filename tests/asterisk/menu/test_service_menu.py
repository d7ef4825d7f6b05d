"""The menu of the service number: what is played for which keys, and what a test of an SOS key hands over."""

from __future__ import annotations

import shlex
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from telephony.asterisk.menu.agi import Reply, Request
from telephony.asterisk.menu.agi_server import Agi, CallOver
from telephony.asterisk.menu.service_menu import MOST_TURNS, Menu
from telephony.asterisk.settings import ServiceMenu
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.values import Msisdn
from tests.awaiting import failure_of, is_waiting, result_of

SOUNDS = "/srv/sounds"
SHIPPED = Path(__file__).resolve().parents[3] / "dialplans" / "sounds"
RATE = 8_000
"""Octets a second of G.711."""
REQUEST = Request("menu", "voice-1", "voice-1-1763900000.12", "01012345678", "1588112", (SOUNDS, "skt-voice"))
LANGUAGES = ["ko/service-language", "en/service-language"]
MENU = "ko/service-menu"
GOODBYE = "ko/service-goodbye"
NOBODY_PRESSED = [MENU, MENU, MENU, GOODBYE]


class Caller:
    """A caller on a real-looking channel: presses these keys, one after each time that the menu waits for her.

    ``at_once`` names prompts that she interrupts, with the key. She hangs up when the keys are used up and
    ``then_hangs_up``; otherwise she is silent.
    """

    def __init__(self, *keys, at_once=None, then_hangs_up=False, missing=()):
        self._keys = deque(keys)
        self._at_once = dict(at_once or {})
        self._then_hangs_up = then_hangs_up
        self._missing = missing
        self.commands = []
        self.heard = []
        self.variables = {}
        self.bounds = 0

    def send(self, command):
        verb, *arguments = shlex.split(command.decode())
        self.commands.append(verb)
        match verb, *arguments:
            case "SET", "VARIABLE", "TIMEOUT(absolute)", seconds:
                self.bounds += 1
                assert seconds == "30"
            case "SET", "VARIABLE", name, value:
                self.variables[name] = value
            case "STREAM", "FILE", file, _digits:
                prompt = file.removeprefix(f"{SOUNDS}/")
                self.heard.append(prompt)
                if prompt in self._missing:
                    return succeed(Reply(200, -1, 0))
                key = self._at_once.pop(prompt, "")
                return succeed(Reply(200, ord(key) if key else 0, 8000))
            case "WAIT", "FOR", "DIGIT", "5000":
                if self._then_hangs_up and not self._keys:
                    return fail(CallOver("hung up"))
                key = self._keys.popleft() if self._keys else ""
                return succeed(Reply(200, ord(key) if key else 0))
            case _:
                pytest.fail(f"an unknown command {command}")
        return succeed(Reply(200, 1))

    @property
    def was_served(self):
        return self.variables.get("SERVICE_MENU") == "done"


class Door:
    """Accepts presses as told."""

    def __init__(self, answer=None):
        self.answer = answer or Receipt("sos-20261123-0001-120000", Join.FIRST)
        self.triggers = []

    async def accept(self, trigger):
        self.triggers.append(trigger)
        return await self.answer if isinstance(self.answer, Deferred) else self.answer


def menu(door=None, **changes):
    clock = Clock()
    clock.advance(1_763_900_030.5)
    parts = {"carriers": {"skt-voice": "skt", "kt-voice": "kt"}, "default_carrier": "lgu", "clock": clock}
    return Menu(ServiceMenu(), (door or Door()).accept, **(parts | changes))


def call(caller, door=None, request=REQUEST, **changes):
    result_of(menu(door, **changes).run(Agi(request, caller.send)))
    return caller


# -- what is heard --------------------------------------------------------------------------------------------------


def test_the_first_question_is_asked_in_both_languages():
    assert call(Caller("1")).heard == LANGUAGES + NOBODY_PRESSED


def test_english_is_spoken_to_who_chooses_it():
    heard = call(Caller("2", "", "", "")).heard
    assert heard == [
        *LANGUAGES,
        "en/service-menu",
        "en/service-menu",
        "en/service-menu",
        "en/service-goodbye",
    ]


@pytest.mark.parametrize("key", ["", "3", "*"])
def test_who_does_not_choose_is_spoken_to_in_the_language_of_the_service(key):
    assert call(Caller(key), language="en").heard[2] == "en/service-menu"
    assert call(Caller(key)).heard[2] == "ko/service-menu"


def test_a_language_may_be_chosen_while_the_question_is_still_being_asked():
    assert call(Caller(at_once={"ko/service-language": "2"})).heard[:2] == [
        "ko/service-language",
        "en/service-menu",
    ]
    assert call(Caller(at_once={"en/service-language": "1"})).heard[:3] == [*LANGUAGES, "ko/service-menu"]


def test_silence_is_answered_with_the_menu_again_twice_and_then_goodbye():
    caller = call(Caller())
    assert caller.heard == LANGUAGES + NOBODY_PRESSED
    assert caller.was_served


def test_a_key_that_is_not_in_the_menu_counts_as_silence():
    assert call(Caller("1", "7", "0", "#", "1")).heard == LANGUAGES + NOBODY_PRESSED


def test_a_key_that_is_in_the_menu_restarts_the_counting():
    assert call(Caller("1", "", "", "2")).heard == [*LANGUAGES, MENU, MENU, MENU, *NOBODY_PRESSED]


def test_nine_changes_the_language_and_changes_it_back():
    assert call(Caller("1", "9", "9")).heard == [*LANGUAGES, MENU, "en/service-menu", *NOBODY_PRESSED]


def test_nobody_stays_for_ever():
    caller = call(Caller("1", *"2" * 100))
    assert caller.heard.count(MENU) == MOST_TURNS
    assert caller.heard[-1] == GOODBYE
    assert caller.was_served


def test_the_first_word_lifts_the_bound_and_every_step_renews_it():
    """Asterisk ends a menu that is not heard of in time: first after two seconds, then after a step's time."""
    caller = call(Caller("1", "1"))
    assert caller.commands[0] == "SET"
    assert caller.bounds == 1 + 4 + 1 + 1  # the language, four menus, what came of the test, goodbye


def test_the_longest_step_of_the_shipped_prompts_fits_into_its_time():
    octets = max(path.stat().st_size for path in SHIPPED.glob("*/service-*.ulaw"))
    assert octets / RATE + ServiceMenu().digit_s < ServiceMenu().idle_s - 5


def test_a_prompt_that_is_missing_is_logged_and_the_menu_goes_on():
    with capture_logs() as said:
        caller = call(Caller(missing=(MENU,)))
    assert caller.was_served
    assert {(line["event"], line["prompt"]) for line in said} == {("prompt not played", "service-menu")}


# -- the test of a key ----------------------------------------------------------------------------------------------


def test_one_makes_a_drill_press_and_says_that_it_is_recorded():
    door = Door()
    caller = call(Caller("1", "1"), door)
    assert caller.heard == [*LANGUAGES, MENU, "ko/service-recorded", *NOBODY_PRESSED]
    (trigger,) = door.triggers
    assert (trigger.test, trigger.source, trigger.connector, trigger.carrier) == (
        True,
        "call",
        "skt-voice",
        "skt",
    )
    assert trigger.msisdn == Msisdn("821012345678")
    assert trigger.reference == "voice-1/voice-1-1763900000.12"
    assert trigger.destination == "1588112"
    assert trigger.received_at == datetime(2025, 11, 23, 12, 13, 50, 500_000, UTC)
    assert (trigger.text, trigger.raw, trigger.position, trigger.incident_id) == (None, None, None, None)


def test_a_test_that_is_not_recorded_is_said_to_be_so():
    caller = call(Caller("2", "1"), Door(Unavailable("the store hangs")))
    assert "en/service-not-recorded" in caller.heard
    assert "en/service-recorded" not in caller.heard


def test_nothing_is_said_of_a_test_before_it_is_recorded():
    recorded = Deferred()
    caller = Caller("1", "1")
    running = Deferred.fromCoroutine(menu(Door(recorded)).run(Agi(REQUEST, caller.send)))
    assert is_waiting(running)
    assert caller.heard == [*LANGUAGES, MENU]
    recorded.callback(Receipt("sos-20261123-0001-120000", Join.FIRST))
    assert result_of(running) is None
    assert caller.heard[3] == "ko/service-recorded"


def test_a_test_may_be_asked_for_while_the_menu_is_still_being_read():
    door = Door()
    call(Caller("1", at_once={MENU: "1"}), door)
    assert len(door.triggers) == 1


@pytest.mark.parametrize(
    ("caller", "expected"), [("", Msisdn("", is_e164=False)), ("114", Msisdn("114", is_e164=False))]
)
def test_a_caller_without_a_number_may_try_her_key_too(caller, expected):
    door = Door()
    call(Caller("1", "1"), door, replace(REQUEST, caller=caller))
    assert door.triggers[0].msisdn == expected


def test_numbers_are_read_as_they_are_written_where_we_are():
    door = Door()
    call(Caller("1", "1"), door, replace(REQUEST, caller="030123"), country_code="49")
    call(Caller("1", "1"), door, replace(REQUEST, caller="03012345"), country_code="49")
    assert [trigger.msisdn.number for trigger in door.triggers] == ["030123", "493012345"]


def test_a_line_that_is_no_carrier_s_is_given_the_default_carrier():
    door = Door()
    call(Caller("1", "1"), door, replace(REQUEST, arguments=(SOUNDS, "landline-1")))
    assert (door.triggers[0].connector, door.triggers[0].carrier) == ("landline-1", "lgu")


def test_the_log_holds_no_number():
    with capture_logs() as said:
        call(Caller("1", "1"))
    (line,) = said
    assert line["event"] == "SOS key tested"
    assert "12345678" not in repr(said)


# -- how it ends otherwise ------------------------------------------------------------------------------------------


def test_a_caller_who_hangs_up_ends_the_menu():
    caller = Caller("1", "9", then_hangs_up=True)
    assert isinstance(failure_of(menu().run(Agi(REQUEST, caller.send))), CallOver)
    assert not caller.was_served


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (SOUNDS,),
        (SOUNDS, ""),
        ("", "skt-voice"),
        ("sounds", "skt-voice"),
        (SOUNDS, "skt voice"),
        (SOUNDS, "skt-voice", "more"),
    ],
)
def test_other_arguments_than_the_dialplan_s_end_the_menu(arguments):
    caller = Caller()
    failure = failure_of(menu().run(Agi(replace(REQUEST, arguments=arguments), caller.send)))
    assert isinstance(failure, Malformed)
    assert caller.heard == []


def test_a_step_must_be_longer_than_the_wait_for_a_digit():
    with pytest.raises(ValidationError, match="digit_s"):
        ServiceMenu(idle_s=5, digit_s=5)
