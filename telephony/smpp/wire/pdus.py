"""SMPP requests, responses and their parameters as values. Made by `telephony.smpp.wire.codec`."""

from __future__ import annotations

from typing import Final, NamedTuple

from telephony.smpp.wire.constants import (
    COMMAND_NAMES,
    TAG_SAR_MSG_REF_NUM,
    TAG_SAR_SEGMENT_SEQNUM,
    TAG_SAR_TOTAL_SEGMENTS,
    UINT_TLV_OCTETS,
)

_ANY_UINT_OCTETS: Final = (1, 2, 4)


def command_name(command_id: int) -> str:
    """Name a command for people: ``deliver_sm``, or ``command 0x00000abc``."""
    return COMMAND_NAMES.get(command_id) or f"command 0x{command_id:08x}"


class Pdu(NamedTuple):
    """One protocol data unit, its header read and its body untouched.

    ``skipped`` counts the octets at its end that were not kept: it was longer than we read.
    """

    command_id: int
    status: int
    sequence: int
    body: bytes
    skipped: int = 0

    @property
    def name(self) -> str:
        """The command as the specification calls it, or its number."""
        return command_name(self.command_id)

    def __repr__(self) -> str:
        """Never the body: it holds numbers, texts and passwords, and tracebacks end up in logs."""
        return (
            f"Pdu({self.name}, status=0x{self.status:x}, sequence={self.sequence}, {len(self.body)} octets)"
        )


class Tlv(NamedTuple):
    """An optional parameter as it came (SMPP 3.4 clause 5.3.1)."""

    tag: int
    value: bytes

    def __repr__(self) -> str:
        """Never the value: a message_payload is a person's text."""
        return f"Tlv(0x{self.tag:04x}, {len(self.value)} octets)"


class Message(NamedTuple):
    """A deliver_sm, submit_sm or data_sm (SMPP 3.4 clauses 4.6.1, 4.4.1, 4.7.1).

    ``short_message`` is the text wherever it came: the field of that name, or the TLV message_payload. Where both
    are filled, message_payload is the text and ``unused_short_message`` keeps the other. ``faults`` names in words
    what could not be read or breaks the specification, never its content; the fields concerned hold what was
    there, or their defaults.
    """

    command_id: int
    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    dest_ton: int = 0
    dest_npi: int = 0
    destination: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    registered_delivery: int = 0
    data_coding: int = 0
    short_message: bytes = b""
    tlvs: tuple[Tlv, ...] = ()
    faults: tuple[str, ...] = ()
    unused_short_message: bytes = b""

    def tlv(self, tag: int) -> bytes | None:
        """Return the value of the first optional parameter with this tag."""
        return first_tlv(self.tlvs, tag)

    def uint_tlv(self, tag: int) -> int | None:
        """Return an integer parameter; ``None`` when absent or when its length is not that of its type."""
        return uint_of(tag, first_tlv(self.tlvs, tag))

    @property
    def sar(self) -> tuple[int, int, int] | None:
        """Reference, total and number of a segment: all three TLVs or none (SMPP 3.4 clause 5.3.2.22)."""
        if not self.tlvs:
            return None
        reference = self.uint_tlv(TAG_SAR_MSG_REF_NUM)
        total = self.uint_tlv(TAG_SAR_TOTAL_SEGMENTS)
        number = self.uint_tlv(TAG_SAR_SEGMENT_SEQNUM)
        if reference is None or total is None or number is None:
            return None
        return reference, total, number

    def __repr__(self) -> str:
        """Neither number nor text: tracebacks end up in logs."""
        return (
            f"Message({command_name(self.command_id)}, esm_class=0x{self.esm_class:02x}, "
            f"data_coding=0x{self.data_coding:02x}, {len(self.short_message)} octets, "
            f"tlvs={self.tlvs!r}, faults={self.faults!r})"
        )


class Bind(NamedTuple):
    """A bind_receiver, bind_transmitter or bind_transceiver (SMPP 3.4 clause 4.1)."""

    command_id: int
    system_id: str
    password: str
    system_type: str
    interface_version: int
    address_ton: int
    address_npi: int
    address_range: str

    def __repr__(self) -> str:
        """Never the password."""
        return f"Bind({command_name(self.command_id)}, system_id={self.system_id!r})"


class BindResp(NamedTuple):
    """Answer to a bind. No version: the SMSC knows no optional parameters (SMPP 3.4 clause 3.3.2)."""

    system_id: str
    sc_interface_version: int | None


class SubmitResp(NamedTuple):
    """Answer to submit_sm, data_sm or deliver_sm."""

    message_id: str
    tlvs: tuple[Tlv, ...]

    def uint_tlv(self, tag: int) -> int | None:
        """Return an integer parameter, congestion_state for one; ``None`` when absent or of a wrong length."""
        return uint_of(tag, first_tlv(self.tlvs, tag))


class Outbind(NamedTuple):
    """The SMSC asks us to bind as receiver (SMPP 3.4 clause 4.1.7)."""

    system_id: str
    password: str

    def __repr__(self) -> str:
        """Never the password."""
        return f"Outbind(system_id={self.system_id!r})"


class AlertNotification(NamedTuple):
    """A phone has become reachable (SMPP 3.4 clause 4.12)."""

    source_ton: int
    source_npi: int
    source: str
    esme_ton: int
    esme_npi: int
    esme: str
    ms_availability_status: int | None

    def __repr__(self) -> str:
        """Never the number."""
        return f"AlertNotification(ms_availability_status={self.ms_availability_status})"


def first_tlv(tlvs: tuple[Tlv, ...], tag: int) -> bytes | None:
    """Return the value of an optional parameter; of a repeated one the first counts."""
    for tlv in tlvs:
        if tlv.tag == tag:
            return tlv.value
    return None


def uint_of(tag: int, value: bytes | None) -> int | None:
    """Believe an integer only at the length of its type; vendor parameters have 1, 2 or 4 octets."""
    if value is None:
        return None
    expected = UINT_TLV_OCTETS.get(tag)
    if len(value) != expected and (expected is not None or len(value) not in _ANY_UINT_OCTETS):
        return None
    return int.from_bytes(value)
