"""Simulated time behaves as a reactor's, only faster."""

from __future__ import annotations

import pytest
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from telephony.lab.simulation.clock import START, SimulatedClock, StandsStill


def test_calls_are_made_in_order_of_their_time_and_then_of_asking():
    clock, made = SimulatedClock(lambda _: None), []
    for name, delay in (("late", 2.0), ("first", 1.0), ("second", 1.0)):
        clock.call(None, delay, made.append, name)

    clock.run_for(1.5)
    assert made == ["first", "second"]
    assert clock.seconds() == START + 1.5

    clock.run_for(10.0)
    assert made == ["first", "second", "late"]


def test_a_call_can_be_cancelled_put_off_and_brought_forward():
    clock, made = SimulatedClock(lambda _: None), []
    cancelled, later, sooner = (
        clock.call(None, 5.0, made.append, n) for n in ("cancelled", "later", "sooner")
    )
    cancelled.cancel()
    later.reset(8.0)
    sooner.reset(1.0)

    clock.run_for(2.0)
    assert made == ["sooner"]
    clock.run_for(5.0)
    assert made == ["sooner"]
    clock.run_for(2.0)
    assert made == ["sooner", "later"]
    with pytest.raises(AlreadyCancelled):
        cancelled.cancel()
    with pytest.raises(AlreadyCalled):
        later.cancel()


def test_what_a_call_raises_is_told_and_the_next_call_is_made():
    told, made = [], []
    clock = SimulatedClock(lambda failure: told.append(failure.type))
    clock.call(None, 1.0, lambda: 1 / 0)
    clock.call(None, 1.0, made.append, "next")

    clock.run_for(1.0)

    assert (told, made) == ([ZeroDivisionError], ["next"])


def test_a_loop_that_lets_no_time_pass_is_found():
    clock = SimulatedClock(lambda _: None)

    def again():
        clock.call(None, 0.0, again)

    again()
    with pytest.raises(StandsStill):
        clock.run_for(1.0)


def test_a_dead_owner_is_called_no_more():
    clock, made, owner = SimulatedClock(lambda _: None), [], object()
    clock.call(owner, 1.0, made.append, "dead")
    clock.call(None, 1.0, made.append, "alive")

    clock.forget(owner)
    clock.run_for(2.0)

    assert made == ["alive"]
