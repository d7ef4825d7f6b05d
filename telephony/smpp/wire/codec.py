"""SMPP on the wire: octets in, values out. No socket, clock, log or library.

Framing loses the link only when `command_length` cannot be true; a message is read as far as it can be, and what
could not be read is named in `Message.faults`. No octets, of any length, make `PduStream.feed` or
`decode_message` raise.
"""

from __future__ import annotations

import struct
from typing import Final

from telephony.domain.errors import Malformed
from telephony.smpp.wire.constants import (
    ADDRESS_OCTETS,
    ADDRESS_RANGE_OCTETS,
    DATA_SM,
    DATA_SM_ADDRESS_OCTETS,
    ESM_UDHI,
    MAX_COMMAND_LENGTH,
    MAX_PDU,
    MESSAGE_ID_OCTETS,
    MIN_PDU,
    RESPONSE,
    SERVICE_TYPE_OCTETS,
    SYSTEM_ID_OCTETS,
    SYSTEM_TYPE_OCTETS,
    TAG_MS_AVAILABILITY_STATUS,
    TAG_SC_INTERFACE_VERSION,
    TIME_OCTETS,
)
from telephony.smpp.wire.parameters import choose_text, decode_tail, decode_tlvs
from telephony.smpp.wire.pdus import (
    AlertNotification,
    Bind,
    BindResp,
    Message,
    Outbind,
    Pdu,
    SubmitResp,
    Tlv,
    first_tlv,
    uint_of,
)

PASSWORD_TAKEN_OCTETS: Final = 65
"""The specification allows 9; gateways with longer passwords bind all the same."""

_LENGTH_OCTETS: Final = 4
_UINT16: Final = 0xFFFF
_NUL: Final = 0

_HEADER = struct.Struct(">IIII")
_HEADER_AND_NUL = struct.Struct(">IIIIB")
_TLV_HEADER = struct.Struct(">HH")
_TON_NPI = struct.Struct(">2B")
_BIND_TAIL = struct.Struct(">3B")
_DATA_SM_TAIL = struct.Struct(">3B")
_BEFORE_TIMES = struct.Struct(">3B")
_AFTER_TIMES = struct.Struct(">5B")
_TAIL_WITHOUT_TIMES = struct.Struct(">10B")
"""From esm_class to sm_length, where schedule_delivery_time and validity_period are both a single NUL."""
_TAIL_ENDS: Final = 1 + _TAIL_WITHOUT_TIMES.size
_ADDRESS_FIELDS_OCTETS: Final = 2 + ADDRESS_OCTETS
"""Ton, npi and address of the longest lawful address, its NUL included."""
_SHORTEST_RESPONSE: Final = _HEADER_AND_NUL.size

_new_tuple = tuple.__new__
"""Makes a named tuple from a tuple; several times faster than calling its class, which matters per message."""


class PduStream:
    """Cuts a stream of octets into PDUs.

    Holds the beginning of at most one PDU, and at most 128 KiB of it: of a longer PDU the head is kept, the rest is
    skipped as it arrives, and `Pdu.skipped` counts it. A command_length below 16 or above 4 MiB means that the place
    in the stream is lost for good: ``broken`` then says so in words, and nothing more is read. The caller answers
    generic_nack (ESME_RINVCMDLEN) and closes the link.
    """

    def __init__(self) -> None:
        self.broken: str | None = None
        self._held = bytearray()
        self._wanted = _LENGTH_OCTETS
        """Octets that must be held before anything can be done: 4, then the length of what is kept of the PDU."""
        self._head: Pdu | None = None
        """The head of a PDU whose excess is being skipped."""
        self._excess = 0
        """How much of that is still to come."""

    def feed(self, data: bytes) -> list[Pdu]:
        """Take octets as they came; give the PDUs they complete, in order. Never raises."""
        if self.broken is not None:
            return []
        pdus: list[Pdu] = []
        if self._head is not None:
            if len(data) < self._excess:
                self._excess -= len(data)
                return []
            pdus.append(self._head)
            data, self._head = data[self._excess :], None
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return []
            data = bytes(self._held)
            self._held.clear()
        position, end = 0, len(data)
        while end - position >= MIN_PDU:
            length, command_id, status, sequence = _HEADER.unpack_from(data, position)
            if not MIN_PDU <= length <= MAX_COMMAND_LENGTH:
                break
            following = position + length
            if following > end:
                break
            skipped = length - MAX_PDU if length > MAX_PDU else 0
            body = data[position + MIN_PDU : following - skipped]
            pdus.append(_new_tuple(Pdu, (command_id, status, sequence, body, skipped)))
            position = following
        if position < end:
            self._hold(data, position)
        return pdus

    def _hold(self, data: bytes, position: int) -> None:
        """Keep the beginning of a PDU, if it can become one."""
        there = len(data) - position
        self._wanted = _LENGTH_OCTETS
        if there >= _LENGTH_OCTETS:
            length = int.from_bytes(data[position : position + _LENGTH_OCTETS])
            if not MIN_PDU <= length <= MAX_COMMAND_LENGTH:
                self.broken = f"command_length {length} is not within {MIN_PDU} and {MAX_COMMAND_LENGTH}"
                return
            self._wanted = min(length, MAX_PDU)
            if there >= MAX_PDU:
                head = data[position : position + MAX_PDU]
                _, command_id, status, sequence = _HEADER.unpack_from(head)
                self._head = Pdu(command_id, status, sequence, head[MIN_PDU:], length - MAX_PDU)
                self._excess = length - there
                return
        self._held += data[position:]


def decode_message(command_id: int, body: bytes) -> Message:
    """Read the body of a deliver_sm, submit_sm or data_sm. Never raises.

    A C-string without its NUL takes the rest of the body; how a wrong sm_length and broken TLVs are read is told in
    `telephony.smpp.wire.parameters`; each is named in ``faults``. This function is the quick way through the
    ordinary deliver_sm; everything unusual goes to the field by field reading below, which agrees with it.
    """
    if command_id == DATA_SM:
        return _decode_data_sm(body)
    try:
        service_end = body.index(_NUL)
        source_end = body.index(_NUL, service_end + 3)
        dest_end = body.index(_NUL, source_end + 3)
        (
            esm_class,
            protocol_id,
            priority_flag,
            schedule,
            validity,
            registered_delivery,
            _,
            data_coding,
            _,
            sm_length,
        ) = _TAIL_WITHOUT_TIMES.unpack_from(body, dest_end + 1)
    except (ValueError, struct.error):
        return _decode_field_by_field(command_id, body)
    start = dest_end + _TAIL_ENDS
    end = start + sm_length
    if (
        schedule
        or validity
        or end > len(body)
        or service_end >= SERVICE_TYPE_OCTETS
        or source_end - service_end > _ADDRESS_FIELDS_OCTETS
        or dest_end - source_end > _ADDRESS_FIELDS_OCTETS
    ):
        return _decode_field_by_field(command_id, body)
    short_message = body[start:end]
    unused = b""
    tlvs: tuple[Tlv, ...] = ()
    faults: tuple[str, ...] = ()
    if end != len(body):
        short_message, tlvs, faults = decode_tail(body, start, end)
        if tlvs:
            short_message, unused = choose_text(short_message, tlvs, is_flagged=bool(esm_class & ESM_UDHI))
    return _new_tuple(
        Message,
        (
            command_id,
            body[:service_end].decode("latin-1"),
            body[service_end + 1],
            body[service_end + 2],
            body[service_end + 3 : source_end].decode("latin-1"),
            body[source_end + 1],
            body[source_end + 2],
            body[source_end + 3 : dest_end].decode("latin-1"),
            esm_class,
            protocol_id,
            priority_flag,
            registered_delivery,
            data_coding,
            short_message,
            tlvs,
            faults,
            unused,
        ),
    )


def decode_bind(command_id: int, body: bytes) -> Bind:
    """Read a bind request. Raises `Malformed` for credentials that cannot be read whole.

    The fields behind them decide nothing: they may lack their end, as from gateways that forget the last NUL. An
    interface_version that did not come is 0, that of a peer that knows no optional parameters.
    """
    fields = _Fields(body)
    system_id = fields.c_string("system_id", SYSTEM_ID_OCTETS)
    password = fields.c_string("password", PASSWORD_TAKEN_OCTETS)
    _refuse_faults(fields)
    system_type = fields.c_string("system_type", SYSTEM_TYPE_OCTETS)
    version, ton, npi = fields.octets(_BIND_TAIL, "interface_version")
    address_range = fields.c_string("address_range", ADDRESS_RANGE_OCTETS)
    return Bind(command_id, system_id, password, system_type, version, ton, npi, address_range)


def decode_bind_resp(body: bytes) -> BindResp:
    """Read the answer to a bind. Never raises: a refused bind may be answered without a body."""
    fields = _Fields(body)
    system_id = fields.c_string("system_id", SYSTEM_ID_OCTETS) if body else ""
    version = uint_of(TAG_SC_INTERFACE_VERSION, first_tlv(fields.tlvs(), TAG_SC_INTERFACE_VERSION))
    return BindResp(system_id, version)


def decode_submit_resp(body: bytes) -> SubmitResp:
    """Read submit_sm_resp, data_sm_resp or deliver_sm_resp. Never raises: the body or the NUL may be absent."""
    fields = _Fields(body)
    message_id = fields.c_string("message_id", MESSAGE_ID_OCTETS) if body else ""
    return SubmitResp(message_id, fields.tlvs())


def decode_outbind(body: bytes) -> Outbind:
    """Read an outbind. Raises `Malformed`: it carries credentials, which are compared whole."""
    fields = _Fields(body)
    system_id = fields.c_string("system_id", SYSTEM_ID_OCTETS)
    password = fields.c_string("password", PASSWORD_TAKEN_OCTETS)
    _refuse_faults(fields)
    return Outbind(system_id, password)


def decode_alert_notification(body: bytes) -> AlertNotification:
    """Read an alert_notification. Raises `Malformed` when its two addresses cannot be read."""
    fields = _Fields(body)
    source_ton, source_npi = fields.octets(_TON_NPI, "source_addr_ton")
    source = fields.c_string("source_addr", DATA_SM_ADDRESS_OCTETS)
    esme_ton, esme_npi = fields.octets(_TON_NPI, "esme_addr_ton")
    esme = fields.c_string("esme_addr", DATA_SM_ADDRESS_OCTETS)
    _refuse_faults(fields)
    status = uint_of(TAG_MS_AVAILABILITY_STATUS, first_tlv(fields.tlvs(), TAG_MS_AVAILABILITY_STATUS))
    return AlertNotification(source_ton, source_npi, source, esme_ton, esme_npi, esme, status)


def encode_header(command_id: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """Make a PDU of a header and a body. Raises `Malformed` when it would be longer than a PDU may be."""
    length = MIN_PDU + len(body)
    if length > MAX_PDU:
        raise Malformed(f"a PDU of {length} octets is longer than {MAX_PDU}")
    return _HEADER.pack(length, command_id, status, sequence) + body


def encode_deliver_sm_resp(command_id: int, status: int, sequence: int, message_id: str = "") -> bytes:
    """Answer a deliver_sm, data_sm or submit_sm, named by the command id of the request.

    In deliver_sm_resp the id is unused and a single NUL (SMPP 3.4 clause 4.6.2). Raises `Malformed` for an id
    that no C-string can hold.
    """
    if not message_id:
        return _HEADER_AND_NUL.pack(_SHORTEST_RESPONSE, command_id | RESPONSE, status, sequence, _NUL)
    return encode_header(
        command_id | RESPONSE, status, sequence, encode_c_string(message_id, MESSAGE_ID_OCTETS)
    )


def encode_c_string(text: str, octets: int) -> bytes:
    """Write a C-string of at most so many octets, NUL included. Raises `Malformed` for one that does not fit."""
    try:
        encoded = text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise Malformed("a C-string holds Latin-1 only") from error
    if len(encoded) >= octets:
        raise Malformed(
            f"a C-string of {len(encoded)} characters does not fit into {octets} octets with its NUL"
        )
    if _NUL in encoded:
        raise Malformed("a C-string cannot hold a NUL")
    return encoded + b"\0"


def encode_tlv(tlv: Tlv) -> bytes:
    """Write an optional parameter. Raises `Malformed` for a tag or a value that 16 bits cannot hold."""
    if not 0 <= tlv.tag <= _UINT16 or len(tlv.value) > _UINT16:
        raise Malformed(f"TLV 0x{tlv.tag:04x} of {len(tlv.value)} octets does not fit")
    return _TLV_HEADER.pack(tlv.tag, len(tlv.value)) + tlv.value


class _Fields:
    """Reads the fields of one body in their order, noting every fault instead of raising."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0
        self.faults: list[str] = []

    def c_string(self, name: str, octets: int) -> str:
        """Read a C-string; without its NUL it takes the rest, longer than allowed it is kept."""
        if self._position >= len(self._body):
            self.faults.append(f"{name} is missing")
            return ""
        end = self._body.find(_NUL, self._position)
        if end < 0:
            end = len(self._body)
            self.faults.append(f"{name} has no NUL")
        text = self._body[self._position : end].decode("latin-1")
        self._position = end + 1
        if len(text) >= octets:
            self.faults.append(f"{name} is longer than {octets - 1}")
        return text

    def octets(self, layout: struct.Struct, name: str) -> tuple[int, ...]:
        """Read a run of one-octet integers, the first called so; those beyond the end are 0."""
        there = self._body[self._position : self._position + layout.size]
        if len(there) < layout.size:
            self.faults.append(f"the body ends before or within {layout.size} octets from {name}")
        self._position += layout.size
        return tuple(there.ljust(layout.size, b"\0"))

    def tail(self, sm_length: int) -> tuple[bytes, tuple[Tlv, ...]]:
        """Read short_message and the optional parameters: all that is left."""
        tail = decode_tail(self._body, self._position, self._position + sm_length)
        self.faults += tail.faults
        return tail.short_message, tail.tlvs

    def tlvs(self) -> tuple[Tlv, ...]:
        """Read the optional parameters: all that is left."""
        tlvs, faults = decode_tlvs(self._body, self._position)
        self.faults += faults
        return tlvs


def _refuse_faults(fields: _Fields) -> None:
    if fields.faults:
        raise Malformed("; ".join(fields.faults))


def _decode_field_by_field(command_id: int, body: bytes) -> Message:
    """Read a deliver_sm or submit_sm that the quick way does not cover."""
    fields = _Fields(body)
    service_type = fields.c_string("service_type", SERVICE_TYPE_OCTETS)
    source_ton, source_npi = fields.octets(_TON_NPI, "source_addr_ton")
    source = fields.c_string("source_addr", ADDRESS_OCTETS)
    dest_ton, dest_npi = fields.octets(_TON_NPI, "dest_addr_ton")
    destination = fields.c_string("destination_addr", ADDRESS_OCTETS)
    esm_class, protocol_id, priority_flag = fields.octets(_BEFORE_TIMES, "esm_class")
    fields.c_string("schedule_delivery_time", TIME_OCTETS)
    fields.c_string("validity_period", TIME_OCTETS)
    registered_delivery, _, data_coding, _, sm_length = fields.octets(_AFTER_TIMES, "registered_delivery")
    short_message, tlvs = fields.tail(sm_length)
    short_message, unused = choose_text(short_message, tlvs, is_flagged=bool(esm_class & ESM_UDHI))
    return Message(
        command_id,
        service_type,
        source_ton,
        source_npi,
        source,
        dest_ton,
        dest_npi,
        destination,
        esm_class,
        protocol_id,
        priority_flag,
        registered_delivery,
        data_coding,
        short_message,
        tlvs,
        tuple(fields.faults),
        unused,
    )


def _decode_data_sm(body: bytes) -> Message:
    """Read a data_sm: no times, no short_message, the text is in message_payload."""
    fields = _Fields(body)
    service_type = fields.c_string("service_type", SERVICE_TYPE_OCTETS)
    source_ton, source_npi = fields.octets(_TON_NPI, "source_addr_ton")
    source = fields.c_string("source_addr", DATA_SM_ADDRESS_OCTETS)
    dest_ton, dest_npi = fields.octets(_TON_NPI, "dest_addr_ton")
    destination = fields.c_string("destination_addr", DATA_SM_ADDRESS_OCTETS)
    esm_class, registered_delivery, data_coding = fields.octets(_DATA_SM_TAIL, "esm_class")
    tlvs = fields.tlvs()
    text, _ = choose_text(b"", tlvs, is_flagged=False)
    return Message(
        DATA_SM,
        service_type,
        source_ton,
        source_npi,
        source,
        dest_ton,
        dest_npi,
        destination,
        esm_class=esm_class,
        registered_delivery=registered_delivery,
        data_coding=data_coding,
        short_message=text,
        tlvs=tlvs,
        faults=tuple(fields.faults),
    )
