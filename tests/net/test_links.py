"""What becomes of the carriers' links, as alarms beside the log lines."""

from __future__ import annotations

import pytest
from twisted.internet import task

from telephony.alarms import HOLD_S, Alarms
from telephony.net.links import LinkAlarms


class Heard:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def __getattr__(self, verb: str):
        return lambda *facts: self.lines.append((verb, *facts))


class House:
    def __init__(self) -> None:
        self.clock = task.Clock()
        self.alarms, self.heard = Alarms(self.clock), Heard()
        self.links = LinkAlarms(self.heard, self.alarms, {"skt-1", "skt-2"})

    @property
    def standing(self) -> list[str]:
        return [alarm.about for alarm in self.alarms.standing() if alarm.name == "link-down"]


@pytest.fixture
def house() -> House:
    return House()


TROUBLES = [
    ("link_down", ("skt-1", "connection lost")),
    ("unreachable", ("skt-1", "connection refused")),
    ("bind_refused", ("skt-1", 0x0E)),
]


@pytest.mark.parametrize(("verb", "facts"), TROUBLES)
def test_a_link_that_cannot_bring_presses_is_an_alarm_until_it_is_up(house: House, verb: str, facts: tuple):
    getattr(house.links, verb)(*facts)
    assert house.standing == ["skt-1"]

    house.links.link_up("skt-1", "transceiver")
    house.clock.advance(HOLD_S)

    assert house.standing == []


@pytest.mark.parametrize(
    ("verb", "facts"), [*TROUBLES, ("alarm", ("skt-1", "x")), ("noted", ("skt-1", "y", 3))]
)
def test_everything_is_passed_on(house: House, verb: str, facts: tuple):
    getattr(house.links, verb)(*facts)

    assert house.heard.lines == [(verb, *facts)]


def test_a_refused_bind_says_with_which_status(house: House):
    house.links.bind_refused("skt-1", 0x0E)

    assert house.alarms.standing()[0].facts == {"reason": "bind refused with 0x0000000e"}


def test_each_link_has_an_alarm_of_its_own(house: House):
    house.links.link_down("skt-1", "x")
    house.links.link_down("skt-2", "x")
    house.links.link_up("skt-1", "receiver")
    house.clock.advance(HOLD_S)

    assert house.standing == ["skt-2"]


def test_a_stranger_at_the_door_is_no_alarm(house: House):
    house.links.bind_refused("203.0.113.9", 0x0E)

    assert house.standing == []
    assert house.heard.lines == [("bind_refused", "203.0.113.9", 0x0E)]


def test_links_that_we_end_ourselves_are_no_alarm(house: House):
    house.links.is_leaving = True

    house.links.link_down("skt-1", "unbound")

    assert house.standing == []


def test_remarks_are_no_alarm(house: House):
    house.links.noted("skt-1", "odd TLV")
    house.links.alarm("skt-1", "silent")

    assert house.standing == []
