"""The lines of what 112 was told past the store: read back whatever has become of the file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.own_lines import Found, hash_of, line_of
from telephony.domain.told import Standing, Step, ToldLine, lines_in, octets_of, standing_of, words_of

KEY = b"k" * 32
TRIED = ToldLine(
    Step.TRIED, "sos-1-1", 1763866800.25, "sos-1", 1763866800_000001, b"press", b"words", b"\x00sealed\n"
)
ACKNOWLEDGED = ToldLine(Step.ACKNOWLEDGED, "sos-1-1", 1763866801.0, channel="seoul-a")
LINES = (TRIED, ACKNOWLEDGED, ToldLine(Step.TAKEN_UP, "sos-1-1", 1763866802.0))
FILE = b"".join(octets_of(line, KEY) for line in LINES)


def test_what_was_written_is_read():
    assert lines_in(FILE, KEY) == Found(LINES, 0)


def test_room_that_was_kept_and_not_used_is_no_damage():
    assert lines_in(FILE + bytes(4096), KEY) == Found(LINES, 0)
    assert lines_in(bytes(4096), KEY) == Found((), 0)


@pytest.mark.parametrize("cut", range(1, len(octets_of(LINES[-1], KEY))))
def test_a_torn_tail_costs_its_own_line_alone(cut: int):
    found = lines_in(FILE[:-cut], KEY)

    # Without its line feed alone the last line is whole.
    assert found == (Found(LINES, 0) if cut == 1 else Found(LINES[:-1], 1))


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_an_octet_that_changed_costs_the_lines_it_stands_in(place: int, change: int):
    changed = bytearray(FILE)
    changed[place] ^= change

    found = lines_in(bytes(changed), KEY)

    assert set(found.lines) <= set(LINES)
    assert len(found.lines) >= len(LINES) - 2
    assert found.damaged


@given(st.binary(max_size=400))
def test_whatever_a_file_holds_is_read_or_counted(octets: bytes):
    found = lines_in(octets + b"\n" + FILE, KEY)

    assert found.lines == LINES
    assert found.damaged == len([piece for piece in octets.split(b"\n") if piece])


def test_the_file_of_another_service_holds_nothing_of_ours():
    assert lines_in(FILE, b"x" * 32) == Found((), 3)


def test_a_line_of_a_later_version_is_counted_and_passed_over():
    later = line_of({"step": "another", "report": "sos-1-1", "at": 0.0}, KEY) + line_of({"report": 5}, KEY)

    assert lines_in(later + FILE, KEY) == Found(LINES, 2)


def test_the_steps_of_a_report_come_to_how_it_stands():
    again = ToldLine(Step.AGAIN, "sos-1-1", 1763870000.0)

    (standing,) = standing_of([*LINES, again]).values()

    assert standing == Standing(TRIED, again.at, ("seoul-a",), is_taken_up=True)


def test_what_is_over_or_was_never_begun_stands_no_more():
    over = ToldLine(Step.OVER, "sos-1-1", 1763870000.0)
    other = ToldLine(Step.ACKNOWLEDGED, "sos-2-1", 1763870000.0, channel="seoul-a")

    assert standing_of([*LINES, over, other]) == {}


def test_a_reference_cannot_be_known_from_its_hash_without_the_key():
    assert hash_of("a", KEY) != hash_of("a", b"x" * 32)
    assert hash_of("a", KEY) != hash_of("b", KEY)
    assert hash_of("a\ud800", KEY)


@pytest.mark.parametrize("reference", ["abc", "abc@17.4", "abc#2", "abc@17.4#2"])
def test_presses_of_the_same_words_are_known_by_them(reference: str):
    assert words_of(reference) == "abc"
