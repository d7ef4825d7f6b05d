"""Text of strangers is shown on one line, unseen and steering characters out of it, and stays readable."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.safe_text import REPLACEMENT, in_json, lines, one_line

KEPT_FORMATS = {"\u200c", "\u200d"}
"""Joiners, between what they join."""
HOSTILE = (
    "\u202e\u202a\u2066\u2069\u200e\u200f\u061c\u2028\u2029\x85\u200b\u200c\u200d\u2060\ufeff\xad\x1b\x9b\x07\x00\r\n\t\x0b"
    "\x7f\ud83c\ufffe\U000e0041\ufe0f\ufe00\U000e0100\u3164\u115f\u1160\u0600"
)
READABLE = "a1 .가\u1112\u1161\u11abe\u0301ع\u0915\u094d\u0937👩🏽❤漢"
ANY_TEXT = st.text() | st.text(st.sampled_from(HOSTILE + READABLE)) | st.text(st.characters(codec=None))


@given(ANY_TEXT)
def test_any_text_is_one_line_that_can_be_written_and_a_second_pass_changes_nothing(text):
    safe = one_line(text)

    assert len(safe.splitlines()) <= 1
    assert safe.encode().decode() == safe
    assert one_line(safe) == safe
    assert all(unicodedata.category(each) not in ("Cc", "Cs", "Zl", "Zp") for each in safe)
    assert {each for each in safe if unicodedata.category(each) == "Cf"} <= KEPT_FORMATS


def test_every_character_of_unicode_is_seen_or_a_blank_or_kept_with_what_it_belongs_to():
    """Alone, between two letters: no control, format character, half pair or separator of lines comes through."""
    passed = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and chr(code) in one_line(f"a{chr(code)}b")
    ]

    assert passed == []


@pytest.mark.parametrize(
    "text",
    [
        "살려주세요 112, 여기예요!",
        "\u1112\u1161\u11ab\u1100\u1173\u11af",
        "\u1160\u11ab 옛한글 \u115f\u1161",
        "ㅠㅠ ㅋㅋ",
        "Zoe\u0308, Ame\u0301lie",
        "👩‍👩‍👧 👩🏽‍🚒 🏳️‍🌈 ❤️‍🔥 🇰🇷 1️⃣",
        "می‌خواهم",
        "क्‍ष",
        "ช่วยด้วย",
        "漢\U000e0100字",
    ],
    ids=["korean", "jamo", "old-korean", "letters", "marks", "emoji", "persian", "hindi", "thai", "han"],
)
def test_what_people_write_stays_as_it_is(text):
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\r\nb\rc\nd\te\x85f\u2028g\u2029h", "a b c d e f g h"),
        ("\x1b[31mred\x9b0m\x07", f"{REPLACEMENT}[31mred{REPLACEMENT}0m{REPLACEMENT}"),
        ("\u202eabc\u202c \u2066x\u2069", f"{REPLACEMENT}abc{REPLACEMENT} {REPLACEMENT}x{REPLACEMENT}"),
        ("\u200e\u200f\u061c", REPLACEMENT * 3),
        ("1\u200b1\u200d2\u2060\ufeff\xad", "112"),
        ("살\u200d려\u200b주세요", "살려주세요"),
        ("\ud83c half", f"{REPLACEMENT} half"),
        ("hidden\U000e0068\U000e0069", "hidden"),
        ("❤\ufe0f\ufe0f\ufe0e\ufe0f", "❤\ufe0f"),
        ("name\u3164\uffa0", "name  "),
    ],
    ids=["breaks", "escapes", "bidi", "marks", "unseen", "korean", "half", "tags", "selectors", "fillers"],
)
def test_what_steers_is_seen_and_what_is_unseen_is_left_out(text, safe):
    assert one_line(text) == safe


def test_only_a_line_feed_parts_lines_of_ours():
    assert lines("one\ntwo\u2028\x1b[2J\rthree") == f"one\ntwo {REPLACEMENT}[2J three"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=6,
)


@given(ANY_JSON, st.none() | st.just(2))
def test_json_means_the_same_and_shows_nothing_unsafe(value, indent):
    written = in_json(value, indent=indent)

    assert json.loads(written) == json.loads(json.dumps(value))
    assert lines(written) == written
    assert written.encode().decode() == written
