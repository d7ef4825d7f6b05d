"""USSD on the wire: the press first, then one text on the bind that brought it."""

from __future__ import annotations

import pytest
from hypothesis import given

from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.trigger import Repetition
from telephony.domain.ussd import UssdPress, UssdReply
from telephony.lab.carrier.ussd_gateway import KINDS, UssdGateway
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.constants import DELIVER_SM, ESME_RMSGQFUL, ESME_ROK, ESME_RSYSERR, SUBMIT_SM
from telephony.smpp.wire.pdus import Message, Tlv
from telephony.smpp.wire.text import text_of
from telephony.smpp.wire.ussd import page, reply_pdu, ussd_message_of
from telephony.ussd.dialogues import Dialogues
from telephony.ussd.profiles import PROFILES
from tests.smpp.people import House, deliver_sm
from tests.smpp.strategies import message_bodies
from tests.smpp.test_server import Listening
from tests.smpp.wires import Wires

TEXT = "Request completed."
KOREAN = "요청이 처리되었습니다."
CODE = b"*112#"


def rules(profile="generic", text=TEXT):
    return Dialogues(
        PROFILES[profile], closing_text=text, neutral_texts=frozenset({TEXT, KOREAN}), session_s=30.0
    )


@pytest.fixture
def wires():
    return Wires()


def dialled(sequence=1, operation=1, session=0x0004, text=CODE, **fields):
    tlvs = [Tlv(0x0501, bytes([operation])), Tlv(0x1383, session.to_bytes(2))]
    return deliver_sm(
        sequence, text, **{"service_type": "USSD", "destination_addr": "8112", "tlvs": tlvs, **fields}
    )


def bound(wires, *, text=TEXT, version=0x34, **link):
    house = House(wires, ussd=rules(text=text), **link)
    return house, house.start_bound(version)


def texts(peer):
    return [decode_message(pdu.command_id, pdu.body) for pdu in peer.heard if pdu.name == "submit_sm"]


class TestPress:
    def test_the_press_is_acknowledged_first_and_then_the_phone_gets_its_text(self, wires):
        house, peer = bound(wires)

        peer.send(dialled(7))
        wires.settle()

        (press,) = house.intake.presses
        assert (press.source, press.destination, press.text, press.labels) == ("ussd", "112", None, ())
        assert (press.msisdn.number, press.raw != b"") == ("821012345678", True)
        assert [(pdu.name, pdu.status) for pdu in peer.heard] == [
            ("deliver_sm_resp", ESME_ROK),
            ("submit_sm", 0),
        ]
        (text,) = texts(peer)
        assert (text.source, text.destination, text.service_type) == ("8112", "821012345678", "USSD")
        assert text.tlvs == (Tlv(0x0501, b"\x11"), Tlv(0x1383, b"\0\5"))
        assert (text.short_message, text.data_coding) == (TEXT.encode(), 0)

    def test_the_press_does_not_wait_for_the_text_nor_the_text_come_before_the_commit(self, wires):
        house, peer = bound(wires)
        house.intake.hold()

        peer.send(dialled(), deliver_sm(2))
        wires.settle()
        assert peer.heard == []
        house.intake.release()
        wires.settle()

        assert len(house.intake.presses) == 2
        assert [pdu.name for pdu in peer.heard] == ["deliver_sm_resp", "deliver_sm_resp", "submit_sm"]

    def test_a_press_that_could_not_be_committed_gets_the_same_text_and_the_gateway_is_told_to_retry(
        self, wires
    ):
        house, peer = bound(wires)
        house.intake.answer = Unavailable("disk full")

        peer.send(dialled())
        wires.settle()

        assert [(pdu.name, pdu.status) for pdu in peer.heard] == [
            ("submit_sm", 0),
            ("deliver_sm_resp", ESME_RMSGQFUL),
        ]
        assert texts(peer)[0].short_message == TEXT.encode()

    def test_a_press_that_is_not_durable_in_time_gets_the_same_text(self, wires):
        house, peer = bound(wires)
        house.intake.hold()

        peer.send(dialled())
        wires.pass_time(3.1)
        house.intake.release()
        wires.settle()

        assert [pdu.name for pdu in peer.heard].count("submit_sm") == 1
        assert [pdu.status for pdu in peer.heard if pdu.name == "deliver_sm_resp"] == [ESME_RMSGQFUL]

    def test_a_repeat_within_the_session_is_a_redelivery_and_gets_no_second_text(self, wires):
        house, peer = bound(wires)

        peer.send(dialled(1))
        wires.settle()
        house.intake.answer = Receipt("i-1", Join.SEEN_AGAIN)
        peer.send(dialled(2), dialled(3, session=0x0006))
        wires.settle()

        first, again, other = house.intake.presses
        assert first.reference == again.reference != other.reference
        assert again.repetition is Repetition.DOUBTFUL
        assert other.repetition is Repetition.UNKNOWN
        assert len(texts(peer)) == 1

    @pytest.mark.parametrize(
        ("sent", "back"),
        [
            ([Tlv(0x0501, b"\1"), Tlv(0x1383, b"\5")], [Tlv(0x0501, b"\x11"), Tlv(0x1383, b"\5")]),
            ([Tlv(0x0501, b"\0\1")], [Tlv(0x0501, b"\0\x11")]),
            (
                [Tlv(0x0501, b"\1"), Tlv(0x1501, b"\0\0\x30\x39"), Tlv(0x0204, b"\7")],
                [Tlv(0x0501, b"\x11"), Tlv(0x0204, b"\7"), Tlv(0x1501, b"\0\0\x30\x39")],
            ),
            (
                [Tlv(0x0501, b"\1"), Tlv(0x1383, b"\0\0\x30\x38")],
                [Tlv(0x0501, b"\x11"), Tlv(0x1383, b"\0\0\x30\x38")],
            ),
        ],
    )
    def test_the_text_carries_the_session_back_as_it_came(self, wires, sent, back):
        _, peer = bound(wires)

        peer.send(dialled(tlvs=sent))
        wires.settle()

        assert texts(peer)[0].tlvs == tuple(back)

    def test_a_code_with_its_nul_is_the_code(self, wires):
        house, peer = bound(wires)

        peer.send(dialled(text=b"*112#\0"))
        wires.settle()

        (press,) = house.intake.presses
        assert (press.destination, press.text, press.labels) == ("112", None, ())

    @pytest.mark.parametrize("destination", ["*112#", "*112# ", "*112#\t"])
    def test_a_code_in_the_destination_may_have_blanks_behind_it(self, wires, destination):
        house, peer = bound(wires)

        peer.send(dialled(text=b"", destination_addr=destination))
        wires.settle()

        assert [(press.source, press.labels) for press in house.intake.presses] == [("ussd", ())]
        assert len(texts(peer)) == 1

    def test_an_answer_that_cannot_be_read_is_a_press(self, wires):
        house, peer = bound(wires)

        peer.send(dialled(1, 0x12, 0x0103, b"\xff\xfe\x81", data_coding=0x0E))
        wires.settle()

        (press,) = house.intake.presses
        assert (press.text, press.labels) == (None, ("unlisted destination", "unreadable text"))
        assert texts(peer) == []

    def test_a_code_dialled_again_where_no_session_is_named_is_another_press_and_is_answered(self, wires):
        house, peer = bound(wires)

        for sequence in (1, 2):
            peer.send(dialled(sequence, tlvs=[Tlv(0x0501, b"\x01")]))
            wires.settle()

        first, again = house.intake.presses
        assert again.repetition is Repetition.NONE
        assert first.reference != again.reference
        assert len(texts(peer)) == 2

    @pytest.mark.parametrize("operation", [0x81, 0x12])
    def test_an_abort_is_acknowledged_and_is_no_press(self, wires, operation):
        house, peer = bound(wires)

        peer.send(dialled(1, operation, 0x0005, b""))
        wires.settle()

        assert house.intake.presses == []
        assert [(pdu.name, pdu.status) for pdu in peer.heard] == [("deliver_sm_resp", ESME_ROK)]
        assert house.esme.desk.tally.dialogues_over == 1

    def test_words_that_cannot_be_read_are_a_press_with_its_octets(self, wires):
        house, peer = bound(wires)

        peer.send(dialled(1, text=b"\xff\xfe\x81", data_coding=0x0E))
        wires.settle()

        (press,) = house.intake.presses
        assert press.labels == ("unlisted destination", "unreadable text")
        assert b"\xff\xfe\x81" in press.raw
        assert len(texts(peer)) == 1

    def test_a_fault_of_ours_in_reading_does_not_cost_the_press(self, wires, monkeypatch):
        house, peer = bound(wires)
        monkeypatch.setattr("telephony.smpp.wire.sorting.ussd_trigger_of", None)

        peer.send(dialled())
        wires.settle()

        assert [press.source for press in house.intake.presses] == ["sms"]
        assert [(pdu.name, pdu.status) for pdu in peer.heard] == [("deliver_sm_resp", ESME_ROK)]

    def test_a_fault_of_ours_in_answering_does_not_cost_the_acknowledgement(self, wires, monkeypatch):
        house, peer = bound(wires)
        monkeypatch.setattr("telephony.smpp.ussd_desk.reply_pdu", None)

        for answer in (None, Unavailable("disk full")):
            house.intake.answer = answer
            peer.send(dialled(1, session=4 if answer else 8))
            wires.settle()

        assert [pdu.status for pdu in peer.heard] == [ESME_ROK, ESME_RMSGQFUL]

    def test_a_short_message_is_still_one(self, wires):
        house, peer = bound(wires)

        peer.send(deliver_sm(1), deliver_sm(2, tlvs=[Tlv(0x0204, b"\0\1")]))
        wires.settle()

        assert [press.source for press in house.intake.presses] == ["sms", "sms"]
        assert texts(peer) == []


class TestPeers:
    """Where the carrier's gateway binds to us, the text goes back as a deliver_sm."""

    @pytest.fixture(autouse=True)
    def _secrets(self, monkeypatch):
        monkeypatch.setenv("KT_PASSWORD", "kt-pass")

    def test_the_text_goes_to_the_gateway_that_is_bound_to_us(self):
        house = Listening(ussd=rules())
        caller = house.bound()

        caller.send(dialled())
        house.wires.settle()

        assert [pdu.name for pdu in caller.heard] == ["deliver_sm_resp", "deliver_sm"]
        text = decode_message(DELIVER_SM, caller.heard[1].body)
        assert (text.destination, text.uint_tlv(0x0501)) == ("821012345678", 0x11)

    def test_the_session_goes_back_to_the_gateway_that_is_bound_to_us_as_it_came(self):
        house = Listening(ussd=rules())
        caller = house.bound()

        caller.send(dialled(tlvs=[Tlv(0x0501, b"\1"), Tlv(0x1383, b"\5"), Tlv(0x1501, b"\0\0\x30\x39")]))
        house.wires.settle()

        text = decode_message(DELIVER_SM, caller.heard[1].body)
        assert text.tlvs == (Tlv(0x0501, b"\x11"), Tlv(0x1383, b"\5"), Tlv(0x1501, b"\0\0\x30\x39"))

    def test_a_transmitter_gets_no_text(self):
        house = Listening(ussd=rules())
        caller = house.bound("transmitter")

        caller.send(dialled())
        house.wires.settle()

        assert [pdu.name for pdu in caller.heard] == ["deliver_sm_resp"]

    def test_what_waits_for_a_bind_that_is_lost_is_not_taken(self):
        ours = rules()
        house = Listening(ussd=ours, window=1)
        caller = house.bound()
        caller.send(dialled(1), dialled(2, session=8))
        house.wires.settle()
        assert [pdu.name for pdu in caller.take()] == ["deliver_sm_resp", "deliver_sm_resp", "deliver_sm"]

        caller.transport.loseConnection()
        house.wires.settle()

        assert [told.has_failed for told in ours._told.values()] == [True, True]


class TestText:
    def test_korean_goes_as_ucs2(self, wires):
        _, peer = bound(wires, text=KOREAN)

        peer.send(dialled(1), dialled(2, session=8, data_coding=0x0F))
        wires.settle()

        smpp, cbs = texts(peer)
        assert (smpp.data_coding, cbs.data_coding) == (0x08, 0x48)
        assert smpp.short_message == cbs.short_message == KOREAN.encode("utf-16-be")

    def test_a_peer_that_did_not_tell_its_version_has_shown_that_it_knows_the_parameters(self, wires):
        _, peer = bound(wires, version=None)

        peer.send(dialled())
        wires.settle()

        assert texts(peer)[0].uint_tlv(0x0501) == 0x11

    def test_a_receiver_sends_none_and_says_so(self, wires):
        house, peer = bound(wires, bind="receiver")

        peer.send(dialled())
        wires.settle()

        assert [pdu.name for pdu in peer.heard] == ["deliver_sm_resp"]
        assert house.esme.desk._ussd.not_taken == 1

    def test_a_text_that_was_refused_goes_with_the_repeat(self, wires):
        house, peer = bound(wires)
        peer.send(dialled(1))
        wires.settle()
        peer.answer(next(pdu for pdu in peer.take() if pdu.name == "submit_sm"), ESME_RSYSERR)
        wires.settle()

        house.intake.answer = Receipt("i-1", Join.SEEN_AGAIN)
        peer.send(dialled(2))
        wires.settle()

        assert len(texts(peer)) == 1

    def test_a_text_that_is_held_back_is_never_sent_after_the_session(self, wires):
        house, peer = bound(wires, window=1, response_timeout_s=100.0)
        held = house.esme.submit(destination_addr="1", short_message=b"x")
        wires.settle()
        (other,) = peer.take()

        peer.send(dialled())
        wires.settle()
        peer.take()
        for second in range(31):
            peer.send(deliver_sm(100 + second, b"%d" % second))
            wires.pass_time(1)
        peer.answer(other, body=b"id\0")
        wires.settle()

        assert held.called
        assert texts(peer) == []
        assert house.esme.desk._ussd.not_taken == 1

    def test_it_fits_on_a_page_or_cannot_be_sent(self):
        assert page("a" * 182) == (b"a" * 182, 0x0F)
        assert page("€" * 91) == (b"\x1be" * 91, 0x0F)
        assert page("가" * 80) == (("가" * 80).encode("utf-16-be"), 0x48)
        for text in ("a" * 183, "€" * 92, "가" * 81, "\ud800"):
            with pytest.raises(Malformed):
                page(text)

    @pytest.mark.parametrize(
        ("alphabet", "text", "data_coding"),
        [("gsm0338", TEXT, 0), ("cp949", TEXT, 0), ("latin-1", "@ £", 8), ("gsm0338-packed", TEXT, 8)],
    )
    def test_the_default_alphabet_of_the_carrier_is_minded(self, alphabet, text, data_coding):
        assert page(text, uses_cbs=False, default_alphabet=alphabet)[1] == data_coding


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_of_each_gateway_is_read(kind):
    gateway = UssdGateway()
    pdu = gateway.dial("821012345678", "*112#", kind)
    message = decode_message(DELIVER_SM, pdu[16:])

    read = ussd_message_of(message, text_of(message, "gsm0338"))

    assert "*112#" in (read.text, read.destination)
    assert (read.operation == 1) is KINDS[kind].has_operation


def test_parameters_are_read_at_the_length_they_have():
    message = Message(DELIVER_SM, tlvs=(Tlv(0x0501, b"\0\1"), Tlv(0x1383, b"\1"), Tlv(0x0204, b"")))

    read = ussd_message_of(message, text_of(message, "gsm0338"))

    assert (read.operation, read.session_info, read.message_reference) == (1, b"\1", b"")


@pytest.mark.parametrize("value", [b"", b"\0\0\0\0\1", b"x" * 5000])
def test_an_operation_that_is_no_integer_is_as_good_as_none(value):
    message = Message(DELIVER_SM, tlvs=(Tlv(0x0501, value),))

    assert ussd_message_of(message, text_of(message, "gsm0338")).operation is None


@pytest.mark.parametrize(
    ("octets", "data_coding", "text"),
    [
        (b"*112#\0", 0, "*112#"),
        (b"*112#\0\0", 0x0F, "*112#"),
        (b"112\0", 0, "112"),
        (b"1\0", 0, "1"),
        ("*112#\0".encode("utf-16-be"), 8, "*112#"),
        ("살려주세요\0".encode("utf-16-be"), 8, "살려주세요"),
        (b"*112#\r", 0, "*112#"),
        (b"me\0home.example", 0, "me@home.example"),
    ],
)
def test_nuls_behind_a_string_are_no_part_of_it(octets, data_coding, text):
    message = Message(DELIVER_SM, data_coding=data_coding, short_message=octets)

    assert ussd_message_of(message, text_of(message, "gsm0338")).text == text


@given(message_bodies)
def test_any_message_can_be_read_and_answered(body):
    message = decode_message(*body)
    read = ussd_message_of(message, text_of(message, "gsm0338"))
    press = UssdPress("*112#", None, "", (), None)

    try:
        pdu = reply_pdu(
            "submit_sm",
            message,
            press,
            UssdReply(TEXT, 0x11, read.session_info, read.message_reference, read.service_type),
            Dialect(),
        )
    except Malformed:
        return

    reply = decode_message(SUBMIT_SM, pdu[16:])
    assert reply.faults == ()
    assert reply.destination == message.source
