"""The dialler on a clock, over an endpoint that does what the test says."""

from __future__ import annotations

import random

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError as NobodyListens
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from telephony.net.dialler import Dialler
from telephony.net.pauses import SETTLED_S, Backoff, Failed, Pause, TurnedAway, WasUp
from telephony.net.standing import FarEndState, Retried, Standing
from tests.awaiting import is_waiting, result_of
from tests.smpp.people import Witness


class Far:
    """An endpoint whose attempts wait for a word."""

    def __init__(self):
        self.attempts = []

    def connect(self, factory):
        self.attempts.append((factory, Deferred()))
        return self.attempts[-1][1]

    def answer(self):
        factory, attempt = self.attempts[-1]
        connection = factory.buildProtocol(None)
        attempt.callback(connection)
        return connection

    def refuse(self):
        self.attempts[-1][1].errback(NobodyListens())


class Connection(Protocol):
    is_leaving = False

    def leave(self):
        self.is_leaving = True


class House:
    def __init__(self):
        self.clock, self.far, self.witness = Clock(), Far(), Witness()
        self.endings = []
        self.dialler = Dialler(
            "skt-1",
            self.far,
            make=Connection,
            policy=self.pause,
            clock=self.clock,
            observer=self.witness,
        )

    def pause(self, ended):
        self.endings.append(ended)
        return Pause(5.0, "a person should look" if isinstance(ended, TurnedAway) else None)


@pytest.fixture
def house():
    return House()


def test_an_attempt_that_comes_to_nothing_is_told_and_made_again_after_the_pause(house):
    house.dialler.start()
    house.far.refuse()

    house.clock.advance(4.9)
    assert len(house.far.attempts) == 1
    house.clock.advance(0.2)

    assert len(house.far.attempts) == 2
    assert [type(ended) for ended in house.endings] == [Failed]
    assert house.witness.said == [("unreachable", "skt-1", house.endings[0].reason)]


def test_the_policy_hears_how_long_the_connection_was_up(house):
    house.dialler.start()
    house.far.answer()
    house.dialler.up()
    house.clock.advance(7.0)

    house.dialler.gone("cut")

    assert house.endings == [WasUp(7.0)]
    assert house.dialler.connection is None
    assert house.witness.said == []


def test_the_policy_hears_who_turned_us_away_and_its_alarm_is_told(house):
    house.dialler.start()
    house.far.answer()
    house.dialler.turned_away(14)

    house.dialler.gone("bind refused")

    assert house.endings == [TurnedAway(14)]
    assert house.witness.said == [("alarm", "skt-1", "a person should look")]


def test_a_stop_waits_until_the_connection_has_left_in_good_order(house):
    house.dialler.start()
    connection = house.far.answer()

    stopped = [house.dialler.stop(), house.dialler.stop()]

    assert (connection.is_leaving, [is_waiting(one) for one in stopped]) == (True, [True, True])
    house.dialler.gone("stopped")
    assert [result_of(one) for one in stopped] == [None, None]
    house.clock.advance(60)
    assert len(house.far.attempts) == 1


@pytest.mark.parametrize("when", ["before the start", "dialling", "in the pause"])
def test_a_stop_is_over_at_once_where_nothing_is_open(house, when):
    if when != "before the start":
        house.dialler.start()
    if when == "in the pause":
        house.far.refuse()

    assert result_of(house.dialler.stop()) is None

    assert house.clock.getDelayedCalls() == []
    assert house.endings == ([] if when != "in the pause" else house.endings[:1])


def test_it_may_be_started_again_while_it_still_stops(house):
    house.dialler.start()
    house.far.answer()
    stopped = house.dialler.stop()

    house.dialler.start()
    house.dialler.gone("stopped")

    assert result_of(stopped) is None
    assert len(house.far.attempts) == 2


def test_a_pause_grows_with_failures_in_a_row_and_starts_again_after_a_good_connection():
    class Longest(random.Random):
        def uniform(self, _low, high):
            return high

    backoff = Backoff(Longest(), 1.0, 30.0)

    grown = [backoff.after(ended) for ended in [Failed("x")] * 3 + [WasUp(SETTLED_S - 0.1), TurnedAway(8)]]

    assert grown == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert [backoff.after(Failed("x")), backoff.after(WasUp(SETTLED_S))] == [30.0, 1.0]


class TestStanding:
    """Where a link stands, for people."""

    def test_a_link_is_up_since_its_session_is(self, house):
        house.dialler.start()
        assert house.dialler.standing().state is FarEndState.CONNECTING
        house.far.answer()
        house.clock.advance(3.0)
        house.dialler.up()
        house.clock.advance(60.0)

        assert house.dialler.standing(heard_s=50.0) == Standing(FarEndState.UP, 3.0, 50.0)

    def test_trouble_of_one_kind_after_another_is_one_time_in_which_it_was_not_up(self, house):
        house.dialler.start()
        house.far.answer()
        house.dialler.up()
        house.clock.advance(10.0)
        house.dialler.gone("cut")
        down = house.dialler.standing()
        house.clock.advance(5.0)
        house.far.answer()
        house.dialler.turned_away(14, "bind refused: ESME_RINVPASWD")
        house.dialler.gone("closed cleanly")

        assert down == Standing(FarEndState.DOWN, 10.0, None, "cut", retry_s=15.0)
        assert house.dialler.standing() == Standing(
            FarEndState.REFUSED, 10.0, None, "bind refused: ESME_RINVPASWD", retry_s=20.0
        )

    def test_a_link_that_is_not_wanted_any_more_is_no_trouble(self, house):
        house.dialler.start()
        house.far.answer()
        house.dialler.up()
        house.dialler.stop()
        house.dialler.gone("stopped")

        assert house.dialler.standing().state is FarEndState.STOPPED


class TestRetrying:
    """A person asks for an attempt now."""

    def test_the_pause_is_dropped(self, house):
        house.dialler.start()
        house.far.refuse()

        assert house.dialler.retry() is Retried.DIALLED

        assert len(house.far.attempts) == 2
        house.clock.advance(60.0)
        assert len(house.far.attempts) == 2, "the pause that was dropped dials no third time"

    def test_an_attempt_under_way_and_a_link_that_is_up_are_left_alone(self, house):
        house.dialler.start()
        under_way = house.dialler.retry()
        connection = house.far.answer()
        house.dialler.up()

        assert (under_way, house.dialler.retry()) == (Retried.UNDER_WAY, Retried.IS_UP)
        assert not connection.is_leaving
        assert len(house.far.attempts) == 1
