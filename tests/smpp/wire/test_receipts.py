"""Receipts: what their parameters and their words tell, and what of it a person may have written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.constants import (
    DELIVER_SM,
    TAG_MESSAGE_STATE,
    TAG_NETWORK_ERROR_CODE,
    TAG_RECEIPTED_MESSAGE_ID,
)
from telephony.smpp.wire.pdus import Message, Tlv
from telephony.smpp.wire.receipts import (
    DeliveryReceipt,
    NetworkError,
    Wording,
    id_forms,
    normal_id,
    read_signs,
)
from telephony.smpp.wire.text import read_text
from tests.smpp.strategies import message_bodies

TEXT = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 "
    b"text:Your daughter"
)


def signs_of(message):
    text = read_text(
        message.data_coding,
        message.esm_class,
        message.short_message,
        default_alphabet="gsm0338",
        sar=message.sar,
    )
    return read_signs(message, text)


def signs(text=b"", *tlvs, esm_class=0x04, data_coding=0):
    return signs_of(
        Message(DELIVER_SM, esm_class=esm_class, data_coding=data_coding, short_message=text, tlvs=tlvs)
    )


def receipt(text=b"", *tlvs, **fields):
    """Return the receipt that the message is, if its first id is one that is waited for."""
    read = signs(text, *tlvs, **fields)
    return read.receipt(next(iter(read.ids), None))


def id_tlv(value=b"4F2A\0"):
    return Tlv(TAG_RECEIPTED_MESSAGE_ID, value)


def state_tlv(state):
    return Tlv(TAG_MESSAGE_STATE, bytes((state,)))


class TestText:
    def test_the_form_of_appendix_b_is_read(self):
        assert receipt(TEXT) == DeliveryReceipt("0123456789", "DELIVRD", "000", None)

    @pytest.mark.parametrize("esm_class", [0x00, 0x04, 0x08, 0x10, 0x18, 0x20, 0x84])
    def test_it_is_read_whatever_the_message_was_marked_as(self, esm_class):
        assert receipt(TEXT, esm_class=esm_class).message_id == "0123456789"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (b"id:a-1 stat:EXPIRED", ("a-1", "EXPIRED", "")),
            (b"ID:ABC STAT:undeliv ERR:00A TEXT:x", ("ABC", "UNDELIV", "00A")),
            (b"id: 42 sub: 001 stat: DELIVERED err: 1", ("42", "DELIVRD", "1")),
            (b"id:1 stat:REJECTED err:\0", ("1", "REJECTD", "")),
            (b"id:1\nstat:ACCEPTD\nerr:012\0", ("1", "ACCEPTD", "012")),
            (b"id:1 stat:BLOCKED err:7", ("1", "FAILED", "7")),
            (b"id:7.8_9 stat:DELIVRD", ("7.8_9", "DELIVRD", "")),
            (b"id:12:34 sub:001 stat:DELIVRD", ("12:34", "DELIVRD", "")),
            (b"id:a b/c+= sub:001 stat:DELIVRD", ("a b/c+=", "DELIVRD", "")),
            (b"id:1,sub:001,dlvrd:001,stat:DELIVRD,err:000", ("1", "DELIVRD", "000")),
            (b"id:1 sub:001dlvrd:001stat:DELIVRD err:000", ("1", "DELIVRD", "000")),
            (b'{"msgid":"77","state":2}', ("77", "DELIVRD", "")),
            (b"message id: 77; status: undeliverable", ("77", "UNDELIV", "")),
            (b"id:1 submit date:7001010000 done date:9913322599 stat:DELIVRD", ("1", "DELIVRD", "")),
            (b"id:1 submit date:1970-01-01 00:00:00 stat:EXPIRED", ("1", "EXPIRED", "")),
            ("id:77 stat:DELIVRD".encode("utf-16-be"), ("77", "DELIVRD", "")),
            ("id:77 stat:DELIVRD".encode("utf-16-le"), ("77", "DELIVRD", "")),
            ("id:77 stat:DELIVRD".encode("utf-16"), ("77", "DELIVRD", "")),
        ],
    )
    @pytest.mark.parametrize("data_coding", [0, 3, 8, 0x0E])
    def test_the_forms_of_other_vendors_are_read_whatever_coding_they_are_labelled_with(
        self, text, expected, data_coding
    ):
        assert receipt(text, data_coding=data_coding)[:3] == expected

    def test_an_id_in_gsm_03_38_is_among_the_readings(self):
        assert "SAR_1" in signs(b"id:SAR\x111 stat:DELIVRD").ids

    def test_words_behind_a_user_data_header_are_read(self):
        assert receipt(b"\x05\0\x03\x07\x01\x01" + TEXT, esm_class=0x44).message_id == "0123456789"

    def test_words_are_read_where_a_header_is_announced_and_none_is_there(self):
        assert "0123456789" in signs(TEXT + b" " * 100, esm_class=0x44).ids

    def test_words_quoted_from_the_message_are_not_the_receipts_own(self):
        assert receipt(b"id:1 err:000 text:id:2 stat:EXPIRED") is None
        assert receipt(b"id:1 stat:DELIVRD text: err:9").error == ""

    @pytest.mark.parametrize(
        "text",
        [b"", b"help me", b"id:1", b"stat:DELIVRD", b"id: sub:001 stat:DELIVRD", b"paid:1 mystat:DELIVRD"],
    )
    def test_without_an_id_and_a_state_it_is_a_message(self, text):
        assert receipt(text) is None


class TestState:
    @pytest.mark.parametrize(
        ("word", "state"),
        [
            (b"DELIVRD", "DELIVRD"),
            (b"Delivered", "DELIVRD"),
            (b"DELIVERED_TO_HANDSET", "DELIVRD"),
            (b"UNDELIVERABLE", "UNDELIV"),
            (b"EXPIRED", "EXPIRED"),
            (b"DELETED", "DELETED"),
            (b"REJECTD", "REJECTD"),
            (b"FAILED", "FAILED"),
            (b"BLOCKED", "FAILED"),
            (b"NOROUTE", "FAILED"),
        ],
    )
    def test_what_is_final_is_told_at_once_and_a_word_nobody_knows_is_a_failure(self, word, state):
        read = receipt(b"id:1 stat:" + word)

        assert (read.state, read.is_final) == (state, True)

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            (b"ENROUTE", "ENROUTE"),
            (b"En Route", "ENROUTE"),
            (b"EN_ROUTE", "ENROUTE"),
            (b"ACCEPTD", "ACCEPTD"),
            (b"ACCEPTED", "ACCEPTD"),
            (b"UNKNOWN", "UNKNOWN"),
            (b"unknown", "UNKNOWN"),
            (b"1", "ENROUTE"),
            (b"77", "UNKNOWN"),
        ],
    )
    def test_what_is_on_its_way_is_not_final(self, word, state):
        read = receipt(b"id:1 stat:" + word)

        assert (read.state, read.is_final) == (state, False)

    def test_an_intermediate_notification_with_a_word_nobody_knows_is_not_final(self):
        assert not receipt(b"id:1 stat:BUSY", esm_class=0x20).is_final

    @pytest.mark.parametrize(
        ("number", "state"),
        [
            (0, "ENROUTE"),
            (1, "ENROUTE"),
            (2, "DELIVRD"),
            (3, "EXPIRED"),
            (4, "DELETED"),
            (5, "UNDELIV"),
            (6, "ACCEPTD"),
            (7, "UNKNOWN"),
            (8, "REJECTD"),
            (9, "FAILED"),
            (200, "UNKNOWN"),
        ],
    )
    def test_id_and_state_alone_are_a_receipt(self, number, state):
        assert receipt(b"", id_tlv(), state_tlv(number)) == DeliveryReceipt("4F2A", state, "", None)

    def test_only_final_states_are_final(self):
        states = {number: receipt(b"", id_tlv(), state_tlv(number)).is_final for number in range(1, 9)}

        assert [number for number, is_final in states.items() if is_final] == [2, 3, 4, 5, 8]

    @pytest.mark.parametrize("esm_class", [0x08, 0x10])
    def test_an_acknowledgement_by_the_phone_needs_no_state(self, esm_class):
        assert receipt(b"", id_tlv(), esm_class=esm_class).state == "DELIVRD"

    @pytest.mark.parametrize("esm_class", [0x00, 0x04, 0x20])
    def test_a_receipt_of_the_smsc_does(self, esm_class):
        assert receipt(b"1", id_tlv(), esm_class=esm_class) is None


class TestParameters:
    def test_parameters_count_before_the_text(self):
        read = receipt(TEXT, id_tlv(), state_tlv(5), Tlv(TAG_NETWORK_ERROR_CODE, b"\x03\x01\x02"))

        assert read == DeliveryReceipt("4F2A", "UNDELIV", "000", NetworkError(3, 0x0102))

    @pytest.mark.parametrize("value", [b"4F2A", b"4F2A\0", b"4F2A  \0", b"4F2A\0\0"])
    def test_an_id_is_whole_with_or_without_its_nul(self, value):
        assert receipt(b"", id_tlv(value), state_tlv(2)).message_id == "4F2A"

    def test_what_one_form_lacks_the_other_gives(self):
        assert receipt(b"stat:EXPIRED err:3", id_tlv())[:3] == ("4F2A", "EXPIRED", "3")
        assert receipt(b"id:9 sub:001", state_tlv(2))[:2] == ("9", "DELIVRD")
        assert receipt(TEXT, id_tlv(b"\0"), Tlv(TAG_MESSAGE_STATE, b"\0\2"))[:2] == ("0123456789", "DELIVRD")

    def test_the_ids_of_both_are_given(self):
        assert signs(TEXT, id_tlv()).ids == ("4F2A", "0123456789")

    def test_of_a_field_that_comes_twice_the_first_counts_and_every_id_is_given(self):
        read = signs(b"id:1 stat:DELIVRD err:000 smsc id:2 stat:EXPIRED")

        assert (read.ids, read.state) == (("1", "2"), "DELIVRD")

    def test_a_network_error_of_a_wrong_length_is_none(self):
        assert receipt(TEXT, Tlv(TAG_NETWORK_ERROR_CODE, b"\x03\x01")).network_error is None


class TestWording:
    @pytest.mark.parametrize(
        ("text", "wording"),
        [
            (b"", Wording.NONE),
            (b"\0 \r\n", Wording.NONE),
            (b"\0", Wording.NONE),
            (TEXT, Wording.FORM),
            (b"sub:001 dlvrd:001 submit date:2611291801 stat:DELIVRD err:000 text:", Wording.FORM),
            (b"id:9 sub:001", Wording.FORM),
            (b"delivered to handset", Wording.PHRASE),
            (b"Buffered.", Wording.PHRASE),
            (b"Your message was not delivered", Wording.PHRASE),
            (b"text: help me", Wording.FREE),
            (b".", Wording.FREE),
            (b"id: kim help me", Wording.FREE),
            (b"my id: 1234 he has taken it. help", Wording.FREE),
            (b"delivered her to the hospital", Wording.FREE),
            (b"1", Wording.FREE),
        ],
    )
    def test_what_words_look_like(self, text, wording):
        assert signs(text, esm_class=0).wording == wording

    @pytest.mark.parametrize(
        ("text", "begins"),
        [
            (TEXT, True),
            (b'{"msgid":"7","state":2}', True),
            (b"my id:7 stat:FAILED", False),
            (b"hello", False),
        ],
    )
    def test_whether_something_is_said_before_the_fields(self, text, begins):
        assert signs(text).begins is begins

    @pytest.mark.parametrize("words", ["", "delivered to handset", "id:1 stat:DELIVRD"])
    def test_it_is_seen_in_ucs2_too(self, words):
        assert signs(words.encode("utf-16-be"), data_coding=8).wording == signs(words.encode()).wording

    @given(message_bodies)
    def test_no_message_raises(self, case):
        command_id, body = case
        message = decode_message(command_id, body)

        for esm_class in (0x00, 0x04, 0x08, 0x10, 0x20, 0x44):
            signs_of(message._replace(esm_class=esm_class))


class TestNormalId:
    @pytest.mark.parametrize(
        ("of_response", "of_receipt", "base"),
        [
            ("4F2A", "4f2a", "raw"),
            ("00004F2A", "4F2A\0", "raw"),
            ("b9c3-77", "B9C3-77", "raw"),
            ("20266", "4F2A", "hex-to-decimal"),
            ("20266", "00004f2a", "hex-to-decimal"),
            ("4F2A", "0000020266", "decimal-to-hex"),
            ("msg-1", "MSG-1", "hex-to-decimal"),
            ("msg-1", "msg-1", "decimal-to-hex"),
            ("0", "0000", "raw"),
            ("SAR_1", "sar§1", "raw"),
            ("a@b", "A¡B", "raw"),
        ],
    )
    def test_ids_of_response_and_receipt_meet(self, of_response, of_receipt, base):
        assert normal_id(of_response, "raw") == normal_id(of_receipt, base)

    @given(st.integers(0, 2**64))
    def test_any_number_meets_itself_in_the_other_base(self, number):
        assert normal_id(f"{number:X}", "hex-to-decimal") == normal_id(str(number), "raw")
        assert normal_id(f"{number:012d}", "decimal-to-hex") == normal_id(f"{number:08x}", "raw")

    @given(st.text(max_size=100), st.sampled_from(("raw", "hex-to-decimal", "decimal-to-hex")))
    def test_no_id_raises(self, raw, base):
        normal_id(raw, base)

    def test_an_endless_id_is_left_as_it_is(self):
        assert normal_id("1" * 60_000, "hex-to-decimal") == "1" * 60_000
        assert normal_id("²", "decimal-to-hex") == "²"

    @pytest.mark.parametrize(
        ("of_response", "of_receipt"), [("00ABCD0201", "2882339329"), ("2882339329", "abcd0201")]
    )
    def test_a_long_id_is_found_in_the_other_base_without_being_told(self, of_response, of_receipt):
        assert set(id_forms(of_response, "raw")) & set(id_forms(of_receipt, "raw"))

    def test_a_short_one_could_be_another_id(self):
        assert id_forms("77", "raw") == ("77",)
