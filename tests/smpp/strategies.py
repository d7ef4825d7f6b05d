"""Hypothesis strategies for what travels over an SMPP link."""

from __future__ import annotations

import struct
from typing import NamedTuple

from hypothesis import strategies as st

from telephony.smpp.wire.codec import encode_header, encode_tlv
from telephony.smpp.wire.constants import COMMAND_NAMES, DATA_SM, DELIVER_SM, SUBMIT_SM, UINT_TLV_OCTETS
from telephony.smpp.wire.pdus import Pdu, Tlv

octet = st.integers(0, 0xFF)
uint32 = st.integers(0, 0xFFFFFFFF)
command_ids = st.sampled_from(sorted(COMMAND_NAMES)) | uint32


def c_strings(longest: int):
    """Strings that a C-string of so many characters can hold."""
    latin_1 = st.characters(min_codepoint=1, max_codepoint=0xFF)
    return st.text(latin_1, max_size=longest)


addresses = st.from_regex(r"[0-9]{0,20}", fullmatch=True) | c_strings(20)
tlvs = st.builds(
    Tlv, st.sampled_from(sorted(UINT_TLV_OCTETS)) | st.integers(1, 0xFFFF), st.binary(max_size=40)
)
pdus = st.builds(Pdu, command_ids, uint32, uint32, st.binary(max_size=400), st.just(0))


class Fields(NamedTuple):
    """The content of a deliver_sm or submit_sm, from which both its octets and the expected values are made."""

    command_id: int
    service_type: str
    source_ton: int
    source_npi: int
    source: str
    dest_ton: int
    dest_npi: int
    destination: str
    esm_class: int
    protocol_id: int
    priority_flag: int
    schedule_delivery_time: str
    validity_period: str
    registered_delivery: int
    replace_if_present_flag: int
    data_coding: int
    sm_default_msg_id: int
    short_message: bytes
    tlvs: list[Tlv]

    def body(self) -> bytes:
        """The octets, written down straight from clause 4.6.1."""
        return b"".join(
            (
                _c_string(self.service_type),
                bytes((self.source_ton, self.source_npi)),
                _c_string(self.source),
                bytes((self.dest_ton, self.dest_npi)),
                _c_string(self.destination),
                bytes((self.esm_class, self.protocol_id, self.priority_flag)),
                _c_string(self.schedule_delivery_time),
                _c_string(self.validity_period),
                bytes((self.registered_delivery, self.replace_if_present_flag)),
                bytes((self.data_coding, self.sm_default_msg_id)),
                bytes((len(self.short_message),)),
                self.short_message,
                *map(encode_tlv, self.tlvs),
            )
        )


times = st.just("") | st.from_regex(r"[0-9]{15}[+R-]", fullmatch=True)
messages = st.builds(
    Fields,
    command_id=st.sampled_from((DELIVER_SM, SUBMIT_SM)),
    service_type=c_strings(5),
    source_ton=octet,
    source_npi=octet,
    source=addresses,
    dest_ton=octet,
    dest_npi=octet,
    destination=addresses,
    esm_class=octet,
    protocol_id=octet,
    priority_flag=octet,
    schedule_delivery_time=times,
    validity_period=times,
    registered_delivery=octet,
    replace_if_present_flag=octet,
    data_coding=octet,
    sm_default_msg_id=octet,
    short_message=st.binary(max_size=254),
    tlvs=st.lists(tlvs, max_size=4),
)
message_bodies = messages.map(lambda fields: (fields.command_id, fields.body()))


@st.composite
def data_sms(draw):
    """A data_sm: its body and the text in it."""
    text = draw(st.binary(max_size=300))
    body = b"".join(
        (
            _c_string(draw(c_strings(5))),
            draw(st.binary(min_size=2, max_size=2)),
            _c_string(draw(addresses)),
            draw(st.binary(min_size=2, max_size=2)),
            _c_string(draw(addresses)),
            draw(st.binary(min_size=3, max_size=3)),
            struct.pack(">HH", 0x0424, len(text)) + text,
        )
    )
    return body, text


@st.composite
def split_streams(draw):
    """PDUs, and their octets cut at any places."""
    sent = draw(st.lists(pdus, max_size=6))
    stream = b"".join(encode_header(pdu.command_id, pdu.status, pdu.sequence, pdu.body) for pdu in sent)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    return sent, pieces


def _c_string(text: str) -> bytes:
    return text.encode("latin-1") + b"\0"


__all__ = ["DATA_SM", "Fields", "data_sms", "message_bodies", "messages", "pdus", "split_streams", "tlvs"]
