"""Lines of the lab's screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from telephony.lab.stage.lines import Who, fitted, timed, timed_in_full, wrapped

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zs", "Zl", "Zp"]) | st.just(" ")
)


def test_an_event_is_its_milliseconds_who_and_what():
    assert timed(412.4, Who.CENTRE, "takes it") == "     412 ms  112       takes it"
    assert timed(3_600_000, Who.LBS, "asked") == "    3600 s   LBS       asked"
    assert timed(None, Who.LAB, "before any press") == "             lab       before any press"


def test_what_does_not_fit_is_cut_and_a_letter_of_hangul_takes_two_columns():
    assert fitted("가나다라", 8) == "가나다라"
    assert fitted("가나다라", 7) == "가나다…"
    assert fitted("가나다라", 6) == "가나…"


def test_what_somebody_reads_is_told_in_full_on_as_many_lines_as_it_needs():
    told = list(timed_in_full(5, "guardian", "she pressed the key, do not call that phone", width=44))

    assert told == [
        "       5 ms  guardian  she pressed the key,",
        "                       do not call that",
        "                       phone",
    ]


def test_what_others_wrote_does_not_steer_the_terminal():
    assert "\x1b" not in timed(1, Who.PHONE, "shows \x1b[2J")
    assert "\n" not in timed(1, Who.PHONE, "one\ntwo")


@given(WORDS)
def test_no_line_is_wider_than_the_screen(what):
    lines = [timed(1.0, Who.PHONE, what), *timed_in_full(1.0, Who.PHONE, what)]

    assert max(map(cell_len, lines)) <= 80


@given(WORDS, st.integers(2, 30))
def test_wrapping_loses_no_letter(text, width):
    assert "".join(wrapped(text, width)).replace(" ", "") == text.replace(" ", "")
