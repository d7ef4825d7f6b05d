"""What a message is: nothing sent to an SOS number is a receipt, and no receipt is anybody's words."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from twisted.internet.task import Clock

from telephony.domain.recognition import Recognition
from telephony.smpp.codec import decode_message
from telephony.smpp.constants import (
    DATA_SM,
    DELIVER_SM,
    SUBMIT_SM,
    TAG_MESSAGE_STATE,
    TAG_NETWORK_ERROR_CODE,
    TAG_RECEIPTED_MESSAGE_ID,
)
from telephony.smpp.pdus import Message, Tlv
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.receipts import DeliveryReceipt
from telephony.smpp.sorting import InCalm, OfCentre, sort
from tests.smpp.strategies import message_bodies

SENDER, MENU = "1588112", "1120"
RECOGNITION = Recognition(
    frozenset({"112", "821091120000"}),
    test_numbers=frozenset({"1129"}),
    service_numbers=frozenset({SENDER, MENU}),
    sos_words=frozenset({"살려주", "sos"}),
)
FORM = b"id:%s sub:001 dlvrd:001 submit date:2611291801 done date:2611291802 stat:DELIVRD err:000 text:SOS pressed"
HELP = "살려주세요".encode("utf-16-be")
ANY_TYPE = range(0x00, 0x40, 0x04)
"""Bits 5-2 of esm_class."""

PRESS = None


def parameters(message_id=b"77", state=2):
    return (Tlv(TAG_RECEIPTED_MESSAGE_ID, message_id + b"\0"), Tlv(TAG_MESSAGE_STATE, bytes((state,))))


ID_ALONE, STATE_ALONE = ((each,) for each in parameters())


def message(text=b"", destination=SENDER, *, esm_class=0, tlvs=(), data_coding=0, command=DELIVER_SM):
    return Message(
        command,
        source="821098760001",
        destination=destination,
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=text,
        tlvs=tlvs,
    )


class Desk:
    """One carrier's book, with the id 77 waited for."""

    def __init__(self, *, awaits=("77",), sender=SENDER, recognition=RECOGNITION):
        self.clock = Clock()
        self.book = ReceiptBook(clock=self.clock, sender=sender)
        self.recognition = recognition
        self.told = []
        for each in awaits:
            self.book.expect(each, self.told.append)

    def sort(self, *args, **fields):
        return sort(message(*args, **fields), self.recognition, self.book, default_alphabet="gsm0338")


@pytest.fixture
def desk():
    return Desk()


class TestSosNumber:
    @pytest.mark.parametrize("command", [DELIVER_SM, DATA_SM, SUBMIT_SM])
    @pytest.mark.parametrize("destination", ["112", "1129"])
    def test_it_is_a_press_whatever_bits_parameters_and_words_it_has(self, desk, destination, command):
        part = b"\x05\0\x03\x15\x02\x01"
        texts = (b"", HELP, part, part + HELP, FORM % b"77", b"id: kim help me", b"77")
        marks = ((), ID_ALONE, STATE_ALONE, parameters())

        for esm_class, text, tlvs in itertools.product(range(256), texts, marks):
            found = desk.sort(text, destination, esm_class=esm_class, tlvs=tlvs, command=command)
            assert found is PRESS, (esm_class, text, tlvs)

    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    def test_so_it_is_where_our_texts_leave_from_an_sos_number(self, esm_class):
        desk = Desk(sender="112")

        assert desk.sort(FORM % b"77", "112", esm_class=esm_class, tlvs=parameters()) is PRESS

    def test_a_number_that_our_texts_leave_from_is_no_longer_that_where_it_is_an_sos_number_in_another_form(
        self,
    ):
        desk = Desk(sender="01091120000")

        assert desk.sort(FORM % b"77", "+821091120000", esm_class=0x04) is PRESS

    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    @pytest.mark.parametrize("destination", ["", "1588", "821012345678", "114"])
    def test_every_other_number_that_is_not_ours_is_a_press_too(self, desk, destination, esm_class):
        assert desk.sort(FORM % b"77", destination, esm_class=esm_class, tlvs=parameters()) is PRESS

    @given(message_bodies)
    def test_no_message_is_anything_else(self, case):
        read = decode_message(*case)._replace(destination="112")

        assert sort(read, RECOGNITION, Desk().book, default_alphabet="gsm0338") is PRESS


class TestReceipt:
    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    @pytest.mark.parametrize(
        ("text", "tlvs"),
        [
            (FORM % b"77", ()),
            (FORM % b"0077", ()),
            ((FORM % b"77").decode().encode("utf-16-be"), ()),
            (b"id:77 stat:DELIVRD", ()),
            (b"id:77 submit date:7001010000 done date:9913322599 stat:DELIVRD", ()),
            (b"", parameters()),
            (b"delivered to handset", parameters()),
            (b'{"msgid":"77","state":2}', ()),
        ],
    )
    def test_an_id_that_is_waited_for_proves_it_whatever_it_was_marked_as(self, desk, text, tlvs, esm_class):
        found = desk.sort(text, esm_class=esm_class, tlvs=tlvs)

        assert isinstance(found, OfCentre)
        assert found.is_proven
        assert found.receipt.state == "DELIVRD"

    @pytest.mark.parametrize(
        "destination", ["1588112", "+821588112", "821588112", "00821588112", "01588112", "1588-112"]
    )
    def test_our_number_may_be_written_in_any_form(self, desk, destination):
        assert desk.sort(FORM % b"77", destination).is_proven

    @pytest.mark.parametrize("destination", ["1366", "+821366", "821366", "01366"])
    def test_so_may_a_short_one(self, destination):
        desk = Desk(sender="1366", recognition=Recognition(frozenset({"112"})))

        assert desk.sort(FORM % b"77", destination).is_proven

    @pytest.mark.parametrize(
        ("of_response", "of_receipt"),
        [
            ("SAR_1", "SAR_1"),
            ("SAR_1", "SAR§1"),
            ("sar_1", "SAR\x111"),
            ("7.8-9", "7.8-9"),
            ("00ABCD0201", "2882339329"),
            ("12:34/5", "12:34/5"),
            ("a b", "A B"),
        ],
    )
    @pytest.mark.parametrize("coding", ["latin-1", "utf-16-be"])
    def test_an_id_with_odd_signs_is_found_in_any_coding(self, of_response, of_receipt, coding):
        desk = Desk(awaits=(of_response,))
        words = f"id:{of_receipt} sub:001 dlvrd:001 stat:DELIVRD err:000".encode(coding)

        assert desk.sort(words, data_coding=8 if coding == "utf-16-be" else 0).is_proven

    def test_no_receipt_comes_to_a_number_that_no_text_of_ours_leaves_from(self, desk):
        assert desk.sort(FORM % b"77", MENU) == OfCentre(None, is_proven=False)

    def test_an_id_may_be_in_the_parameter_in_one_form_and_in_the_words_in_another(self, desk):
        assert desk.sort(FORM % b"77", tlvs=parameters(b"FFFF")).receipt.message_id == "77"

    def test_words_before_the_form_do_not_matter_where_the_id_is_waited_for(self, desk):
        assert desk.sort(b"Delivery report id:77 stat:DELIVRD err:000").is_proven

    def test_a_receipt_that_comes_again_after_the_final_one_is_still_one(self, desk):
        found = desk.sort(FORM % b"77")
        desk.book.receive(found.receipt)
        again = desk.sort(FORM % b"77")
        desk.book.receive(again.receipt)

        assert again.is_proven
        assert desk.told == [DeliveryReceipt("77", "DELIVRD", "000", None)]

    @pytest.mark.parametrize("esm_class", [0x08, 0x10])
    def test_a_phone_that_acknowledges_without_words_has_it(self, desk, esm_class):
        found = desk.sort(b"", esm_class=esm_class, tlvs=ID_ALONE)

        assert (found.is_proven, found.receipt.state) == (True, "DELIVRD")


class TestUnknownReceipt:
    @pytest.mark.parametrize("destination", [SENDER, "+821588112", MENU])
    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    @pytest.mark.parametrize(
        ("text", "tlvs"),
        [
            (FORM % b"99", ()),
            ((FORM % b"99").decode().encode("utf-16-be"), ()),
            (b"sub:001 dlvrd:001 submit date:2611291801 done date:2611291802 stat:DELIVRD err:000 text:", ()),
            (b'{"msgid":"99","state":2}', ()),
            (b"", parameters(b"99")),
            (b"", STATE_ALONE),
            (b"Delivered.", parameters(b"99")),
        ],
    )
    def test_it_is_nobodys_words_and_no_press(self, desk, text, tlvs, esm_class, destination):
        found = desk.sort(text, destination, esm_class=esm_class, tlvs=tlvs)

        assert isinstance(found, OfCentre)
        assert not found.is_proven

    def test_the_rest_of_one_that_came_in_parts_is_no_text_either(self, desk):
        rest = b"\x05\0\x03\x15\x02\x02date:2611291802 stat:DELIVRD err:000 sub:001 text:hello"

        assert isinstance(desk.sort(rest, esm_class=0x40), OfCentre)

    def test_one_that_is_ahead_of_its_response_can_be_kept(self, desk):
        found = desk.sort(FORM % b"99")
        desk.book.receive(found.receipt)

        desk.book.expect("99", desk.told.append)
        assert [each.message_id for each in desk.told] == ["99"]

    @pytest.mark.parametrize(
        "tlvs",
        [
            ID_ALONE,
            (Tlv(TAG_MESSAGE_STATE, b"\0\2"),),
            (Tlv(TAG_MESSAGE_STATE, b""),),
            (Tlv(TAG_NETWORK_ERROR_CODE, b"\3\0\x1b"),),
        ],
    )
    def test_a_parameter_of_receipts_without_a_word_is_a_machines(self, desk, tlvs):
        """No phone sends one, and a text in answer would draw another receipt."""
        assert isinstance(desk.sort(b"", tlvs=(Tlv(TAG_RECEIPTED_MESSAGE_ID, b"99\0"), *tlvs)), OfCentre)
        assert isinstance(desk.sort(b"", tlvs=tlvs), OfCentre)

    def test_a_state_in_a_wider_integer_is_read(self, desk):
        tlvs = (Tlv(TAG_RECEIPTED_MESSAGE_ID, b"77\0"), Tlv(TAG_MESSAGE_STATE, b"\0\0\0\5"))

        assert desk.sort(b"", tlvs=tlvs) == OfCentre(
            DeliveryReceipt("77", "UNDELIV", "", None), is_proven=True
        )

    @pytest.mark.parametrize("text", [b"delivered to handset", b"buffered", b""])
    @pytest.mark.parametrize("esm_class", [0x04, 0x20])
    def test_a_phrase_is_a_machines_where_the_centre_marked_it(self, desk, text, esm_class):
        assert desk.sort(text, esm_class=esm_class) == OfCentre(None, is_proven=False)

    def test_our_own_words_quoted_by_a_receipt_are_no_press_of_who_read_them(self, desk):
        words = b"pressed the SOS key"

        assert isinstance(desk.sort(words, esm_class=0x04, tlvs=parameters(b"99")), OfCentre)
        assert isinstance(desk.sort(words, tlvs=parameters(b"77")), OfCentre)


class TestReply:
    @pytest.mark.parametrize("tlvs", [(), ID_ALONE, STATE_ALONE, parameters(), parameters(b"99")])
    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    def test_a_confirmation_is_a_reply_whatever_bits_and_parameters_it_has(self, desk, esm_class, tlvs):
        found = desk.sort(b"1", esm_class=esm_class, tlvs=tlvs)

        assert isinstance(found, InCalm)
        assert found.text.text == "1"

    @pytest.mark.parametrize("tlvs", [(), ID_ALONE])
    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    @pytest.mark.parametrize(
        "words", ["he has a knife", "my id: 77 he has taken it", "id: kim wait", "id:77", "77"]
    )
    def test_so_are_the_words_of_a_person_even_about_an_id_that_we_wait_for(
        self, desk, words, esm_class, tlvs
    ):
        found = desk.sort(words.encode(), esm_class=esm_class, tlvs=tlvs)

        assert isinstance(found, InCalm)
        assert found.text.text == words

    @pytest.mark.parametrize("esm_class", [0x00, 0x08, 0x10])
    def test_so_are_they_beside_both_parameters_of_a_receipt_that_nobody_knows(self, desk, esm_class):
        found = desk.sort(b"she is at my house", esm_class=esm_class, tlvs=parameters(b"99"))

        assert isinstance(found, InCalm)

    @pytest.mark.parametrize(
        ("esm_class", "tlvs", "is_marked"),
        [
            (0x00, (), False),
            (0x40, (), False),
            (0x00, ID_ALONE, False),
            (0x10, (), True),
            (0x04, (), True),
            (0x00, STATE_ALONE, True),
        ],
    )
    def test_it_says_whether_it_was_marked(self, desk, esm_class, tlvs, is_marked):
        assert desk.sort(b"hello", esm_class=esm_class, tlvs=tlvs).is_marked is is_marked

    def test_it_is_to_the_number_as_it_is_listed(self, desk):
        assert desk.sort(b"hello", "+821588112").number == SENDER

    @pytest.mark.parametrize("tlvs", [(), ID_ALONE, parameters(b"99")])
    @pytest.mark.parametrize("esm_class", [0x00, 0x08, 0x10, 0x18])
    def test_a_word_of_distress_is_a_press(self, desk, esm_class, tlvs):
        assert desk.sort(HELP, data_coding=8, esm_class=esm_class, tlvs=tlvs) is PRESS

    @pytest.mark.parametrize("esm_class", [0x04, 0x20])
    def test_so_it_is_where_the_carrier_marked_it_as_a_receipt(self, desk, esm_class):
        assert desk.sort(HELP, data_coding=8, esm_class=esm_class, tlvs=ID_ALONE) is PRESS

    @given(message_bodies)
    def test_no_message_to_our_number_raises(self, case):
        read = decode_message(*case)._replace(destination=SENDER)

        sort(read, RECOGNITION, Desk().book, default_alphabet="gsm0338")


def test_a_sender_that_nobody_reads_takes_receipts_and_its_replies_are_presses():
    desk = Desk(recognition=Recognition(frozenset({"112"})))

    assert desk.sort(FORM % b"77").is_proven
    assert isinstance(desk.sort(FORM % b"99"), OfCentre)
    assert desk.sort(b"1") is PRESS


def test_where_no_text_of_ours_leaves_nothing_is_waited_for():
    desk = Desk(sender="", recognition=Recognition(frozenset({"112"})))

    assert desk.sort(FORM % b"77", "") is PRESS
    assert desk.sort(FORM % b"77", esm_class=0x04) is PRESS
