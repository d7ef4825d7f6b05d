"""Keeps the real world out of a simulation: chance comes from the seed, and code that reads a real clock is found.

Another cause of differing runs, the order of a set of objects, is not found here: it shows when one seed runs in two
processes whose memory looks different.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType
from typing import Any, Final

DEPTH: Final = 8
"""Frames that are told of each place."""

_CLOCKS: Final = frozenset(
    {
        time.time,
        time.time_ns,
        time.monotonic,
        time.monotonic_ns,
        time.perf_counter,
        time.perf_counter_ns,
        time.clock_gettime,
        time.clock_gettime_ns,
        time.sleep,
    }
)
_CHANCE: Final = frozenset({os.urandom, os.getrandom})
_TODAY: Final = frozenset({"now", "utcnow", "today"})
_EVERYBODYS: Final = random.random.__self__  # type: ignore[attr-defined] # the generator behind `random.random`
_SEED: Final = random.Random.seed.__code__

_HARMLESS: Final = ("sqlalchemy.", "twisted.logger.")
"""Modules that read the clock for a purpose outside the simulation: statistics, log files."""


class RealWorld(RuntimeError):  # noqa: N818 - a finding, no failure
    """Something simulated has read a real clock, or drawn what no seed can repeat."""


@contextmanager
def chance_of(rng: random.Random) -> Iterator[None]:
    """Let the operating system's randomness (keys, nonces, tokens) come from a generator, until the end of the block."""
    real = os.urandom
    os.urandom = random._urandom = rng.randbytes  # type: ignore[attr-defined] # noqa: SLF001 - what `secrets` draws from
    try:
        yield
    finally:
        os.urandom = random._urandom = real  # type: ignore[attr-defined] # noqa: SLF001


@contextmanager
def collected_by_hand() -> Iterator[None]:
    """Let Python clear nothing away by itself until the end of the block: what it finds then may speak and act.

    When it would, depends on everything that the process has done before. What is there already is never looked at, so
    that `gc.collect` takes no time.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@contextmanager
def no_real_world() -> Iterator[None]:
    """Raise `RealWorld` at the end of the block where anything in it has read a clock or drawn without a seed.

    The interpreter tells of every call, so that no way of importing hides one; that takes half the time again. Told at
    the end and not on the spot, because the daemon would outlive that as it outlives everything.
    """
    met: dict[tuple[str, int], str] = {}

    def look(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            if _is_real(called) and not frame.f_globals["__name__"].startswith(_HARMLESS):
                keep(frame, f"{called.__qualname__} is called")
        elif event == "call" and frame.f_code is _SEED and frame.f_locals["a"] is None:
            keep(frame, "a generator is made without a seed")

    def keep(frame: FrameType, what: str) -> None:
        place = frame.f_code.co_filename, frame.f_lineno
        if place not in met:
            met[place] = f"{what}:\n{''.join(traceback.format_stack(frame, DEPTH))}"

    before = sys.getprofile()
    # Test tools read a clock whenever Python collects garbage.
    others, gc.callbacks[:] = list(gc.callbacks), []
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)
        gc.callbacks[:] = others
    if met:
        raise RealWorld("\n".join(met.values()))


def _is_real(called: Callable[..., Any]) -> bool:
    if called in _CLOCKS or called in _CHANCE:
        return True
    owner = getattr(called, "__self__", None)
    if owner is _EVERYBODYS:
        return True
    return called.__name__ in _TODAY and isinstance(owner, type) and issubclass(owner, date)
