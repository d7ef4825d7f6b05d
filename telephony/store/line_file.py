"""A file of lines beside the store: appended to, synced, rewritten.

It is opened for every write and closed after it, so that a file that was removed or replaced meanwhile is noticed. Some room is
kept in it ahead, for the trouble may be a full disk.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

ROOM: Final = 1 << 20
"""Octets kept ahead: some 800 reports."""
LARGEST: Final = 64 << 20
"""Octets that are written, and read, at most."""


class LineFile:
    """The file at a path. Its methods raise `OSError`; they belong on a thread that may hang."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end = 0
        self._inode: int | None = None
        """Of the file as it was written last; None: it has to be rewritten."""

    @property
    def size(self) -> int:
        """Octets in use."""
        return self._end

    def read(self) -> bytes:
        """Return what it holds, nothing where there is none; of a file that is too large the end."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - LARGEST))
                return file.read(LARGEST)
        except FileNotFoundError:
            return b""

    def append(self, octets: bytes, *, is_synced: bool = True) -> bool:
        """Append, and sync unless told not to. False where this is not the file that was written last: `rewrite` it.

        After a failure the next call writes to the same place.
        """
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            status = os.fstat(file)
            if status.st_ino != self._inode or status.st_size < self._end:
                return False
            _write(file, octets, self._end)
            if is_synced:
                os.fdatasync(file)
        finally:
            os.close(file)
        self._end += len(octets)
        return True

    def rewrite(self, octets: bytes) -> None:
        """Put a file of these octets in its place, synced; the old one stays where that fails."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _write(file, octets, 0)
            # Without room for later lines, those that are there are kept all the same.
            with contextlib.suppress(OSError):
                os.posix_fallocate(file, 0, max(ROOM, len(octets)))
            os.fsync(file)
            inode = os.fstat(file).st_ino
            fresh.replace(self.path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)
        self._inode, self._end = inode, len(octets)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def set_aside(self) -> Path:
        """Rename a file that holds foreign lines, so that no octets are lost; return its new name."""
        aside = self.path.with_name(f"{self.path.name}.damaged")
        self.path.replace(aside)
        return aside


def _write(file: int, octets: bytes, at: int) -> None:
    rest = memoryview(octets)
    while rest:
        written = os.pwrite(file, rest, at)
        rest, at = rest[written:], at + written
