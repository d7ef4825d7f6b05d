"""Keeps the steps of the machine's clock in a file for the next process of the same boot.

The steady clock (CLOCK_MONOTONIC) runs on through a restart of the daemon and begins again with the machine, so a file of
an earlier boot says nothing any more.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog

from telephony.clock import MOST_STEPS, MachineClock, Step

log = structlog.get_logger()

LARGEST_FILE: Final = 65_536
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def keep_steps(clock: MachineClock, file: Path, boot_id: Callable[[], str] | None = None) -> None:
    """Take up the steps that an earlier process of this boot has seen, and keep those to come.

    A file that cannot be read or written costs nothing but what it would have told.
    """
    boot = (boot_id or _this_boot)()
    clock.take_up(read_steps(file, boot))

    def write() -> None:
        try:
            _write(file, boot, clock.steps)
        except OSError as error:
            log.warning("steps of the clock not kept", file=str(file), error=error.strerror)

    clock.on_step = write
    write()


def read_steps(file: Path, boot: str) -> tuple[Step, ...]:
    """Return the steps of this boot; none where the file is not there, of another boot, or not ours. Total."""
    try:
        with file.open("rb") as opened:
            kept: Any = json.loads(opened.read(LARGEST_FILE))
        if not boot or kept["boot"] != boot:
            return ()
        steps = tuple((float(since), float(offset_s)) for since, offset_s in kept["steps"][-MOST_STEPS:])
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return ()
    is_sound = all(math.isfinite(number) for step in steps for number in step)
    return steps if is_sound and sorted(steps, key=lambda step: step[0]) == list(steps) else ()


def _write(file: Path, boot: str, steps: tuple[Step, ...]) -> None:
    new = file.with_name(f"{file.name}.new")
    new.write_text(json.dumps({"boot": boot, "steps": steps}))
    new.replace(file)


def _this_boot() -> str:
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return f"no boot id, process {os.getpid()}"
