"""What a guardian reads fits one part of a message in every alphabet, whatever the name; and says what matters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.alphabets.gsm0338 import encode
from telephony.domain.guardians.texts import (
    EUC_KR_OCTETS,
    GSM_SEPTETS,
    RADII_M,
    UCS2_CHARACTERS,
    located_text,
    released_text,
    told_text,
)
from telephony.domain.guardians.texts import test_text as drill_text
from telephony.domain.values import Msisdn
from tests.doubles import NOON

SEOUL = timezone(timedelta(hours=9))
CHILD = Msisdn("821012345678")
NAMES = [
    "김하늘",
    "남궁하늘",
    "김뷁늘",
    "Nguyễn Thị Minh Khai",
    "",
    "مريم",
    "Ann" * 30,
    "e\u0301" * 80,
    "김" * 80,
]

Say = Callable[[str, Msisdn, str], str]
TEXTS: dict[str, Say] = {
    "told": lambda name, caller, language: told_text(name, caller, NOON, SEOUL, language, does_112_know=True),
    "asked": lambda name, caller, language: told_text(
        name, caller, NOON, SEOUL, language, does_112_know=False
    ),
    "located": lambda name, caller, language: located_text(name, caller, 500.0, language),
    "released": lambda name, caller, language: released_text(name, caller, NOON, SEOUL, language),
    "test": lambda name, caller, language: drill_text(name, caller, NOON, SEOUL, language),
}
names = st.one_of(
    st.sampled_from(NAMES),
    st.text(max_size=90),
    st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=20),
    st.text("abcdefgh zé̂'-()", max_size=90),
)
callers = st.sampled_from([CHILD, Msisdn(""), Msisdn("tel:+82", is_e164=False), Msisdn("1")])


def one_part_of_euc_kr(text: str) -> bool:
    return len(text.encode("euc_kr")) <= EUC_KR_OCTETS and len(text) <= UCS2_CHARACTERS


@given(say=st.sampled_from(list(TEXTS.values())), name=names, caller=callers)
def test_a_korean_text_fits_one_part_in_both_alphabets(say: Say, name: str, caller: Msisdn):
    text = say(name, caller, "ko")

    assert one_part_of_euc_kr(text)
    assert all(len(each.encode("euc_kr")) <= 2 for each in text), "no syllable is spelt with four codes"
    assert text.isprintable()


@given(say=st.sampled_from(list(TEXTS.values())), name=names, caller=callers)
def test_an_english_text_fits_one_part_in_gsm_or_in_ucs2(say: Say, name: str, caller: Msisdn):
    text = say(name, caller, "en")
    septets = encode(text)

    fits_gsm = septets is not None and len(septets) <= GSM_SEPTETS
    assert fits_gsm or len(text.encode("utf-16-be")) <= 2 * UCS2_CHARACTERS
    assert text.isprintable()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_first_text_says_when_that_nobody_may_call_and_how_to_confirm(name: str, language: str):
    text = told_text(name, CHILD, NOON, SEOUL, language, does_112_know=True)

    assert "12:00" in text
    assert ("전화 마세요" if language == "ko" else "Do NOT call that phone") in text
    assert ("1 답장" if language == "ko" else "Reply 1") in text
    assert "112" in text


def test_a_mother_reads_this():
    assert (
        told_text("김하늘", CHILD, NOON, SEOUL, "ko", does_112_know=True)
        == "[112신고됨] 김하늘 12:00 SOS 누름. 위험하니 그 폰에 전화 마세요. 확인은 1 답장"
    )
    assert released_text("김하늘", CHILD, NOON, SEOUL, "ko") == (
        "[112신고 종료] 김하늘 12:00 SOS 신고가 종료되었습니다. 답장은 필요 없습니다."
    )
    assert told_text("Ann Lee", CHILD, NOON, SEOUL, "en", does_112_know=True) == (
        "Ann Lee pressed the SOS key at 12:00. 112 knows. Do NOT call that phone: its ringing can be dangerous."
        " Reply 1 to confirm."
    )


def test_before_112_has_answered_nobody_reads_that_it_knows():
    def text(name, language):
        return told_text(name, CHILD, NOON, SEOUL, language, does_112_know=False)

    assert text("김하늘", "ko").startswith("[112신고중] 김하늘 12:00 SOS 누름.")
    assert "112 is called, no answer yet. Do NOT call" in text("Ann Lee", "en")
    assert text("김하늘", "en").startswith("112 is called: 김하늘")


@pytest.mark.parametrize("name", ["김하늘", "남궁하늘", "김○늘"])
def test_korean_names_of_up_to_four_syllables_are_whole(name: str):
    assert f" {name} " in told_text(name, CHILD, NOON, SEOUL, "ko", does_112_know=True)


def test_a_syllable_that_the_alphabet_lacks_is_left_out():
    assert "김○늘" in told_text("김뷁늘", CHILD, NOON, SEOUL, "ko", does_112_know=True)


def test_a_long_name_is_cut_and_the_cut_is_seen():
    assert " Alexan… 12:00" in told_text("Alexandra Johnson", CHILD, NOON, SEOUL, "ko", does_112_know=True)
    assert told_text("Ann" * 30, CHILD, NOON, SEOUL, "en", does_112_know=True).split()[0].endswith(".")


@pytest.mark.parametrize("before", ["각", "각각"])
def test_a_cut_never_parts_a_letter_from_its_accent(before: str):
    text = told_text(before + "x\u0323" * 60, CHILD, NOON, SEOUL, "en", does_112_know=True)

    assert "x\u0323…" in text


@pytest.mark.parametrize("name", ["", "  \n", "مريم", "\u202e"])
def test_without_a_name_that_can_be_read_the_last_digits_say_whose_phone_it_is(name: str):
    assert "***-5678" in told_text(name, CHILD, NOON, SEOUL, "ko", does_112_know=True)


@pytest.mark.parametrize(("language", "who"), [("ko", "신고자"), ("en", "the caller")])
def test_with_neither_name_nor_number_it_is_the_caller(language: str, who: str):
    assert who in told_text("", Msisdn(""), NOON, SEOUL, language, does_112_know=True)


def test_a_name_cannot_add_a_line_or_turn_the_text_around():
    text = told_text("Ann\r\n(112) \u202egnp", CHILD, NOON, SEOUL, "en", does_112_know=True)

    assert text.startswith("Ann (112) gnp ")


@pytest.mark.parametrize(("radius_m", "said"), [(0.0, "50m"), (50.0, "50m"), (51.0, "100m"), (500.0, "500m")])
def test_a_radius_is_never_told_smaller_than_it_is(radius_m: float, said: str):
    assert f"({said} 이내)" in located_text("김하늘", CHILD, radius_m, "ko")


def test_a_place_that_is_known_too_badly_is_not_told():
    with pytest.raises(ValueError, match="500 m"):
        located_text("김하늘", CHILD, RADII_M[-1] + 1.0, "ko")


def test_the_time_is_the_guardians_own():
    late = datetime(2026, 11, 23, 15, 5, tzinfo=timezone(timedelta(0)))

    assert "00:05" in told_text("김하늘", CHILD, late, SEOUL, "ko", does_112_know=True)
