"""A flood of the same warning is a few lines and a count; the story of each incident stays readable."""

from __future__ import annotations

from typing import Any

import pytest
import structlog

from telephony.logs.floods import MORE, MOST_A_WINDOW, MOST_CAUSES, WINDOW_S, Floods


class House:
    """The processor on a clock of its own, and the lines that pass it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.floods = Floods(lambda: self.now)
        self.lines: list[dict[str, Any]] = []

    def say(self, event: str, level: str = "warning", **facts: Any) -> None:
        try:
            line = self.floods(None, level, {"event": event, **facts})
        except structlog.DropEvent:
            return
        self.lines.append({"level": level, **line})

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.floods.sum_up()


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    place = House()

    class Log:
        def __getattr__(self, level: str) -> Any:
            return lambda event, **facts: place.say(event, level, **facts)

    monkeypatch.setattr(structlog, "get_logger", Log)
    return place


def test_a_flood_is_some_lines_and_then_how_many_more_there_were(house: House):
    for _ in range(4_051):
        house.say("claim failed", channel="seoul")
    house.wait(WINDOW_S)

    assert len(house.lines) == MOST_A_WINDOW + 1
    assert house.lines[-1] == {
        "level": "warning", "event": "claim failed", MORE: 4_051 - MOST_A_WINDOW, "in_s": WINDOW_S, "about": "seoul"
    }  # fmt: skip


def test_the_next_window_tells_lines_again(house: House):
    for _ in range(30):
        house.say("claim failed", channel="seoul")
    house.wait(WINDOW_S)

    house.say("claim failed", channel="seoul")

    assert MORE not in house.lines[-1]


def test_nothing_is_summed_up_where_nothing_was_left_out(house: House):
    house.say("claim failed", channel="seoul")

    house.wait(WINDOW_S)

    assert len(house.lines) == 1


def test_one_cause_takes_no_lines_from_another(house: House):
    for _ in range(1_000):
        house.say("claim failed", channel="seoul")

    house.say("claim failed", channel="busan")
    house.say("claim failed", "error", channel="seoul")
    house.say("poll failed")

    assert len(house.lines) == MOST_A_WINDOW + 3


def test_the_first_line_of_each_kind_about_each_report_is_told_whatever_the_flood(house: House):
    """Of each incident one reads that its alert failed, and when; not each of a hundred attempts."""
    for attempt in range(1, 101):
        for incident in range(50):
            house.say("will retry", incident=f"sos-{incident}", sequence=1, channel="seoul", attempt=attempt)

    first = [line for line in house.lines if line["attempt"] == 1]
    assert len(first) == 50
    assert len(house.lines) == 50 + MOST_A_WINDOW


def test_each_report_of_an_incident_has_its_own_story(house: House):
    for sequence in range(1, 101):
        house.say("rejected", incident="sos-1", sequence=sequence, channel="seoul")

    assert len(house.lines) == 100


@pytest.mark.parametrize("event", ["alarm", "alarm over", "alarm stands"])
def test_alarms_are_always_told(house: House, event: str):
    for _ in range(100):
        house.say(event, "error", alarm="link-down", about="skt-1")

    assert len(house.lines) == 100


@pytest.mark.parametrize("level", ["info", "debug"])
def test_what_is_no_warning_is_always_told(house: House, level: str):
    for _ in range(100):
        house.say("audited", level, audit_entry=1)

    assert len(house.lines) == 100


def test_more_causes_than_can_be_counted_apart_are_counted_by_their_event(house: House):
    for number in range(2 * MOST_CAUSES):
        house.say("link down", link=f"link-{number}")

    house.wait(WINDOW_S)

    assert len(house.lines) == MOST_CAUSES + MOST_A_WINDOW + 1
    assert house.lines[-1][MORE] == MOST_CAUSES - MOST_A_WINDOW


@pytest.mark.parametrize("incident", [["sos-1"], {"a": 1}, 7, None])
def test_any_fact_may_stand_where_an_incident_belongs(house: House, incident: Any):
    for _ in range(100):
        house.say("will retry", incident=incident, sequence=[1])

    assert len(house.lines) == MOST_A_WINDOW
