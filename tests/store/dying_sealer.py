"""A process that seals a recording as the daemon does, and kills itself just before the n-th thing it does to the disk.

python dying_sealer.py FOLDER KEY_FILE N
"""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

from telephony.store.crypto import KeyFile
from telephony.store.recordings.files import erasing, look, sealing, set_aside, take_hold, take_up

DEADLY = ("pwrite", "fsync", "fdatasync", "rename", "unlink", "mkdir")


def die_at(moment: int) -> None:
    counted = itertools.count(1)

    def deadly(real):
        def call(*arguments, **options):
            if next(counted) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    for name in DEADLY:
        setattr(os, name, deadly(getattr(os, name)))


def through(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def keep(folder: Path, key_file: Path) -> None:
    """What `telephony.services.recordings_keeping` has its thread do."""
    ring = KeyFile(key_file).ring()
    hold = take_hold(folder)
    assert hold is not None
    for left in take_up(folder):
        through(erasing(left))
    for plain in look(folder).plain:
        if through(sealing(plain, "voice-1", "voice-1/1", ring, is_heard=True)) is not None:
            through(erasing(set_aside(plain.path)))
    os.close(hold)


def forked(folder: Path, key_file: Path, moment: int) -> int:
    """Do so in a process of its own, which kills itself at a moment (0: never); return its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            die_at(moment)
            keep(folder, key_file)
        except BaseException:  # noqa: BLE001 - nothing of a test may go on in here
            os._exit(1)
        os._exit(0)
    return pid
