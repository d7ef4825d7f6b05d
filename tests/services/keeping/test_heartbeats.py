"""Heartbeats come evenly, behind reports always; one that is not taken is lost, and a few of them are an alarm."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.delivery import Delivered, Rejected, Retry
from telephony.domain.heartbeat import Heartbeat, HouseState
from telephony.services.keeping.heartbeats import (
    ALARM,
    BUSY_S,
    FIRST_S,
    BeatingChannel,
    HeartbeatRecord,
    Heartbeats,
)
from telephony.services.spine.noted import NotedSender
from tests.awaiting import result_of

AT = datetime(2026, 11, 23, 6, 5, 2, tzinfo=UTC)


class Way:
    """A way to a centre: answers what the test says, and keeps the numbers of the heartbeats and when they came."""

    def __init__(self, clock):
        self.clock = clock
        self.came = []
        self.outcome = Delivered("200")
        self.reports = []

    async def send_heartbeat(self, heartbeat):
        self.came.append((heartbeat.number, self.clock.seconds()))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return await self.outcome() if callable(self.outcome) else self.outcome

    async def send(self, _report):
        answered = Deferred()
        self.reports.append(answered)
        return await answered


class House:
    def __init__(self):
        self.clock = Clock()
        self.alarms = Alarms(self.clock)
        self.way = Way(self.clock)
        self.noted = NotedSender(self.way, self.clock)
        self.record = HeartbeatRecord()
        channel = BeatingChannel("seoul-a", 60.0, self.way, 15.0, self.noted, self.record)
        self.heartbeats = Heartbeats(channel, self._make, alarms=self.alarms, clock=self.clock)
        self.waits = None
        self.made = 0

    async def _make(self, channel, number):
        self.made += 1
        if self.waits is not None:
            await self.waits
        return Heartbeat(
            f"heartbeat-{number}", "onetouch", channel.name, number, AT, AT, channel.every_s, HouseState()
        )

    def report(self):
        """Begin to send a report."""
        Deferred.fromCoroutine(self.noted.send(None))
        return self.way.reports[-1]

    @property
    def alarm(self):
        return [(each.name, each.about, each.facts) for each in self.alarms.standing()]


@pytest.fixture
def house():
    place = House()
    place.heartbeats.startService()
    return place


def test_one_comes_soon_after_the_start_and_then_one_every_interval(house):
    house.clock.pump([FIRST_S, 60.0, 60.0])

    assert house.way.came == [(1, FIRST_S), (2, FIRST_S + 60), (3, FIRST_S + 120)]
    assert (house.record.misses, house.record.taken_s) == (0, FIRST_S + 120)


def test_a_slow_answer_does_not_put_off_the_next_one(house):
    answers = []

    def later():
        answers.append(Deferred())
        return answers[-1]

    house.way.outcome = later
    house.clock.advance(FIRST_S)
    house.clock.advance(9)
    answers.pop().callback(Delivered("200"))
    house.clock.advance(51)

    assert house.way.came == [(1, FIRST_S), (2, FIRST_S + 60)]


def test_it_waits_while_a_report_is_being_sent(house):
    report = house.report()
    house.clock.pump([FIRST_S, *[BUSY_S] * 30])
    assert (house.way.came, house.made) == ([], 0), "the store is not asked either"

    report.callback(Delivered("200"))
    house.clock.advance(BUSY_S)

    assert house.way.came == [(1, FIRST_S + 31 * BUSY_S)]


def test_it_waits_for_a_report_that_began_while_the_store_was_asked(house):
    house.waits = Deferred()
    house.clock.advance(FIRST_S)
    report = house.report()
    waits, house.waits = house.waits, None
    waits.callback(None)
    assert house.way.came == []

    report.callback(Delivered("200"))
    house.clock.advance(BUSY_S)

    assert house.way.came == [(1, FIRST_S + BUSY_S)], "it is made again: what it says is as new as its time"


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Retry("the centre answered 503"), "the centre answered 503"),
        (Rejected("no heartbeats please"), "no heartbeats please"),
        (RuntimeError("a defect"), "RuntimeError: a defect"),
        (Deferred, "no answer in time"),
    ],
)
def test_one_that_is_not_taken_is_lost_and_the_third_is_an_alarm(house, outcome, reason):
    house.way.outcome = outcome
    house.clock.pump([FIRST_S, 30, 30, 30, 30])
    house.clock.advance(15)
    assert [number for number, _ in house.way.came] == [1, 2, 3]
    assert house.alarm == [(ALARM, "seoul-a", {"misses": 3, "reason": reason})]
    assert house.record.taken_s is None


def test_two_misses_are_no_alarm(house):
    house.way.outcome = Retry("the centre answered 503")
    house.clock.pump([FIRST_S, 60.0])

    assert house.record.misses == 2
    assert house.alarm == []


def test_the_next_one_that_is_taken_ends_the_alarm(house):
    house.way.outcome = Retry("the centre answered 503")
    house.clock.pump([FIRST_S, 60.0, 60.0])
    house.way.outcome = Delivered("200")
    house.clock.advance(60.0)
    house.clock.advance(HOLD_S)

    assert house.alarm == []
    assert house.record.misses == 0


def test_after_the_stop_none_comes_and_no_alarm_about_it_stands(house):
    house.way.outcome = Retry("the centre answered 503")
    house.clock.pump([FIRST_S, 60.0, 60.0])

    result_of(house.heartbeats.stopService())
    house.clock.pump([HOLD_S, 600.0])

    assert len(house.way.came) == 3
    assert house.alarm == []


def test_the_stop_gives_up_the_one_that_is_under_way(house):
    house.way.outcome = Deferred
    house.clock.advance(FIRST_S)

    result_of(house.heartbeats.stopService())

    assert house.record.misses == 0
