"""The surroundings of the daemon, which it is given: reactor, chance, threads, folder, descriptors."""

from __future__ import annotations

import contextlib
import random
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.interfaces import IReactorFromThreads

from telephony.background import Runner
from telephony.clock import keep_steady
from telephony.store.threads import ThreadRunner

SWITCH_INTERVAL_S: Final = 0.0001
"""How long the reactor may keep the interpreter from the store's thread; Python's own 5 ms would be added to every
commit under load."""


@dataclass(frozen=True)
class Outside:
    """A reactor, chance, and threads to work on."""

    reactor: Any
    rng: random.Random
    runner: Callable[[str, int], Runner]
    """Makes a runner of a name with so many threads."""

    def thread(self, name: str) -> Runner:
        """Return a runner with one thread."""
        return self.runner(name, 1)


def on_threads(reactor: Any) -> Outside:
    """Return the surroundings of a real process."""
    assert IReactorFromThreads.providedBy(reactor)
    keep_steady(reactor)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _take_all_descriptors()
    return Outside(reactor, random.SystemRandom(), partial(ThreadRunner, reactor))


def make_own_folder(state_dir: Path) -> None:
    """Make the daemon's folder where there is none; where that cannot be done, each that writes there says why."""
    with contextlib.suppress(OSError):
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)


def _take_all_descriptors() -> None:
    """Open as many files as the system lets us: strangers' connections must leave some for those to 112."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some containers refuse even this; then it stays as it was.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
