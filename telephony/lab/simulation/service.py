"""Runs a stretch of service: people press, faults come, the centre closes, all settles, and the promises are judged."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from telephony.lab.simulation.clock import DIGEST_OCTETS
from telephony.lab.simulation.configuration import Rhythm
from telephony.lab.simulation.emergencies import draw_emergencies
from telephony.lab.simulation.promptness import look_at_first_reports
from telephony.lab.simulation.schedule import Schedule
from telephony.lab.simulation.verdict import judge, strays, unfinished
from telephony.lab.simulation.witness import Broken
from telephony.lab.simulation.world import World

SETTLE_S: Final = 420.0
"""Longer than the longest pause of ours, 300 s after refused credentials."""
LAST_LOOK_S: Final = 60.0

TURN_S: Final = 0.5
MOST_TURNS: Final = 40

MOST_LINES: Final = 150
"""Of the timeline, in the story of a failure."""


USUAL: Final = Rhythm()


@dataclass(frozen=True)
class Service:
    """How much of it: seconds of service, people, emergencies, the mean pause between two faults (0: none)."""

    seconds: float = 540.0
    callers: int = 20
    emergencies: int = 20
    mean_pause_s: float = 8.0
    everything: bool = False
    """Every kind of fault, instead of those that the seed draws."""
    rhythm: Rhythm = USUAL


DAY: Final = Service(
    seconds=6 * 3600.0,
    callers=240,
    emergencies=220,
    mean_pause_s=60.0,
    everything=True,
    rhythm=Rhythm(20.0, 60.0, 300.0, 0.5, 1.0),
)
"""Six hours, every kind of fault, several hundred presses."""


SHORT: Final = Service(seconds=120.0, callers=10, emergencies=8, mean_pause_s=4.0)
"""Two minutes with a fault every few seconds."""


@dataclass(frozen=True)
class Story:
    """The result: the whole timeline, the broken promises, and the work done, in numbers."""

    seed: int
    timeline: tuple[str, ...]
    turning_points: frozenset[int]
    """Which lines of it are faults, crashes and the like."""
    broken: tuple[Broken, ...]
    presses: int
    reports: int
    strays: int
    """Incidents that 112 heard of without the store, and that the store does not know: see `verdict.strays`."""
    starts: int
    """Of daemons."""
    commits: int
    digest: str
    """Hexadecimal: the same for two runs in which the same happened at the same time, down to the last packet."""

    def about(self, *words: str) -> list[str]:
        """Return the lines that hold one of these words, and all turning points."""
        return [
            line
            for number, line in enumerate(self.timeline)
            if number in self.turning_points or any(word in line for word in words)
        ]

    @property
    def summary(self) -> str:
        """What was done, in one line."""
        return (
            f"seed {self.seed}: {self.presses} presses, {self.reports} reports, {self.strays} strays,"
            f" {self.starts} starts, {self.commits} commits, digest {self.digest},"
            f" {len(self.broken)} promises broken"
        )

    def __str__(self) -> str:
        """Tell a failure: the seed first, so that it can be had again."""
        words = {word for one in self.broken for word in one.about}
        lines = self.about(*words)[-MOST_LINES:]
        return "\n".join([self.summary, *(f"  {one}" for one in self.broken), *lines])


def serve(seed: int, folder: Path, service: Service) -> Story:
    """Run one stretch of service in an empty folder; it takes a few thousandths of its time."""
    with World(seed, folder, callers=service.callers, rhythm=service.rhythm) as world:
        draw_emergencies(world, seconds=service.seconds, count=service.emergencies)
        schedule = Schedule(world, mean_pause_s=service.mean_pause_s, everything=service.everything)
        if service.mean_pause_s:
            schedule.begin()
        world.run_for(service.seconds)
        schedule.end()
        world.run_for(SETTLE_S)
        # A person of each carrier presses without faults, so that alarms that end with the next success have ended.
        for carrier in world.smsc:
            world.press(next(caller for caller in world.callers if caller.carrier == carrier))
        world.run_for(LAST_LOOK_S)
        _let_finish(world)
        gc.collect()  # an unhandled failure is told when its Deferred is collected
        judge(world)
        look_at_first_reports(world)
        return _story(world)


def _let_finish(world: World) -> None:
    """Do not judge in the middle of a report: an open incident has a new position, or is looked up, every now and then."""
    for _ in range(MOST_TURNS):
        if not unfinished(world):
            return
        world.run_for(TURN_S)


def _story(world: World) -> Story:
    return Story(
        world.seed,
        tuple(world.timeline.lines),
        frozenset(world.timeline.turning_points),
        tuple(world.witness.broken),
        len(world.presses),
        sum(len(arrivals) for arrivals in world.witness.reports.values()),
        len(strays(world)),
        world.incarnation,
        world.disk.commits,
        blake2b(world.clock.digest + world.timeline.octets, digest_size=DIGEST_OCTETS).hexdigest(),
    )
