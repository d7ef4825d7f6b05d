"""What a message is: nothing sent to an SOS number is a receipt, and no receipt is anybody's words."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from twisted.internet.task import Clock

from telephony.domain.people.service_text import ServiceText
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import UNLISTED_DESTINATION, Trigger
from telephony.domain.ussd import UssdMenu, UssdMessage, UssdOver, UssdPress
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.constants import (
    DATA_SM,
    DELIVER_SM,
    SUBMIT_SM,
    TAG_MESSAGE_STATE,
    TAG_NETWORK_ERROR_CODE,
    TAG_RECEIPTED_MESSAGE_ID,
    TAG_USSD_SERVICE_OP,
)
from telephony.smpp.wire.inbound import Way
from telephony.smpp.wire.pdus import Message, Tlv
from telephony.smpp.wire.receipts import DeliveryReceipt
from telephony.smpp.wire.sorting import Dialogue, MachineText, MenuMessage, ProvenReceipt, Sorter
from telephony.smpp.wire.text import read_text
from tests.smpp.strategies import message_bodies

NOW = datetime(2026, 11, 29, 18, 1, tzinfo=UTC)
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
        return self.take(message(*args, **fields))

    def take(self, came, heard=None):
        hear = lambda *_: heard  # noqa: E731 - what the rules of the dialogues say
        sorter = Sorter(Way("skt-1", "skt", Dialect()), self.book, hear, takes_service_texts=True)
        return sorter.sort(came, b"", self.recognition, NOW, 0.0)


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
            assert isinstance(found, Trigger), (esm_class, text, tlvs)

    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    def test_so_it_is_where_our_texts_leave_from_an_sos_number(self, esm_class):
        desk = Desk(sender="112")

        assert isinstance(desk.sort(FORM % b"77", "112", esm_class=esm_class, tlvs=parameters()), Trigger)

    def test_a_number_that_our_texts_leave_from_is_no_longer_that_where_it_is_an_sos_number_in_another_form(
        self,
    ):
        desk = Desk(sender="01091120000")

        assert isinstance(desk.sort(FORM % b"77", "+821091120000", esm_class=0x04), Trigger)

    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    @pytest.mark.parametrize("destination", ["", "1588", "821012345678", "114"])
    def test_every_other_number_that_is_not_ours_is_a_press_too(self, desk, destination, esm_class):
        assert isinstance(
            desk.sort(FORM % b"77", destination, esm_class=esm_class, tlvs=parameters()), Trigger
        )

    @given(message_bodies)
    def test_no_message_is_anything_else(self, case):
        read = decode_message(*case)._replace(destination="112")

        assert isinstance(Desk().take(read), Trigger)


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

        assert isinstance(found, ProvenReceipt)
        assert found.receipt.state == "DELIVRD"

    @pytest.mark.parametrize(
        "destination", ["1588112", "+821588112", "821588112", "00821588112", "01588112", "1588-112"]
    )
    def test_our_number_may_be_written_in_any_form(self, desk, destination):
        assert isinstance(desk.sort(FORM % b"77", destination), ProvenReceipt)

    @pytest.mark.parametrize("destination", ["1366", "+821366", "821366", "01366"])
    def test_so_may_a_short_one(self, destination):
        desk = Desk(sender="1366", recognition=Recognition(frozenset({"112"})))

        assert isinstance(desk.sort(FORM % b"77", destination), ProvenReceipt)

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

        assert isinstance(desk.sort(words, data_coding=8 if coding == "utf-16-be" else 0), ProvenReceipt)

    def test_no_receipt_comes_to_a_number_that_no_text_of_ours_leaves_from(self, desk):
        assert desk.sort(FORM % b"77", MENU) == MachineText(None)

    def test_an_id_may_be_in_the_parameter_in_one_form_and_in_the_words_in_another(self, desk):
        assert desk.sort(FORM % b"77", tlvs=parameters(b"FFFF")).receipt.message_id == "77"

    def test_words_before_the_form_do_not_matter_where_the_id_is_waited_for(self, desk):
        assert isinstance(desk.sort(b"Delivery report id:77 stat:DELIVRD err:000"), ProvenReceipt)

    def test_a_receipt_that_comes_again_after_the_final_one_is_still_one(self, desk):
        found = desk.sort(FORM % b"77")
        desk.book.receive(found.receipt)
        again = desk.sort(FORM % b"77")
        desk.book.receive(again.receipt)

        assert isinstance(again, ProvenReceipt)
        assert desk.told == [DeliveryReceipt("77", "DELIVRD", "000", None)]

    @pytest.mark.parametrize("esm_class", [0x08, 0x10])
    def test_a_phone_that_acknowledges_without_words_has_it(self, desk, esm_class):
        found = desk.sort(b"", esm_class=esm_class, tlvs=ID_ALONE)

        assert isinstance(found, ProvenReceipt)
        assert found.receipt.state == "DELIVRD"


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
    def test_it_is_no_one_s_words_and_no_press(self, desk, text, tlvs, esm_class, destination):
        found = desk.sort(text, destination, esm_class=esm_class, tlvs=tlvs)

        assert isinstance(found, MachineText)

    def test_the_rest_of_one_that_came_in_parts_is_no_text_either(self, desk):
        rest = b"\x05\0\x03\x15\x02\x02date:2611291802 stat:DELIVRD err:000 sub:001 text:hello"

        assert isinstance(desk.sort(rest, esm_class=0x40), MachineText)

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
        assert isinstance(desk.sort(b"", tlvs=(Tlv(TAG_RECEIPTED_MESSAGE_ID, b"99\0"), *tlvs)), MachineText)
        assert isinstance(desk.sort(b"", tlvs=tlvs), ProvenReceipt | MachineText)

    def test_a_state_in_a_wider_integer_is_read(self, desk):
        tlvs = (Tlv(TAG_RECEIPTED_MESSAGE_ID, b"77\0"), Tlv(TAG_MESSAGE_STATE, b"\0\0\0\5"))

        assert desk.sort(b"", tlvs=tlvs) == ProvenReceipt(DeliveryReceipt("77", "UNDELIV", "", None))

    @pytest.mark.parametrize("text", [b"delivered to handset", b"buffered", b""])
    @pytest.mark.parametrize("esm_class", [0x04, 0x20])
    def test_a_phrase_is_a_machines_where_the_centre_marked_it(self, desk, text, esm_class):
        assert desk.sort(text, esm_class=esm_class) == MachineText(None)

    def test_our_own_words_quoted_by_a_receipt_are_no_press_of_who_read_them(self, desk):
        words = b"pressed the SOS key"

        assert isinstance(desk.sort(words, esm_class=0x04, tlvs=parameters(b"99")), MachineText)
        assert isinstance(desk.sort(words, tlvs=parameters(b"77")), ProvenReceipt)


class TestReply:
    @pytest.mark.parametrize("tlvs", [(), ID_ALONE, STATE_ALONE, parameters(), parameters(b"99")])
    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    def test_a_confirmation_is_a_reply_whatever_bits_and_parameters_it_has(self, desk, esm_class, tlvs):
        found = desk.sort(b"1", esm_class=esm_class, tlvs=tlvs)

        assert isinstance(found, ServiceText)
        assert found.text == "1"

    @pytest.mark.parametrize("tlvs", [(), ID_ALONE])
    @pytest.mark.parametrize("esm_class", ANY_TYPE)
    @pytest.mark.parametrize(
        "words", ["he has a knife", "my id: 77 he has taken it", "id: kim wait", "id:77", "77"]
    )
    def test_so_are_the_words_of_a_person_even_about_an_id_that_we_wait_for(
        self, desk, words, esm_class, tlvs
    ):
        found = desk.sort(words.encode(), esm_class=esm_class, tlvs=tlvs)

        assert isinstance(found, ServiceText)
        assert found.text == words

    @pytest.mark.parametrize("esm_class", [0x00, 0x08, 0x10])
    def test_so_are_they_beside_both_parameters_of_a_receipt_that_nobody_knows(self, desk, esm_class):
        found = desk.sort(b"she is at my house", esm_class=esm_class, tlvs=parameters(b"99"))

        assert isinstance(found, ServiceText)

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
        assert desk.sort(b"hello", "+821588112").destination == SENDER

    @pytest.mark.parametrize("tlvs", [(), ID_ALONE, parameters(b"99")])
    @pytest.mark.parametrize("esm_class", [0x00, 0x08, 0x10, 0x18])
    def test_a_word_of_distress_is_a_press(self, desk, esm_class, tlvs):
        assert isinstance(desk.sort(HELP, data_coding=8, esm_class=esm_class, tlvs=tlvs), Trigger)

    @pytest.mark.parametrize("esm_class", [0x04, 0x20])
    def test_so_it_is_where_the_carrier_marked_it_as_a_receipt(self, desk, esm_class):
        assert isinstance(desk.sort(HELP, data_coding=8, esm_class=esm_class, tlvs=ID_ALONE), Trigger)

    @given(message_bodies)
    def test_no_message_to_our_number_raises(self, case):
        read = decode_message(*case)._replace(destination=SENDER)

        Desk().take(read)


def test_a_sender_that_nobody_reads_takes_receipts_and_its_replies_are_presses():
    desk = Desk(recognition=Recognition(frozenset({"112"})))

    assert isinstance(desk.sort(FORM % b"77"), ProvenReceipt)
    assert isinstance(desk.sort(FORM % b"99"), MachineText)
    assert isinstance(desk.sort(b"1"), Trigger)


def test_where_no_text_of_ours_leaves_nothing_is_waited_for():
    desk = Desk(sender="", recognition=Recognition(frozenset({"112"})))

    assert isinstance(desk.sort(FORM % b"77", ""), Trigger)
    assert isinstance(desk.sort(FORM % b"77", esm_class=0x04), Trigger)


DIALLED = UssdPress("112", None, "", (), None)
IN_MENU = UssdMenu(UssdMessage("821098760001", MENU), "1", "", DIALLED)
A_DIALOGUE = (Tlv(TAG_USSD_SERVICE_OP, b"\1"),)


class TestEveryMessage:
    KINDS = pytest.mark.parametrize(
        ("came", "heard", "kind"),
        [
            (message(b"help", "112"), None, Trigger),
            (message(b"help", "1588"), None, Trigger),
            (message(HELP, MENU, data_coding=8), None, Trigger),
            (message(b"hello", MENU), None, ServiceText),
            (message(b"1", MENU, tlvs=A_DIALOGUE), None, ServiceText),
            (message(FORM % b"77"), None, ProvenReceipt),
            (message(FORM % b"77", tlvs=A_DIALOGUE), DIALLED, ProvenReceipt),
            (message(FORM % b"99"), None, MachineText),
            (message(FORM % b"99", tlvs=A_DIALOGUE), DIALLED, Dialogue),
            (message(b"*112#", "112", tlvs=A_DIALOGUE), DIALLED, Dialogue),
            (message(b"1", MENU, tlvs=A_DIALOGUE), IN_MENU, MenuMessage),
            (message(b"", "112", tlvs=A_DIALOGUE), UssdOver("over"), UssdOver),
        ],
    )

    @KINDS
    def test_it_is_of_one_kind(self, desk, came, heard, kind):
        assert type(desk.take(came, heard)) is kind

    @KINDS
    def test_its_text_is_read_once_whatever_it_is(self, desk, monkeypatch, came, heard, kind):
        readings = []
        reading = "telephony.smpp.wire.text.read_text"
        monkeypatch.setattr(reading, lambda *args, **more: readings.append(args) or read_text(*args, **more))

        desk.take(came, heard)

        assert len(readings) == 1

    def test_where_no_service_text_is_taken_it_is_a_press(self, desk):
        sorter = Sorter(Way("skt-1", "skt", Dialect()), desk.book)

        found = sorter.sort(message(b"hello", MENU), b"", RECOGNITION, NOW, 0.0)

        assert isinstance(found, Trigger)
        assert (found.text, found.labels) == ("hello", (UNLISTED_DESTINATION,))
