"""A round, a pause after its end, the next round: whatever becomes of one, and until it is stopped."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.periodic import Periodic
from tests.awaiting import is_waiting, result_of


class House:
    """One periodic service whose rounds last as long as the test says."""

    def __init__(self, *, first_s=0.0):
        self.clock = Clock()
        self.began = []
        self.rounds = []
        self.service = Periodic(self.round, "look", every_s=5.0, clock=self.clock, first_s=first_s)

    async def round(self):
        self.began.append(self.clock.seconds())
        self.rounds.append(Deferred())
        return await self.rounds[-1]

    def end(self, pause_s=None):
        self.rounds[-1].callback(pause_s)


@pytest.fixture
def house():
    return House()


def test_a_round_comes_at_the_start_and_again_a_pause_after_it_has_ended(house):
    house.service.startService()
    house.clock.advance(60)
    house.end()

    house.clock.advance(4.9)
    assert house.began == [0.0]
    house.clock.advance(0.2)

    assert house.began == [0.0, pytest.approx(65.1)]


def test_the_first_round_may_come_later():
    house = House(first_s=30.0)
    house.service.startService()

    house.clock.advance(30)

    assert house.began == [30.0]


def test_a_round_may_say_when_the_next_one_is_to_come(house):
    house.service.startService()

    house.end(pause_s=1.0)
    house.clock.advance(1)
    house.end()
    house.clock.advance(5)

    assert house.began == [0.0, 1.0, 6.0]


def test_after_a_round_that_fails_the_usual_pause_holds(house):
    house.service.startService()
    house.end(pause_s=1.0)
    house.clock.advance(1)
    house.rounds[-1].errback(OSError("gone"))

    house.clock.advance(4.9)
    assert house.began == [0.0, 1.0]
    house.clock.advance(0.2)

    assert len(house.began) == 3


def test_a_round_that_fails_is_logged_and_the_next_one_comes(house):
    house.service.startService()
    with capture_logs() as said:
        house.rounds[0].errback(OSError("gone"))

    house.clock.advance(5)

    assert [(line["event"], line["what"]) for line in said] == [("background work failed", "look")]
    assert house.began == [0.0, 5.0]


def test_a_stop_waits_for_the_round_that_is_under_way_and_none_follows(house):
    house.service.startService()

    stopped = [house.service.stopService(), house.service.stopService()]

    assert [is_waiting(one) for one in stopped] == [True, True]
    house.end()
    assert [result_of(one) for one in stopped] == [None, None]
    assert house.clock.getDelayedCalls() == []


@pytest.mark.parametrize("when", ["before the start", "between two rounds"])
def test_a_stop_is_over_at_once_where_no_round_is_under_way(house, when):
    if when == "between two rounds":
        house.service.startService()
        house.end()

    assert result_of(house.service.stopService()) is None
    assert house.clock.getDelayedCalls() == []


def test_a_round_that_is_given_up_is_cancelled_without_a_word(house):
    house.service.startService()
    stopped = house.service.stopService()

    with capture_logs() as said:
        house.service.give_up()

    assert (result_of(stopped), said) == (None, [])


def test_a_start_during_the_last_round_goes_on_with_it(house):
    house.service.startService()
    house.service.stopService()

    house.service.startService()
    house.end()
    house.clock.advance(5)

    assert house.began == [0.0, 5.0]
