"""SQLite's file format, as far as reading rows out of single pages needs it.

For a store of which SQLite itself reads nothing any more: sqlite.org/fileformat2.html, clauses 1.3 (header), 1.6
(b-tree pages), 1.6 (cell payload overflow) and 2.1 (records). Every function takes any octets, and returns what is
sound in them or raises `Malformed`.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from telephony.domain.errors import Malformed

MAGIC: Final = b"SQLite format 3\x00"
HEADER_OCTETS: Final = 100
INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE = 2, 5, 10, 13
"""Kinds of b-tree page (clause 1.6). A table WITHOUT ROWID is kept as an index is."""
INTERIOR: Final = (INTERIOR_INDEX, INTERIOR_TABLE)
KINDS: Final = (INTERIOR_INDEX, INTERIOR_TABLE, LEAF_INDEX, LEAF_TABLE)
LONGEST_VARINT: Final = 9
LARGEST_PAYLOAD: Final = 16 * 1024 * 1024
"""More than any row of ours holds: a damaged length must not have us fetch for ever."""
MOST_COLUMNS: Final = 100

Value = int | float | str | bytes | None
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Octets of an integer by its serial type (clause 2.1)."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of the file, which is in its first page."""

    page_size: int
    usable: int
    first_free: int
    """First trunk page of the list of free pages; 0 for none."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of a page. ``local`` is what of the record stands in the page, ``overflow`` where the rest begins."""

    child: int
    rowid: int
    size: int
    local: bytes
    overflow: int


@dataclass(frozen=True, slots=True)
class Node:
    """A b-tree page: its sound cells in order, how many were not, and the child behind the last (0 in a leaf)."""

    kind: int
    cells: tuple[Cell, ...]
    broken: int
    last_child: int


def header_of(page: bytes) -> Header:
    """Return the header in the first page."""
    if len(page) < HEADER_OCTETS or not page.startswith(MAGIC):
        raise Malformed("no header of an SQLite file")
    size, reserved = struct.unpack_from(">H", page, 16)[0], page[20]
    size = 65_536 if size == 1 else size
    if not is_page_size(size) or size - reserved < 480:  # noqa: PLR2004 - clause 1.3.4
        raise Malformed("no size of a page")
    return Header(size, size - reserved, struct.unpack_from(">I", page, 32)[0])


def is_page_size(size: int) -> bool:
    """Whether a page may be so many octets long."""
    return 512 <= size <= 65_536 and size & (size - 1) == 0  # noqa: PLR2004 - clause 1.3.2


def varint(octets: bytes, at: int) -> tuple[int, int]:
    """Return the number at this place, signed, and where it ends."""
    value = 0
    for read in range(LONGEST_VARINT):
        if at + read >= len(octets):
            raise Malformed("a number is cut off")
        octet = octets[at + read]
        if read == LONGEST_VARINT - 1:
            value = value << 8 | octet
        else:
            value = value << 7 | octet & 0x7F
            if octet < 0x80:  # noqa: PLR2004 - no more follow
                return value, at + read + 1
    return value - (1 << 64) if value >= 1 << 63 else value, at + LONGEST_VARINT


def node_of(page: bytes, usable: int, *, is_first: bool = False) -> Node:
    """Return a b-tree page; a cell of it that is not sound is left out and counted."""
    start = HEADER_OCTETS if is_first else 0
    kind = page[start] if len(page) >= usable else 0
    if kind not in KINDS:
        raise Malformed("no page of a b-tree")
    count: int = struct.unpack_from(">H", page, start + 3)[0]
    pointers = start + (12 if kind in INTERIOR else 8)
    if pointers + 2 * count > usable:
        raise Malformed("more cells than a page has room for")
    last_child = struct.unpack_from(">I", page, start + 8)[0] if kind in INTERIOR else 0
    cells: list[Cell] = []
    for at in struct.unpack_from(f">{count}H", page, pointers):
        if at >= pointers + 2 * count:
            with suppress(Malformed, struct.error):
                cells.append(_cell(page, at, usable, kind))
    if count and not cells:
        raise Malformed("no cell is sound")
    return Node(kind, tuple(cells), count - len(cells), last_child)


def _cell(page: bytes, at: int, usable: int, kind: int) -> Cell:
    child = 0
    if kind in INTERIOR:
        child = struct.unpack_from(">I", page, at)[0]
        at += 4
    if kind == INTERIOR_TABLE:
        rowid, end = varint(page, at)
        if end > usable:
            raise Malformed("a cell is cut off")
        return Cell(child, rowid, 0, b"", 0)
    size, at = varint(page, at)
    rowid = 0
    if kind == LEAF_TABLE:
        rowid, at = varint(page, at)
    if not 0 < size <= LARGEST_PAYLOAD:
        raise Malformed("no length of a record")
    local = _local(size, usable, is_table=kind == LEAF_TABLE)
    end = at + local + (4 if local < size else 0)
    if end > usable:
        raise Malformed("a cell is cut off")
    overflow = struct.unpack_from(">I", page, at + local)[0] if local < size else 0
    return Cell(child, rowid, size, page[at : at + local], overflow)


def _local(size: int, usable: int, *, is_table: bool) -> int:
    """Return how much of a record stands in the page itself (clause 1.6, "X", "M" and "K")."""
    most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (usable - 12) * 32 // 255 - 23
    wanted = least + (size - least) % (usable - 4)
    return wanted if wanted <= most else least


def record_of(payload: bytes) -> tuple[Value, ...]:
    """Return the values of a whole record."""
    header, at = varint(payload, 0)
    if not at <= header <= len(payload):
        raise Malformed("no header of a record")
    values: list[Value] = []
    body = header
    while at < header:
        kind, at = varint(payload, at)
        if len(values) >= MOST_COLUMNS:
            raise Malformed("too many columns")
        value, body = _value(payload, body, kind)
        values.append(value)
    if at != header or body != len(payload):
        raise Malformed("a record of another length")
    return tuple(values)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind == 7:  # noqa: PLR2004 - clause 2.1
        size = 8
    elif kind in _INTEGERS:
        size = _INTEGERS[kind]
    elif kind >= 12:  # noqa: PLR2004 - octets and texts
        size = (kind - 12) // 2
    else:
        raise Malformed("no type of a value")
    end = at + size
    if end > len(payload):
        raise Malformed("a value is cut off")
    octets = payload[at:end]
    if kind in _INTEGERS:
        return int.from_bytes(octets, "big", signed=True), end
    if kind == 7:  # noqa: PLR2004 - clause 2.1
        number: float = struct.unpack(">d", octets)[0]
        return number, end
    return (octets if kind % 2 == 0 else octets.decode("utf-8", "replace")), end
