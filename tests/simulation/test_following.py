"""The real daemon follows phones through an hour or a night: who moves is told, who stays rarely, who goes dark once."""

from __future__ import annotations

import math

import pytest

from telephony.lab.simulation.configuration import Rhythm
from telephony.lab.simulation.world import World
from tests.simulation.house import folder

INTERVAL_S = 30.0
HOUR_S = 3_600.0
CAR_M_PER_S = 100 / 3.6
METRES = 1 / 111_195


@pytest.fixture
def world():
    rhythm = Rhythm(locating_interval_s=INTERVAL_S, locating_max_h=12.0, quiet_close_h=24.0)
    with folder() as path, World(7, path, callers=12, rhythm=rhythm) as world:
        world.run_for(5.0)
        yield world


@pytest.fixture
def caller(world):
    """Somebody whom the location service knows, and who has pressed and was found by satellites."""
    caller = next(caller for caller in world.callers if caller.home == caller.carrier)
    world.press(caller)
    world.run_for(10.0)
    assert reasons(world)[-1] == ("position",)
    return caller


def updates(world):
    """The updates that 112 has, each once, in order."""
    found = {
        report.identifier: report for report in world.psap["seoul-a"].reports if report.msg_type == "Update"
    }
    return list(found.values())


def reasons(world):
    return [report.parameters["update-reason"] for report in updates(world)]


def metres_apart(circle, place):
    latitude, longitude = (float(part) for part in circle.split(" ")[0].split(","))
    north = (latitude - place[0]) / METRES
    east = (longitude - place[1]) / METRES * math.cos(math.radians(place[0]))
    return math.hypot(north, east)


def test_a_phone_at_rest_is_told_once_and_then_ever_more_rarely(world, caller):
    before = len(updates(world))

    world.run_for(8 * HOUR_S)

    later = reasons(world)[before:]
    assert set(later) == {("sign-of-life",)}
    assert 14 <= len(later) <= 18


@pytest.mark.parametrize(("radius_m", "first_s"), [(1_217.0, 60.0), (6_083.0, 240.0)])
def test_a_car_is_followed_from_mast_to_mast(world, caller, radius_m, first_s):
    server, before = world.mlp[caller.home], len(updates(world))
    server.place(caller.number, *caller.place, radius_m, method="CELL")
    place, farthest_m, told_after_s = caller.place, 0.0, None
    for n in range(1, 120):
        place = (caller.place[0] + n * INTERVAL_S * CAR_M_PER_S * METRES, caller.place[1])
        server.move(caller.number, *place)
        world.run_for(INTERVAL_S)
        if len(updates(world)) > before and told_after_s is None:
            told_after_s = n * INTERVAL_S
        if told_after_s is not None:
            told = updates(world)[-1]
            circles = [f"{told.circle}", *told.parameters.get("newest-location", ())]
            farthest_m = max(farthest_m, min(metres_apart(circle, place) for circle in circles))

    assert told_after_s is not None
    assert told_after_s <= first_s
    assert farthest_m <= 2 * radius_m * 1.65 + 2 * INTERVAL_S * CAR_M_PER_S


def test_a_phone_that_is_switched_off_is_told_once_and_again_when_it_is_on(world, caller):
    before = len(updates(world))
    world.mlp[caller.home].switch_off(caller.number)

    world.run_for(2 * HOUR_S)
    assert reasons(world)[before:] == [("phone-not-answering",)]
    assert updates(world)[-1].parameters["phone-reach"] == ("not-answering",)
    world.mlp[caller.home].switch_on(caller.number)
    world.run_for(2 * INTERVAL_S)

    assert reasons(world)[before + 1 :] == [("phone-answering",)]


def test_a_location_service_that_is_down_says_nothing_of_the_phone(world, caller):
    before = len(updates(world))
    world.mlp[caller.home].http_status(500)

    world.run_for(HOUR_S)

    assert reasons(world)[before:] == []
