"""The machine of a connection: inputs, and the exact list of what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telephony.net.lifecycle import TIMER_CLOSE, Abort, Close, Down, Gone, Up
from telephony.smpp.effects import (
    AnswerBind,
    AnswerUnbind,
    BindRefused,
    Drain,
    SendBind,
    SendNack,
    SendUnbind,
)
from telephony.smpp.heartbeat import Beat, new_heartbeat
from telephony.smpp.session import INPUTS, TABLE, TIMER_BIND, TIMER_UNBIND, new_session

DRAWINGS = Path(__file__).parents[2] / "docs" / "state-machines"

BOUND_ESME = [("connected", (), (SendBind(), TIMER_BIND)), ("bind_confirmed", (), (Up(),))]
BOUND_SMSC = [("accepted", (), (TIMER_BIND,)), ("bind_admitted", (), (AnswerBind(0), Up()))]
CLOSED = [("lost", ("closed",), ())]

LIVES = {
    "a bind refused for its password": [
        BOUND_ESME[0],
        ("bind_rejected", (0x0E,), (BindRefused(0x0E), TIMER_UNBIND, Drain())),
        ("drained", (), (Close(), TIMER_CLOSE)),
        ("lost", ("closed",), (Gone("bind refused"),)),
        *CLOSED,
    ],
    "an SMSC that takes the connection and says nothing": [
        BOUND_ESME[0],
        ("timed_out", (), (Abort(),)),
        ("lost", ("aborted",), (Gone("no bind_resp in time"),)),
    ],
    "our stop": [
        *BOUND_ESME,
        ("unbind", (), (Down("stopped"), SendUnbind(), TIMER_UNBIND)),
        ("unbind", (), ()),
        ("unbind_confirmed", (), (Drain(),)),
        ("drained", (), (Close(), TIMER_CLOSE)),
        ("lost", ("closed",), (Gone("stopped"),)),
    ],
    "our stop while the bind is on its way": [
        BOUND_ESME[0],
        ("unbind", (), (SendUnbind(), TIMER_UNBIND)),
        ("bind_confirmed", (), ()),
        ("unbind_confirmed", (), (Drain(),)),
        ("drained", (), (Close(), TIMER_CLOSE)),
    ],
    "our stop, and an SMSC that answers no unbind and closes nothing": [
        *BOUND_ESME,
        ("unbind", (), (Down("stopped"), SendUnbind(), TIMER_UNBIND)),
        ("timed_out", (), (Close(), TIMER_CLOSE)),
        ("timed_out", (), (Abort(),)),
        ("lost", ("aborted",), (Gone("unbind not answered"),)),
    ],
    "both sides leave at once": [
        *BOUND_ESME,
        ("unbind", (), (Down("stopped"), SendUnbind(), TIMER_UNBIND)),
        ("peer_unbound", (9,), (AnswerUnbind(9),)),
        ("unbind_confirmed", (), (Drain(),)),
        ("drained", (), (Close(), TIMER_CLOSE)),
    ],
    "the peer leaves": [
        *BOUND_SMSC,
        ("peer_unbound", (9,), (Down("unbound by the peer"), TIMER_UNBIND, Drain())),
        ("drained", (), (AnswerUnbind(9), Close(), TIMER_CLOSE)),
        ("lost", ("closed",), (Gone("unbound by the peer"),)),
    ],
    "the peer leaves, and our answers take too long": [
        *BOUND_SMSC,
        ("peer_unbound", (9,), (Down("unbound by the peer"), TIMER_UNBIND, Drain())),
        ("timed_out", (), (AnswerUnbind(9), Close(), TIMER_CLOSE)),
        ("drained", (), ()),
    ],
    "an SMSC that leaves before it answers our bind": [
        BOUND_ESME[0],
        ("peer_unbound", (9,), (TIMER_UNBIND, Drain())),
        ("bind_confirmed", (), ()),
        ("drained", (), (AnswerUnbind(9), Close(), TIMER_CLOSE)),
        ("lost", ("closed",), (Gone("unbound by the peer"),)),
    ],
    "an SMSC that leaves before it answers our bind, and answers of ours that take too long": [
        BOUND_ESME[0],
        ("peer_unbound", (9,), (TIMER_UNBIND, Drain())),
        ("timed_out", (), (AnswerUnbind(9), Close(), TIMER_CLOSE)),
    ],
    "framing lost before our bind is answered": [
        BOUND_ESME[0],
        ("framing_lost", (), (TIMER_UNBIND, Drain())),
        ("drained", (), (SendNack(), Close(), TIMER_CLOSE)),
        ("lost", ("closed",), (Gone("framing lost"),)),
    ],
    "a peer that leaves before it binds": [
        BOUND_SMSC[0],
        ("peer_unbound", (4,), (AnswerUnbind(4), Close(), TIMER_CLOSE)),
    ],
    "a bind denied": [
        BOUND_SMSC[0],
        ("bind_denied", (0x0E,), (AnswerBind(0x0E), BindRefused(0x0E), Close(), TIMER_CLOSE)),
    ],
    "a caller that never binds": [BOUND_SMSC[0], ("timed_out", (), (Abort(),))],
    "an outbind": [
        ("awaiting_outbind", (), (TIMER_BIND,)),
        ("outbind_believed", (), (SendBind(), TIMER_BIND)),
        ("bind_confirmed", (), (Up(),)),
    ],
    "an outbind of a stranger": [
        ("awaiting_outbind", (), (TIMER_BIND,)),
        ("outbind_doubted", (), (Close(), TIMER_CLOSE)),
        ("outbind_believed", (), ()),
    ],
    "a dead link": [
        *BOUND_ESME,
        ("found_dead", (), (Down("dead"), Abort())),
        ("lost", ("aborted",), (Gone("dead"),)),
    ],
    "a link that breaks": [*BOUND_ESME, ("lost", ("reset",), (Down("reset"), Gone("reset"))), *CLOSED],
    "framing lost while bound": [
        *BOUND_ESME,
        ("framing_lost", (), (Down("framing lost"), TIMER_UNBIND, Drain())),
        ("drained", (), (SendNack(), Close(), TIMER_CLOSE)),
    ],
    "framing lost before the bind": [BOUND_SMSC[0], ("framing_lost", (), (SendNack(), Close(), TIMER_CLOSE))],
    "framing lost while leaving": [
        *BOUND_ESME,
        ("unbind", (), (Down("stopped"), SendUnbind(), TIMER_UNBIND)),
        ("framing_lost", (), (Drain(),)),
        ("drained", (), (SendNack(), Close(), TIMER_CLOSE)),
    ],
    "answers to nothing": [
        *BOUND_ESME,
        ("unbind_confirmed", (), ()),
        ("drained", (), ()),
        ("timed_out", (), ()),
    ],
    "a second bind_resp": [*BOUND_ESME, ("bind_confirmed", (), ()), ("bind_rejected", (5,), ())],
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_a_session_lives_as_written(life):
    session = new_session()

    outputs = [getattr(session, event)(*arguments) for event, arguments, _ in life]

    assert outputs == [expected for _, _, expected in life]


def test_every_state_takes_every_input():
    """An input that means nothing in a state changes nothing; it is never an error."""
    arguments = {
        "bind_rejected": (1,),
        "bind_denied": (1,),
        "peer_unbound": (1,),
        "drop": ("x",),
        "lost": ("x",),
    }
    for life in LIVES.values():
        for length in range(len(life) + 1):
            for event in INPUTS:
                session = new_session()
                for name, given, _ in life[:length]:
                    getattr(session, name)(*given)
                assert isinstance(getattr(session, event.__name__)(*arguments.get(event.__name__, ())), tuple)


def test_down_follows_up_exactly_once_and_nothing_follows_gone():
    for life in LIVES.values():
        for ending in ("lost", "drop"):
            for length in range(1, len(life) + 1):
                session = new_session()
                effects = [
                    effect
                    for name, given, _ in [*life[:length], (ending, ("x",), ()), ("lost", ("y",), ())]
                    for effect in getattr(session, name)(*given)
                ]
                ups = [type(effect) for effect in effects if isinstance(effect, Up | Down)]
                assert ups in ([], [Up, Down])
                assert sum(isinstance(effect, Gone) for effect in effects) == 1
                assert isinstance(effects[-1], Gone)


def test_the_drawing_shows_every_arrow_and_no_other():
    drawn = set(
        re.findall(
            r'^\s*(\w+) -> (\w+) \[label="(\w+)"\]', (DRAWINGS / "smpp-session.dot").read_text(), re.MULTILINE
        )
    )

    assert drawn == {(state, following, event.__name__) for state, event, following, _ in TABLE}


def test_two_misses_are_a_dead_link():
    heartbeat = new_heartbeat()

    beats = [heartbeat.heard(), heartbeat.silent(), heartbeat.silent(), heartbeat.silent(), heartbeat.heard()]

    assert beats == [Beat.WAIT, Beat.ENQUIRE, Beat.ENQUIRE, Beat.DEAD, Beat.DEAD]


def test_one_answer_makes_up_for_a_miss():
    heartbeat = new_heartbeat()

    beats = [heartbeat.silent(), heartbeat.silent(), heartbeat.heard(), heartbeat.silent(), heartbeat.heard()]

    assert beats == [Beat.ENQUIRE, Beat.ENQUIRE, Beat.WAIT, Beat.ENQUIRE, Beat.WAIT]
