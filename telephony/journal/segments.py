"""The files of the journal: made full of zeros ahead of need, written in order, removed when the store has what is in them.

Everything here raises `OSError` and belongs on a thread that may hang.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from os import pwrite
from pathlib import Path
from typing import Final, NamedTuple

from telephony.journal.records import (
    HEADER_OCTETS,
    RECORD_OVERHEAD,
    SLOT_AT,
    Found,
    Header,
    header_in,
    header_octets,
    records_in,
    slot_octets,
)
from telephony.store.private_file import sync_folder

LOCK: Final = "lock"
SUFFIX: Final = ".segment"
DAMAGED: Final = ".damaged"
"""Of a segment with presses that could not be read: kept for people."""
_HALF: Final = ".half"
_ZEROS: Final = bytes(1 << 20)
_MOST_READ: Final = 64 << 20
"""Octets of one file that are read; no segment of ours is so large."""
MOST_RECORDS: Final = _MOST_READ // RECORD_OVERHEAD
"""That one file can hold."""
_BLOCK: Final = 4096
"""Octets that a disk loses at once."""


class OldSegment(NamedTuple):
    """A segment as it was found; ``header`` is None for a file that is none of ours."""

    path: Path
    header: Header | None
    found: Found

    @property
    def is_whole(self) -> bool:
        """Whether it is certain that no number stood in it that is not read of it now."""
        header, found = self.header, self.found
        return header is not None and header.is_slot_sound and not found.damaged and not found.is_torn

    def cut(self) -> int:
        """Give back to the disk the room that was never written in a whole one; return its octets."""
        octets = HEADER_OCTETS + sum(RECORD_OVERHEAD + len(record.sealed) for record in self.found.records)
        with suppress(OSError):  # it is only larger than it need be
            os.truncate(self.path, octets)
        return self.path.stat().st_size


class Segment:
    """An open segment; ``last`` is the number of its newest record, 0 without one."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self.path = path
        self.size = size
        self.last = 0
        self.is_damaged = False
        """Whether presses in it could not be read."""
        self._end = HEADER_OCTETS
        self._descriptor = descriptor

    def has_room(self, octets: int) -> bool:
        """Whether so many more octets fit."""
        return self._end + octets <= self.size

    @property
    def is_half_full(self) -> bool:
        """Whether the next one will be wanted soon."""
        return self._end > self.size // 2

    def append(self, octets: bytes, last: int) -> None:
        """Write records, of which the last has this number, and have them on the disk, where the next start finds them."""
        _write(self._descriptor, octets, self._end)
        os.fdatasync(self._descriptor)
        ours, named = os.fstat(self._descriptor), self.path.stat()
        if (ours.st_dev, ours.st_ino) != (named.st_dev, named.st_ino):
            raise OSError(errno.ENOENT, f"{self.path} is another file now")
        self._end += len(octets)
        self.last = last

    def note_taken_up(self, number: int, *, is_synced: bool = False) -> None:
        """Write into the slot; what is not synced only spares work after a start."""
        _write(self._descriptor, slot_octets(number), SLOT_AT)
        if is_synced:
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close it; the file stays."""
        os.close(self._descriptor)


def make(path: Path, journal: bytes, taken_up: int, size: int) -> Segment:
    """Make a segment: a file full of zeros that is on the disk, name and all. One that is there already is an error."""
    half = path.with_suffix(_HALF)
    descriptor = os.open(half, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _write(descriptor, header_octets(journal, taken_up), 0)
        for at in range(HEADER_OCTETS, size, len(_ZEROS)):
            _write(descriptor, _ZEROS[: size - at], at)
        os.fsync(descriptor)
        os.link(half, path)
        sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    finally:
        half.unlink(missing_ok=True)
    return Segment(path, descriptor, size)


def path_of(folder: Path, serial: int) -> Path:
    """Return where the segment with this serial number stands."""
    return folder / f"{serial:010d}{SUFFIX}"


def read_all(folder: Path) -> list[OldSegment]:
    """Return the segments of a folder with what they hold, oldest first."""
    return [_read(path) for path in sorted(folder.glob(f"*{SUFFIX}")) if path.is_file()]


def remove_halves(folder: Path) -> None:
    """Remove what a process left that ended while it made a segment: nothing of it was ever in use."""
    for half in folder.glob(f"*{_HALF}"):
        with suppress(OSError):  # a disk that takes nothing more may still give back presses
            half.unlink()


def take_hold(folder: Path) -> int | None:
    """Return a descriptor that keeps other processes from using this folder; None on a disk that takes no file at all.

    Raises `OSError` where another process has it: both would give the same numbers.
    """
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.ENOSPC):
            raise
        return None
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        raise OSError(errno.EBUSY, f"another process writes the journal in {folder}") from error
    return descriptor


def _read(path: Path) -> OldSegment:
    octets = _octets_of(path)
    return OldSegment(path, header_in(octets), records_in(octets))


def _octets_of(path: Path) -> bytes:
    """Return what a file holds, with zeros for what the disk has lost of it."""
    with path.open("rb", buffering=0) as file:
        size = min(os.fstat(file.fileno()).st_size, _MOST_READ)
        try:
            return _read_at(file.fileno(), size, 0)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return b"".join(
                _block_at(file.fileno(), min(_BLOCK, size - at), at) for at in range(0, size, _BLOCK)
            )


def _block_at(descriptor: int, size: int, at: int) -> bytes:
    try:
        return _read_at(descriptor, size, at)
    except OSError:
        return bytes(size)


def _read_at(descriptor: int, size: int, at: int) -> bytes:
    return os.pread(descriptor, size, at).ljust(size, b"\0")


def _write(descriptor: int, octets: bytes, at: int) -> None:
    rest = memoryview(octets)
    while rest:
        written = pwrite(descriptor, rest, at)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest, at = rest[written:], at + written
