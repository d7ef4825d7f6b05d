"""The witness knows a broken promise when it sees one, and sees none where nothing is owed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.simulation.clock import SimulatedClock
from telephony.lab.simulation.contents import OF_EVERY_REPORT
from telephony.lab.simulation.following import look_at_drives
from telephony.lab.simulation.ledger import StoredIncident
from telephony.lab.simulation.machine_time import MachineTime
from telephony.lab.simulation.people import Press, draw_callers
from telephony.lab.simulation.promptness import Troubles, look_at_first_reports
from telephony.lab.simulation.repeats import least_count
from telephony.lab.simulation.world import World
from tests.simulation.house import folder

CALLER, OTHER = draw_callers(random.Random(1), 2)
CAP = '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><msgType>{}</msgType><info>{}</info></alert>'


def report(msg_type="Update", circle=None, **parameters):
    """A report with these parameters, whose names have underscores for hyphens."""
    told = "".join(
        f"<parameter><valueName>{name.replace('_', '-')}</valueName><value>{value}</value></parameter>"
        for name, value in parameters.items()
    )
    area = f"<area><circle>{circle}</circle></area>" if circle else ""
    return ReceivedReport(0.0, "sos-1-2", CAP.format(msg_type, told + area).encode())


@pytest.mark.parametrize(
    ("told", "is_kept"),
    [
        (report(update_reason="press-repeated"), True),
        (report("Alert"), True),
        (report(), False),
        (report(update_reason=""), False),
    ],
)
def test_every_update_says_why(told, is_kept):
    assert (OF_EVERY_REPORT["an update says why"](told) is None) is is_kept


@pytest.mark.parametrize(
    ("parameters", "is_kept"),
    [
        ({"location_uncertainty_m": 777, "location_age": "unknown"}, True),
        ({"location_uncertainty_m": 778, "location_age": "unknown"}, True),
        ({"location_uncertainty_m": 23, "location_age_s": 0, "location_time": "now"}, True),
        ({}, True),
        ({"location_uncertainty_m": 777, "location_age_s": 0}, False),
        ({"location_uncertainty_m": 778, "location_age": "unknown", "location_time": "now"}, False),
        ({"location_uncertainty_m": 777}, False),
    ],
)
def test_nobody_is_told_the_age_of_a_fix_that_has_none(parameters, is_kept):
    assert (OF_EVERY_REPORT["an age is honest"](report(**parameters)) is None) is is_kept


def pressed(number, at, before=None, *, answered_after=0.01, status=0, caller=CALLER, smsc="skt"):
    return Press(caller, number, at, smsc, before, status, at + answered_after)


def incident(opened_at=100.0, closed_at=None, number=CALLER.number):
    return StoredIncident(1, "sos-1", number, opened_at, closed_at, 1, 1, None)


FIRST = pressed(1, 100.0)
SECOND = pressed(2, 130.0, FIRST)


def least(*presses, changes=(), **of):
    return least_count(presses, {"skt": changes, "kt": ()}, incident(**of))


def test_a_press_after_the_acknowledgement_of_the_same_is_another():
    assert least(FIRST) == 1
    assert least(FIRST, SECOND, changes=(10.0, 94.0, 131.0)) == 2
    assert least(FIRST, SECOND, pressed(3, 500.0, SECOND)) == 3


@pytest.mark.parametrize(
    ("second", "changes"),
    [
        (SECOND, (96.0,)),
        (SECOND, (110.0,)),
        (replace(SECOND, smsc="kt"), ()),
        (replace(SECOND, first_answer=0x14), ()),
        (replace(SECOND, answered_at=None), ()),
        (replace(SECOND, answered_at=140.0), ()),
        (pressed(2, 100.005, FIRST), ()),
        (pressed(2, 100.3, FIRST), ()),
        (pressed(2, 130.0, replace(FIRST, answered_at=105.0)), ()),
    ],
)
def test_what_may_have_been_a_redelivery_need_not_count(second, changes):
    assert least(FIRST, second, changes=changes) == 1


def test_a_press_counts_for_the_incident_that_was_open_when_it_was_acknowledged():
    assert least(FIRST, SECOND, closed_at=120.0) == 1
    assert least(FIRST, SECOND, opened_at=130.0) == 1
    assert least(FIRST, SECOND, number=OTHER.number) == 0


@pytest.mark.parametrize(
    ("broken", "is_judged"),
    [
        ((), True),
        (("mlp skt", "store", "clock", "smsc kt"), True),
        (("112 seoul-a",), False),
        (("daemon",), False),
    ],
)
def test_the_first_report_must_leave_at_once_whatever_else_is_broken(broken, is_judged):
    with folder() as path, World(42, path, callers=12) as world:
        world.run_for(20.0)
        for target in broken:
            world.troubles.begin(target, world.clock.seconds())
        world.press(world.callers[0])
        world.run_for(10.0)
        assert look_at_first_reports(world) == is_judged
        assert not world.witness.broken

        # As if it had never come.
        world.witness.reports.clear()
        look_at_first_reports(world)

        assert [one.promise for one in world.witness.broken] == [
            "the first report leaves at once"
        ] * is_judged


def test_trouble_is_felt_until_it_is_over():
    troubles = Troubles()
    troubles.begin("112", 10.0)
    assert not troubles.is_calm(["112"], 20.0, 30.0)
    troubles.end("112", 15.0)
    assert troubles.is_calm(["112"], 20.0, 30.0)
    assert not troubles.is_calm(["112"], 14.0, 30.0)
    assert not troubles.is_calm(["112"], 5.0, 11.0)
    assert troubles.is_calm(["112"], 0.0, 9.0)
    assert troubles.is_calm(["store"], 0.0, 99.0)


class Machine:
    """A daemon's machine whose clock is set while the simulation goes on."""

    def __init__(self):
        self.true = SimulatedClock(lambda _: None, 1000.0)
        self.time = MachineTime(self.true)

    def after(self, seconds, set_to=None):
        self.true.run_for(seconds)
        if set_to is not None:
            self.time.set_by(set_to)
        return self.time.wall()


def test_what_the_machine_wrote_down_is_found_in_true_time():
    machine = Machine()
    before = machine.after(10.0)
    after = machine.after(10.0, set_to=3600.0)
    assert (machine.time.first(before), machine.time.last(before)) == (1010.0, 1010.0)
    assert (machine.time.first(after), machine.time.last(after)) == (1020.0, 1020.0)


def test_what_the_machine_showed_twice_may_have_been_written_either_time():
    machine = Machine()
    machine.after(100.0, set_to=-50.0)
    machine.after(100.0)
    assert (machine.time.first(1080.0), machine.time.last(1080.0)) == (1080.0, 1130.0)


@pytest.mark.parametrize(("is_left_behind", "speed_m_per_s"), [(True, 30.0), (False, 3.0)])
def test_who_has_driven_out_of_all_that_112_knows_must_have_been_told(is_left_behind, speed_m_per_s):
    with folder() as path, World(42, path, callers=12) as world:
        world.run_for(5.0)
        caller = next(caller for caller in world.callers if caller.home == caller.carrier)
        world.press(caller)
        world.run_for(10.0)
        heard = world.psap["seoul-a"].reports[-1]
        world.phones.drive(caller, bearing_deg=90.0, speed_m_per_s=speed_m_per_s, cell_m=500.0)
        world.peace_since = world.clock.seconds()
        world.run_for(400.0)
        assert not [one for one in world.witness.broken if one.promise == "a moving victim is told"]

        # As if nothing had come since.
        world.witness.newest[heard.incident] = heard
        look_at_drives(world)

        found = [one for one in world.witness.broken if one.promise == "a moving victim is told"]
        assert bool(found) is is_left_behind
