"""Reads the pages in SQLite's write-ahead log, also where its middle is damaged.

SQLite takes a log up to the first frame whose checksum is wrong and forgets what was committed behind it. Each frame's
checksum goes on from the one before, which stands in that frame's header, so what follows a damaged page can be
proven all the same (sqlite.org/fileformat2.html, clause 4).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from telephony.store.salvage.sqlite_format import is_page_size

HEADER_OCTETS: Final = 32
FRAME_OCTETS: Final = 24
_MAGIC: Final = 0x377F0682
"""With 1 added where checksums are made of big-endian words."""

Read = Callable[[int, int], bytes]
"""Reads so many octets from a place of the log; fewer where it ends."""
_Sums = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Log:
    """A log: the size of its pages (0 where there is none) and where the newest committed copy of each begins."""

    page_size: int
    pages: dict[int, int]
    broken: int
    """Frames that are not what was written, before the last that is."""


def log_of(read: Read) -> Log:
    """Return what a log holds; an empty one for octets that are none."""
    head = read(0, HEADER_OCTETS)
    if len(head) < HEADER_OCTETS:
        return Log(0, {}, 0)
    magic, _, size, _, salt_1, salt_2, *sums = struct.unpack(">8I", head)
    if magic & ~1 != _MAGIC or not is_page_size(size):
        return Log(0, {}, 0)
    order = ">" if magic & 1 else "<"
    before: _Sums = (sums[0], sums[1])
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    broken = unsure = 0
    at = HEADER_OCTETS
    while len(frame := read(at, FRAME_OCTETS + size)) == FRAME_OCTETS + size:
        page, pages_after, own_1, own_2, *stands = struct.unpack_from(">6I", frame)
        at += len(frame)
        if (own_1, own_2) != (salt_1, salt_2):
            # Of an earlier round of the log, which ends here; or the frame's header is damaged.
            unsure += 1
            before = (stands[0], stands[1])
            continue
        found = _sum(_sum(before, frame[:8], order), frame[FRAME_OCTETS:], order)
        before = (stands[0], stands[1])
        if found != before or page == 0:
            unsure += 1
            continue
        pending[page] = at - size
        if pages_after:
            committed.update(pending)
            pending.clear()
            broken += unsure
            unsure = 0
    return Log(size, committed, broken)


def _sum(before: _Sums, octets: bytes, order: str) -> _Sums:
    first, second = before
    words = struct.unpack(f"{order}{len(octets) // 4}I", octets)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
