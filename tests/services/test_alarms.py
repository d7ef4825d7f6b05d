"""What is wrong right now: said once when it begins and once when it ends."""

from __future__ import annotations

from structlog.testing import capture_logs
from twisted.internet import task

from telephony.services.alarms import Alarms


def test_an_alarm_is_said_once_however_often_it_is_raised():
    alarms = Alarms(task.Clock())

    with capture_logs() as said:
        alarms.raise_("link-down", "skt-1", reason="reset")
        alarms.raise_("link-down", "skt-1", reason="refused")

    assert said == [
        {"event": "alarm", "log_level": "error", "alarm": "link-down", "about": "skt-1", "reason": "reset"}
    ]


def test_the_end_of_an_alarm_is_said_with_how_long_it_lasted():
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.raise_("link-down", "skt-1")
    clock.advance(61.04)

    with capture_logs() as said:
        alarms.clear("link-down", "skt-1")
        alarms.clear("link-down", "skt-1")

    assert [(line["event"], line["lasted_s"]) for line in said] == [("alarm over", 61.0)]
    assert alarms.standing() == []


def test_clearing_what_never_stood_is_no_event():
    with capture_logs() as said:
        Alarms(task.Clock()).clear("link-down", "skt-1")

    assert said == []


def test_alarms_of_one_name_about_two_things_are_two():
    alarms = Alarms(task.Clock())
    alarms.raise_("link-down", "skt-1")
    alarms.raise_("link-down", "skt-2")

    alarms.clear("link-down", "skt-1")

    assert [alarm.about for alarm in alarms.standing()] == ["skt-2"]


def test_the_oldest_alarm_comes_first_and_keeps_its_first_facts():
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.raise_("b", "x", reason="first")
    clock.advance(5)
    alarms.raise_("a", "y")
    alarms.raise_("b", "x", reason="second")

    assert [(alarm.name, alarm.since, dict(alarm.facts)) for alarm in alarms.standing()] == [
        ("b", 0.0, {"reason": "first"}),
        ("a", 5.0, {}),
    ]


def test_an_alarm_that_comes_back_is_said_again():
    alarms = Alarms(task.Clock())
    alarms.raise_("link-down", "skt-1")
    alarms.clear("link-down", "skt-1")

    with capture_logs() as said:
        alarms.raise_("link-down", "skt-1")

    assert [line["event"] for line in said] == ["alarm"]
