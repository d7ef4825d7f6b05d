"""Watches the files of an SQLite store: whether the next start would find the very files that this process has open.

SQLite goes on writing into files that were removed, moved or replaced under it, and what is committed then goes with the
process. So an anchor keeps them open from the first moment to the last, every commit compares what stands at their
places with what is open, and what only this process still holds is written back from there.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from telephony.domain.errors import Unavailable

WAIT_S = 0.5
"""How long the anchor waits for another's lock."""
_LOG, _INDEX = "-wal", "-shm"
_REMOVED = " (deleted)"
"""How Linux ends the name of an open file that has lost it."""

Identity = tuple[int, int]
"""Device and inode: what a file is, whatever it is called."""


class StoreAway(Unavailable):
    """The store cannot be proven to be where it should be, or to be ours; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the files: its place, what stood there when it was opened, and a descriptor that only names it.

    The descriptor is made with O_PATH: closing any other would take SQLite's own locks on the file away.
    """

    place: Path
    identity: Identity
    descriptor: int

    @classmethod
    def at(cls, place: Path) -> _Part:
        """Take the file that is there now."""
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        return cls(place, (status.st_dev, status.st_ino), descriptor)

    @property
    def name_now(self) -> str:
        """How the open file is called now; empty when it was removed."""
        name = str(Path(f"/proc/self/fd/{self.descriptor}").readlink())
        return "" if name.endswith(_REMOVED) else name


class OwnFiles:
    """The store's file, its log and the log's index, as they were opened.

    `trouble` may be asked on any thread; the rest belongs to the writer's.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._parts: tuple[_Part, ...] = ()
        self._anchor: sqlite3.Connection | None = None
        self._kept: str | None = None
        self._kept_identity: Identity | None = None

    @property
    def is_moored(self) -> bool:
        """Whether there are files to be compared with."""
        return self._anchor is not None

    def moor(self) -> None:
        """Open the file at the store's place, made where there is none, and remember its identity.

        Raises `sqlite3.Error` or `OSError` for what cannot be opened.
        """
        self.cast_off()
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        anchor = sqlite3.connect(self.file, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        parts: list[_Part] = []
        try:
            for order in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0", "schema_version"):
                anchor.execute(f"PRAGMA {order}").fetchall()
            real = self._real
            places = (self.file, *(real.with_name(real.name + ending) for ending in (_LOG, _INDEX)))
            parts.extend(_Part.at(place) for place in places)
        except BaseException:
            _close(parts, anchor)
            raise
        self._parts, self._anchor = tuple(parts), anchor
        self._kept = self._kept_identity = None

    def cast_off(self) -> None:
        """Let go of the files: nothing is compared with them any more."""
        parts, self._parts = self._parts, ()
        anchor, self._anchor = self._anchor, None
        _close(parts, anchor)

    def trouble(self) -> str | None:
        """Return in a sentence which file is not where it should be; None while all are. Three `stat`: microseconds."""
        for part in self._parts:
            try:
                found = part.place.stat()
            except FileNotFoundError:
                return f"{part.place} is not there: {self._whereabouts(part)}"
            except OSError as error:
                return f"{part.place} cannot be seen: {error.strerror}"
            if (found.st_dev, found.st_ino) != part.identity:
                return f"another file stands in the place of {part.place}: {self._whereabouts(part)}"
        return None

    def require(self) -> None:
        """Raise `StoreAway` unless every file stands where it should."""
        trouble = self.trouble()
        if trouble is not None:
            raise StoreAway(trouble)

    def recover(self) -> None:
        """Bring back or set aside what only we still have; returns when the store can be opened again.

        What was removed is written again, into a place where nothing stands. What was moved is waited for. Where another
        store stands in its place, only the operator knows which is wanted: that one is left alone, and ours is
        kept beside it when it has no name of its own any more. Raises `StoreAway`, which says what is waited for, or
        `sqlite3.Error` or `OSError` when something cannot be done now.
        """
        (main, *_) = self._parts
        self._fold_back()
        found = _identity(main.place)
        if found == main.identity or (found is None and not main.name_now):
            self._put_in_place(self._copy())
            return
        if found is None:
            raise StoreAway(f"{main.place} is not there: {self._whereabouts(main)}")
        self._clear_log()
        if found == self._kept_identity:
            return
        if self._kept is None and not main.name_now:
            copy = self._copy()
            self._kept_identity = _identity(copy)
            self._kept = f"{self._real}.kept-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
            copy.replace(self._kept)
            _sync_folder(self._real)
        raise StoreAway(
            f"another file stands in the place of {main.place}: all that was committed is in "
            f"{self._kept or main.name_now}, move it back, or restart with what stands there now"
        )

    @property
    def _real(self) -> Path:
        """Where the file lies, wherever a link to it lies; its log is beside it."""
        return Path(os.path.realpath(self.file))

    def _whereabouts(self, part: _Part) -> str:
        try:
            name = part.name_now
        except OSError:
            return "bring it back"
        if name == str(part.place):
            return "another file system lies over it, unmount that"
        return f"it is {name} now, move it back" if name else "it was removed"

    def _fold_back(self) -> None:
        """Have all in the one file, whatever becomes of the log. Readers in the way are waited for."""
        assert self._anchor is not None
        (is_busy, _, _) = self._anchor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise sqlite3.OperationalError("somebody still reads the store's log")

    def _copy(self) -> Path:
        """Write what the anchor sees into a file beside the store's place; gives it, synced."""
        assert self._anchor is not None
        self._real.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy = Path(f"{self._real}.copy")
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        target = sqlite3.connect(copy, isolation_level=None)
        try:
            self._anchor.backup(target)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        finally:
            target.close()
        return copy

    def _put_in_place(self, copy: Path) -> None:
        """Make a whole copy the store's file. A log of another's beside it is set aside: SQLite would apply it."""
        self._clear_log()
        _, log, index = self._parts
        if _identity(log.place) is not None:
            log.place.replace(f"{log.place}.found")
        log.place.unlink(missing_ok=True)
        index.place.unlink(missing_ok=True)
        copy.replace(self._real)
        _sync_folder(self._real)

    def _clear_log(self) -> None:
        """Remove our log, which is folded back, and its index from beside the file that is there now."""
        for part in self._parts[1:]:
            with suppress(FileNotFoundError):
                found = part.place.stat()
                if (found.st_dev, found.st_ino) == part.identity:
                    part.place.unlink()


def _close(parts: tuple[_Part, ...] | list[_Part], anchor: sqlite3.Connection | None) -> None:
    for part in parts:
        os.close(part.descriptor)
    if anchor is not None:
        anchor.close()


def _identity(place: Path) -> Identity | None:
    """Return the identity of the file at a place; None for no file, and for an empty one, which is as good."""
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size else None


def _sync_folder(file: Path) -> None:
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
