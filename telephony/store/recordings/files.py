"""Seals the files of recordings: from the plain WAV that Asterisk leaves to the sealed file, safe against a kill half-way.

Everything here waits for disks, so it runs on a thread of its own, and in steps of a few milliseconds. At every instant
the plain file or the sealed one is whole on the disk:

1. the WAV file is sealed into ``sealed/.<name>.part``, synced, read back and compared;
2. that gets its name, ``sealed/<name>.sealed``, and the folder is synced;
3. the WAV file becomes ``.<name>.erasing``, is filled with zeros and removed.

A part without its name is begun again, a file to be erased is erased, and a WAV file beside its sealed copy is compared with it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from telephony.domain.recording import AGAIN, is_recording, length_of
from telephony.store.crypto import TAG_OCTETS, Damaged, KeyRing
from telephony.store.recordings.sealed import (
    CHUNK,
    ENDING,
    HEAD,
    Chunks,
    Header,
    new_head,
    new_key,
    opened,
    sync_folder,
    write_whole,
)

SEALED: Final = "sealed"
"""The folder of sealed recordings, within that of the plain ones."""
STEP: Final = 16
"""Chunks in one step: 1 MiB, a few milliseconds."""
SETTLED_S: Final = 2.0
"""A file that has not changed for so long is not being written, where Asterisk has no such call. It writes every half second."""
SETTLED_UNHEARD_S: Final = 600.0
"""And so long where Asterisk cannot say so, or the call is a call-back, of which its channel list does not tell the name."""
_PART, _ERASING, _LOCK = ".part", ".erasing", ".lock"

Steps = Generator[None, None, "Sealed | None"]
"""Work in steps; None at its end where the file is still being written."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A WAV file that is not sealed yet. ``mode`` are the bits of its permission."""

    path: Path
    octets: int
    changed_s: float
    """Seconds since it was changed last."""
    mode: int
    is_ours: bool
    """Whether this process needs no permission of the group's for it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The contents of a folder. ``exposed`` says what others may read, empty: nothing."""

    plain: tuple[Plain, ...]
    exposed: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed file on the disk."""

    path: Path
    header: Header
    key_id: int


def look(folder: Path, now: Callable[[], float] = time.time) -> Seen:
    """Return the files to be sealed in a folder, and whether others may read there. Raises `OSError`."""
    plain = tuple(_plain(folder, now()))
    return Seen(plain, exposure(folder, plain))


def _plain(folder: Path, now_s: float) -> Iterator[Plain]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_recording(entry.name):
                continue
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    # A clock that was set back makes nothing wait: a time in the future counts by its distance.
                    yield Plain(
                        Path(entry.path),
                        status.st_size,
                        abs(now_s - status.st_mtime),
                        stat.S_IMODE(status.st_mode),
                        _is_ours(status),
                    )


def exposure(folder: Path, plain: tuple[Plain, ...] = (), *, group_may: bool = False) -> str:
    """Return which of the folder and its recordings others may read, with what to do; empty: none. Raises `OSError`.

    The group may where it is how this process gets there: it is neither the owner nor root. ``group_may``: everywhere.
    """
    status = folder.stat()
    found = []
    if _may_others(status.st_mode, is_ours=_is_ours(status) and not group_may):
        found.append(f"{folder} (mode {stat.S_IMODE(status.st_mode):04o}; chmod 0700, or 2770 for a group)")
    loose = [each for each in plain if _may_others(each.mode, is_ours=each.is_ours)]
    if loose:
        found.append(
            f"{len(loose)} recordings, {loose[0].path.name} first (mode {loose[0].mode:04o}; start Asterisk with UMask=0077,"
            " or 0007 for a group)"
        )
    return "; ".join(found)


def _is_ours(status: os.stat_result) -> bool:
    return os.geteuid() in (0, status.st_uid)


def _may_others(mode: int, *, is_ours: bool) -> bool:
    return bool(mode & (0o077 if is_ours else 0o007))


def is_open_elsewhere(descriptor: int) -> bool | None:
    """Whether another process has a file open for writing; None where the system does not say.

    By a read lease (fcntl(2)), which is refused while anybody writes; only the file's owner and root may ask for one. The
    signal that would end it is one that does nothing by default.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def take_hold(folder: Path) -> int | None:
    """Make a folder's place for sealed files and lock it for this process; None where another daemon has it. Raises `OSError`."""
    sealed = folder / SEALED
    sealed.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(sealed / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def take_up(folder: Path) -> list[Path]:
    """Clear away what a kill has left; return what is still to be erased. Raises `OSError`."""
    sealed = folder / SEALED
    for part in sealed.glob(f".*{_PART}"):
        part.unlink(missing_ok=True)
    left = []
    for path in folder.glob(f".*{_ERASING}"):
        name = path.name.removeprefix(".").removesuffix(_ERASING)
        again = name.replace(".wav", f"{AGAIN}*.wav")
        if (sealed / f"{name}{ENDING}").exists() or any(sealed.glob(f"{again}{ENDING}")):
            left.append(path)
        else:
            path.rename(folder / name)  # its sealed copy was taken away: this is all there is
    return left


def names(folder: Path) -> set[str]:
    """Return the names of the sealed files. Raises `OSError`."""
    with os.scandir(folder / SEALED) as entries:
        return {entry.name for entry in entries if entry.name.endswith(ENDING)}


def sealing(plain: Plain, server: str, call: str, ring: KeyRing, *, is_heard: bool) -> Steps:
    """Seal a WAV file in steps; its own is left where it is. See the head of this file.

    ``is_heard``: Asterisk says that its call is over. Returns None where it is, or may be, still written. Raises `OSError`,
    or `KeysUnavailable` where an earlier copy cannot be read.
    """
    descriptor = os.open(plain.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        is_open = is_open_elsewhere(descriptor)
        is_settled = plain.changed_s >= (SETTLED_S if is_heard or is_open is False else SETTLED_UNHEARD_S)
        if is_open or not is_settled:
            return None
        status = os.fstat(descriptor)
        place, earlier = yield from _place(plain.path, descriptor, ring)
        if earlier is not None:
            return earlier
        part = place.with_name(f".{place.name}{_PART}")
        ended_at = datetime.fromtimestamp(status.st_mtime, UTC)
        begun_at = ended_at - length_of(status.st_size)
        header = Header(plain.path.name, server, call, begun_at, ended_at, status.st_size, new_key())
        try:
            digest = yield from _write(descriptor, part, header, ring)
            if _has_changed(status, os.fstat(descriptor)):
                part.unlink()
                return None
            key_id = yield from _compare(part, ring, digest)
            part.rename(place)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        sync_folder(place.parent)
        return Sealed(place, header, key_id)
    finally:
        os.close(descriptor)


def _has_changed(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


def _place(plain: Path, descriptor: int, ring: KeyRing) -> Generator[None, None, tuple[Path, Sealed | None]]:
    """Return where a file's sealed copy goes, and that copy where it is there already and the same."""
    number = 1
    while True:
        again = "" if number == 1 else f"{AGAIN}{number}"
        place = plain.parent / SEALED / f"{plain.stem}{again}.wav{ENDING}"
        if not place.exists():
            return place, None
        # A file that is not our copy, or no copy any more, stays, and the recording is sealed beside it.
        with suppress(Damaged):
            return place, (yield from _same(place, descriptor, ring))
        number += 1


def _same(place: Path, descriptor: int, ring: KeyRing) -> Generator[None, None, Sealed]:
    """Return the sealed copy of a file. Raises `Damaged` where it is none, or one of something else."""
    with opened(place, ring) as sealed:
        at = 0
        for count, chunk in enumerate(sealed.chunks()):
            if os.pread(descriptor, len(chunk) or 1, at) != chunk:
                raise Damaged(f"{place.name} is another recording")
            at += len(chunk)
            if count % STEP == STEP - 1:
                yield
        if at != os.fstat(descriptor).st_size:
            raise Damaged(f"{place.name} is another recording")
        return Sealed(place, sealed.header, sealed.key_id)


def _write(descriptor: int, part: Path, header: Header, ring: KeyRing) -> Generator[None, None, bytes]:
    """Write the sealed file; return the digest of what was read."""
    read = sha256()
    out = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(out, 0o600)
        head = new_head(ring, header)
        chunks = Chunks(head, header)
        write_whole(out, head, 0)
        for number in range(header.chunks):
            plain = os.pread(descriptor, min(CHUNK, header.octets - number * CHUNK), number * CHUNK)
            read.update(plain)
            write_whole(out, chunks.seal(number, plain), HEAD + number * (CHUNK + TAG_OCTETS))
            if number % STEP == STEP - 1:
                os.fdatasync(
                    out
                )  # a little at a time: one sync of two hours would hold the disk up for presses
                yield
        os.fsync(out)
        os.posix_fadvise(out, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(out)
    yield
    return read.digest()


def _compare(part: Path, ring: KeyRing, digest: bytes) -> Generator[None, None, int]:
    """Read a sealed file back from the disk; return the id of its key. Raises `OSError` where it is not what was read."""
    back = sha256()
    try:
        with opened(part, ring) as sealed:
            for count, chunk in enumerate(sealed.chunks()):
                back.update(chunk)
                if count % STEP == STEP - 1:
                    yield
            key_id = sealed.key_id
    except Damaged as error:
        raise OSError(errno.EIO, f"what was written cannot be read: {error}") from error
    if back.digest() != digest:
        raise OSError(errno.EIO, "what was written is not what was read")
    return key_id


def set_aside(plain: Path) -> Path:
    """Rename a WAV file whose sealed copy is on the disk, to be erased; return its name from then on. Raises `OSError`."""
    erased = plain.with_name(f".{plain.name}{_ERASING}")
    plain.rename(erased)
    sync_folder(plain.parent)
    return erased


def erasing(path: Path) -> Generator[None, None, None]:
    """Fill a file with zeros, in steps, and remove it. One that we may not write, or that has another name too, is only removed.

    Raises `OSError`.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except PermissionError:
        descriptor = -1
    try:
        if descriptor >= 0 and (status := os.fstat(descriptor)).st_nlink == 1:
            for at in range(0, status.st_size, STEP * CHUNK):
                write_whole(descriptor, bytes(min(STEP * CHUNK, status.st_size - at)), at)
                os.fdatasync(descriptor)
                yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def read_sealed(folder: Path, name: str, ring: KeyRing) -> Sealed:
    """Return what a sealed file of the folder says of itself. Raises `OSError`, `Damaged` or `KeysUnavailable`."""
    path = folder / SEALED / name
    with opened(path, ring) as sealed:
        return Sealed(path, sealed.header, sealed.key_id)
