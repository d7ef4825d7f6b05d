"""Receipts: their optional parameters, their text, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.smpp.codec import decode_message
from telephony.smpp.constants import (
    DELIVER_SM,
    TAG_MESSAGE_STATE,
    TAG_NETWORK_ERROR_CODE,
    TAG_RECEIPTED_MESSAGE_ID,
)
from telephony.smpp.pdus import Message, Tlv
from telephony.smpp.receipts import DeliveryReceipt, NetworkError, normal_id, parse_receipt
from tests.smpp.strategies import message_bodies

TEXT = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 "
    b"text:Your daughter"
)


def receipt(text=b"", *tlvs, esm_class=0x04):
    return parse_receipt(Message(DELIVER_SM, esm_class=esm_class, short_message=text, tlvs=tlvs))


def id_tlv(value=b"4F2A\0"):
    return Tlv(TAG_RECEIPTED_MESSAGE_ID, value)


def state_tlv(state):
    return Tlv(TAG_MESSAGE_STATE, bytes((state,)))


class TestText:
    def test_the_form_of_appendix_b_is_read(self):
        assert receipt(TEXT) == DeliveryReceipt("0123456789", "DELIVRD", "000", None)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (b"id:a-1 stat:EXPIRED", ("a-1", "EXPIRED", "")),
            (b"ID:ABC STAT:undeliv ERR:00A TEXT:x", ("ABC", "UNDELIV", "00A")),
            (b"id: 42 sub: 001 stat: DELIVERED err: 1", ("42", "DELIVRD", "1")),
            (b"id:1 stat:REJECTED err:\0", ("1", "REJECTD", "")),
            (b"id:1\nstat:ACCEPTD\nerr:012\0", ("1", "ACCEPTD", "012")),
            (b"id:1 stat:BLOCKED err:7", ("1", "UNKNOWN", "7")),
            ("id:77 stat:DELIVRD".encode("utf-16-be"), ("77", "DELIVRD", "")),
        ],
    )
    def test_the_forms_of_other_vendors_are_read(self, text, expected):
        assert receipt(text)[:3] == expected

    def test_words_quoted_from_the_message_are_not_the_receipts_own(self):
        assert receipt(b"id:1 err:000 text:id:2 stat:EXPIRED") is None
        assert receipt(b"id:1 stat:DELIVRD text: err:9").error == ""

    @pytest.mark.parametrize(
        "text",
        [b"", b"help me", b"id:1", b"stat:DELIVRD", b"id: sub:001 stat:DELIVRD", b"paid:1 mystat:DELIVRD"],
    )
    def test_without_an_id_and_a_state_it_is_a_message(self, text):
        assert receipt(text) is None


class TestParameters:
    @pytest.mark.parametrize(
        ("number", "state"),
        [
            (1, "ENROUTE"),
            (2, "DELIVRD"),
            (3, "EXPIRED"),
            (4, "DELETED"),
            (5, "UNDELIV"),
            (6, "ACCEPTD"),
            (7, "UNKNOWN"),
            (8, "REJECTD"),
            (200, "UNKNOWN"),
        ],
    )
    def test_id_and_state_alone_are_a_receipt(self, number, state):
        assert receipt(b"", id_tlv(), state_tlv(number)) == DeliveryReceipt("4F2A", state, "", None)

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

    def test_a_network_error_of_a_wrong_length_is_none(self):
        assert receipt(TEXT, Tlv(TAG_NETWORK_ERROR_CODE, b"\x03\x01")).network_error is None


class TestType:
    @pytest.mark.parametrize("esm_class", [0x04, 0x05, 0x08, 0x10, 0x20, 0x44, 0x84, 0x07])
    def test_the_types_of_receipts_are_read_whatever_the_other_bits(self, esm_class):
        assert receipt(TEXT, esm_class=esm_class).message_id == "0123456789"

    @pytest.mark.parametrize("esm_class", [0x00, 0x03, 0x40, 0xC0, 0x0C, 0x14, 0x18, 0x58, 0x1C, 0x24, 0x3C])
    def test_every_other_type_is_no_receipt_and_least_of_all_conversation_abort(self, esm_class):
        assert receipt(TEXT, id_tlv(), state_tlv(2), esm_class=esm_class) is None

    @pytest.mark.parametrize(("esm_class", "state"), [(0x08, "DELIVRD"), (0x10, "DELIVRD")])
    def test_an_acknowledgement_by_the_phone_needs_no_state(self, esm_class, state):
        assert receipt(b"1", id_tlv(), esm_class=esm_class).state == state

    @pytest.mark.parametrize("esm_class", [0x04, 0x20])
    def test_a_receipt_of_the_smsc_does(self, esm_class):
        assert receipt(b"1", id_tlv(), esm_class=esm_class) is None

    def test_only_final_states_are_final(self):
        states = {number: receipt(b"", id_tlv(), state_tlv(number)).is_final for number in range(1, 9)}

        assert [number for number, is_final in states.items() if is_final] == [2, 3, 4, 5, 8]

    @given(message_bodies)
    def test_no_message_raises(self, case):
        command_id, body = case
        message = decode_message(command_id, body)

        for esm_class in (0x04, 0x08, 0x10, 0x20):
            parse_receipt(message._replace(esm_class=esm_class))


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
