"""What is wrong right now: said once when it begins and once when it ends."""

from __future__ import annotations

from structlog.testing import capture_logs
from twisted.internet import task

from telephony.alarms import HOLD_S, LONGEST_HOLD_S, REMINDED_EVERY_S, Alarms


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
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.raise_("link-down", "skt-1")
    alarms.raise_("link-down", "skt-2")

    alarms.clear("link-down", "skt-1")
    clock.advance(HOLD_S)

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
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.raise_("link-down", "skt-1")
    alarms.clear("link-down", "skt-1")
    clock.advance(HOLD_S)

    with capture_logs() as said:
        alarms.raise_("link-down", "skt-1")

    assert [line["event"] for line in said] == ["alarm"]


# -- coming and going ----------------------------------------------------------------------------------------------


def test_an_alarm_that_comes_and_goes_with_every_attempt_is_one():
    """A channel of which every other attempt fails, for four minutes."""
    clock = task.Clock()
    alarms = Alarms(clock)

    with capture_logs() as said:
        for _ in range(2_282):
            alarms.raise_("channel-failing", "seoul", reason="down")
            clock.advance(0.05)
            alarms.clear("channel-failing", "seoul")
            clock.advance(0.05)
        clock.advance(HOLD_S)

    assert [line["event"] for line in said] == ["alarm", "alarm over"]
    assert said[1]["count"] == 2_282
    assert said[1]["first_at"] == "1970-01-01T00:00:00+00:00"
    assert said[1]["last_at"] == "1970-01-01T00:03:48+00:00"


def test_a_clear_counts_once_there_was_no_cause_for_a_while():
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.raise_("link-down", "skt-1")
    alarms.clear("link-down", "skt-1")
    clock.advance(HOLD_S - 0.1)
    assert len(alarms.standing()) == 1

    clock.advance(0.1)

    assert alarms.standing() == []


def test_a_cause_after_the_clear_undoes_it():
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.raise_("link-down", "skt-1")
    alarms.clear("link-down", "skt-1")
    clock.advance(1)
    alarms.raise_("link-down", "skt-1")

    clock.advance(10 * HOLD_S)

    assert [alarm.count for alarm in alarms.standing()] == [2]


def test_an_alarm_that_keeps_coming_back_is_held_ever_longer():
    clock = task.Clock()
    alarms = Alarms(clock)

    with capture_logs() as said:
        for _ in range(3_600):
            alarms.raise_("link-down", "skt-1")
            alarms.clear("link-down", "skt-1")
            clock.advance(HOLD_S + 1)

    assert [line["event"] for line in said] == ["alarm", "alarm over", *["alarm"], *["alarm stands"] * 65]


def test_after_a_long_time_of_peace_an_alarm_is_held_no_longer_than_the_first_time():
    clock = task.Clock()
    alarms = Alarms(clock)
    for peace_s in (LONGEST_HOLD_S, LONGEST_HOLD_S + 1, 0.0):
        alarms.raise_("link-down", "skt-1")
        alarms.clear("link-down", "skt-1")
        clock.advance(2 * HOLD_S)
        assert alarms.standing() == []
        clock.advance(peace_s)


def test_an_alarm_whose_causes_go_on_is_said_again_now_and_then_with_their_count():
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.raise_("channel-failing", "seoul", reason="down")

    with capture_logs() as said:
        for _ in range(10):
            clock.advance(REMINDED_EVERY_S / 5)
            alarms.raise_("channel-failing", "seoul", reason="down")

    assert [(line["event"], line["count"], line["reason"]) for line in said] == [
        ("alarm stands", 6, "down"),
        ("alarm stands", 11, "down"),
    ]


def test_what_nobody_will_call_well_again_ends_some_time_after_its_last_cause():
    clock = task.Clock()
    alarms = Alarms(clock)
    alarms.note("report-rejected", "seoul", 600.0, reason="413")
    clock.advance(599)
    alarms.note("report-rejected", "seoul", 600.0, reason="413")
    clock.advance(599)
    assert len(alarms.standing()) == 1

    clock.advance(1)

    assert alarms.standing() == []
