"""Schedules the faults: draws which come when, begins and ends them, and ends all at the end of a run."""

from __future__ import annotations

import random
from typing import Any, Final

from telephony.lab.simulation.faults import Fault, faults_of
from telephony.lab.simulation.world import World

LEAST_PART: Final = 0.15
"""Of all kinds of faults the calmest seed suffers from this part: few kinds meet each other more often than all do."""


class Schedule:
    """The faults of one simulation; the same seed gives the same ones at the same times."""

    def __init__(self, world: World, *, mean_pause_s: float, everything: bool = False) -> None:
        self._world = world
        self._rng = world.rng("faults")
        self._mean_pause_s = mean_pause_s
        kinds = faults_of(world)
        part = 1.0 if everything else self._rng.uniform(LEAST_PART, 1.0)
        self._kinds = self._rng.sample(kinds, max(1, round(part * len(kinds))))
        self._suffering: dict[str, tuple[Fault, Any]] = {}
        """By target: what it suffers from, and the call that will end it."""
        self._is_over = False

    def begin(self) -> None:
        """Begin faults from now on."""
        self._later()

    def end(self) -> None:
        """End all faults, and begin no more."""
        self._is_over = True
        for target in list(self._suffering):
            self._end(target)
        self._world.disk.on_commit = self._world.on_report = None
        self._world.peace_since = self._world.clock.seconds()
        self._world.timeline.note("all faults are over", is_turning_point=True)

    def _later(self) -> None:
        pause_s = self._rng.expovariate(1.0 / self._mean_pause_s)
        self._world.outside.callLater(pause_s, self._next)

    def _next(self) -> None:
        if self._is_over:
            return
        self._later()
        fault = self._rng.choice(self._kinds)
        # Chance of its own: what one fault draws does not shift those after it.
        rng = random.Random(self._rng.random())
        lasts_s = rng.uniform(*fault.lasts_s)
        if fault.target in self._suffering:
            return
        self._world.timeline.note(f"FAULT {fault.name}", is_turning_point=True, for_s=round(lasts_s, 1))
        self._world.troubles.begin(fault.target, self._world.clock.seconds())
        if lasts_s > 0:
            call = self._world.outside.callLater(lasts_s, self._end, fault.target)
            self._suffering[fault.target] = fault, call
        else:
            self._world.troubles.end(fault.target, self._world.clock.seconds())
        fault.begin(rng)

    def _end(self, target: str) -> None:
        fault, call = self._suffering.pop(target)
        if call.active():
            call.cancel()
        self._world.timeline.note(f"over: {fault.name}", is_turning_point=True)
        self._world.troubles.end(target, self._world.clock.seconds())
        fault.end()
