"""Reads the optional parameters of a PDU, and finds which octets of it are the text. Pure.

Parameters that read as the specification has them are taken so. Otherwise the known errors of senders are tried, and
one is accepted when everything then reads to its end: a NUL behind short_message, an sm_length that is too small or too
large, a length that counts its own four octets. Otherwise what was read before the fault counts.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from telephony.smpp.wire.constants import (
    FIRST_VENDOR_TAG,
    LAST_VENDOR_TAG,
    TAG_MESSAGE_PAYLOAD,
    TAGS,
    UINT_TLV_OCTETS,
)
from telephony.smpp.wire.pdus import Tlv
from telephony.smpp.wire.user_data_header import read_header

_HEADER: Final = struct.Struct(">HH")
_HEADER_OCTETS: Final = 4
_NUL: Final = 0
_LONGEST_MENDED: Final = 2_048
"""Octets behind the addresses up to which a wrong sm_length is looked for: 255 of text, and parameters."""
_LONGEST_OTHER: Final = 255
"""No parameter but message_payload has more (SMPP 3.4 clause 5.3.2)."""

_NOTHING: Final = b"\0 \r\n"
"""Octets that say nothing, in any alphabet."""
_SEVERAL: Final = 2
"""Parameters that must all count their header: one alone may as well be cut."""
_FIRST_OCTETS: Final = frozenset(tag >> 8 for tag in TAGS)
_NULS: Final = "TLVs have NULs between them"

Tlvs = tuple[Tlv, ...]
Faults = tuple[str, ...]


class Tail(NamedTuple):
    """The rest of a body behind the mandatory fields: short_message, the parameters, and the faults."""

    short_message: bytes
    tlvs: Tlvs
    faults: Faults


def decode_tail(body: bytes, start: int, end: int) -> Tail:
    """Read short_message, which should be from ``start`` to ``end``, and the parameters behind it. Never raises."""
    read = _read(body, end)
    short_message = body[start:end]
    faults = read.faults
    if end > len(body):
        faults = (f"short_message has {len(short_message)} of {end - start} octets", *faults)
    elif not read.is_broken:
        return Tail(short_message, read.tlvs, faults)
    if len(body) - start > _LONGEST_MENDED:
        return Tail(short_message, read.tlvs, faults)
    true_end = _true_end(body, start, end, is_all_broken=not read.tlvs)
    if true_end is None:
        return Tail(short_message, read.tlvs, faults)
    said = f"TLVs are not where sm_length says: short_message has {true_end - start} octets and not {end - start}"
    return Tail(body[start:true_end], _read(body, true_end).tlvs, (said,))


def decode_tlvs(body: bytes, position: int) -> tuple[Tlvs, Faults]:
    """Read optional parameters up to the end; what was read before a fault is kept. Never raises."""
    read = _read(body, position)
    return read.tlvs, read.faults


def choose_text(short_message: bytes, tlvs: Tlvs, *, is_flagged: bool) -> tuple[bytes, bytes]:
    """Return the text and what it displaced: a message_payload wins when there is anything in it but NULs and blanks.

    Repeated with other octets it goes on. A short_message that is a user data header and nothing else belongs in front of a
    payload that has none.
    """
    payload = b""
    for value in dict.fromkeys(tlv.value for tlv in tlvs if tlv.tag == TAG_MESSAGE_PAYLOAD):
        payload += value
    if not payload or (short_message and not payload.strip(_NOTHING)):
        return short_message, b""
    header = read_header(short_message, is_flagged=is_flagged)
    if (
        header.elements
        and header.octets == len(short_message)
        and not read_header(payload, is_flagged=is_flagged).elements
    ):
        return short_message + payload, b""
    return payload, short_message


class _Read(NamedTuple):
    tlvs: Tlvs
    faults: Faults
    is_broken: bool
    """Whether the end of the body was not reached, in any way of reading."""


def _read(body: bytes, position: int) -> _Read:
    walked = _walk(body, position)
    if not walked.fault and (not walked.faults or all(_is_known(tlv.tag) for tlv in walked.tlvs)):
        return _Read(walked.tlvs, walked.faults, is_broken=False)
    for counted, least in (((TAG_MESSAGE_PAYLOAD,), 1), (None, _SEVERAL)):
        other = _walk(body, position, counts_header=counted)
        if len(other.tlvs) >= least and _is_sound(other):
            return _Read(other.tlvs, ("TLV lengths count the header as well",), is_broken=False)
    faults = (*walked.faults, walked.fault) if walked.fault else walked.faults
    return _Read(walked.tlvs, faults, is_broken=True)


class _Walked(NamedTuple):
    tlvs: Tlvs
    faults: Faults
    """The faults that were read over."""
    fault: str
    """The fault that ended the reading; empty at the end of the body."""


def _walk(body: bytes, position: int, counts_header: tuple[int, ...] | None = ()) -> _Walked:
    """Read parameters. Those with a tag in ``counts_header`` (``None``: all) count their header in their length.

    NULs in front of a parameter are read over where they cannot be the beginning of one: no tag is 0. A message_payload that
    is longer than what is there is what is there.
    """
    tlvs: list[Tlv] = []
    faults: Faults = ()
    end = len(body)
    while position < end:
        if end - position < _HEADER_OCTETS:
            if not body[position:].strip(b"\0"):
                return _Walked(tuple(tlvs), (_NULS,), "")
            fault = f"TLV header has {end - position} of {_HEADER_OCTETS} octets"
            return _Walked(tuple(tlvs), faults, fault)
        tag, length = _HEADER.unpack_from(body, position)
        if counts_header is None or tag in counts_header:
            length -= _HEADER_OCTETS
            if length < 0:
                return _Walked(tuple(tlvs), faults, f"TLV 0x{tag:04x} does not count its header")
        value = body[position + _HEADER_OCTETS : position + _HEADER_OCTETS + length]
        if tag == 0 or (len(value) < length and body[position] == _NUL and tag not in TAGS):
            position += 1
            faults = (_NULS,)
            continue
        if len(value) < length:
            if tag == TAG_MESSAGE_PAYLOAD and value:
                tlvs.append(Tlv(tag, value))
            return _Walked(tuple(tlvs), faults, f"TLV 0x{tag:04x} has {len(value)} of {length} octets")
        tlvs.append(Tlv(tag, value))
        position += _HEADER_OCTETS + length
    return _Walked(tuple(tlvs), faults, "")


def _true_end(body: bytes, start: int, end: int, *, is_all_broken: bool) -> int | None:
    """Find where short_message ends when sm_length is wrong; ``None`` where nothing says so.

    There, where parameters of the specification begin and read to the end of the body; without any, the end of the
    body, unless what follows the declared end is a damaged parameter.
    """
    nearest = sorted(range(start, len(body)), key=lambda place: abs(place - end))
    for place in nearest:
        if int.from_bytes(body[place : place + 2]) in TAGS and _is_sound(_walk(body, place)):
            return place
    rest = body[end:].rstrip(b"\0")
    if is_all_broken and rest and not _is_parameter(rest):
        return end + len(rest)
    return None


def _is_sound(walked: _Walked) -> bool:
    """Whether parameters, read in another way than the specification's, are ones that it knows, to the end."""
    return (
        len(walked.tlvs) > 0
        and not walked.fault
        and not walked.faults
        and all(
            _is_known(tlv.tag) and len(tlv.value) == UINT_TLV_OCTETS.get(tlv.tag, len(tlv.value))
            for tlv in walked.tlvs
        )
    )


def _is_parameter(octets: bytes) -> bool:
    """Whether octets begin as a parameter does, though they do not end as one."""
    if len(octets) < _HEADER_OCTETS:
        return octets[0] in _FIRST_OCTETS
    tag, length = _HEADER.unpack_from(octets)
    return _is_known(tag) and (length <= _LONGEST_OTHER or tag == TAG_MESSAGE_PAYLOAD)


def _is_known(tag: int) -> bool:
    return tag in TAGS or FIRST_VENDOR_TAG <= tag <= LAST_VENDOR_TAG
