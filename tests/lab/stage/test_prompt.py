"""The line that is typed at the lab's prompt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from telephony.lab.stage.prompt import Line


def typed(keys: str) -> tuple[Line, list[str]]:
    """Type keys; give the line as it stands, and those that were finished."""
    line = Line()
    finished = [done for done in map(line.type, keys) if done is not None]
    return line, finished


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("kill\x7f\x7f", "ki"),
        ("\x7f", ""),
        ("살려\x08주", "살주"),
        ("sms help\x17me", "sms me"),
        ("close last\x15list", "list"),
        ("ab\x1b[D\x1b[DX", "Xab"),
        ("ab\x1bOD\x1b[3~", "a"),
        ("ab\x01X\x05Y", "XabY"),
        ("abc\x01\x06\x0b", "a"),
        ("\x1b[5~\x00\x07a\tb", "ab"),
    ],
)
def test_keys_edit_the_line(keys, text):
    line, finished = typed(keys)

    assert line.text == text
    assert finished == []


def test_enter_finishes_the_line_and_arrows_bring_earlier_ones_back():
    line, finished = typed("list\nkill\r\n\n")
    assert finished == ["list", "kill", ""], "CR LF is one end of a line"

    for key in "\x1b[A\x1b[A":
        line.type(key)
    assert line.text == "list"
    for key in "\x1b[B\x1b[B":
        line.type(key)
    assert line.text == ""


def test_a_line_that_is_too_long_shows_the_part_with_the_cursor():
    line, _ = typed("abcdefghij")

    assert line.shown(20) == ("abcdefghij", 10)
    assert line.shown(5) == ("ghij", 4)
    line.type("\x01")
    assert line.shown(5) == ("abcde", 0)


@given(st.text(st.sampled_from("ab 가\x1b[ADC3~O\x7f\x17\x15\x0b\x01\x05\n")), st.integers(3, 12))
def test_whatever_is_typed_the_cursor_stands_in_the_line_and_on_the_screen(keys, width):
    line, _ = typed(keys)
    part, column = line.shown(width)

    assert 0 <= line.at <= len(line.text)
    assert cell_len(part) <= width
    assert 0 <= column <= cell_len(part)
