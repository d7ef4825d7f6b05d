"""From a message of the peer to a press."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.trigger import Part, PartKind
from telephony.lab.carrier.mobile_originated import Content, encode_mo
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.codec import decode_message
from telephony.smpp.wire.inbound import Way, reference_of, trigger_of
from telephony.smpp.wire.pdus import Tlv
from telephony.smpp.wire.text import text_of
from tests.smpp.people import RECOGNITION

NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
CONTENT = Content(b"help", 0, 0)


def press(pdu: bytes, *, link_name: str = "skt-1", carrier: str = "skt", dialect: Dialect | None = None):
    body = pdu[16:]
    message = decode_message(int.from_bytes(pdu[4:8]), body)
    way = Way(link_name, carrier, dialect or Dialect())
    text = text_of(message, way.dialect.default_alphabet)
    is_listed = RECOGNITION.is_listed(message.destination)
    return trigger_of(
        message, text, body, way=way, recognition=RECOGNITION, received_at=NOW, is_listed=is_listed
    )


def mo(source="821012345678", destination="112", content=CONTENT, **more):
    return encode_mo(source, destination, content, **more)


def test_a_press_keeps_everything_that_came():
    pdu = mo()

    trigger = press(pdu)

    assert (trigger.source, trigger.connector, trigger.carrier) == ("sms", "skt-1", "skt")
    assert trigger.msisdn.number == "821012345678"
    assert (trigger.destination, trigger.text, trigger.encoding) == ("112", "help", "gsm0338")
    assert trigger.received_at == NOW
    assert trigger.raw == pdu[16:]
    assert (trigger.part, trigger.position, trigger.test) == (None, None, False)


@pytest.mark.parametrize("source", ["01012345678", "+82 10-1234-5678", "82010 1234 5678", "0082 1012345678"])
def test_a_number_is_read_by_its_content(source):
    assert press(mo(source, source_ton=0)).msisdn.number == "821012345678"


def test_a_withheld_number_is_a_press():
    assert press(mo("")).msisdn.is_withheld


@pytest.mark.parametrize(
    ("destination", "text", "is_drill"),
    [
        ("112", b"help", False),
        ("1129", b"help", True),
        ("112", b" Drill ", True),
        ("112", b"no drill", False),
    ],
)
def test_a_drill_is_known_by_its_number_or_its_word(destination, text, is_drill):
    assert press(mo(destination=destination, content=Content(text, 0, 0))).test is is_drill


def test_the_default_alphabet_is_the_carriers():
    korean = Content("살려줘".encode("cp949"), 0, 0)

    assert press(mo(content=korean), dialect=Dialect(default_alphabet="cp949")).text == "살려줘"


def test_what_cannot_be_read_is_kept_raw():
    trigger = press(mo(content=Content(b"\xff\xfe\xfd\x81", 0x0E, 0)))

    assert (trigger.text, trigger.encoding) == (None, None)
    assert b"\xff\xfe\xfd\x81" in trigger.raw


def test_a_part_is_known_by_its_header_or_its_sar_parameters():
    sar = [Tlv(0x020C, b"\1\2"), Tlv(0x020E, b"\3"), Tlv(0x020F, b"\2")]

    assert press(mo(content=Content(b"\5\0\3\x2a\2\1help", 0, 0x40))).part == Part(42, 2, 1)
    assert press(mo(tlvs=sar)).part == Part(0x102, 3, 2, PartKind.SAR)
    assert press(mo(tlvs=sar[:2])).part is None


class TestReference:
    """A redelivery repeats the reference; any other message has its own."""

    def reference(self, pdu, carrier="skt"):
        return reference_of(decode_message(int.from_bytes(pdu[4:8]), pdu[16:]), carrier)

    def test_a_redelivery_repeats_it_on_any_link_of_the_carrier_and_after_any_restart(self):
        first, again = press(mo()), press(mo(), link_name="skt-2")

        assert first.reference == again.reference == "2152bc895331c3bbcb179fc0"

    def test_it_does_not_depend_on_what_a_redelivery_changes(self):
        pdu = mo()
        body = bytearray(pdu[16:])
        body[body.index(b"112\0") + 4] |= 0x01

        assert self.reference(pdu[:12] + b"\0\0\0\x63" + bytes(body)) == self.reference(pdu)

    def test_parameters_in_another_order_are_the_same_message(self):
        one, other = Tlv(0x0204, b"\0\1"), Tlv(0x001E, b"x\0")

        assert self.reference(mo(tlvs=[one, other])) == self.reference(mo(tlvs=[other, one]))

    @pytest.mark.parametrize(
        "other",
        [
            mo("821012345679"),
            mo(destination="119"),
            mo(content=Content(b"help!", 0, 0)),
            mo(content=Content(b"help", 4, 0)),
            mo(content=Content(b"\5\0\3\x2a\2\1help", 0, 0x40)),
            mo(tlvs=[Tlv(0x0204, b"\0\1")]),
            mo(tlvs=[Tlv(0x001E, b"4711\0")]),
            mo(tlvs=[Tlv(0x020F, b"\1")]),
        ],
    )
    def test_another_message_has_another(self, other):
        assert self.reference(other) != self.reference(mo())

    def test_parts_of_one_text_have_each_their_own(self):
        parts = [Content(b"\5\0\3\x2a\2" + bytes([number]) + b"help", 0, 0x40) for number in (1, 2)]

        assert len({self.reference(mo(content=part)) for part in parts}) == 2

    def test_two_carriers_never_share_one(self):
        assert self.reference(mo(), "skt") != self.reference(mo(), "kt")

    def test_unrelated_parameters_do_not_matter(self):
        assert self.reference(mo(tlvs=[Tlv(0x1400, b"vendor")])) == self.reference(mo())


@given(st.binary(max_size=400), st.sampled_from([4, 5, 0x103]))
def test_any_octets_make_a_press(body, command_id):
    trigger = press((16 + len(body)).to_bytes(4) + command_id.to_bytes(4) + bytes(8) + body)

    assert trigger.raw == body
    assert len(trigger.reference) == 24
