"""What a spreadsheet would calculate is shielded in what we write, and read again as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.people_files.cells import harmless_cell, plain_cell

FORMULA = "1+1"


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹢", "﹣", "﹦", "﹫"])  # noqa: RUF001
@pytest.mark.parametrize(
    "blank",
    ["", " ", "   ", "\t", "\r", "\n", "\r\n", "\v", "\x00", "\xa0", "\u3000", "\u200b", "\ufeff", "\u202e"],
)
def test_a_sign_that_a_spreadsheet_calculates_by_is_shielded_whatever_is_before_it(blank, sign):
    text = f"{blank}{sign}{FORMULA}"

    assert harmless_cell(text) == f"'{text}"
    assert plain_cell(harmless_cell(text)) == text


@pytest.mark.parametrize("text", ["\n", "\nKim", "\tKim", "\rKim"])
def test_what_begins_another_cell_is_shielded(text):
    assert harmless_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", " ", "김철수", " Kim", "010-1234-5678", "O'Neil", "'Kim", "a=b", "2026-11-23"]
)
def test_everything_else_stays_as_it_is(text):
    assert harmless_cell(text) == text
    assert plain_cell(text) == text


@given(st.text(st.sampled_from("'=+-@＝ \t\n\u3000a1") | st.characters()))  # noqa: RUF001
def test_what_was_shielded_is_read_again_as_it_was(text):
    assert plain_cell(harmless_cell(text)) == text
