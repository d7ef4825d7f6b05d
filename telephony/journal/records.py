"""Records and segment headers as octets, and back: what a kill, a power cut or a bad block may leave is read as far as it goes.

A segment begins with a header of `HEADER_OCTETS`: magic, the journal's id, a check; then, in a slot that is overwritten, the
number up to which the store had everything, with a check of its own. Each record is a head (mark, length of what is sealed,
number, check over what is sealed, check over the head) and what is sealed. Zeros follow the last one. Checks are CRC-32, all
integers big-endian.

The head has a check of its own so that its length can be believed where what is sealed is damaged: what stands within it is
passed over, and the time to read a segment grows with its length alone, whatever is in it.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple
from zlib import crc32

JOURNAL_ID_OCTETS: Final = 16
HEADER_OCTETS: Final = 512
"""One sector: the slot in it is written whole or not at all."""
LARGEST_SEALED: Final = 256 << 10
"""Octets of one press, sealed. A longer length was never written."""

_MAGIC: Final = b"onetouch journal"
_MARK: Final = b"\xf0SOS"
_HEAD: Final = struct.Struct(">16s16s")
_CHECK: Final = struct.Struct(">I")
_SLOT: Final = struct.Struct(">QI")
_RECORD: Final = struct.Struct(">4sIQI")
SLOT_AT: Final = _HEAD.size + _CHECK.size
RECORD_OVERHEAD: Final = _RECORD.size + _CHECK.size


class Header(NamedTuple):
    """Of one segment. ``taken_up`` is 0 where the slot is not sound."""

    journal: bytes
    taken_up: int
    is_slot_sound: bool


class Record(NamedTuple):
    """One press as it stands in a segment."""

    number: int
    sealed: bytes


class Found(NamedTuple):
    """What a segment holds: ``damaged`` counts the places where octets that are no record stand before one that is."""

    records: list[Record]
    damaged: int
    is_torn: bool
    """Whether something that is no whole record stands after the last one: its sender was not answered, or the disk lost it."""


class _Head(NamedTuple):
    length: int
    number: int
    check: int


def header_octets(journal: bytes, taken_up: int) -> bytes:
    """Return the first `HEADER_OCTETS` of a segment."""
    head = _HEAD.pack(_MAGIC, journal)
    whole = head + _CHECK.pack(crc32(head)) + slot_octets(taken_up)
    return whole.ljust(HEADER_OCTETS, b"\0")


def slot_octets(taken_up: int) -> bytes:
    """Return what stands at `SLOT_AT`."""
    return _SLOT.pack(taken_up, crc32(b"slot%d" % taken_up))


def header_in(octets: bytes) -> Header | None:
    """Return the header that a segment begins with; None for octets that are none of ours."""
    if len(octets) < HEADER_OCTETS:
        return None
    magic, journal = _HEAD.unpack_from(octets)
    (check,) = _CHECK.unpack_from(octets, _HEAD.size)
    if magic != _MAGIC or check != crc32(octets[: _HEAD.size]):
        return None
    taken_up, slot_check = _SLOT.unpack_from(octets, SLOT_AT)
    is_sound = slot_check == crc32(b"slot%d" % taken_up)
    return Header(journal, taken_up if is_sound else 0, is_sound)


def record_octets(number: int, sealed: bytes) -> bytes:
    """Return one record. Raises `ValueError` for more than `LARGEST_SEALED` octets."""
    if len(sealed) > LARGEST_SEALED:
        raise ValueError(f"a press of {len(sealed)} octets is larger than the journal takes")
    head = _RECORD.pack(_MARK, len(sealed), number, crc32(sealed))
    return head + _CHECK.pack(crc32(head)) + sealed


def records_in(octets: bytes) -> Found:
    """Return the records of a segment, its header included in ``octets`` and passed over. Total: never raises.

    After octets that are no record the next mark is looked for: one bad block costs the presses in it, not those behind it.
    """
    records: list[Record] = []
    at = end = HEADER_OCTETS
    damaged, is_lost = 0, False
    while at >= 0:
        head = _head_at(octets, at)
        if head is None:
            is_lost, at = True, octets.find(_MARK, at + 1)
            continue
        begins, at = at + RECORD_OVERHEAD, at + RECORD_OVERHEAD + head.length
        sealed = octets[begins:at]
        if crc32(sealed) != head.check:
            is_lost = True
            continue
        damaged, is_lost = damaged + is_lost, False
        records.append(Record(head.number, sealed))
        end = at
    return Found(records, damaged, bool(octets[end:].strip(b"\0")))


def _head_at(octets: bytes, at: int) -> _Head | None:
    """Return a head whose octets lie whole within these."""
    if len(octets) - at < RECORD_OVERHEAD:
        return None
    mark, length, number, check = _RECORD.unpack_from(octets, at)
    if mark != _MARK or length > LARGEST_SEALED or at + RECORD_OVERHEAD + length > len(octets):
        return None
    (own_check,) = _CHECK.unpack_from(octets, at + _RECORD.size)
    return _Head(length, number, check) if own_check == crc32(octets[at : at + _RECORD.size]) else None
