"""The machine of a link that we dial: inputs, and the exact list of what comes out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.net.dialling import INPUTS, TABLE, Dial, Leave, Stopped, StopWaiting, Wait, new_dialling
from telephony.net.pauses import Failed, TurnedAway, WasUp

DRAWINGS = Path(__file__).parents[2] / "docs" / "state-machines"
ARGUMENTS = {"up": (100.0,), "turned_away": (14,), "ended": ("cut", 107.5)}

STARTED = [("start", (), (Dial(),))]
UP = [*STARTED, ("up", (100.0,), ())]
WAITING = [*STARTED, ("ended", ("refused", 1.0), (Wait(Failed("refused")),))]
LIVES = {
    "a far end where nothing answers": [*WAITING, ("waited", (), (Dial(),))],
    "a far end that lets us in, and drops us": [*UP, ("ended", ("cut", 107.5), (Wait(WasUp(7.5)),))],
    "a far end that does not let us in": [
        *STARTED,
        ("turned_away", (14,), ()),
        ("ended", ("bind refused", 2.0), (Wait(TurnedAway(14)),)),
        ("waited", (), (Dial(),)),
        ("ended", ("no route", 9.0), (Wait(Failed("no route")),)),
    ],
    "one that turns us away while we are up is judged by how long that was": [
        *UP,
        ("turned_away", (14,), ()),
        ("ended", ("cut", 107.5), (Wait(WasUp(7.5)),)),
    ],
    "a stop before the start": [("stop", (), (Stopped(),))],
    "a stop while we dial": [*STARTED, ("stop", (), (Leave(),)), ("ended", ("cancelled", 1.0), (Stopped(),))],
    "a stop while we are up": [
        *UP,
        ("stop", (), (Leave(),)),
        ("stop", (), ()),
        ("up", (1.0,), ()),
        ("ended", ("stopped", 1.0), (Stopped(),)),
    ],
    "a stop in the pause": [*WAITING, ("stop", (), (StopWaiting(), Stopped())), ("waited", (), ())],
    "a start while we stop": [
        *UP,
        ("stop", (), (Leave(),)),
        ("start", (), ()),
        ("ended", ("stopped", 1.0), (Dial(), Stopped())),
    ],
    "a start while we stop, taken back": [
        *UP,
        ("stop", (), (Leave(),)),
        ("start", (), ()),
        ("stop", (), ()),
        ("ended", ("stopped", 1.0), (Stopped(),)),
    ],
    "what one connection was told is not held against the next": [
        *STARTED,
        ("turned_away", (14,), ()),
        ("stop", (), (Leave(),)),
        ("ended", ("cut", 1.0), (Stopped(),)),
        ("start", (), (Dial(),)),
        ("ended", ("no route", 2.0), (Wait(Failed("no route")),)),
    ],
}


def live(inputs):
    link = new_dialling()
    return [getattr(link, name)(*arguments) for name, arguments, *_ in inputs]


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES.keys())
def test_a_link_lives_as_written(life):
    assert live(life) == [effects for *_, effects in life]


NAMES = st.lists(st.sampled_from([each.__name__ for each in INPUTS]), max_size=40)


@given(NAMES)
def test_there_is_never_a_second_attempt_and_a_stop_always_comes_to_its_end(names):
    """Whatever comes in whichever order: dial only when nothing is open, wait for one pause at a time."""
    link = new_dialling()
    is_open = is_waiting = False
    for name in [*names, "stop", "ended"]:
        if (name == "ended" and not is_open) or (name == "waited" and not is_waiting):
            continue
        if name == "ended":
            is_open = False
        if name == "waited":
            is_waiting = False
        for effect in getattr(link, name)(*ARGUMENTS.get(name, ())):
            match effect:
                case Dial():
                    assert not is_open
                    assert not is_waiting
                    is_open = True
                case Wait():
                    assert not is_open
                    assert not is_waiting
                    is_waiting = True
                case StopWaiting():
                    assert is_waiting
                    is_waiting = False
                case Leave():
                    assert is_open
    assert not is_open
    assert not is_waiting
    assert link.stop() == (Stopped(),)


def test_the_drawing_shows_every_arrow_and_no_other():
    drawn = set(
        re.findall(
            r'^\s*(\w+) -> (\w+) \[label="(\w+)"\]', (DRAWINGS / "dialling.dot").read_text(), re.MULTILINE
        )
    )

    assert drawn == {(state, following, event.__name__) for state, event, following, _ in TABLE}
