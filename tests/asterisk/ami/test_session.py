"""The machine of an AMI connection: inputs, and the exact list of what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telephony.asterisk.ami.session import (
    INPUTS,
    NOT_BOOTED,
    TABLE,
    TIMER_BANNER,
    TIMER_BOOT,
    TIMER_LOGIN,
    TIMER_PING,
    TIMER_QUIET,
    LoginRefused,
    Note,
    SendChallenge,
    SendLogin,
    SendPing,
    new_session,
)
from telephony.net.lifecycle import TIMER_CLOSE, Abort, Close, Down, Gone, Up

DRAWINGS = Path(__file__).parents[3] / "docs" / "state-machines"

GREETED = [("connected", (), (TIMER_BANNER,)), ("greeted", (), (SendChallenge(), TIMER_LOGIN))]
CHALLENGED = [*GREETED, ("challenged", ("42",), (SendLogin("42"), TIMER_LOGIN))]
LOGGED_IN = [*CHALLENGED, ("login_accepted", (), (TIMER_BOOT,))]
READY = [*LOGGED_IN, ("fully_booted", (), (Up(), TIMER_QUIET))]
PINGING = [*READY, ("timed_out", (), (SendPing(), TIMER_PING))]

LIVES = {
    "a port that is silent": [
        GREETED[0],
        ("timed_out", (), (Abort(),)),
        ("lost", ("aborted",), (Gone("no banner in time"),)),
        ("lost", ("again",), ()),
    ],
    "a port where somebody else speaks": [
        GREETED[0],
        ("drop", ("no banner of Asterisk",), (Abort(),)),
        ("lost", ("aborted",), (Gone("no banner of Asterisk"),)),
    ],
    "a challenge that does not come": [
        *GREETED,
        ("timed_out", (), (Abort(),)),
        ("lost", ("aborted",), (Gone("no challenge in time"),)),
    ],
    "a login that is not answered": [
        *CHALLENGED,
        ("timed_out", (), (Abort(),)),
        ("lost", ("aborted",), (Gone("login not answered in time"),)),
    ],
    "a login refused": [
        *CHALLENGED,
        (
            "login_refused",
            ("Authentication failed",),
            (LoginRefused("Authentication failed"), Close(), TIMER_CLOSE),
        ),
        ("lost", ("closed",), (Gone("login refused: Authentication failed"),)),
    ],
    "a challenge refused, and Asterisk does not close": [
        *GREETED,
        ("login_refused", ("no",), (LoginRefused("no"), Close(), TIMER_CLOSE)),
        ("timed_out", (), (Abort(),)),
        ("lost", ("aborted",), (Gone("login refused: no"),)),
    ],
    "an Asterisk that does not say FullyBooted": [
        *LOGGED_IN,
        ("timed_out", (), (NOT_BOOTED, Up(), TIMER_QUIET)),
        ("fully_booted", (), ()),
    ],
    "FullyBooted a second time": [*READY, ("fully_booted", (), ())],
    "a silence that a Ping ends": [
        *PINGING,
        ("heard", (), (TIMER_QUIET,)),
        ("heard", (), ()),
        ("timed_out", (), (SendPing(), TIMER_PING)),
    ],
    "a dead link": [
        *PINGING,
        ("timed_out", (), (Down("dead"), Abort())),
        ("lost", ("aborted",), (Gone("dead"),)),
    ],
    "a link that breaks": [*READY, ("lost", ("reset",), (Down("reset"), Gone("reset")))],
    "a link that breaks after Ping": [*PINGING, ("lost", ("reset",), (Down("reset"), Gone("reset")))],
    "a link that breaks while Asterisk boots": [*LOGGED_IN, ("lost", ("reset",), (Gone("reset"),))],
    "an Asterisk that is shut down": [
        *READY,
        ("shutting_down", (), (Note("Asterisk is shutting down"),)),
        ("lost", ("closed",), (Down("Asterisk shut down"), Gone("Asterisk shut down"))),
    ],
    "an Asterisk that is shut down while it boots": [
        *LOGGED_IN,
        ("shutting_down", (), (Note("Asterisk is shutting down"),)),
        ("lost", ("closed",), (Gone("Asterisk shut down"),)),
    ],
    "an Asterisk that is shut down after Ping": [
        *PINGING,
        ("shutting_down", (), (Note("Asterisk is shutting down"),)),
        ("timed_out", (), (Down("dead"), Abort())),
    ],
    "a stream that breaks": [
        *READY,
        ("drop", ("a line is too long",), (Down("a line is too long"), Abort())),
        ("lost", ("aborted",), (Gone("a line is too long"),)),
    ],
    "our stop": [
        *READY,
        ("stop", (), (Down("stopped"), Close(), TIMER_CLOSE)),
        ("stop", (), ()),
        ("lost", ("closed",), (Gone("stopped"),)),
    ],
    "our stop after Ping, and an Asterisk that does not close": [
        *PINGING,
        ("stop", (), (Down("stopped"), Close(), TIMER_CLOSE)),
        ("timed_out", (), (Abort(),)),
        ("lost", ("aborted",), (Gone("stopped"),)),
    ],
    "our stop before the login": [
        *GREETED,
        ("stop", (), (Close(), TIMER_CLOSE)),
        ("challenged", ("42",), ()),
    ],
    "our stop during the login": [
        *CHALLENGED,
        ("stop", (), (Close(), TIMER_CLOSE)),
        ("login_accepted", (), ()),
    ],
    "our stop during the boot": [*LOGGED_IN, ("stop", (), (Close(), TIMER_CLOSE)), ("fully_booted", (), ())],
}
ARGUMENTS = {"challenged": ("1",), "login_refused": ("x",), "drop": ("x",), "lost": ("x",)}


def live(life):
    session = new_session()
    return session, [getattr(session, event)(*arguments) for event, arguments, _ in life]


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_a_session_lives_as_written(life):
    _, outputs = live(life)

    assert outputs == [expected for _, _, expected in life]


def test_every_state_takes_every_input():
    """An input that means nothing in a state changes nothing; it is never an error."""
    for life in LIVES.values():
        for length in range(len(life) + 1):
            for event in INPUTS:
                session, _ = live(life[:length])
                effects = getattr(session, event.__name__)(*ARGUMENTS.get(event.__name__, ()))
                assert isinstance(effects, tuple)


def test_down_follows_up_exactly_once_and_nothing_follows_gone():
    for life in LIVES.values():
        for ending in ("lost", "drop", "stop"):
            for length in range(1, len(life) + 1):
                session, outputs = live(life[:length])
                outputs.append(getattr(session, ending)(*ARGUMENTS.get(ending, ())))
                outputs.append(session.lost("y"))
                effects = [effect for output in outputs for effect in output]
                ups = [type(effect) for effect in effects if isinstance(effect, Up | Down)]
                assert ups in ([], [Up, Down])
                assert sum(isinstance(effect, Gone) for effect in effects) == 1
                assert isinstance(effects[-1], Gone)


def test_every_state_that_waits_has_a_timer():
    """Whatever Asterisk does not say, the session ends or asks again."""
    for life in (GREETED[:1], GREETED, CHALLENGED, LOGGED_IN, READY, PINGING):
        session, outputs = live(life)
        assert type(outputs[-1][-1]) is type(TIMER_QUIET)
        assert session.timed_out() != ()


def test_the_drawing_shows_every_arrow_and_no_other():
    drawn = set(
        re.findall(r'^\s*(\w+) -> (\w+) \[label="(\w+)"\]', (DRAWINGS / "ami.dot").read_text(), re.MULTILINE)
    )

    assert drawn == {(state, following, event.__name__) for state, event, following, _ in TABLE}
