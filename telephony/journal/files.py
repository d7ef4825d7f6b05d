"""All segments of one journal: which is written, which comes next, which may go."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from telephony.journal.bounds import Bounds
from telephony.journal.records import HEADER_OCTETS, JOURNAL_ID_OCTETS, Record
from telephony.journal.segments import (
    DAMAGED,
    MOST_RECORDS,
    OldSegment,
    Segment,
    make,
    path_of,
    read_all,
    remove_halves,
    take_hold,
)
from telephony.store.private_file import sync_folder, write_whole

PROOF_FILE: Final = "keys.proof"
KEPT_S: Final = 600.0
"""How long a segment stays when the store has all that is in it: a standby that takes over may lack the last commits."""


@dataclass(slots=True)
class _Closed:
    path: Path
    size: int
    last: int
    since: float
    is_damaged: bool = False


class JournalFiles:
    """The files of a folder. All methods raise `OSError` and belong on the journal's thread; `make_spare` on another."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self.folder = folder
        self.id = os.urandom(JOURNAL_ID_OCTETS)
        self.last = 0
        """The highest number that was ever given, as far as the files say."""
        self.taken_up = 0
        """Up to which number the store has everything, as far as the files say."""
        self._bounds = bounds
        self._serials = count(1)
        self._closed: list[_Closed] = []
        self._current: Segment | None = None
        self._current_since = 0.0
        self._spare: Segment | None = None
        self._is_making = False
        self._is_open = False
        self._place: tuple[int, int] | None = None
        """Which folder it is, as the file system knows it."""
        self._hold: int | None = None

    def open(self, now: float) -> list[Record]:
        """Look at what earlier lives have left; return all records in the order of their numbers."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(self.folder.parent)
        if self._hold is None:
            self._hold = take_hold(self.folder)
        remove_halves(self.folder)
        found = read_all(self.folder)
        self.id = journal_of(found) or self.id
        records: list[Record] = []
        for old in found:
            records += self._take_over(old, now)
        self._serials = count(1 + max(map(_serial_of, self.folder.iterdir()), default=0))
        # A number that the store has had is never given to another press: it would be passed over. What cannot be read
        # of a file may have held higher ones than what can.
        lost = MOST_RECORDS * sum(not old.is_whole for old in found)
        self.last = max(self.last, self.taken_up, *(record.number for record in records), 0) + lost
        self._is_open = True
        self._place = _place_of(self.folder)
        return sorted(records)

    def adopt(self, now: float) -> None:
        """Go on in an empty folder that stands where ours was: for when the store, which was in the same place, is there again.

        Raises `OSError` where something stands in it: a restart reads that.
        """
        if not self._is_open or self._is_in_place:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if read_all(self.folder):
            raise OSError(errno.EEXIST, f"{self.folder} is another journal: restart to take it up")
        self.close()
        self._closed.clear()
        self._hold = take_hold(self.folder)
        self._place = _place_of(self.folder)
        self.begin(now)

    def begin(self, now: float) -> None:
        """Have a segment that can be written at once."""
        self._require_open(now)
        if self._current is None:
            self._current, self._current_since = self._next(0), now

    def set_damaged(self, numbers: set[int]) -> list[Path]:
        """Keep the segments with these records, which cannot be read, for people; return which they are."""
        found = [
            old.path
            for old in read_all(self.folder)
            if any(record.number in numbers for record in old.found.records)
        ]
        for closed in self._closed:
            closed.is_damaged = closed.is_damaged or closed.path in found
        if self._current is not None and self._current.path in found:
            self._current.is_damaged = True
        return found

    def records_between(self, after: int, until: int) -> list[Record]:
        """Return the records with a number above one and up to another, in their order."""
        records = [record for old in read_all(self.folder) for record in old.found.records]
        return sorted(record for record in records if after < record.number <= until)

    @property
    def damaged(self) -> list[Path]:
        """Segments of earlier lives that hold octets which are no records."""
        return [closed.path for closed in self._closed if closed.is_damaged]

    @property
    def wants_a_spare(self) -> bool:
        """Whether the next segment should be made now."""
        return (
            self._spare is None
            and not self._is_making
            and self._current is not None
            and self._current.is_half_full
            and self.size + self._bounds.segment_octets <= self._bounds.largest_octets
        )

    def append(self, octets: bytes, last: int, now: float) -> None:
        """Write records and have them on the disk. After a failure nothing more goes into the same file."""
        self._require_open(now)
        current = self._current
        if current is None or not current.has_room(len(octets)):
            self._close(now)
            current = self._current = self._next(len(octets))
            self._current_since = now
        try:
            current.append(octets, last)
        except OSError:
            # What the kernel still holds of it after a failed sync is not known: it is written no more.
            self._close(now)
            raise
        self.last = last

    def make_spare(self) -> None:
        """Make the next segment before it is wanted."""
        if self._spare is not None or self._is_making:
            return
        self._is_making = True
        try:
            self._spare = self._made(self._bounds.segment_octets)
        finally:
            self._is_making = False

    def read_proof(self) -> bytes:
        """Return what `write_proof` has written; nothing where it has not."""
        try:
            return (self.folder / PROOF_FILE).read_bytes()
        except FileNotFoundError:
            return b""

    def write_proof(self, octets: bytes) -> None:
        """Keep, on the disk, what the keys of this journal can be known by."""
        write_whole(self.folder / PROOF_FILE, octets)

    def note_taken_up(self, number: int) -> None:
        """Note up to which number the store has everything."""
        self.taken_up = number
        if self._current is not None:
            self._current.note_taken_up(number)

    def tidy(self, now: float, *, kept_s: float = KEPT_S) -> None:
        """Remove segments that the store has had for a while; what has stood so long in the one in use is turned over."""
        current = self._current
        if current is not None and 0 < current.last <= self.taken_up and now - self._current_since >= kept_s:
            self._close(now)
            self.begin(now)
        over = [each for each in self._closed if each.last <= self.taken_up and now - each.since >= kept_s]
        if not over or self._current is None:
            return
        # Numbers are never given twice: the highest one is on the disk elsewhere before its segment goes.
        self._current.note_taken_up(self.taken_up, is_synced=True)
        for each in over:
            self._remove(each)

    def close(self) -> None:
        """Close what is open; the files stay."""
        for each in (self._current, self._spare):
            if each is not None:
                each.close()
        self._current = self._spare = None
        hold, self._hold = self._hold, None
        if hold is not None:
            os.close(hold)

    @property
    def size(self) -> int:
        """Octets of all files."""
        in_use = [each.size for each in (self._current, self._spare) if each is not None]
        return sum(in_use) + sum(each.size for each in self._closed)

    @property
    def _is_in_place(self) -> bool:
        try:
            return _place_of(self.folder) == self._place
        except FileNotFoundError:
            return False

    def _require_open(self, now: float) -> None:
        """Go on only where everything is known that earlier lives have left: numbers, and what the store may lack."""
        if self._is_open:
            return
        if self.folder.exists() and read_all(self.folder):
            raise OSError(errno.EIO, f"{self.folder} could not be read at the start: restart when it can be")
        self.open(now)

    def _take_over(self, old: OldSegment, now: float) -> list[Record]:
        header, records = old.header, old.found.records
        if header is not None and header.journal != self.id:
            records = []
        elif header is not None:
            self.taken_up = max(self.taken_up, header.taken_up)
        is_damaged = (
            not _is_known(old) or header is None or header.journal != self.id or old.found.damaged > 0
        )
        last = max((record.number for record in records), default=0)
        # However often a daemon is started while the store is away, its lives leave room for each other.
        octets = old.cut() if old.is_whole else old.path.stat().st_size
        self._closed.append(_Closed(old.path, octets, last, now, is_damaged))
        return records

    def _close(self, now: float) -> None:
        current, self._current = self._current, None
        if current is not None:
            self._closed.append(_Closed(current.path, current.size, current.last, now, current.is_damaged))
            with suppress(
                OSError
            ):  # what was promised of it is on the disk, and nothing more will be written
                current.close()

    def _next(self, octets: int) -> Segment:
        spare = self._spare
        if spare is not None and spare.has_room(octets):
            self._spare = None
            return spare
        size = max(self._bounds.segment_octets, HEADER_OCTETS + octets)
        try:
            return self._made(size)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        self._make_room()
        return self._made(size)

    def _make_room(self) -> None:
        """Remove what the store has, however fresh.

        Lower numbers go first, so that at any instant what is left says which were given: or nothing is left, and then
        another journal begins.
        """
        if self._spare is not None:
            self._spare.note_taken_up(self.taken_up, is_synced=True)
        over = [each for each in self._closed if each.last <= self.taken_up]
        for each in sorted(over, key=lambda each: each.last):
            self._remove(each)

    def _remove(self, closed: _Closed) -> None:
        if closed.is_damaged:
            closed.path.replace(closed.path.with_suffix(DAMAGED))
        else:
            closed.path.unlink(missing_ok=True)
        self._closed.remove(closed)

    def _made(self, size: int) -> Segment:
        if not self._is_in_place:
            raise OSError(errno.ENOENT, f"{self.folder} was moved or removed: bring it back")
        if self.size + size > self._bounds.largest_octets:
            raise OSError(
                errno.ENOSPC,
                f"the journal has {self.size >> 20} MiB, and journal.largest_mib allows no more",
            )
        return make(path_of(self.folder, next(self._serials)), self.id, self.taken_up, size)


def journal_of(found: Sequence[OldSegment]) -> bytes | None:
    """Return whose segments these are: of most of them, or of the newest. Another journal's were put beside them by hand."""
    owners = Counter(
        old.header.journal for old in reversed(found) if old.header is not None and _is_known(old)
    )
    return max(owners, key=owners.__getitem__, default=None)


def _is_known(old: OldSegment) -> bool:
    """Whether a segment says anything of the numbers that its journal has given."""
    return bool(old.found.records) or (old.header is not None and old.header.is_slot_sound)


def _place_of(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _serial_of(path: Path) -> int:
    """Return the number in a name, be it a segment's or a damaged one's, which keeps its own."""
    return int(path.stem) if path.stem.isascii() and path.stem.isdecimal() else 0
