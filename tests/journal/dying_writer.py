"""A process that appends presses to a journal, one group after the other, and kills itself just before the n-th thing it does to the disk.

python dying_writer.py FOLDER KEY_FILE N SEED

It prints, a line each, what it found (``found 1,2,3``), what the store has (``has 2``) and what was acknowledged (``put 4,5``).
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, succeed

from telephony.alarms import Alarms
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.journal import segments
from telephony.journal.bounds import Bounds
from telephony.journal.files import KEPT_S
from telephony.journal.journal import Journal
from telephony.store.crypto import KeyFile

DEADLY = ("pwrite", "fsync", "fdatasync", "link", "unlink", "replace", "rename", "mkdir", "open")
BOUNDS = Bounds(largest_octets=12 * 8192, segment_octets=8192)
GROUPS = 25


def die_at(moment: int) -> None:
    counted = itertools.count(1)
    is_half_done = moment % 3 == 0
    """Whether a write is a step of two: one half, and the other."""

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(counted) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            if real is pwrite and is_half_done and len(arguments[1]) > 1 and next(counted) == moment:
                real(arguments[0], arguments[1][: len(arguments[1]) // 2], *arguments[2:])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return call

    pwrite = os.pwrite
    for name in DEADLY:
        setattr(os, name, deadly(getattr(os, name)))
    segments.pwrite = os.pwrite  # type: ignore[attr-defined]


class AtOnce:
    """Works in the caller's thread."""

    def run(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        done(work())

    def stop(self) -> Deferred[None]:
        return succeed(None)


def say(word: str, numbers: list[int]) -> None:
    os.write(1, f"{word} {','.join(map(str, numbers))}\n".encode())


def a_press(reference: str) -> tuple[Trigger, str]:
    noon = datetime(2026, 11, 23, 3, tzinfo=UTC)
    return Trigger(
        "sms", "skt-1", "skt", Msisdn("821012345678"), reference, noon, "1122", "SOS"
    ), f"sos-{reference}"


def live(folder: Path, key_file: Path, seed: int) -> None:
    ring = KeyFile(key_file).ring()
    clock, chance = task.Clock(), random.Random(seed)
    journal = Journal(
        folder,
        keys=lambda: ring,
        runner=AtOnce(),
        maker=AtOnce(),
        clock=clock,
        alarms=Alarms(clock),
        bounds=BOUNDS,
    )
    left = journal.load()
    say("found", [entry.number for entry in left])
    for entry in left:
        assert entry.trigger.reference == entry.incident_id.removeprefix("sos-")
    owed = [entry.number for entry in left]
    journal.start()
    for group in range(GROUPS):
        presses = [a_press(f"{seed}-{group}-{n}") for n in range(chance.randint(1, 3))]
        answers: list[Any] = []
        journal.append(presses).addBoth(answers.append)
        (numbers,) = answers
        if isinstance(numbers, list):
            say("put", numbers)
            owed += numbers
        if chance.random() < 0.3:
            count = chance.randint(0, len(owed))
            if count:
                say("has", [owed[count - 1]])
                journal.has_taken_up(owed[count - 1])
                owed = owed[count:]
        if chance.random() < 0.2:
            clock.advance(KEPT_S)
    journal.stop()


if __name__ == "__main__":
    path, keys_at, n, drawn = sys.argv[1:]
    die_at(int(n))
    live(Path(path), Path(keys_at), int(drawn))
