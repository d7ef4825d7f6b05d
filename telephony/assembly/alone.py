"""Keeps a second daemon off a daemon's own folder: a lock that the kernel takes back when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from telephony.domain.errors import OnetouchError

log = structlog.get_logger()

LOCK_FILE: Final = "daemon.lock"
_LONGEST_PID: Final = 20


class RunsAlready(OnetouchError):  # noqa: N818 - what the other daemon does
    """Another daemon has the folder. ``process`` is its id, None in the moment in which it is starting itself."""

    def __init__(self, process: int | None) -> None:
        self.process = process
        super().__init__("runs already" if process is None else f"runs already as process {process}")


def stay_alone(state_dir: Path) -> int | None:
    """Take the lock of a daemon's folder for as long as this process lives, or the descriptor that is returned.

    Raises `RunsAlready`. Where the lock cannot be had for another reason (a disk that takes no file) that is logged and None
    returned: such a daemon can do harm to no other's files, and presses must go on.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(state_dir / LOCK_FILE, flags, 0o600)
    except OSError as error:
        log.warning("not locked against a second daemon", reason=str(error))
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        process = _process(descriptor)
        os.close(descriptor)
        raise RunsAlready(process) from error
    except OSError as error:
        os.close(descriptor)
        log.warning("not locked against a second daemon", reason=str(error))
        return None
    with suppress(OSError):  # the disk is full: the lock holds, and a second daemon reads no id
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def _process(descriptor: int) -> int | None:
    """Return the id that the daemon with the lock has written."""
    written = os.pread(descriptor, _LONGEST_PID, 0).strip()
    return int(written) if written.isdigit() else None
