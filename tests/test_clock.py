"""Setting the machine's clock must not cost anyone time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from twisted.internet.base import ReactorBase
from twisted.internet.task import Clock

from telephony.clock import MOST_STEPS, MachineClock, age_s, ago, due_s, keep_steady, utc_now, wall_s

NOON_S = 1_800_000_000.0


class Machine:
    """A machine whose clock can be set."""

    def __init__(self):
        self.uptime_s = 1000.0
        self.set_by_s = 0.0
        self.clock = self.start()

    def start(self):
        """The clock of a process that begins now."""
        return MachineClock(lambda: NOON_S + self.uptime_s + self.set_by_s, lambda: self.uptime_s)


def test_waiting_takes_as_long_as_it_takes_whatever_the_clock_is_set_to():
    machine = Machine()
    began = machine.clock.seconds()
    for step_s in (-3600.0, 7200.0, -30.0):
        machine.set_by_s += step_s
        machine.uptime_s += 1.0
    assert machine.clock.seconds() - began == 3.0


def test_people_read_the_time_that_the_machine_believes_in():
    machine = Machine()
    machine.set_by_s = -3600.0
    assert machine.clock.wall() == NOON_S + 1000.0 - 3600.0


def test_what_is_due_stays_due_when_the_clock_is_set_back():
    machine = Machine()
    due = machine.clock.due()
    machine.set_by_s = -3600.0
    machine.uptime_s += 2.0
    assert machine.clock.due() == due + 2.0


def test_what_others_write_after_the_clock_was_set_forward_is_due_at_once():
    machine = Machine()
    machine.set_by_s = 3600.0
    assert machine.clock.due() == machine.clock.wall()
    machine.set_by_s = 0.0
    assert machine.clock.due() == machine.clock.wall() + 3600.0


def test_a_reactor_kept_steady_calls_in_time_although_the_clock_went_back():
    machine, reactor, called = Machine(), Waits(), []
    keep_steady(reactor, machine.clock)
    reactor.callLater(1.0, called.append, "now")
    machine.set_by_s = -3600.0
    machine.uptime_s += 1.0
    reactor.runUntilCurrent()
    assert called == ["now"]
    assert wall_s(reactor) == machine.clock.wall()
    assert due_s(reactor) == machine.clock.due()


def test_keeping_it_steady_twice_changes_nothing():
    machine, reactor = Machine(), Waits()
    keep_steady(reactor, machine.clock)
    keep_steady(reactor)
    assert reactor.seconds() == machine.clock.seconds()


def test_a_clock_that_nobody_sets_has_one_time():
    clock = Clock()
    clock.advance(NOON_S)
    assert wall_s(clock) == due_s(clock) == clock.seconds()
    assert utc_now(clock).timestamp() == NOON_S


def test_an_age_is_never_negative():
    clock = Clock()
    clock.advance(NOON_S)
    seen = utc_now(clock)
    clock.advance(5)
    assert age_s(clock, seen) == 5.0
    clock.rightNow = NOON_S - 3600.0
    assert age_s(clock, seen) == 0.0


HOUR_S = 3600.0
STEPS_S = [-HOUR_S, -30.0, 30.0, HOUR_S, 56 * 365 * 24 * HOUR_S]


@pytest.mark.parametrize("step_s", STEPS_S)
def test_what_was_written_down_is_as_old_as_it_is_although_the_clock_was_set_since(step_s):
    machine = Machine()
    written = machine.clock.wall()
    machine.uptime_s += 60.0
    machine.set_by_s = step_s
    machine.clock.wall()
    machine.uptime_s += 5.0
    assert machine.clock.age(written) == pytest.approx(65.0)
    assert machine.clock.ago(66.0) <= written
    assert step_s < 0 or machine.clock.ago(64.0) > written


@pytest.mark.parametrize("step_s", STEPS_S)
def test_what_is_written_after_the_clock_was_set_has_its_age_too(step_s):
    machine = Machine()
    machine.uptime_s += 60.0
    machine.set_by_s = step_s
    written = machine.clock.wall()
    machine.uptime_s += 5.0
    assert machine.clock.age(written) == pytest.approx(5.0)


def test_what_the_clock_showed_twice_is_as_old_as_the_last_time():
    machine = Machine()
    written = machine.clock.wall() + 10.0
    machine.uptime_s += 60.0
    machine.set_by_s = -HOUR_S
    machine.clock.wall()
    machine.uptime_s += HOUR_S
    assert machine.clock.age(written) == pytest.approx(50.0)


def test_what_is_older_than_this_process_has_the_clock_of_its_start():
    machine = Machine()
    machine.uptime_s += 60.0
    assert machine.clock.age(machine.clock.wall() - 86_400.0) == pytest.approx(86_400.0)
    machine.set_by_s = HOUR_S
    assert machine.clock.age(NOON_S + 1000.0 - 86_400.0) == pytest.approx(86_460.0)


def test_what_is_yet_to_come_has_no_age():
    machine = Machine()
    assert machine.clock.age(machine.clock.wall() + 100.0) == 0.0


def test_a_clock_that_has_stood_long_enough_is_believed():
    machine = Machine()
    machine.set_by_s = HOUR_S
    machine.clock.wall()
    assert machine.clock.ago(60.0) == machine.clock.wall() - HOUR_S - 60.0
    machine.uptime_s += 61.0
    assert machine.clock.ago(60.0) == machine.clock.wall() - 60.0


def test_a_clock_that_is_set_all_the_time_is_remembered_in_bounds():
    machine = Machine()
    for _ in range(10 * MOST_STEPS):
        machine.set_by_s = HOUR_S - machine.set_by_s
        machine.uptime_s += 1.0
        machine.clock.wall()
    assert len(machine.clock._steps) == MOST_STEPS


def test_ages_are_asked_of_a_reactor_kept_steady():
    machine, reactor = Machine(), Waits()
    keep_steady(reactor, machine.clock)
    written = utc_now(reactor)
    machine.set_by_s = HOUR_S
    machine.uptime_s += 5.0
    assert age_s(reactor, written) == pytest.approx(5.0)
    assert ago(reactor, 5.0) <= written
    assert ago(Clock(), 5.0) == datetime.fromtimestamp(-5.0, UTC)


class Waits(ReactorBase):
    """Twisted's own waiting, without sockets."""

    def installWaker(self):
        self._initThreads = lambda: None
