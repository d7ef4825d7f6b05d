"""Texts of ours as carriers take them: alphabets, sizes, parts; and the fields they travel with."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.alphabets import gsm0338
from telephony.domain.errors import Malformed
from telephony.domain.people.texts import LONGEST_NAME, Text, say
from telephony.domain.text_message import TextMessage
from telephony.domain.values import Msisdn
from telephony.smpp.settings import Sms
from telephony.smpp.wire.constants import ESM_UDHI
from telephony.smpp.wire.text import read_text
from telephony.smpp.wire.text_parts import ks_x_1001, text_parts
from telephony.smpp.wire.text_request import check_message, numbering_of, request_fields, validity_period

GSM, KS, UCS2 = 0x00, 0x0E, 0x08
LONGEST = {GSM: 160, KS: 80, UCS2: 140}
"""Octets of user data of a part, by data_coding, its header included; GSM as septets, one an octet."""

KOREAN = st.text(st.sampled_from("가나힣요뷁똠ㄱ漢 a1.\n…€🆘"), max_size=400)
ASSIGNED = st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\0\ufeff")
ANY = st.text(ASSIGNED, max_size=400)
"""Of any characters: written without a loss, though a hodgepodge of scripts cannot be said to read one way."""


def _read(cut):
    return [
        read_text(cut.data_coding, cut.esm_class, part, default_alphabet="gsm0338", sar=None)
        for part in cut.parts
    ]


def parts_of(cut):
    """Return the texts of the parts, as a phone shows them that does not join them."""
    return [one.text for one in _read(cut)]


def read_back(cut):
    """Return the text as a phone puts it together."""
    read = _read(cut)
    if len(cut.parts) > 1:
        assert [(one.part.total, one.part.number) for one in read] == [
            (len(read), number) for number in range(1, len(read) + 1)
        ]
        assert len({one.part.reference for one in read}) == 1
    return "".join(one.text for one in read)


@given(KOREAN | ANY, st.integers(0, 70_000), st.sampled_from(["ucs2", "ks-x-1001"]))
def test_every_part_fits_and_the_parts_together_are_the_text(text, reference, alphabet):
    cut = text_parts(text, reference, alphabet=alphabet)

    assert read_back(cut) == text
    assert all(len(part) <= LONGEST[cut.data_coding] for part in cut.parts)
    assert cut.esm_class == (0 if len(cut.parts) == 1 else ESM_UDHI)
    assert all(part[:3] == b"\x05\x00\x03" for part in cut.parts if cut.esm_class)


@pytest.mark.parametrize("alphabet", ["ucs2", "ks-x-1001"])
@pytest.mark.parametrize("text", [text for text in Text if "{code}" in text.value.english])
def test_no_part_ends_within_the_code_that_a_question_asks_for(text, alphabet):
    """Whatever the length of the name before it: a phone may show the parts one by one, in any order."""
    for language, letter in (("ko", "가"), ("en", "A"), ("en", "가"), ("ko", "A")):
        for length in range(1, LONGEST_NAME + 1):
            question = say(text, language, name=letter * length, digits="0001", age="19", code="123456")
            said = parts_of(text_parts(question, 1, alphabet=alphabet))

            assert "".join(said) == question
            assert sum(part.count("123456") for part in said) == question.count("123456")


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("a" * 150 + "123456" + "b" * 10, "a"),
        ("a" * 147 + "123456" + "b" * 10, "6"),
        ("a" * 153 + "123456" + "b" * 10, "a"),
        ("a" * 145 + "1" * 16, "1"),
        ("1" * 200, "1"),
    ],
    ids=["before it", "after it", "between", "longer than a number", "nothing but digits"],
)
def test_a_number_stays_whole_where_it_is_one(text, ends):
    first, *_ = parts_of(text_parts(text, 1, alphabet="ucs2"))

    assert first[-1] == ends


@given(KOREAN | ANY)
def test_a_carrier_of_euc_kr_gets_it_whenever_euc_kr_has_every_character(text):
    cut = text_parts(text, 1, alphabet="ks-x-1001")

    if gsm0338.encode(text) is not None:
        assert cut.data_coding == GSM
    elif all(ks_x_1001(character) for character in text):
        assert cut.data_coding == KS
    else:
        assert cut.data_coding == UCS2


@pytest.mark.parametrize("character", ["똠", "뷁", "펲", "🆘", "é", "\ud83c"])
def test_what_ks_x_1001_lacks_is_not_written_in_euc_kr(character):
    """cp949 has places for some of them, which phones of KS X 1001 do not know."""
    assert ks_x_1001(character) is None


@pytest.mark.parametrize("character", ["가", "힝", "漢", "ㄱ", "…", "A", " ", "\n"])
def test_what_it_has_is_written_as_every_phone_reads_it(character):
    assert ks_x_1001(character) == character.encode("euc_kr")


@pytest.mark.parametrize(
    ("text", "alphabet", "data_coding", "sizes"),
    [
        ("가" * 40, "ks-x-1001", KS, [80]),
        ("가" * 41, "ks-x-1001", KS, [80, 14]),
        ("a" + "가" * 40, "ks-x-1001", KS, [79, 14]),
        ("뷁" * 70, "ks-x-1001", UCS2, [140]),
        ("가" * 70, "ucs2", UCS2, [140]),
        ("가" * 71, "ucs2", UCS2, [140, 14]),
        ("가" * 68 + "🆘", "ucs2", UCS2, [140]),
        ("가" * 66 + "🆘" * 3, "ucs2", UCS2, [138, 18]),
        ("a" * 160, "ks-x-1001", GSM, [160]),
        ("a" * 161, "ucs2", GSM, [159, 14]),
    ],
)
def test_texts_are_cut_where_they_must(text, alphabet, data_coding, sizes):
    cut = text_parts(text, 7, alphabet=alphabet)

    assert (cut.data_coding, [len(part) for part in cut.parts]) == (data_coding, sizes)


@pytest.mark.parametrize("default", ["cp949", "latin-1", "ascii", "utf-8", "gsm0338-packed"])
def test_gsm_7_bit_is_for_carriers_whose_default_alphabet_it_is(default):
    assert text_parts("Help", 1, alphabet="ks-x-1001", default_alphabet=default).data_coding == KS
    assert text_parts("Help", 1, alphabet="ucs2", default_alphabet=default).data_coding == UCS2


@pytest.mark.parametrize("alphabet", ["ucs2", "ks-x-1001"])
def test_what_no_message_can_carry_is_malformed(alphabet):
    with pytest.raises(Malformed):
        text_parts("half a pair \ud83c", 1, alphabet=alphabet)
    with pytest.raises(Malformed):
        text_parts("뷁" * (67 * 255 + 1), 1, alphabet=alphabet)


def test_parts_show_nothing_of_the_text():
    assert "54657374" not in repr(text_parts("Test", 1, alphabet="ucs2"))
    assert "Test" not in repr(text_parts("Test", 1, alphabet="ucs2"))


NUMBERING = numbering_of("82", "0", ["112", "1122", "*112#", "02-2222-3333", "15881120"])


def message(number="821012345678", text="hello", **more):
    return TextMessage(Msisdn(number), text, **more)


@pytest.mark.parametrize("number", ["821012345678", "8215884444", "12025550123", "6834000"])
def test_a_text_may_go_to_a_phone(number):
    check_message(message(number), NUMBERING)


@pytest.mark.parametrize(
    ("number", "is_e164"),
    [
        ("112", False), ("112", True), ("82112", True), ("821366", True), ("8211211", True), ("1122", True),
        ("", False), ("", True), ("*112#", True), ("MOM", False), ("82 10 9999 5678", True), ("+821099995678", True),
        ("01012345678", True), ("1" * 16, True), ("82222223333", True), ("8215881120", True), ("8210\uff112345678", True),
    ],
)  # fmt: skip
def test_a_text_never_goes_to_a_short_code_to_112_or_to_a_number_of_ours(number, is_e164):
    with pytest.raises(Malformed) as refused:
        check_message(TextMessage(Msisdn(number, is_e164=is_e164), "hello"), NUMBERING)

    assert len(number) < 5 or number not in str(refused.value)


def test_a_text_without_words_is_malformed():
    with pytest.raises(Malformed):
        check_message(message(text=""), NUMBERING)


@pytest.mark.parametrize(
    ("seconds", "period"),
    [
        (3_600.0, "000000010000000R"),
        (90_061.0, "000001010101000R"),
        (1_799.6, "000000003000000R"),
        (30 * 86_400, "000030000000000R"),
        (1e9, "000030000000000R"),
        (math.inf, "000030000000000R"),
        (1.0, "000000000100000R"),
        (-5.0, "000000000100000R"),
        (math.nan, "000000000100000R"),
    ],
)
def test_the_validity_is_told_as_a_time_from_now(seconds, period):
    assert validity_period(seconds) == period


def test_a_text_says_who_sends_it_and_asks_for_a_receipt():
    sms = Sms(sender="1366", sender_ton=3, sender_npi=9)

    fields = request_fields(message(valid_s=1800), sms, with_priority=True)

    assert fields == {
        "source_addr_ton": 3, "source_addr_npi": 9, "source_addr": "1366",
        "dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": "821012345678",
        "registered_delivery": 1, "validity_period": "000000003000000R",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("urgent", "allowed", "flag"),
    [(True, True, 1), (True, False, None), (False, True, None), (False, False, None)],
)
def test_an_urgent_text_says_so_where_the_carrier_takes_it(urgent, allowed, flag):
    fields = request_fields(message(is_urgent=urgent), Sms(sender="1366"), with_priority=allowed)

    assert fields.get("priority_flag") == flag
