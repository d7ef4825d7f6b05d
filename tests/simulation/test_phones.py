"""Simulated phones move, lose satellites and lose the network, and the location servers say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telephony.lab.simulation.emergencies import draw_emergencies
from telephony.lab.simulation.people import same_again
from telephony.lab.simulation.phones import STEP_S
from telephony.lab.simulation.world import World
from telephony.lbs.geodesy import coord, distance_m
from tests.simulation.house import folder


@pytest.fixture
def world():
    with folder() as path, World(42, path, callers=12) as world:
        world.run_for(5.0)
        yield world


def located(world):
    """Somebody whom the location service knows."""
    return next(caller for caller in world.callers if caller.home == caller.carrier)


def test_a_phone_that_drives_is_found_farther_and_farther_away_and_by_its_cell_alone(world):
    caller = located(world)
    world.phones.drive(caller, bearing_deg=90.0, speed_m_per_s=20.0, cell_m=900.0)
    world.run_for(300.0)

    place = world.phones.drives[caller.index].place
    assert distance_m(place, coord(*caller.place)) == pytest.approx(20.0 * 300.0, abs=20.0 * STEP_S)

    world.press(caller)
    world.run_for(5.0)
    (method,) = world.psap["seoul-a"].reports[-1].parameters["location-method"]
    assert method == "cell"


def test_a_phone_without_a_home_carrier_drives_unseen(world):
    nobodys = replace(world.callers[0], home=None)
    world.phones.drive(nobodys, bearing_deg=0.0, speed_m_per_s=20.0, cell_m=900.0)
    world.phones.switch_off(nobodys, is_remembered=True)
    world.phones.switch_on(nobodys)

    assert world.phones.drives == {}


def test_a_phone_off_the_network_is_absent_and_then_found_again(world):
    caller = located(world)
    world.phones.switch_off(caller, is_remembered=False)
    world.press(caller)
    world.run_for(20.0)
    assert [report.circle for report in world.psap["seoul-a"].reports] == [None]
    assert any("absent subscriber" in line.lower() for line in world.timeline.lines)

    world.phones.switch_on(caller)
    world.run_for(90.0)
    assert world.psap["seoul-a"].reports[-1].circle is not None


def test_who_presses_again_knows_which_of_her_presses_said_the_same(world):
    caller = world.callers[0]
    first = world.press(caller, **same_again(caller))
    world.run_for(5.0)
    second = world.press(caller, **same_again(caller))
    other = world.press(caller, text="another")
    world.run_for(5.0)

    assert (first.before, second.before, other.before) == (None, first, None)
    assert first.answered_at < second.at < second.answered_at
    assert all(moment < first.at for moment in world.link_changes[caller.carrier])


def test_every_special_kind_of_emergency_happens_to_somebody_else(world):
    draw_emergencies(world, seconds=60.0, count=1)
    world.run_for(600.0)

    (driver,) = world.phones.drives
    insistent = {press.caller.index for press in world.presses if press.before is not None}
    assert insistent
    assert driver not in insistent
