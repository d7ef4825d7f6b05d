"""What only time can tell: overdue reports, incidents gone quiet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.delivery import Delivered, Retry
from telephony.domain.plan import Plan
from telephony.services.watch import CHANGED_ALARM, EVERY_S, MENDING_EVERY_S, OVERDUE_S, QUIET_EVERY_S, Watch
from telephony.store.database import Database
from telephony.store.response import dispatch
from tests.doubles import NOON, ONE_CENTRE, WITH_FALLBACK, Inline, SetClock, keys, outbox, press
from tests.store.ledger import NOON_S, Ledger

QUIET_S = 24 * 3600.0
KIM = "sos-821012345678"
CHANNELS = ("seoul", "seoul-2", "locate:skt", "track:skt")


class House:
    def __init__(self, engines: tuple[Engine, Engine], plan: Plan = ONE_CENTRE) -> None:
        self.clock = SetClock()
        self.clock.advance(NOON_S)
        self.alarms = Alarms(self.clock)
        self.ledger = Ledger(engines[0], plan)
        self.reader = Inline()
        self.woken: list[str] = []
        self.watch = Watch(
            outbox(
                Database(*engines, writer=Inline(), reader=self.reader, clock=self.clock, linger_s=0.0),
                plan,
                self.woken,
            ),
            channels=CHANNELS,
            quiet_close_s=QUIET_S,
            clock=self.clock,
            alarms=self.alarms,
            noticed=keys().noticed,
        )

    def wait(self, seconds: float) -> None:
        """Let time pass, a look at a time."""
        self.clock.pump([EVERY_S] * int(seconds / EVERY_S))

    @property
    def overdue(self) -> list[str]:
        return [alarm.about for alarm in self.alarms.standing() if alarm.name == "report-overdue"]


@pytest.fixture
def house(engines: tuple[Engine, Engine]) -> House:
    return House(engines)


def test_a_report_that_112_does_not_acknowledge_is_an_alarm_until_it_does(house: House):
    house.ledger.record(press())
    house.watch.startService()
    house.wait(OVERDUE_S)
    assert house.overdue == []

    house.wait(EVERY_S)
    assert house.overdue == ["seoul"]

    (alert,) = house.ledger.claim(after_s=20)
    house.ledger.settle(alert, Delivered())
    house.wait(EVERY_S + HOLD_S)
    assert house.overdue == []


def test_the_alarm_is_said_once(house: House):
    house.ledger.record(press())
    house.watch.startService()

    with capture_logs() as said:
        house.wait(300)

    assert [line["event"] for line in said].count("alarm") == 1


def test_an_alarm_of_one_channel_is_no_alarm_of_another(engines: tuple[Engine, Engine]):
    house = House(engines, WITH_FALLBACK)
    house.ledger.record(press())
    house.watch.startService()
    house.wait(OVERDUE_S + EVERY_S)
    assert set(house.overdue) == {"seoul", "seoul-2"}

    (stand_in,) = house.ledger.claim("seoul-2", after_s=20)
    house.ledger.settle(stand_in, Delivered())
    house.wait(EVERY_S + HOLD_S)

    assert house.overdue == ["seoul"]


def test_a_location_errand_is_never_overdue(house: House):
    house.ledger.record(press())
    (alert,) = house.ledger.claim()
    house.ledger.settle(alert, Delivered())
    house.watch.startService()

    house.wait(300)

    assert house.overdue == []


def test_an_incident_that_112_has_taken_is_closed_when_it_is_long_quiet_as_any_other(house: House):
    house.ledger.record(press())
    house.ledger.transact(dispatch, ONE_CENTRE, KIM, "unit 12", "desk 7", NOON)
    house.watch.startService()

    house.clock.advance(QUIET_S + QUIET_EVERY_S)
    house.clock.advance(EVERY_S)

    (incident,) = house.ledger.rows("incident")
    assert incident["state"] == "closed"


def test_an_incident_long_quiet_is_closed_and_its_closing_report_sent(house: House):
    house.ledger.record(press())
    house.watch.startService()
    house.clock.advance(QUIET_S)
    assert house.ledger.rows("incident")[0]["state"] == "open"

    house.clock.advance(QUIET_EVERY_S)
    house.clock.advance(EVERY_S)

    (incident,) = house.ledger.rows("incident")
    assert incident["state"] == "closed"
    assert "quiet" in incident["close_reason"]
    assert house.woken == [KIM]
    assert house.ledger.delivery("seoul", 2)["kind"] == "closing"


def test_a_clock_that_is_set_forward_closes_no_incident_and_raises_no_alarm(house: House):
    """As when a machine that came up in 1970 learns the time."""
    house.ledger.record(press())
    (alert,) = house.ledger.claim()
    house.watch.startService()
    house.wait(QUIET_EVERY_S)
    house.ledger.settle(alert, Delivered(), after_s=QUIET_EVERY_S)
    house.ledger.again("1", after_s=QUIET_EVERY_S)

    house.clock.set_by_s = 56 * 365 * 24 * 3600.0
    house.wait(2 * EVERY_S)
    assert house.ledger.rows("incident")[0]["state"] == "open"
    assert house.overdue == []
    house.wait(2 * QUIET_EVERY_S)
    assert house.ledger.rows("incident")[0]["state"] == "open"

    house.clock.advance(QUIET_S)
    house.wait(2 * QUIET_EVERY_S)
    assert house.ledger.rows("incident")[0]["state"] == "closed"


def test_a_new_press_keeps_an_incident_open(house: House):
    house.ledger.record(press())
    house.ledger.again("1", after_s=QUIET_S - 60)
    house.watch.startService()

    house.clock.advance(QUIET_S + QUIET_EVERY_S)

    assert house.ledger.rows("incident")[0]["state"] == "open"


def test_an_incident_that_was_closed_meanwhile_is_left_alone(house: House):
    house.ledger.record(press(received_at=NOON - timedelta(seconds=QUIET_S + 1)))
    house.ledger.close()

    house.watch.startService()

    assert house.ledger.rows("incident")[0]["close_reason"] == "found safe"
    assert house.woken == []


def test_a_look_that_failed_is_made_again(house: House):
    house.ledger.record(press(received_at=NOON - timedelta(seconds=QUIET_S + 1)))
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE delivery RENAME TO hidden")
    )
    house.watch.startService()
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE hidden RENAME TO delivery")
    )

    house.wait(QUIET_EVERY_S)

    assert house.ledger.rows("incident")[0]["state"] == "closed"


def test_the_watch_goes_on_whatever_happens(house: House, monkeypatch: pytest.MonkeyPatch):
    def defect(*_: Any) -> None:
        raise ZeroDivisionError

    house.ledger.record(press())
    with monkeypatch.context() as broken:
        broken.setattr("telephony.services.watch.oldest_reports", defect)
        house.watch.startService()

    house.wait(OVERDUE_S + EVERY_S)

    assert house.overdue == ["seoul"]


def test_a_report_that_is_tried_again_and_again_stays_overdue(house: House):
    house.ledger.record(press())
    house.watch.startService()
    for second in range(0, 60, 15):
        (alert,) = house.ledger.claim(after_s=second)
        house.ledger.settle(alert, Retry("down"), after_s=second)
        house.wait(15)

    assert house.overdue == ["seoul"]


def test_a_stopped_watch_looks_no_more(house: House):
    house.watch.startService()
    house.watch.stopService()
    assert house.clock.getDelayedCalls() == []


def test_a_watch_stopped_during_a_look_looks_no_more(house: House):
    house.reader.hold()
    house.watch.startService()
    house.watch.stopService()

    house.reader.release()

    assert house.clock.getDelayedCalls() == []


def test_an_alert_that_no_loop_would_find_is_found_and_told_with_an_alarm(house: House):
    house.ledger.record(press())
    damage = "UPDATE delivery SET channel = 'seoum' WHERE channel = 'seoul'"
    house.ledger.transact(lambda connection: connection.exec_driver_sql(damage))

    with capture_logs() as said:
        house.watch.startService()

    (found,) = [line for line in said if line["event"] == "outbox mended"]
    assert (found["channels"], found["incidents"]) == (1, [])
    assert "rows-damaged" in [alarm.name for alarm in house.alarms.standing()]
    assert len(house.ledger.claim(after_s=1)) == 1


def test_what_is_damaged_later_is_found_within_a_minute(house: House):
    house.ledger.record(press())
    house.watch.startService()
    house.ledger.transact(
        lambda c: c.exec_driver_sql("UPDATE delivery SET state = 'pendinq' WHERE channel = 'seoul'")
    )

    house.wait(MENDING_EVERY_S + EVERY_S)

    assert len(house.ledger.claim(after_s=100)) == 1


def test_rows_that_another_hand_changed_are_one_alarm_for_each_table_and_are_put_on_the_safe_side(
    house: House,
):
    """Silence was lifted, and not by us: 112 is told at once, and an operator that somebody writes into the database."""
    keys().noticed.take()
    house.ledger.record(press(), press("821022222222"))
    house.ledger.transact(
        lambda c: c.exec_driver_sql("UPDATE incident SET silence_lifted_at = 1, state = 'closed'")
    )

    house.watch.startService()

    (alarm,) = [each for each in house.alarms.standing() if each.name == CHANGED_ALARM]
    assert (alarm.about, alarm.facts["rows"], alarm.facts["column"]) == ("incident", 2, "bound")
    rows = house.ledger.rows("incident")
    assert [(row["state"], row["silence_lifted_at"]) for row in rows] == [("open", None)] * 2
    house.wait(120)
    assert [each.count for each in house.alarms.standing() if each.name == CHANGED_ALARM] == [1]
