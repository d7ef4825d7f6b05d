"""A machine's clock that somebody sets must cost nobody time."""

from __future__ import annotations

from twisted.internet.base import ReactorBase
from twisted.internet.task import Clock

from telephony.clock import MachineClock, age_s, due_s, keep_steady, utc_now, wall_s

NOON_S = 1_800_000_000.0


class Machine:
    """A machine whose clock can be set."""

    def __init__(self):
        self.uptime_s = 1000.0
        self.set_by_s = 0.0
        self.clock = MachineClock(lambda: NOON_S + self.uptime_s + self.set_by_s, lambda: self.uptime_s)


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


class Waits(ReactorBase):
    """Twisted's own waiting, without sockets."""

    def installWaker(self):
        self._initThreads = lambda: None
