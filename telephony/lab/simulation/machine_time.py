"""Simulates the clock of the daemon's machine, which can be set; the simulation's own time runs evenly beside it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from telephony.lab.simulation.clock import SimulatedClock

STATED_WITHIN_S: Final = 1e-3
"""Times are rounded when they are recorded."""


class MachineTime:
    """The time that the machine believed in at each true time, to compare its records with the world."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._set = [(-math.inf, 0.0)]
        """Since when (true time) by how much the machine's clock is ahead."""

    def wall(self) -> float:
        """Return the Unix time that the machine believes in."""
        return self._clock.seconds() + self._set[-1][1]

    def set_by(self, seconds: float) -> None:
        """Set the clock to so many seconds ahead of the true time."""
        self._set.append((self._clock.seconds(), seconds))

    def first(self, stated: float) -> float:
        """Return the earliest true time at which the machine may have recorded this."""
        return min(self._moments(stated))

    def last(self, stated: float) -> float:
        """Return the latest true time at which the machine may have recorded this."""
        return max(self._moments(stated))

    def _moments(self, stated: float) -> list[float]:
        changes = [*self._set, (math.inf, 0.0)]
        return [
            stated - ahead_s
            for (since, ahead_s), (until, _) in pairwise(changes)
            if since - STATED_WITHIN_S <= stated - ahead_s <= until + STATED_WITHIN_S
        ] or [stated - self._set[-1][1]]
