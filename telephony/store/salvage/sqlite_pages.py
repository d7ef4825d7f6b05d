"""The pages of an SQLite store as they stand on disk, those of its log in the place of older ones."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from telephony.domain.errors import Malformed
from telephony.store.salvage.sqlite_format import (
    HEADER_OCTETS,
    Cell,
    Header,
    Node,
    Value,
    header_of,
    node_of,
    record_of,
)
from telephony.store.salvage.sqlite_log import log_of

USUAL_PAGE: Final = 4096
"""The size of a page where no header says it: SQLite's own, which our stores are made with."""
_MOST_FREE: Final = 1 << 20
"""Trunk pages of the list of free pages."""


class Pages:
    """Reads pages by number, from 1.

    Closing the descriptor of a file takes away every lock that this process has on it (POSIX): close this after SQLite's
    own connections to the same file, or in a process that has none.
    """

    def __init__(self, file: Path) -> None:
        """Open them; raises `OSError` for a file that cannot be."""
        self._main = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        self._log: int | None = None
        with suppress(OSError):
            self._log = os.open(f"{file}-wal", os.O_RDONLY | os.O_CLOEXEC)
        self.log = log_of(self._read_log)
        self.header = self._header()
        size = self.header.page_size
        self.count = max(os.fstat(self._main).st_size // size, *self.log.pages, 0)
        self.failed = 0
        """How often the disk gave an error in the place of a page."""

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._main, self._log):
            if descriptor is not None:
                os.close(descriptor)

    @property
    def has_header(self) -> bool:
        """Whether the first page can be read."""
        with suppress(Malformed):
            header_of(self.page(1))
            return True
        return False

    def page(self, number: int) -> bytes:
        """Return a page; empty where there is none or the disk cannot read it."""
        if not 0 < number <= self.count:
            return b""
        size = self.header.page_size
        try:
            if self._log is not None and number in self.log.pages:
                return os.pread(self._log, size, self.log.pages[number])
            return os.pread(self._main, size, (number - 1) * size)
        except OSError:
            self.failed += 1
            return b""

    def node(self, number: int) -> Node:
        """Return a b-tree page. Raises `Malformed`."""
        page = self.page(number)
        if len(page) < self.header.page_size:
            raise Malformed("no whole page")
        return node_of(page, self.header.usable, is_first=number == 1)

    def record(self, cell: Cell) -> tuple[Value, ...]:
        """Return the record of a cell, its overflow pages followed. Raises `Malformed`."""
        payload, following = cell.local, cell.overflow
        while len(payload) < cell.size:
            page = self.page(following)
            if len(page) < self.header.page_size:
                raise Malformed("an overflow page is missing")
            following = int.from_bytes(page[:4], "big")
            payload += page[4 : self.header.usable]
        return record_of(payload[: cell.size])

    def free(self) -> set[int]:
        """Return the pages that are in no use, as far as their list can be read: what stands there is old."""
        found: set[int] = set()
        trunk = self.header.first_free if self.has_header else 0
        for _ in range(_MOST_FREE):
            page = self.page(trunk)
            if trunk in found or len(page) < self.header.page_size:
                break
            found.add(trunk)
            count = min(int.from_bytes(page[4:8], "big"), self.header.usable // 4 - 2)
            found.update(int.from_bytes(page[8 + 4 * at : 12 + 4 * at], "big") for at in range(count))
            trunk = int.from_bytes(page[:4], "big")
        return found

    def _header(self) -> Header:
        """Return what the first page says, or what it must have said."""
        size = self.log.page_size
        first = b""
        with suppress(OSError):
            if self._log is not None and 1 in self.log.pages:
                first = os.pread(self._log, HEADER_OCTETS, self.log.pages[1])
            else:
                first = os.pread(self._main, HEADER_OCTETS, 0)
        with suppress(Malformed):
            found = header_of(first)
            if size in (0, found.page_size):
                return found
        size = size or USUAL_PAGE
        return Header(size, size, 0)

    def _read_log(self, at: int, size: int) -> bytes:
        if self._log is None:
            return b""
        try:
            return os.pread(self._log, size, at)
        except OSError:
            return b""
