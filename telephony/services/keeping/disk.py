"""Room on the disks that the daemon writes to: watched ahead of time, with a reserve that is freed for presses.

A full disk stops the store, and what was refused is told directly only while the sender goes on delivering it. So a file
of some megabytes lies in the state directory. When the disk is full it is removed, and presses are taken down in its
place; it is made again when there is room.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.alarms import Alarms
from telephony.background import Runner, handed_to
from telephony.clock import Clock
from telephony.periodic import Periodic

log = structlog.get_logger()

LOW_ALARM = "disk-low"
"""Little room is left on a volume. About the directory that is watched."""
FULL_ALARM = "disk-full"
"""The reserve is in use. About the state directory."""
EVERY_S = 1.0
WHEN_LOW_EVERY_S = 0.2
"""A burst of presses writes some megabytes a second, and on a small volume that is all there is."""
RESERVE_FILE = "reserve"
MIB = 1 << 20
LOW_SHARE, RESERVE_SHARE, FULL_SHARE = 4, 8, 16
"""Of a small volume each bound is at most this part: a quarter, an eighth, a sixteenth."""
FULL_BYTES = 16 * MIB
"""Less than this is as good as full: a flood of presses writes more within a second or two."""


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """From when on room is low, and how large the reserve is, in octets; on a small volume less."""

    low_bytes: int
    low_inodes: int
    reserve_bytes: int


@dataclass(frozen=True, slots=True)
class Room:
    """The size of a volume and the room left on it for those who are not root. A file system without inodes has 0 of 0."""

    bytes: int
    free_bytes: int
    inodes: int
    free_inodes: int

    def is_low(self, limits: DiskLimits) -> bool:
        """Whether an operator should make room."""
        return self.free_bytes < self._low_bytes(limits) or self.lacks_inodes(limits.low_inodes)

    def lacks_inodes(self, wanted: int) -> bool:
        """Whether fewer inodes are left than wanted, or than a quarter of a small volume's."""
        return self.free_inodes < min(wanted, self.inodes // LOW_SHARE)

    def is_full(self) -> bool:
        """Whether the next commit may find no room."""
        return self.free_bytes < min(FULL_BYTES, self.bytes // FULL_SHARE) or (
            self.inodes > 0 and self.free_inodes == 0
        )

    def reserve_bytes(self, limits: DiskLimits) -> int:
        """Return how large the reserve is here."""
        return min(limits.reserve_bytes, self.bytes // RESERVE_SHARE)

    def has_room_for_reserve(self, limits: DiskLimits) -> bool:
        """Whether room is not low even with the reserve: made too early, it would be freed again at once."""
        left = self.free_bytes - self.reserve_bytes(limits)
        return left >= self._low_bytes(limits) and not self.is_low(limits)

    def _low_bytes(self, limits: DiskLimits) -> int:
        return min(limits.low_bytes, self.bytes // LOW_SHARE)


def watched_directories(state_dir: Path, log_file: Path | None) -> list[Path]:
    """Return the directories to be watched: of one volume the first is enough."""
    if log_file is None:
        return [state_dir]
    of_log = log_file.absolute().parent
    try:
        is_same = state_dir.stat().st_dev == of_log.stat().st_dev
    except OSError:
        is_same = False
    return [state_dir] if is_same else [state_dir, of_log]


def room_of(directory: Path) -> Room:
    """Return the room of the volume on which a directory is. Raises `OSError`."""
    found = os.statvfs(directory)
    return Room(
        found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_favail
    )


class Reserve:
    """The file that is given up for presses; its size is that of its blocks, which are really there."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / RESERVE_FILE

    @property
    def is_there(self) -> bool:
        """Whether it has not been freed."""
        return self._file.exists()

    def make(self, size: int) -> None:
        """Take so many octets of the volume. Raises `OSError`; then nothing of it is left."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            self.free()
            raise
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Give the octets back. Raises `OSError`."""
        self._file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The findings and actions of one look."""

    rooms: dict[Path, Room]
    is_full: bool = False
    was_freed: bool = False
    was_made: bool = False
    trouble: str | None = None


class DiskWatch:
    """Looks every second, on a thread of its own: a volume may hang. The first directory is the one with the store."""

    def __init__(
        self,
        directories: Sequence[Path],
        limits: DiskLimits,
        *,
        runner: Runner,
        clock: Clock,
        alarms: Alarms,
        make_room: Callable[[], Deferred[bool]],
        room_of: Callable[[Path], Room] = room_of,
    ) -> None:
        """``make_room`` gives back what the store needs for a while only; it is called while the disk is full."""
        self._directories = directories
        self._limits = limits
        self._reserve = Reserve(directories[0])
        self._runner = runner
        self._alarms = alarms
        self._room_of = room_of
        self._make_room = make_room
        self._is_making_room = False
        self.rooms: dict[Path, Room] = {}
        """What was seen last; a volume that hangs keeps what was seen before."""
        self._rounds = Periodic(self._round, "watch of the disks", every_s=EVERY_S, clock=clock)

    def start(self) -> None:
        """Look now and then every second."""
        self._rounds.startService()

    def stop(self) -> None:
        """Look no more. A volume that hangs keeps only its own thread."""
        self._rounds.stopService()

    async def _round(self) -> float:
        seen = await handed_to(self._runner, self._look)
        self._tell(seen)
        if seen.is_full and self._rounds.running:
            self._have_room_made()
        is_low = any(room.is_low(self._limits) for room in seen.rooms.values())
        return WHEN_LOW_EVERY_S if is_low else EVERY_S

    def _look(self) -> _Seen:
        """Look, free and make: on the thread."""
        rooms: dict[Path, Room] = {}
        is_full = was_freed = was_made = False
        try:
            for directory in self._directories:
                rooms[directory] = self._room_of(directory)
            room = rooms[self._directories[0]]
            is_full = room.is_full()
            if is_full and self._reserve.is_there:
                self._reserve.free()
                was_freed = True
            elif not self._reserve.is_there and room.has_room_for_reserve(self._limits):
                size = room.reserve_bytes(self._limits)
                if size:
                    self._reserve.make(size)
                    was_made = True
        except OSError as error:
            return _Seen(rooms, is_full, was_freed, was_made, error.strerror or type(error).__name__)
        return _Seen(rooms, is_full, was_freed, was_made)

    def is_low(self, room: Room) -> bool:
        """Whether an operator should make room."""
        return room.is_low(self._limits)

    def _tell(self, seen: _Seen) -> None:
        self.rooms |= seen.rooms
        for directory, room in seen.rooms.items():
            if room.is_low(self._limits):
                self._alarms.raise_(
                    LOW_ALARM, str(directory), free_mib=room.free_bytes // MIB, free_inodes=room.free_inodes
                )
            else:
                self._alarms.clear(LOW_ALARM, str(directory))
        state_dir = str(self._directories[0])
        if seen.was_freed:
            log.critical("reserve freed", directory=state_dir)
            self._alarms.raise_(FULL_ALARM, state_dir)
        if seen.was_made:
            log.info("reserve made", directory=state_dir)
            self._alarms.clear(FULL_ALARM, state_dir)
        if seen.trouble is not None:
            log.warning("room on disk not known", directory=state_dir, reason=seen.trouble)

    def _have_room_made(self) -> None:
        """Have the store's log folded back in the room that the reserve has left: later there is none to do it in."""
        if self._is_making_room:
            return

        def made(is_done: bool) -> None:  # noqa: FBT001 - the result of a Deferred
            self._is_making_room = False
            if not is_done:
                log.warning("room not made", directory=str(self._directories[0]))

        def failed(failure: Failure) -> None:
            self._is_making_room = False
            log.warning("room not made", directory=str(self._directories[0]), reason=str(failure.value))

        self._is_making_room = True
        self._make_room().addCallbacks(made, failed)
