"""A reason says something, or has a code that does."""

from __future__ import annotations

import pytest

from telephony.domain.audit_reasons import Reason, joined, says_something, split


@pytest.mark.parametrize(
    "words",
    [
        "a test",
        "letter of 3 May",
        "본인 요청",
        "현장출동",
        "민원 2026",
        "unit 12",
        "ported",
        "본인요청",
    ],
)
def test_words_are_words(words):
    assert says_something(words)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("", "nothing"), ("  \t", "blanks"), ("x", "a letter"), ("test", "short"), ("민원", "short in Hangul"),
        ("aaaaaaaaaa", "one letter"), ("ha ha ha ha ha", "a repeat"), ("확인확인확인", "a repeat in Hangul"),
        ("........", "points"), ("20261130", "digits"), ("a.b!c?", "mostly signs"), ("\u200b" * 20, "unseen signs"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_no_reason(words, what):
    assert not says_something(words), what


def test_a_code_stands_before_a_colon_and_other_colons_are_words():
    assert split("ORDER : letter 2026-114") == (Reason.ORDER, "letter 2026-114")
    assert split("order") == (None, "order")
    assert split("she said: order") == (None, "she said: order")
    assert joined(*split("order:  a: b")) == "order: a: b"
    assert joined(Reason.RESCUE, "") == "rescue"


def test_every_code_has_words_in_both_languages():
    for each in Reason:
        assert any("가" <= letter <= "힣" for letter in each.korean)
        assert each.english.isascii()
        assert says_something(each.korean)
