"""What a listener turned away, in few lines."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from twisted.internet.task import Clock

from telephony.alarms import Alarms
from telephony.net.refusals import ADDRESSES_COUNTED, ALARM, MINUTE_S, Cause, Refusals


class Listener:
    def __init__(self):
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.alarms = Alarms(self.clock)
        self.refusals = Refusals(self.clock, "smpp-server", self.alarms)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def said():
    with capture_logs() as lines:
        yield lines


def lines(said):
    return [line for line in said if line["event"] == "connections refused"]


def test_the_first_is_told_at_once_and_the_others_of_its_minute_in_one_line(listener, said):
    for number in range(1, 10_001):
        listener.refusals.count(Cause.NOT_LISTED, f"192.0.2.{number % 250}")
        listener.clock.advance(0.001)
    listener.clock.advance(MINUTE_S)

    first, rest = lines(said)
    assert first == {
        "event": "connections refused",
        "log_level": "warning",
        "server": "smpp-server",
        "cause": "address of no list",
        "count": 1,
        "address": "192.0.2.1",
    }
    assert (rest["count"], rest["addresses"], rest["address"]) == (9_999, 250, "192.0.2.0")
    assert (rest["first_at"], rest["last_at"]) == ("2027-01-15T08:00:00+00:00", "2027-01-15T08:00:09+00:00")


def test_what_goes_on_is_a_line_a_minute_and_what_comes_back_is_news(listener, said):
    for _ in range(180):
        listener.refusals.count(Cause.LEFT, "192.0.2.1", reason="no bind in time")
        listener.clock.advance(1)
    listener.clock.advance(2 * MINUTE_S)
    listener.refusals.count(Cause.LEFT, "192.0.2.9")

    assert [line["count"] for line in lines(said)] == [1, 59, 60, 60, 1]
    assert lines(said)[1]["reason"] == "no bind in time"
    assert lines(said)[-1]["address"] == "192.0.2.9"


def test_causes_and_gateways_are_told_apart(listener, said):
    for peer in ("kt-gw", "lgu-gw"):
        for cause in (Cause.WRONG_PASSWORD, Cause.WRONG_ADDRESS):
            listener.refusals.count(cause, "192.0.2.1", peer=peer)

    assert [(line["cause"], line["peer"]) for line in lines(said)] == [
        ("wrong password", "kt-gw"),
        ("address of another gateway", "kt-gw"),
        ("wrong password", "lgu-gw"),
        ("address of another gateway", "lgu-gw"),
    ]


def test_stopping_tells_what_is_left_and_leaves_no_timer(listener, said):
    for _ in range(3):
        listener.refusals.count(Cause.UNREADABLE, "192.0.2.1")
    listener.refusals.stop()

    assert [line["count"] for line in lines(said)] == [1, 2]
    assert listener.clock.getDelayedCalls() == []


def test_a_crowd_is_one_alarm_that_ends_a_minute_after_it(listener):
    for _ in range(100):
        listener.refusals.count(Cause.MADE_ROOM, "192.0.2.1")
        listener.clock.advance(1)
    assert [(alarm.name, alarm.about, alarm.count) for alarm in listener.alarms.standing()] == [
        (ALARM, "smpp-server", 100)
    ]
    listener.clock.advance(MINUTE_S)
    assert listener.alarms.standing() == []


def test_a_million_addresses_do_not_fill_the_memory(listener, said):
    for number in range(3 * ADDRESSES_COUNTED):
        listener.refusals.count(Cause.NOT_LISTED, str(number))
    listener.clock.advance(MINUTE_S)
    assert lines(said)[-1]["addresses"] == ADDRESSES_COUNTED
