"""The way to 112 that needs no store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from twisted.internet import task

from telephony.domain.delivery import Delivered, Outcome, Rejected, Retry
from telephony.domain.plan import ReportRoute
from telephony.domain.report import Report
from telephony.services.spine import direct
from telephony.services.spine.direct import LONGEST_ATTEMPT_S, DirectRelay
from telephony.services.spine.reporting import first_report
from telephony.services.spine.told import ToldReports
from tests.doubles import NOON, Sender, press

ALERT = first_report(press(), "sos-1")


def routes(*channels: str) -> list[ReportRoute]:
    return [ReportRoute(channel) for channel in channels]


OTHER = first_report(press("821022222222"), "sos-2")


class House:
    def __init__(self) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp())
        self.senders = {"seoul": Sender(), "seoul-2": Sender()}
        self.told = ToldReports(b"key", clock=self.clock)
        self.relay = DirectRelay(self.senders, clock=self.clock, told=self.told)

    def sends(self, channel: str = "seoul") -> int:
        return len(self.senders[channel].reports)


@pytest.fixture
def house() -> House:
    return House()


def test_every_channel_is_tried_at_once(house: House):
    for sender in house.senders.values():
        sender.answer = None

    house.relay.send(ALERT, routes("seoul", "seoul-2"))

    assert house.senders["seoul"].reports == house.senders["seoul-2"].reports == [ALERT]


@pytest.mark.parametrize("outcome", [Retry("down"), Rejected("CAP Error")])
def test_it_goes_on_until_112_has_it(house: House, outcome: Outcome):
    house.senders["seoul"].answer = outcome
    house.relay.send(ALERT, routes("seoul"))
    house.clock.pump([1.0] * 4)
    assert house.sends() == 4

    house.senders["seoul"].answer = Delivered()
    house.clock.pump([1.0] * 60)

    assert house.sends() == 5
    assert house.clock.getDelayedCalls() == []


def test_the_centre_may_name_the_time(house: House):
    house.senders["seoul"].answer = Retry("503", after_s=10.0)
    house.relay.send(ALERT, routes("seoul"))

    house.clock.pump([1.0] * 9)
    assert house.sends() == 1
    house.clock.advance(1.0)

    assert house.sends() == 2


def test_a_sender_that_fails_in_a_way_of_its_own_is_tried_again(house: House):
    """There is no row in the store that could bring this report back."""

    async def defect(report: Report) -> Outcome:
        house.senders["seoul"].reports.append(report)
        raise ZeroDivisionError("a defect")

    house.senders["seoul"].send = defect  # type: ignore[method-assign]
    house.relay.send(ALERT, routes("seoul"))
    del house.senders["seoul"].send

    house.clock.advance(1.0)

    assert house.sends() == 2


def test_a_sender_that_hangs_is_given_up_and_tried_again(house: House):
    house.senders["seoul"].answer = None
    house.relay.send(ALERT, routes("seoul"))

    house.clock.advance(LONGEST_ATTEMPT_S)
    house.clock.advance(1.0)

    assert house.sends() == 2


def test_a_channel_that_hangs_does_not_keep_the_others_waiting(house: House):
    house.senders["seoul"].answer = None

    house.relay.send(ALERT, routes("seoul", "seoul-2"))

    assert house.sends("seoul-2") == 1


def test_once_one_channel_has_it_the_others_stop(house: House):
    house.senders["seoul"].answer = Retry("down")
    house.relay.send(ALERT, routes("seoul", "seoul-2"))

    house.clock.pump([1.0] * 60)

    assert house.sends("seoul-2") == 1
    assert house.sends() <= 2


def test_a_report_in_hand_is_not_begun_twice(house: House):
    house.senders["seoul"].answer = Retry("down")
    for _ in range(5):
        house.relay.send(ALERT, routes("seoul"))

    assert house.sends() == 1
    house.clock.advance(1.0)
    assert house.sends() == 2


def test_one_incident_in_trouble_holds_up_no_other(house: House):
    house.senders["seoul"].answer = None
    house.relay.send(ALERT, routes("seoul"))

    house.relay.send(OTHER, routes("seoul"))

    assert house.senders["seoul"].reports == [ALERT, OTHER]


def test_memory_has_a_bound_and_the_log_says_so(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(direct, "MOST_AT_ONCE", 1)
    house.senders["seoul"].answer = None
    house.relay.send(ALERT, routes("seoul"))

    with capture_logs() as said:
        house.relay.send(OTHER, routes("seoul"))

    assert house.sends() == 1
    assert [(line["log_level"], line["incident"]) for line in said] == [("critical", "sos-2")]


def test_what_112_has_acknowledged_is_not_sent_again_each_time_the_press_is_offered(house: House):
    for _ in range(3):
        house.relay.send(ALERT, routes("seoul"))

    assert house.relay._in_hand == set()
    assert house.sends() == 1


def test_what_is_remembered_as_acknowledged_has_a_bound(house: House, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("telephony.services.spine.told.MOST", 1)
    other = replace(ALERT, report_id="sos-2-1")

    for report in (ALERT, other, ALERT):
        house.relay.send(report, routes("seoul"))

    assert house.sends() == 3


def test_the_log_names_no_one(house: House):
    with capture_logs() as said:
        house.relay.send(ALERT, routes("seoul"))

    assert [line["event"] for line in said] == ["relayed directly"]
    assert "821012345678" not in str(said)
    assert "SOS" not in str(said)


def test_a_telephone_waits_its_time_and_stays_free_when_the_data_link_has_it(house: House):
    spoken = ReportRoute("seoul-2", 30.0, alerts_only=True)
    house.relay.send(ALERT, [*routes("seoul"), spoken])
    house.clock.advance(60.0)

    assert house.sends("seoul-2") == 0


def test_a_telephone_is_used_when_the_data_link_has_had_its_time(house: House):
    spoken = ReportRoute("seoul-2", 30.0, alerts_only=True)
    house.senders["seoul"].answer = Retry("down")

    house.relay.send(ALERT, [*routes("seoul"), spoken])
    house.clock.advance(29.0)
    assert house.sends("seoul-2") == 0
    house.clock.advance(2.0)

    assert house.sends("seoul-2") == 1


def test_what_the_store_has_told_meanwhile_is_told_no_more(house: House):
    house.senders["seoul"].answer = Retry("down")
    house.relay.send(ALERT, routes("seoul"))

    house.told.settled(ALERT.report_id, "seoul-2")
    house.clock.pump([1.0] * 60)

    assert house.sends() == 1
    assert house.relay._in_hand == set()


def test_a_defect_of_the_memory_costs_no_report(house: House, monkeypatch: pytest.MonkeyPatch):
    def defect(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(house.told, "enter", defect)

    house.relay.send(ALERT, routes("seoul"))

    assert house.sends() == 1
