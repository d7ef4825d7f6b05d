"""The states of an incident: what 112 does about it only goes forward, and nothing comes back from closed."""

from __future__ import annotations

import pytest

from telephony.domain.incident import (
    ACKNOWLEDGED,
    CLOSED,
    DISPATCHED,
    OPEN,
    TRANSITIONS,
    IncidentState,
    is_entered,
)

WAY = (OPEN, ACKNOWLEDGED, DISPATCHED, CLOSED)


def test_every_state_may_become_any_later_one_and_no_earlier_one():
    assert set(TRANSITIONS) == set(IncidentState) == set(WAY)
    for place, state in enumerate(WAY):
        assert TRANSITIONS[state] == set(WAY[place + 1 :])


@pytest.mark.parametrize(
    ("state", "wanted", "entered"),
    [
        (OPEN, ACKNOWLEDGED, False),
        (OPEN, DISPATCHED, False),
        (ACKNOWLEDGED, ACKNOWLEDGED, True),
        (ACKNOWLEDGED, DISPATCHED, False),
        (DISPATCHED, ACKNOWLEDGED, True),
        (DISPATCHED, DISPATCHED, True),
    ],
)
def test_what_is_dispatched_was_acknowledged(state, wanted, entered):
    assert is_entered(state, wanted) is entered


def test_the_word_of_a_row_is_its_state():
    assert not is_entered("open", ACKNOWLEDGED)
    assert is_entered("dispatched", ACKNOWLEDGED)
