"""Texts to a service number: no press, answered when they have been handled; whatever may be a call for help is one."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from telephony.domain.errors import Unavailable
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import UNLISTED_DESTINATION, UNREADABLE_TEXT, Part
from telephony.domain.values import Msisdn
from telephony.smpp.answering import PressDesk
from telephony.smpp.batches import HARD_STOP_S
from telephony.smpp.receipt_book import ReceiptBook
from telephony.smpp.request_book import RequestBook, Standing
from telephony.smpp.service_desk import MOST_OPEN
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.codec import PduStream
from telephony.smpp.wire.constants import DATA_SM, DELIVER_SM, ESME_RMSGQFUL, ESME_ROK, SUBMIT_SM
from telephony.smpp.wire.inbound import Way
from telephony.smpp.wire.pdus import Pdu
from tests.smpp.people import Intake, Witness, deliver_sm
from tests.smpp.strategies import message_bodies

SERVICE = "1120"
RECOGNITION = Recognition(
    frozenset({"112"}),
    service_numbers=frozenset({SERVICE}),
    sos_words=frozenset({"살려주", "도와주세요", "sos"}),
)


class Wire:
    """A link that keeps what is answered."""

    def __init__(self):
        self.standing = Standing()
        self.answers: list[tuple[int, int, int]] = []

    def answer(self, octets, count):
        pdus = PduStream().feed(octets)
        assert len(pdus) == count
        self.answers += [(pdu.command_id & 0x7FFFFFFF, pdu.sequence, pdu.status) for pdu in pdus]

    @property
    def statuses(self):
        return [status for _, _, status in self.answers]


class Desk:
    """A link's desk with a service behind it that answers as told."""

    def __init__(self, *, has_service=True, recognition=RECOGNITION):
        self.clock = Clock()
        self.wire = Wire()
        self.intake = Intake()
        self.texts = []
        self.answer = lambda: succeed(None)
        self.book = ReceiptBook(clock=self.clock, sender=SERVICE)
        self.desk = PressDesk(
            Way("skt-1", "skt", Dialect()),
            recognition=recognition,
            accept_all=self.intake.accept_all,
            receipts=self.book,
            requests=RequestBook(600.0),
            new_message_id=lambda: "id",
            clock=self.clock,
            observer=Witness(),
            service=self._service if has_service else None,
        )

    def _service(self, text):
        self.texts.append(text)
        return self.answer()

    def hear(self, text, sequence=1, destination=SERVICE, **fields):
        octets = text if isinstance(text, bytes) else text.encode("utf-16-be")
        if not isinstance(text, bytes):
            fields.setdefault("data_coding", 8)
        pdu = deliver_sm(sequence, octets, destination_addr=destination, **fields)
        self.desk.take(self.wire, PduStream().feed(pdu))


@pytest.fixture
def desk():
    return Desk()


def test_a_text_to_a_service_number_is_handed_over_and_is_no_press(desk):
    desk.hear("등록 홍길동 19900302")

    (text,) = desk.texts
    assert (text.text, text.sender, text.destination) == (
        "등록 홍길동 19900302",
        Msisdn("821012345678"),
        SERVICE,
    )
    assert (text.carrier, text.connector, text.part) == ("skt", "skt-1", None)
    assert "홍길동" not in repr(text)
    assert desk.intake.presses == []
    assert desk.wire.answers == [(DELIVER_SM, 1, ESME_ROK)]
    assert (desk.desk.tally.service_texts, desk.desk.tally.presses) == (1, 0)


def test_what_is_sent_to_any_other_number_is_a_press_whatever_it_says(desk):
    for destination in ("112", "1121", "1588"):
        desk.hear("등록 홍길동", destination=destination)

    assert desk.texts == []
    assert len(desk.intake.presses) == 3


@pytest.mark.parametrize(
    "words",
    [
        "살려주세요",
        "등록 홍길동 살려주세요 19900302",
        "살려 주세요",
        "보호자 도와 주세요 01012345678",
        "시험 SOS",
        "\uff33\uff2f\uff33",
        unicodedata.normalize("NFD", "살려주세요"),
    ],
)
def test_a_word_of_distress_makes_a_press_even_in_the_middle_of_a_keyword(desk, words):
    desk.hear(words)

    (press,) = desk.intake.presses
    assert press.text == words
    assert UNLISTED_DESTINATION in press.labels
    assert desk.texts == []


def test_what_cannot_be_read_may_be_a_call_for_help(desk):
    desk.hear(b"\xd8\x00", data_coding=8)

    (press,) = desk.intake.presses
    assert UNREADABLE_TEXT in press.labels


def test_an_empty_text_to_a_service_number_is_none(desk):
    desk.hear(b"")

    assert [text.text for text in desk.texts] == [""]
    assert desk.intake.presses == []


def test_without_anybody_who_could_answer_it_stays_a_press_and_is_labelled():
    desk = Desk(has_service=False)

    desk.hear("등록 홍길동 19900302")

    (press,) = desk.intake.presses
    assert press.labels == (UNLISTED_DESTINATION,)


def test_a_service_number_that_is_an_sos_number_too_is_an_sos_number():
    desk = Desk(recognition=replace(RECOGNITION, sos_numbers=frozenset({"112", SERVICE})))

    desk.hear("등록 홍길동")

    assert desk.texts == []
    assert len(desk.intake.presses) == 1


def test_it_is_answered_when_it_has_been_handled_and_not_before(desk):
    waiting = Deferred()
    desk.answer = lambda: waiting
    desk.hear("도움말", sequence=5)
    assert desk.wire.answers == []

    waiting.callback(None)

    assert desk.wire.answers == [(DELIVER_SM, 5, ESME_ROK)]


@pytest.mark.parametrize("error", [Unavailable("store"), ZeroDivisionError("a defect of ours")])
def test_what_could_not_be_handled_is_sent_again(desk, error):
    desk.answer = lambda: fail(error)

    desk.hear("도움말")

    assert desk.wire.statuses == [ESME_RMSGQFUL]


def test_a_service_that_raises_is_answered_for_too(desk):
    def broken():
        raise ZeroDivisionError

    desk.answer = broken

    desk.hear("도움말")

    assert desk.wire.statuses == [ESME_RMSGQFUL]


def test_within_the_hard_stop_it_is_answered_in_any_case_and_once(desk):
    waiting = Deferred()
    desk.answer = lambda: waiting
    desk.hear("도움말")

    desk.clock.advance(HARD_STOP_S)
    assert desk.wire.statuses == [ESME_RMSGQFUL]

    waiting.callback(None)
    assert desk.wire.statuses == [ESME_RMSGQFUL]


def test_more_than_a_link_may_have_open_are_sent_again(desk):
    desk.answer = Deferred
    for number in range(MOST_OPEN + 2):
        desk.hear("도움말", sequence=number + 1)

    assert desk.wire.answers == [
        (DELIVER_SM, MOST_OPEN + 1, ESME_RMSGQFUL),
        (DELIVER_SM, MOST_OPEN + 2, ESME_RMSGQFUL),
    ]
    desk.clock.advance(HARD_STOP_S)
    assert len(desk.wire.answers) == MOST_OPEN + 2
    desk.answer = lambda: succeed(None)
    desk.hear("도움말", sequence=999)
    assert desk.wire.statuses[-1] == ESME_ROK


def test_presses_of_the_same_read_go_first(desk):
    order = []
    take, hand_over = desk._service, desk.intake.accept_all
    desk.desk._service._service = lambda text: (order.append("text"), take(text))[1]
    desk.desk._batches._accept_all = lambda triggers: (order.append("press"), hand_over(triggers))[1]
    read = deliver_sm(1, "도움말".encode("utf-16-be"), destination_addr=SERVICE, data_coding=8)
    desk.desk.take(desk.wire, PduStream().feed(read + deliver_sm(2, b"help")))

    assert order == ["press", "text"]


def test_parts_of_a_long_text_say_so(desk):
    desk.hear(b"\x05\x00\x03\x2a\x02\x01" + "등록".encode("utf-16-be"), data_coding=8, esm_class=0x40)

    assert [text.part for text in desk.texts] == [Part(0x2A, 2, 1)]


def test_the_same_words_once_more_are_another_text_where_the_first_was_acknowledged(desk):
    """A person who texts again because no answer came is heard again, however soon it is."""
    desk.hear("도움말", sequence=1)
    desk.hear("도움말", sequence=2)

    first, again = (text.reference for text in desk.texts)
    assert first != again
    assert desk.wire.statuses == [ESME_ROK, ESME_ROK]


def test_a_text_that_the_carrier_was_told_to_keep_has_the_same_reference_again(desk):
    desk.answer = lambda: fail(Unavailable("store"))
    desk.hear("도움말", sequence=1)
    desk.answer = lambda: succeed(None)
    desk.hear("도움말", sequence=2)
    desk.hear("시험", sequence=3)

    first, again, other = (text.reference for text in desk.texts)
    assert first == again != other


def test_a_text_whose_answer_may_be_lost_with_its_link_has_the_same_reference_again(desk):
    desk.hear("도움말", sequence=1)
    desk.wire.standing.is_over = True
    desk.wire = Wire()
    desk.hear("도움말", sequence=1)

    first, again = (text.reference for text in desk.texts)
    assert first == again


def test_a_receipt_stays_a_receipt(desk):
    told = []
    desk.book.expect("abc", told.append)
    words = b"id:abc sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:"
    desk.hear(words, esm_class=0x04)

    assert [each.state for each in told] == ["DELIVRD"]
    assert desk.texts == desk.intake.presses == []


@pytest.mark.parametrize(
    ("words", "esm_class"),
    [
        (b"delivered to handset", 0x04),
        (b"", 0x04),
        (b"buffered", 0x20),
        (
            b"id:abc sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:SOS",
            0,
        ),
    ],
)
def test_what_an_smsc_says_of_our_texts_is_no_press_of_their_reader(desk, words, esm_class):
    desk.hear(words, esm_class=esm_class)

    assert desk.texts == desk.intake.presses == []
    assert desk.wire.statuses == [ESME_ROK]


@pytest.mark.parametrize("command_id", [DELIVER_SM, DATA_SM, SUBMIT_SM])
def test_whatever_its_esm_class_a_message_to_an_sos_number_is_a_press(desk, command_id):
    """Also with the id of a text of ours, in parts, and without a word."""
    desk.book.expect("abc", lambda _: None)
    tlvs = b"\0\x1e\0\4abc\0\4\x27\0\1\2"
    header, words = b"\5\0\3\x2a\2\1", "살려주세요".encode("utf-16-be")
    requests = []
    for esm_class in range(256):
        for text in (b"", words, header + words, b"id:abc stat:DELIVRD"):
            addresses = b"\0\1\x01821012345678\0\0\1" + b"112\0" + bytes([esm_class])
            body = addresses + b"\0\0\0\0\0\0\x08\0" + bytes([len(text)]) + text + tlvs
            if command_id == DATA_SM:
                body = addresses + b"\0\x08" + tlvs + b"\4\x24" + len(text).to_bytes(2) + text
            requests.append(Pdu(command_id, 0, len(requests) + 1, body))

    desk.desk.take(desk.wire, requests)

    assert len(desk.intake.presses) == len(requests) == 1024
    assert desk.wire.statuses == [ESME_ROK] * 1024
    assert desk.desk.tally.receipts == 0


def test_a_reply_that_was_marked_as_an_acknowledgement_is_handed_over_and_says_so(desk):
    desk.hear("1", esm_class=0x10)
    desk.hear("1")

    assert [(text.text, text.is_marked) for text in desk.texts] == [("1", True), ("1", False)]


def test_a_service_number_may_be_written_as_the_network_writes_it():
    desk = Desk(recognition=replace(RECOGNITION, service_numbers=frozenset({"1588112"})))

    desk.hear("도움말", destination="+821588112")

    assert [text.destination for text in desk.texts] == ["1588112"]


def test_a_defect_of_ours_in_sorting_makes_a_press(desk):
    del desk.book.sender

    with capture_logs() as lines:
        desk.hear("도움말")

    assert len(desk.intake.presses) == 1
    assert [line["event"] for line in lines] == ["message could not be sorted"]


def test_a_marked_receipt_to_an_sos_number_that_cannot_be_read_is_a_press_as_ever(desk):
    desk.hear(b"delivered to handset", esm_class=0x04, destination="112")

    assert len(desk.intake.presses) == 1


def test_a_peers_submit_sm_is_answered_with_a_message_id(desk):
    (pdu,) = PduStream().feed(deliver_sm(3, b"TEST", destination_addr=SERVICE))
    desk.desk.take(desk.wire, [Pdu(SUBMIT_SM, 0, 3, pdu.body)])

    assert desk.wire.answers == [(SUBMIT_SM, 3, ESME_ROK)]


@given(message_bodies)
def test_any_message_to_a_service_number_is_answered_exactly_once(message):
    command_id, body = message
    desk = Desk(recognition=AnyNumber(frozenset({"112"}), sos_words=RECOGNITION.sos_words))

    desk.desk.take(desk.wire, [Pdu(command_id, 0, 1, body)])

    assert desk.wire.answers == [(command_id, 1, ESME_ROK)]


class Every(frozenset):
    """All numbers there are."""

    def __contains__(self, number):
        return True


class AnyNumber(Recognition):
    """Recognises whatever number was written to as a service number."""

    def __init__(self, sos_numbers, sos_words):
        super().__init__(sos_numbers, service_numbers=Every(), sos_words=sos_words)
