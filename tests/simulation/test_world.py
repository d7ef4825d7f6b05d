"""The real daemon in its simulated world: one promise a test, with the trouble that tries to break it."""

from __future__ import annotations

import pytest

from telephony.domain.delivery import PERSON, TRACK
from telephony.lab.simulation.configuration import PSAP
from telephony.lab.simulation.disk import DiskTrouble
from telephony.lab.simulation.verdict import judge, strays, unfinished
from telephony.lab.simulation.world import World
from tests.simulation.house import folder

SAME = {"text": "SOS"}


@pytest.fixture
def world():
    with folder() as path, World(42, path, callers=12) as world:
        world.run_for(5.0)
        yield world


def kept(world, settle_s=60.0):
    """Whether every promise was kept, after a while to settle."""
    world.run_for(settle_s)
    judge(world)
    return (
        "\n".join([*map(str, world.witness.broken), *(world.timeline.lines if world.witness.broken else ())])
        or None
    )


def located(world):
    """Somebody whom the location service knows."""
    return next(caller for caller in world.callers if caller.home == caller.carrier)


def test_in_peace_112_has_the_alert_at_once_and_the_position_soon_after(world):
    press = world.press(located(world))
    world.run_for(0.2)
    assert press.first_answer == 0
    (alert,) = world.psap["seoul-a"].reports
    assert alert.msg_type == "Alert"

    world.run_for(5.0)
    assert world.psap["seoul-a"].reports[-1].circle is not None
    assert kept(world) is None


def test_the_verdict_waits_for_reports_and_not_for_what_goes_on_while_an_incident_is_open(world):
    world.press(located(world))
    world.run_for(0.02)
    assert unfinished(world)

    world.run_for(30.0)
    assert {owed.kind for owed in world.ledger.owed()} == {TRACK, PERSON}
    assert unfinished(world) == []


@pytest.mark.parametrize("ahead_s", [-3600.0, 600.0])
def test_a_clock_that_is_set_costs_nobody_time(world, ahead_s):
    callers = [caller for caller in world.callers if caller.home == caller.carrier][:2]
    world.press(callers[0])
    world.run_for(10.0)

    world.set_clock(ahead_s)
    world.press(callers[1])
    world.run_for(3.0)
    world.crash_and_restart()
    world.run_for(10.0)
    world.set_clock(0.0)
    world.press(callers[0], **SAME)
    world.run_for(3.0)

    assert [line for line in world.timeline.lines if "log warning: clock was set" in line]
    assert [one.closed_at for one in world.ledger.incidents()] == [None, None]
    assert world.witness.newest[world.ledger.open_incident(callers[0].number)].parameters["press-count"] == (
        "2",
    )
    assert kept(world) is None


def test_a_crash_between_commit_and_acknowledgement_makes_no_second_incident(world):
    world.disk.on_commit = world.crash_and_restart
    world.press(located(world))
    world.run_for(30.0)

    assert world.incarnation == 2
    assert len(world.ledger.incidents()) == 1
    assert kept(world) is None


def test_a_crash_while_112_takes_the_report_repeats_it_and_112_discards_it(world):
    world.on_report = world.crash_and_restart
    world.press(located(world))
    world.run_for(30.0)

    assert world.psap["seoul-a"].repeats == 1
    assert kept(world) is None


def test_with_the_disk_hanging_112_hears_of_a_press_and_the_redelivery_joins_the_same_incident(world):
    world.store_down(DiskTrouble.HANGS)
    press = world.press(located(world))
    world.run_for(3.0)
    assert press.first_answer != 0
    (alert,) = world.psap["seoul-a"].reports

    world.store_up()
    world.run_for(30.0)

    (incident,) = world.ledger.incidents()
    assert incident.id == alert.incident
    assert kept(world) is None


def test_the_same_message_twice_at_once_on_a_hanging_disk_reaches_112_in_the_same_words(world):
    caller = located(world)
    world.store_down(DiskTrouble.HANGS)
    world.press(caller, **SAME)
    world.press(caller, **SAME)
    world.run_for(20.0)
    world.store_up()
    world.run_for(30.0)

    assert [psap.violations for psap in world.psap.values()] == [[], []]
    assert len(world.ledger.incidents()) == 1
    assert strays(world) == []
    assert kept(world) is None


def test_a_restart_in_the_middle_of_an_outage_doubles_no_incident_and_changes_no_report(world):
    known, unknown = world.callers[0], world.callers[1]
    world.press(known, text="before")
    world.run_for(10.0)
    world.store_down(DiskTrouble.READ_ONLY)
    world.press(unknown, text="first")
    world.run_for(5.0)

    world.crash_and_restart()
    world.run_for(10.0)
    for caller in (known, unknown):
        world.press(caller, text="after")
    world.run_for(10.0)
    world.store_up()
    world.run_for(30.0)

    assert [psap.violations for psap in world.psap.values()] == [[], []]
    assert strays(world) == []
    assert len(world.ledger.incidents()) == 2
    assert kept(world) is None


@pytest.mark.parametrize("trouble", [DiskTrouble.FULL, DiskTrouble.READ_ONLY])
def test_a_report_under_way_when_the_disk_refuses_is_not_forgotten(world, trouble):
    """Delivered, but it could not be written down: the lease lapses and the incident goes on."""
    world.press(located(world))
    world.run_for(0.002)
    world.on_report = lambda: world.store_down(trouble)
    world.run_for(20.0)
    world.store_up()

    assert kept(world, 120.0) is None


def test_while_112_is_away_an_incident_gathers_its_news_in_one_update(world):
    caller = located(world)
    for address in PSAP.values():
        world.network.hang(address)
    for number in range(8):
        world.press(caller, text=f"again {number}")
        world.run_for(20.0)
    for address in PSAP.values():
        world.network.heal(address)
    world.run_for(60.0)

    newest = world.psap["seoul-a"].reports[-1]
    assert newest.parameters["press-count"] == ("8",)
    assert len(world.psap["seoul-a"].of_incident(newest.incident)) <= 4
    assert kept(world) is None


def test_an_orderly_restart_leaves_nothing_open_and_loses_nothing(world):
    world.press(located(world))
    world.stop_and_restart()
    world.run_for(30.0)

    assert world.incarnation == 2
    assert any("the daemon has stopped open_connections=0" in line for line in world.timeline.lines)
    assert kept(world) is None


def test_a_press_after_the_end_is_a_new_incident(world):
    caller = located(world)
    world.press(caller, text="first")
    world.run_for(10.0)
    world.close(caller)
    world.run_for(10.0)
    world.press(caller, text="second")
    world.run_for(10.0)

    assert len(world.ledger.incidents()) == 2
    assert kept(world) is None
