"""The dialplan's journal: several notes in a slot, cut at its front."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.asterisk.ami.packets import MAX_LINE
from telephony.asterisk.sos.journal import JOURNAL_SLOTS, MOST_NOTES, SLOT_CHARACTERS, read_slot
from tests.asterisk.dialplan.test_files import DIALPLANS
from tests.asterisk.sos_events import SERVER, Held

ENDED = "1795465005"


def slot(*notes: str) -> str:
    return "".join(f"~{note}" for note in notes)


def uniqueids(text: str) -> list[str]:
    return [call.uniqueid for call in read_slot(SERVER, text).calls]


def test_a_slot_gives_the_calls_of_its_notes_oldest_first():
    one, two = Held(3), Held(3 + JOURNAL_SLOTS)

    found = read_slot(SERVER, slot(one.note(ENDED), two.note()))

    assert [(call.uniqueid, call.is_over) for call in found.calls] == [
        (one.uniqueid, True),
        (two.uniqueid, False),
    ]
    assert not found.is_cut


def test_the_last_note_of_a_call_is_the_one_that_counts():
    held = Held()

    [call] = read_slot(SERVER, slot(held.note(), held.note(ENDED))).calls

    assert call.is_over


@pytest.mark.parametrize("kept", range(SLOT_CHARACTERS - 3, SLOT_CHARACTERS + 3))
def test_what_is_left_of_a_note_that_was_cut_is_no_call(kept):
    """``voice-1-1795464999.3`` cut short would be the name of another call: ``e-1-1795464999.3``."""
    notes = slot(*(Held(number).note(ENDED) for number in range(12)))

    found = [uniqueids(notes[-length:]) for length in range(200, kept)]

    assert {each for one in found for each in one} <= {Held(number).uniqueid for number in range(12)}


def test_a_slot_as_long_as_the_dialplan_keeps_it_was_cut():
    notes = slot(*(Held(number).note(ENDED) for number in range(12)))

    assert read_slot(SERVER, notes[-SLOT_CHARACTERS:]).is_cut
    assert not read_slot(SERVER, notes[-SLOT_CHARACTERS + 1 :]).is_cut


def test_a_slot_of_a_dialplan_that_kept_one_note_is_read_too():
    assert uniqueids(Held(4).note(ENDED)) == [Held(4).uniqueid]


def test_the_dialplan_has_as_many_slots_and_keeps_as_much_as_is_read():
    text = (DIALPLANS / "onetouch" / "20-sos.conf").read_text()

    assert re.findall(r"SOS_COUNT} % (\d+)", text) == [str(JOURNAL_SLOTS)]
    assert re.findall(r"SOS_NOTES:-(\d+)", text) == [str(SLOT_CHARACTERS)] * 2
    assert all(JOURNAL_SLOTS % divisor for divisor in range(2, 32)), "a prime"
    assert JOURNAL_SLOTS * (SLOT_CHARACTERS // len(Held().note())) < MOST_NOTES
    assert SLOT_CHARACTERS < 1024 < MAX_LINE, "what Getvar answers with"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text() | st.builds(lambda number: Held(number).note(ENDED), st.integers(0, 9))).map("~".join)
)
def test_reading_a_slot_is_total(text):
    found = read_slot(SERVER, text).calls

    assert len({call.uniqueid for call in found}) == len(found) <= text.count("~") + 1
