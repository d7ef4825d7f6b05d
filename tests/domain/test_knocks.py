"""What tapped digits say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.facts import KnockFact
from telephony.domain.knocks import MOST_DIGITS, KnockRule, KnockTable
from tests.doubles import NOON

TWO = KnockRule("cannot-speak", {"ko": "말을 할 수 없음", "en": "cannot speak"}, taps=2)
NINE_ELEVEN = KnockRule("armed", {"ko": "흉기", "en": "armed"}, digits="911")
HASHES = KnockRule("go-away", {"ko": "접근 금지", "en": "stay away"}, digits="##")
TABLE = KnockTable([TWO, NINE_ELEVEN, HASHES])


def test_so_many_taps_of_whatever_keys_have_a_meaning():
    for digits in ("11", "1*", "0A"):
        assert TABLE.read(digits).rule is TWO


def test_exact_digits_win_over_their_number():
    assert TABLE.read("##").rule is HASHES


def test_exact_digits_are_exact():
    assert TABLE.read("911").rule is NINE_ELEVEN
    for digits in ("9911", "9", "119", "91"):
        assert TABLE.read(digits).rule is not NINE_ELEVEN


def test_a_knock_in_no_line_is_kept_as_it_was_tapped():
    assert TABLE.read("123").fact("v#1", NOON) == KnockFact("v#1", NOON, "123", 3)
    assert KnockTable([]).read("1").rule is None


def test_a_knock_tells_its_digits_its_taps_and_its_words_in_both_languages():
    assert TABLE.read("911").fact("v#1", NOON) == KnockFact(
        "v#1", NOON, "911", 3, "armed", {"ko": "흉기", "en": "armed"}
    )


def test_a_key_that_is_held_for_ever_is_bounded_and_still_counts_as_what_is_kept():
    table = KnockTable([KnockRule("pocket", {}, taps=MOST_DIGITS)])

    knock = table.read("5" * 100_000)

    assert (knock.digits, knock.taps) == ("5" * MOST_DIGITS, MOST_DIGITS)
    assert knock.fact("v#1", NOON).meaning == "pocket"


@given(st.text(max_size=100))
def test_reading_is_total_and_says_only_short_texts(digits):
    known = TABLE.read(digits).fact("v#1", NOON)

    assert known.taps == len(known.digits) <= MOST_DIGITS
    assert digits.startswith(known.digits)
