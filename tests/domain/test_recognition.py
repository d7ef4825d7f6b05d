"""Which destinations and words make a press, and which a drill."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.recognition import Recognition

TABLES = Recognition(
    sos_numbers=frozenset({"1122"}), test_numbers=frozenset({"1199"}), test_words=frozenset({"Test", "훈련"})
)


@pytest.mark.parametrize(
    ("dialled", "is_listed", "is_test"),
    [
        ("1122", True, False),
        ("+821122", True, False),
        ("1199", True, True),
        ("+821199", True, True),
        ("00821199;phone-context=+82", True, True),
        ("01199", True, False),
        ("sip:01199@x", True, False),
        ("1133", False, False),
    ],
)
def test_a_number_that_was_called_is_known_in_every_form(dialled: str, *, is_listed: bool, is_test: bool):
    """And an SOS number as it is listed is no drill for what it would be at home."""
    tables = Recognition(sos_numbers=frozenset({"1122", "01199"}), test_numbers=frozenset({"1199"}))

    assert tables.called(dialled) == (is_listed, is_test)


def test_a_destination_of_ours_is_in_one_of_the_tables():
    listed = [
        destination for destination in ("1122", "1199", "11", "11221", "") if TABLES.is_listed(destination)
    ]

    assert listed == ["1122", "1199"]


@pytest.mark.parametrize(
    "written", ["{}\0", "{} ", " {}\t", "{}F", "tel:{}", "sip:{};phone-context=+82@ims.example"]
)
def test_what_a_gateway_writes_around_a_number_is_no_part_of_it(written: str):
    sos, drill, unlisted = (written.format(number) for number in ("1122", "1199", "1133"))

    assert [TABLES.is_listed(destination) for destination in (sos, drill, unlisted)] == [True, True, False]
    assert [TABLES.is_test(destination, None) for destination in (sos, drill, unlisted)] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("text", [None, "", "SOS", "help me"])
def test_whatever_goes_to_a_drill_number_is_a_drill(text: str | None):
    assert TABLES.is_test("1199", text)


@pytest.mark.parametrize("text", ["Test", "TEST", " test\r\n", "훈련", "tESt"])
def test_a_text_that_is_a_drill_word_and_nothing_else_is_a_drill(text: str):
    assert TABLES.is_test("1122", text)


@pytest.mark.parametrize("text", [None, "", "this is no test", "test me", "testing", "훈련 아님"])
def test_a_drill_word_among_others_is_an_emergency(text: str | None):
    assert not TABLES.is_test("1122", text)


@pytest.mark.parametrize("text", [None, "", " ", "test"])
def test_without_drill_words_no_text_makes_a_drill(text: str | None):
    assert not Recognition(sos_numbers=frozenset({"1122"})).is_test("1122", text)


def test_a_blank_text_is_no_drill_even_where_the_table_of_words_has_a_blank_one():
    careless = Recognition(sos_numbers=frozenset({"1122"}), test_words=frozenset({"", "test"}))

    assert not careless.is_test("1122", "")
    assert not careless.is_test("1122", "  ")


class TestUssdCodes:
    """A dialled string is one of our codes with or without its signs, and with supplementary information."""

    OURS = Recognition(
        frozenset({"112"}),
        test_numbers=frozenset({"*1129#"}),
        ussd_codes=frozenset({"*112#", "*500#", "*500*7#"}),
    )

    @pytest.mark.parametrize(
        ("dialled", "code"),
        [
            ("*112#", "*112#"),
            ("112", "*112#"),
            ("*112", "*112#"),
            ("#112#", "*112#"),
            ("*112*3#", "*112#"),
            ("*112*3*4#", "*112#"),
            ("*1129#", "*1129#"),
            ("1129", "*1129#"),
            ("*112#\0", "*112#"),
            ("\0*112# ", "*112#"),
            ("*112*3#\0\0", "*112#"),
            ("*500*7#", "*500*7#"),
            ("*500*8#", "*500#"),
            ("*1120#", None),
            ("*11#", None),
            ("", None),
            ("#", None),
            ("*#", None),
            ("help", None),
        ],
    )
    def test_a_dialled_string(self, dialled, code):
        assert self.OURS.ussd_code(dialled) == code

    def test_an_sos_number_opens_the_door_by_ussd_too(self):
        assert Recognition(frozenset({"112"})).ussd_code("*112#") == "112"


class TestForms:
    OURS = Recognition(
        frozenset({"112", "15881129"}),
        test_numbers=frozenset({"1129"}),
        service_numbers=frozenset({"1588112", "1366", "*1120#"}),
    )

    @pytest.mark.parametrize(
        ("destination", "listed"),
        [
            ("1588112", "1588112"),
            ("+821588112", "1588112"),
            ("821588112", "1588112"),
            ("00821588112", "1588112"),
            ("01588112", "1588112"),
            ("1588-112", "1588112"),
            ("1366", "1366"),
            ("+821366", "1366"),
            ("*1120#", "*1120#"),
            ("112", None),
            ("1129", None),
            ("+82112", None),
            ("15881129", None),
            ("+8215881129", None),
            ("158811", None),
            ("821012345678", None),
            ("", None),
            ("82", None),
            ("0", None),
        ],
    )
    def test_a_service_number_in_the_form_in_which_it_is_listed(self, destination, listed):
        assert self.OURS.service_number(destination) == listed

    def test_one_that_is_an_sos_number_too_is_none(self):
        both = Recognition(frozenset({"1588112"}), service_numbers=frozenset({"1588112"}))

        assert both.service_number("1588112") is None
        assert both.service_number("+821588112") is None
        assert not both.is_own("1588112", "1588112")

    def test_a_short_code_that_begins_like_the_country_is_itself(self):
        ours = Recognition(frozenset({"112"}), service_numbers=frozenset({"82112"}))

        assert ours.service_number("82112") == "82112"
        assert ours.is_own("82112", "82112")

    @given(st.text(max_size=24))
    def test_no_destination_raises_and_none_is_both(self, destination):
        assert not (self.OURS.is_listed(destination) and self.OURS.service_number(destination))
        assert not self.OURS.is_own(destination, "")
