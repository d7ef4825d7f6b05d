"""Numbers of people, read by their content."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telephony.domain.values import TON_INTERNATIONAL, Msisdn, as_dialled

KIM = "821012345678"

WAYS_TO_WRITE_KIM = [
    "+821012345678",
    "821012345678",
    "01012345678",
    "1012345678",
    "010-1234-5678",
    "(010) 1234.5678",
    " +82 10-1234-5678 ",
    "00821012345678",
    "001821012345678",
    "002821012345678",
    "008821012345678",
    "00700821012345678",
    "00727821012345678",
    "8201012345678",
    "0821012345678",
    "+8201012345678",
    "82 010 1234 5678",
    "00182 010 1234 5678",
    # As a URI (RFC 3966, RFC 3261), with what gateways put around a number.
    "tel:+821012345678",
    "TEL:+82-10-1234-5678;phone-context=ims.example",
    "tel:01012345678;phone-context=+82",
    "tel:01012345678;phone-context=%2B82;ext=1",
    "tel:%2B821012345678",
    "sip:+821012345678@ims.example;user=phone",
    "sips:01012345678;phone-context=+82@192.0.2.1:5061;user=phone",
    '"Kim" <sip:+821012345678@ims.example>;tag=7',
    "<tel:+821012345678>",
    "+821012345678/TYPE=PLMN",
    # Filled up to whole octets.
    "821012345678F",
    "+821012345678f",
    "01012345678FFF",
    "821012345678\0\0",
    "\0821012345678 \0",
    "\u202a+82 10 1234 5678\u202c",
    # A plus too many.
    "++821012345678",
    "+00821012345678",
    "00+821012345678",
    "+01012345678",
]


@pytest.mark.parametrize("written", WAYS_TO_WRITE_KIM)
def test_every_korean_way_to_write_a_number_is_the_same_number(written: str):
    assert Msisdn.parse(written) == Msisdn(KIM)


@pytest.mark.parametrize("written", WAYS_TO_WRITE_KIM)
@pytest.mark.parametrize("ton", [0, 1, 2, 3, 4, 5, 6, 7, 255])
def test_the_type_of_number_never_spoils_what_the_content_says(written: str, ton: int):
    # 1012345678 with "international" would be read as a number of country code 1.
    assume_national = ton == TON_INTERNATIONAL and written == "1012345678"

    assert Msisdn.parse(written, ton=ton) == (Msisdn("1012345678") if assume_national else Msisdn(KIM))


@pytest.mark.parametrize(
    ("written", "ton", "expected"),
    [
        ("0212345678", 0, "82212345678"),
        ("02-312-3456", 0, "8223123456"),
        ("15881588", 0, "8215881588"),
        ("+14155552671", 0, "14155552671"),
        ("14155552671", TON_INTERNATIONAL, "14155552671"),
        ("0014155552671", 0, "14155552671"),
        ("+861391234567890", 0, "861391234567890"),
    ],
    ids=str,
)
def test_fixed_lines_and_foreign_numbers(written: str, ton: int, expected: str):
    assert Msisdn.parse(written, ton=ton) == Msisdn(expected)


@pytest.mark.parametrize("written", ["112", "1366", "119", "*112", "#123#", "010112"])
def test_a_short_code_gets_no_country_code(written: str):
    assert Msisdn.parse(written) == Msisdn(written, is_e164=False)


@pytest.mark.parametrize("written", ["", " ", "\t\r\n"])
def test_a_withheld_number_is_an_empty_one(written: str):
    number = Msisdn.parse(written)

    assert number.is_withheld
    assert not number.is_e164
    assert str(number) == "withheld"


@pytest.mark.parametrize(
    "written",
    [
        "KAKAO",
        "안심",
        "+",
        "++8210",
        "8210123x5678",
        "٠١٠١٢٣٤٥٦٧٨",
        "1²345678",
        "1234567890123456",
        "00012345678",
        "112F",
        "DEADBEEF",
        "F821012345678",
        "8210FF12345678",
        "82101234567A",
        "1234567890123456F",
        "tel:",
        "tel:KAKAO",
        "tel:212345678;phone-context=+1",
        "sip:192.168.100.200",
        "sip:kim@ims.example",
        "mailto:821012345678@example",
    ],
)
def test_what_is_no_subscriber_number_is_kept_as_it_came(written: str):
    assert Msisdn.parse(written) == Msisdn(written, is_e164=False)


def test_a_short_code_in_a_uri_is_one():
    assert Msisdn.parse("tel:112;phone-context=+82") == Msisdn("112", is_e164=False)


def test_a_nul_is_no_part_of_what_is_kept():
    assert Msisdn.parse("KAKAO\0") == Msisdn("KAKAO", is_e164=False)
    assert Msisdn.parse("\0\0").is_withheld


@pytest.mark.parametrize(
    "written",
    ["tel:" + " " * 100_000 + "@", "<" * 100_000, "9" * 100_000 + "F" * 100_000 + "x", "+" * 100_000],
)
def test_an_address_as_long_as_a_pdu_is_read_in_no_time(written: str):
    """An address without its NUL takes the rest of the body."""
    began = time.process_time()

    assert not Msisdn.parse(written).is_e164
    as_dialled(written)

    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("112", "112"),
        ("112\0", "112"),
        (" 112\t", "112"),
        ("112F", "112"),
        ("tel:112", "112"),
        ("*112#", "*112#"),
        ("", ""),
        ("FF", "FF"),
        ("KAKAO", "KAKAO"),
    ],
)
def test_an_address_is_given_as_a_phone_dials_it(written: str, expected: str):
    assert as_dialled(written) == expected


def test_another_country_has_its_own_codes():
    assert Msisdn.parse("0612345678", country_code="33") == Msisdn("33612345678")
    assert Msisdn.parse("3912345678", country_code="39", trunk_prefix="") == Msisdn("3912345678")
    assert Msisdn.parse("1 415 555 2671", country_code="1", trunk_prefix="1") == Msisdn("14155552671")


def test_a_person_dials_it_with_a_plus():
    assert Msisdn(KIM).international == "+821012345678"
    assert Msisdn("112", is_e164=False).international == "112"


def test_a_log_shows_the_first_four_and_the_last_two():
    assert Msisdn(KIM).masked == "8210******78"
    assert Msisdn("1366", is_e164=False).masked == "****"
    assert Msisdn("1234567", is_e164=False).masked == "*******"
    assert Msisdn("\x1b[2J0105550001\n\r", is_e164=False).masked == "??2J**********??"


written_numbers = (
    st.text(max_size=40)
    | st.from_regex(r"(tel:|sip:|<|\+)*[0-9F;@>+\0 -]{0,24}", fullmatch=True)
    | st.from_regex(r"\+?[0-9 .()/-]{0,24}", fullmatch=True)
)


@given(
    written_numbers, st.integers(0, 255), st.sampled_from(["82", "1", "33"]), st.sampled_from(["0", "1", ""])
)
@example("+", 0, "82", "0")
@example("+82", 0, "82", "0")
@example("0" * 40, 1, "82", "0")
def test_whatever_a_carrier_sends_is_read(written: str, ton: int, country_code: str, trunk_prefix: str):
    number = Msisdn.parse(written, ton=ton, country_code=country_code, trunk_prefix=trunk_prefix)

    if number.is_e164:
        assert number.number.isascii()
        assert number.number.isdigit()
        assert len(number.number) <= 15
    else:
        kept = written.replace("\0", "").strip()
        assert number.number == kept or (number.number.isdigit() and number.number in _digits(written))


def _digits(written: str) -> str:
    return "".join(character for character in written if character.isascii() and character.isdigit())


@given(st.from_regex(r"1[016789][0-9]{7,8}", fullmatch=True))
def test_reading_a_read_number_again_changes_nothing(subscriber: str):
    number = Msisdn.parse("0" + subscriber)

    assert Msisdn.parse(number.number) == number
    assert Msisdn.parse(number.international) == number


@given(st.from_regex(r"[0-9A-Za-z]{8,20}", fullmatch=True))
def test_no_accident_prints_a_number(written: str):
    number = Msisdn.parse(written)

    for printed in (str(number), repr(number), f"{number}", f"{number!r:>40}", repr([number])):
        assert number.number not in printed
