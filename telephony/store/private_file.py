"""A small file of secrets that belongs to one account: its changes noticed cheaply, written whole, wiped when removed.

Every process that writes one writes beside it, syncs, reads back and renames: a kill at any instant leaves the old file or
the new one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple


class Look(NamedTuple):
    """A cheap look at a file: two that are equal mean that neither the file nor a link in its place has changed."""

    link_inode: int
    link_changed_ns: int
    link_owner: int
    inode: int
    changed_ns: int
    written_ns: int
    size: int
    mode: int
    owner: int

    @classmethod
    def at(cls, path: Path) -> Look:
        """Look at the file, following a link. Raises `OSError`."""
        own = os.lstat(path)  # not Path's own: every transaction looks
        file = os.stat(path) if stat.S_ISLNK(own.st_mode) else own  # noqa: PTH116
        seen = (
            own.st_ino, own.st_ctime_ns, own.st_uid,
            file.st_ino, file.st_ctime_ns, file.st_mtime_ns, file.st_size, file.st_mode, file.st_uid,
        )  # fmt: skip
        return tuple.__new__(cls, seen)

    def fault(self, name: str, path: Path) -> str | None:
        """Return why the file is not this account's alone, with the remedy; None where it is. ``name`` is what it is called."""
        if stat.S_IMODE(self.mode) & 0o077:
            return f"others may read {name} {path}: chmod 600 {path}"
        ours = (0, os.geteuid())
        if self.owner not in ours or self.link_owner not in ours:
            return f"{name} {path}, or the link in its place, is another account's: chown it to this one"
        return None


def write_whole(path: Path, octets: bytes, *, before: Callable[[Path], None] | None = None) -> None:
    """Put a file of these octets, mode 0600, in the place of the old one, or leave that as it is. Raises `OSError`.

    A link is followed, and stays. The file keeps its owner where root writes. ``before`` is called with the file's path when
    the new one is proven and the old one still there.
    """
    path = path.resolve()
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        _keep_owner(descriptor, path)
        _write_and_read_back(descriptor, octets)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    if before is not None and path.exists():
        before(path)
    beside.replace(path)
    sync_folder(path.parent)


def wipe(path: Path) -> None:
    """Remove a file and write zeros over what it held, as far as the file system writes in place. Raises `OSError`.

    A file that has another name too keeps its octets there: only the name goes.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        path.unlink()
        overwrite(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def overwrite(descriptor: int) -> None:
    """Write zeros over an open file that has no name any more; one that has is left alone."""
    status = os.fstat(descriptor)
    if status.st_nlink:
        return
    with suppress(OSError):  # it is gone already; this is for the octets that a disk may still hold
        os.pwrite(descriptor, bytes(status.st_size), 0)
        os.fsync(descriptor)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let processes that change files of a folder take turns; the folder is locked, as the files themselves are replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Have names in a folder on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _keep_owner(descriptor: int, path: Path) -> None:
    if os.geteuid() != 0:
        return
    with suppress(FileNotFoundError):
        status = path.stat()
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _write_and_read_back(descriptor: int, octets: bytes) -> None:
    """Write everything and have the disk give it back; raises `OSError`. A full disk takes a part and says nothing."""
    left = memoryview(octets)
    while left:
        written = os.write(descriptor, left)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    if os.pread(descriptor, len(octets) + 1, 0) != octets:
        raise OSError(errno.EIO, "what was written is not what can be read")
