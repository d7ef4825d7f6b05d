"""Tells the location servers about the phones: where they are, how finely they can be found, whether they are on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from telephony.lab.carrier.mlp import LabMlp
from telephony.lab.simulation.people import Caller
from telephony.lbs.geodesy import Coord, coord, destination

STEP_S: Final = 5.0
"""How often a location server is told where a driving phone is."""

UNDATED_M: Final = 777.0
AHEAD_M: Final = 778.0
"""Sizes that only answers without a time, and with a time to come, have: so they are known again in a report."""


@dataclass(frozen=True, slots=True)
class Drive:
    """A phone on its way, in a car without satellite reception."""

    place: Coord
    """Where it is now."""
    bearing_deg: float
    speed_m_per_s: float
    cell_m: float
    """Radius of every cell on the way, at the server's own confidence."""


class Phones:
    """All phones that a location server knows. A phone without a home carrier is known to none, and is passed over."""

    def __init__(self, reactor: Any, mlp: Mapping[str, LabMlp], callers: Iterable[Caller]) -> None:
        self.drives: dict[int, Drive] = {}
        """By the caller's index."""
        self._reactor = reactor
        self._mlp = mlp
        self._callers = tuple(callers)

    def switch_all_on(self) -> None:
        """Put every phone where its owner is."""
        for caller in self._callers:
            if caller.home is not None:
                self._mlp[caller.home].place(caller.number, *caller.place)

    def drive(self, caller: Caller, *, bearing_deg: float, speed_m_per_s: float, cell_m: float) -> None:
        """Drive off, for good."""
        if caller.home is not None:
            self.drives[caller.index] = Drive(coord(*caller.place), bearing_deg, speed_m_per_s, cell_m)
            self._step(caller, self._mlp[caller.home])

    def switch_off(self, caller: Caller, *, is_remembered: bool) -> None:
        """Lose the network: the location server knows the phone's last place, or not even that."""
        if caller.home is not None:
            self._mlp[caller.home].switch_off(caller.number, is_remembered=is_remembered)

    def switch_on(self, caller: Caller) -> None:
        """Get the network back."""
        if caller.home is not None:
            self._mlp[caller.home].switch_on(caller.number)

    def _step(self, caller: Caller, mlp: LabMlp) -> None:
        drive = self.drives[caller.index]
        mlp.place(caller.number, drive.place.latitude, drive.place.longitude, drive.cell_m, method="CELL")
        there = destination(drive.place, drive.bearing_deg, drive.speed_m_per_s * STEP_S)
        self.drives[caller.index] = replace(drive, place=there)
        self._reactor.callLater(STEP_S, self._step, caller, mlp)
