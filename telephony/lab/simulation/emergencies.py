"""Draws the emergencies of a run: when people press, press again, drive, lose the network, are helped.

Each kind draws from chance of its own, so that a new kind leaves those there are as they were.
"""

from __future__ import annotations

import random
from typing import Any, Final

from telephony.lab.simulation.people import Caller, same_again
from telephony.lab.simulation.world import World

CLOSED_PART: Final = 0.5
CLOSED_AFTER_S: Final = (30.0, 900.0)
MOST_PRESSES: Final = 5
MOST_BETWEEN_S: Final = 60.0

ONE_IN: Final = 10
"""Of so many emergencies there is one more of each special kind, and at least one."""

AGAIN: Final = 4
AGAIN_AFTER_S: Final = (10.0, 180.0)

DRIVES_AFTER_S: Final = (20.0, 60.0)
SPEEDS_M_PER_S: Final = (8.0, 33.0)
CELLS_M: Final = (400.0, 1200.0)

OFF_AFTER_S: Final = (0.0, 240.0)
OFF_FOR_S: Final = (60.0, 300.0)
EVEN: Final = 0.5


def draw_emergencies(world: World, *, seconds: float, count: int) -> None:
    """Draw so many emergencies within so many seconds from now, and those of the special kinds beside them."""
    _usual(world, seconds, count)
    special = max(1, count // ONE_IN)
    # Another person for each: one who drives is not switched off.
    people = iter(world.rng("special emergencies").sample(world.callers, 3 * special))
    for number in range(special):
        rng = world.rng(f"special emergency {number}")
        _presses_on(world, rng, next(people), rng.uniform(1.0, seconds))
        _is_driven_away(world, rng, next(people), rng.uniform(1.0, seconds))
        _goes_dark(world, rng, next(people), rng.uniform(1.0, seconds))


def _usual(world: World, seconds: float, count: int) -> None:
    rng = world.rng("emergencies")
    for _ in range(count):
        at_s = rng.uniform(1.0, seconds)
        caller = rng.choice(world.callers)
        _press_later(world, at_s, caller)
        for _ in range(rng.randrange(MOST_PRESSES)):
            at_s += rng.choice((0.0, 0.05, 1.0, rng.uniform(0.0, MOST_BETWEEN_S)))
            _press_later(world, at_s, caller)
        if rng.random() < CLOSED_PART:
            closed_at_s = min(at_s + rng.uniform(*CLOSED_AFTER_S), seconds)
            world.outside.callLater(closed_at_s, world.close, caller)


def _presses_on(world: World, rng: random.Random, caller: Caller, at_s: float) -> None:
    """Press again and again, the same octets each time, like a person who gets no answer."""
    for _ in range(AGAIN):
        _press_later(world, at_s, caller, **same_again(caller))
        at_s += rng.uniform(*AGAIN_AFTER_S)


def _is_driven_away(world: World, rng: random.Random, caller: Caller, at_s: float) -> None:
    """Press at home, with a satellite fix, and be taken away in a car."""
    _press_later(world, at_s, caller)
    world.outside.callLater(
        at_s + rng.uniform(*DRIVES_AFTER_S),
        world.phones.drive,
        caller,
        bearing_deg=rng.uniform(0.0, 360.0),
        speed_m_per_s=rng.uniform(*SPEEDS_M_PER_S),
        cell_m=rng.uniform(*CELLS_M),
    )


def _goes_dark(world: World, rng: random.Random, caller: Caller, at_s: float) -> None:
    """Press, and lose the network for a while."""
    _press_later(world, at_s, caller)
    off_s = at_s + rng.uniform(*OFF_AFTER_S)
    world.outside.callLater(off_s, world.phones.switch_off, caller, is_remembered=rng.random() < EVEN)
    world.outside.callLater(off_s + rng.uniform(*OFF_FOR_S), world.phones.switch_on, caller)


def _press_later(world: World, delay_s: float, caller: Caller, **message: Any) -> None:
    world.outside.callLater(delay_s, world.press, caller, **message)
