"""Checks that 112 can follow a driving phone: without faults, its newest place is one where she still may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telephony.lab.simulation.phones import Drive
from telephony.lbs.geodesy import coord, distance_m

if TYPE_CHECKING:
    from telephony.lab.simulation.world import World

PEACE_S: Final = 180.0
"""How long a fault that is over may still delay: pauses between attempts, accepts that are waited for."""
ANSWER_S: Final = 32.0
"""Longest time from one request of the tracking to a report at 112, without faults."""
AT_REPORTED_CONFIDENCE: Final = 1.65
"""A cell's circle at 67 % grows so much until it holds 95 % (two-dimensional Gaussian)."""


def look_at_drives(world: World) -> None:
    """Check that 112 was told of every phone that has driven out of all circles that it knows."""
    now, rhythm = world.clock.seconds(), world.rhythm
    lag_s = rhythm.locating_interval_s + ANSWER_S
    if world.peace_since is None or now - world.peace_since < max(PEACE_S, lag_s):
        return
    drives = {world.callers[index].number: drive for index, drive in world.phones.drives.items()}
    for incident in world.ledger.incidents():
        drive, report = drives.get(incident.number), world.witness.newest.get(incident.id)
        least_s = now - world.machine.last(incident.opened_at)
        most_s = now - world.machine.first(incident.opened_at)
        longest_s = rhythm.locating_max_h * 3600.0
        is_tracked = incident.closed_at is None and lag_s <= least_s and most_s <= longest_s
        if drive is None or report is None or not is_tracked:
            continue
        if report.circles and not any(_may_be_in(circle, drive, lag_s) for circle in report.circles):
            world.witness.breach(
                "a moving victim is told", "she has driven out of all that 112 knows", incident.id
            )


def _may_be_in(circle: str, drive: Drive, lag_s: float) -> bool:
    """Whether the circle, which may be a lag old, still touches the cell in which the phone is now."""
    place, radius_km = circle.split(" ")
    latitude, longitude = place.split(",")
    apart_m = distance_m(drive.place, coord(float(latitude), float(longitude)))
    cell_m = AT_REPORTED_CONFIDENCE * drive.cell_m
    return apart_m <= float(radius_km) * 1000.0 + 2 * cell_m + drive.speed_m_per_s * lag_s
