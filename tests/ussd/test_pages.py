"""What a phone shows at once: 182 characters of GSM 7 bit or 80 of UCS-2, cut between words and never in one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.alphabets import gsm0338
from telephony.smpp.wire.ussd import page
from telephony.ussd.pages import MOST_PAGES, PLAIN, PLAIN_PAGE, UCS2_PAGE, fits, pages, shown

KEYS, MORE = "0 뒤로", "# 다음"


def test_what_fits_is_one_page_with_its_keys():
    assert pages("a" * 175, "0 Back", "# More") == ("a" * 175 + "\n0 Back",)
    assert pages("가" * 75, KEYS, MORE) == ("가" * 75 + "\n0 뒤로",)
    assert pages("", "", "") == ("",)


def test_a_longer_text_is_cut_between_words_and_says_how_to_go_on():
    first, second = pages("one two three " * 20, "0 Back", "# More")

    assert len(first) <= 182
    assert first.endswith("three\n# More 0 Back")
    assert second.endswith("three\n0 Back")


def test_a_page_with_one_sign_of_another_script_has_room_for_80():
    assert [len(each) for each in pages("a" * 70 + " é " + "b" * 70, "", "")] == [72, 70]
    assert fits("a" * 182)
    assert not fits("a" * 183)
    assert not fits("a" * 80 + "가")


def test_a_gateway_that_takes_no_gsm_7_bit_has_room_for_80():
    assert len(pages("word " * 30, "", "", UCS2_PAGE)) == 2


@pytest.mark.parametrize("sign", ["e\u0301\u0302", "👩\u200d👧", "👍🏽", "\u1112\u1161\u11ab"])
def test_no_sign_is_cut_in_the_middle(sign):
    whole = unicodedata.normalize("NFC", sign)
    for before in ("", "x", "xx", "xxx"):
        for cut in pages(before + sign * 60, "", ""):
            assert cut.replace(whole, "").strip("x") == ""


def test_a_text_without_end_is_cut_and_says_so():
    cut = pages("가나다 " * 1000, KEYS, MORE)

    assert len(cut) == MOST_PAGES
    assert cut[-1].endswith("...\n0 뒤로")


def test_control_characters_and_halves_of_characters_are_not_shown():
    assert shown("a\r\n\n b\x00\x1b[2Jc\ud800") == "a\nb  [2Jc?"


def test_keys_that_leave_no_room_are_a_mistake_of_ours():
    with pytest.raises(ValueError, match="no room"):
        pages("text", "k" * 182, "")


def test_plain_characters_are_one_septet_and_the_same_in_ascii():
    assert all(len(gsm0338.encode(each) or b"xx") == 1 for each in PLAIN)
    assert gsm0338.SAME_AS_ASCII.issuperset(PLAIN)


@given(
    st.text(max_size=900) | st.text(alphabet="가나다 abc\n👩é", max_size=900),
    st.sampled_from(["", KEYS, "0 Back"]),
    st.sampled_from([UCS2_PAGE, PLAIN_PAGE]),
)
def test_every_page_fits_on_the_wire_and_no_word_is_lost(text, keys, plain_page):
    more = "# More"
    cut = pages(text, keys, more, plain_page)

    assert 1 <= len(cut) <= MOST_PAGES
    for each in cut:
        assert fits(each, plain_page)
        octets, _ = page(each, uses_cbs=False)
        assert len(octets) <= (182 if len(octets) == len(each) else 160)
        assert each.endswith(keys)
    foot = f"{more} {keys}".strip()
    said = [each.removesuffix(keys if number == len(cut) else foot) for number, each in enumerate(cut, 1)]
    together = "".join("".join(said).split())
    whole = "".join(shown(text).split())
    assert together == whole or (len(cut) == MOST_PAGES and whole.startswith(together.removesuffix("...")))
