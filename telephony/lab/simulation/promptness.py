"""Checks that 112 hears of an emergency at once, while anything but the daemon and the ways to 112 may be broken."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from telephony.lab.simulation.configuration import PSAP

if TYPE_CHECKING:
    from telephony.lab.simulation.people import Press
    from telephony.lab.simulation.world import World

WITHIN_S: Final = 3.0
"""From the key to the first report at 112, by any of its URLs."""
FELT_S: Final = 10.0
"""How long a fault of the way itself may still delay: the daemon has just started, a URL is tried again."""


class Troubles:
    """When each target suffered from a fault; for the daemon, when it did not run."""

    def __init__(self) -> None:
        self._spans: dict[str, list[list[float]]] = {}

    def begin(self, target: str, at: float) -> None:
        """Note that it suffers from now on."""
        self._spans.setdefault(target, []).append([at, math.inf])

    def end(self, target: str, at: float) -> None:
        """Note that it is over, if there was a fault."""
        spans = self._spans.get(target)
        if spans and spans[-1][1] == math.inf:
            spans[-1][1] = at

    def is_calm(self, targets: Iterable[str], since: float, until: float) -> bool:
        """Whether none of these suffered between two times."""
        return not any(
            begin <= until and end >= since
            for target in targets
            for begin, end in self._spans.get(target, ())
        )


def look_at_first_reports(world: World) -> int:
    """Find alerts that came late although their own way had no fault; return how many presses could be judged."""
    judged = 0
    for press in _that_open_something(world.presses):
        if not _is_way_well(world, press):
            continue
        judged += 1
        callback = (f"tel:+{press.caller.number}",)
        arrivals = [
            at
            for reports in world.witness.reports.values()
            for at, report in reports
            if report.parameters.get("callback") == callback and at >= press.at
        ]
        if min(arrivals, default=math.inf) - press.at > WITHIN_S:
            how = f"nothing about {press} within {WITHIN_S:.0f} s, although its way was well"
            world.witness.breach("the first report leaves at once", how, str(press), f"{press.caller} ")
    return judged


def _that_open_something(presses: Iterable[Press]) -> list[Press]:
    """Return each caller's first press: only of that is it certain that 112 knows of nothing yet."""
    first: dict[int, Press] = {}
    for press in presses:
        first.setdefault(press.caller.index, press)
    return list(first.values())


def _is_way_well(world: World, press: Press) -> bool:
    """Whether the daemon had it, for it answered, and 112 could be told."""
    if press.answered_at is None or press.answered_at - press.at > WITHIN_S:
        return False
    psap = [f"112 {channel}" for channel in PSAP]
    way = ["daemon", "112", *psap, *(f"way to {each}" for each in psap)]
    return world.troubles.is_calm(way, press.at - FELT_S, press.at + WITHIN_S)
