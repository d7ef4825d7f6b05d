"""The job deletes what is over its time, gives way to presses, goes on after a failure, and says when it cannot."""

from __future__ import annotations

from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from twisted.internet.defer import succeed

from telephony.alarms import Alarms
from telephony.domain.errors import Unavailable
from telephony.services.retention import (
    BELIEVED_AFTER,
    BREATH_S,
    FAILURES_BEFORE_ALARM,
    FIRST_AFTER_S,
    FOLD_TRIES,
    NOTE_EVERY,
    PRESSED_S,
    RETENTION_ALARM,
    Retention,
)
from telephony.store.audit import entries
from telephony.store.retention.notes import RetentionNotes
from telephony.store.retention.runs import Found, Survey, announced
from tests.doubles import NOON, SetClock, database

EVERY_S = 3600.0


class Pages:
    """A kind of so many pages; on each, these items are over their time."""

    at_once = 2
    period = timedelta(days=1)

    def __init__(self, *pages, name="things"):
        self.name = name
        self.pages = pages
        self.deleted = []
        self.looked = []
        self.asked = []
        self.error = None

    def find(self, connection, now, after):
        del connection
        self.asked.append(now)
        if self.error is not None:
            raise self.error
        self.looked.append(after)
        if after >= len(self.pages):
            return Found((), None)
        return Found(self.pages[after], after + 1)

    def announce(self, connection, items, now):
        del connection
        return announced(len(items), now)

    def delete(self, connection, items, now):
        del connection, now
        self.deleted.append(list(items))
        return len(items)

    def survey(self, connection, now, grace):
        del connection, now, grace
        return Survey(0, None, 0, 0)


class House:
    def __init__(self, engines, folder, *kinds):
        self.engines = engines
        self.clock = SetClock()
        self.clock.rightNow = NOON.timestamp()
        self.alarms = Alarms(self.clock)
        self.notes = RetentionNotes(folder / "retention.json")
        self.database = database(*engines)
        self.is_pressed = False
        self.folded = []
        self.folds = True
        self.job = Retention(
            "store", kinds, self.database, self.database.read, every_s=EVERY_S, clock=self.clock, alarms=self.alarms,
            notes=self.notes, is_pressed=lambda: self.is_pressed, fold_back=self.fold_back,
        )  # fmt: skip

    def fold_back(self):
        self.folded.append(self.clock.seconds())
        return succeed(self.folds)

    def after(self, seconds, step=BREATH_S):
        for _ in range(int(seconds / step) + 1):
            self.clock.advance(step)

    def announced(self):
        with self.engines[1].connect() as connection:
            return [(each.looked.who, each.looked.subject, each.looked.why) for each in entries(connection)]


@pytest.fixture
def open_house(engines, tmp_path):
    return lambda *kinds: House(engines, tmp_path, *kinds)


def test_the_first_run_comes_soon_and_the_next_in_its_time(open_house):
    kind = Pages([1, 2, 3], [], [4])
    house = open_house(kind)
    house.job.startService()

    house.after(FIRST_AFTER_S - 1)
    assert kind.deleted == []
    house.after(3)
    assert kind.deleted == [[1, 2], [3, 4]]
    ((who, subject, why),) = house.announced()
    assert (who, subject, why.split(",")[0]) == ("retention", "things", "deleted 4")
    assert house.notes.last_run("things").deleted == 4
    assert len(house.folded) == 1

    house.after(EVERY_S + 10, 1.0)
    assert len(kind.deleted) == 4


def test_a_clock_that_is_set_forward_deletes_nothing_before_it_has_stood_for_long(open_house):
    kind = Pages([])
    house = open_house(kind)
    house.job.startService()
    house.clock.set_by_s = 10 * 365 * 24 * 3600.0
    began = house.clock.seconds()

    house.after(FIRST_AFTER_S, 1.0)
    assert {round(house.clock.seconds() - moment.timestamp(), -1) for moment in kind.asked} == {0}
    house.clock.advance(BELIEVED_AFTER.total_seconds())
    house.after(2 * EVERY_S, 60.0)
    assert kind.asked[-1].timestamp() > began + house.clock.set_by_s


def test_where_nothing_was_over_its_time_nothing_is_announced_and_the_log_is_left_alone(open_house):
    house = open_house(Pages([], []))
    house.job.startService()

    house.after(FIRST_AFTER_S + 2)

    assert (house.announced(), house.folded) == ([], [])
    assert house.notes.last_run("things").deleted == 0


def test_between_two_steps_there_is_a_pause_and_while_presses_come_there_is_no_step(open_house):
    kind = Pages([1, 2, 3, 4, 5, 6])
    house = open_house(kind)
    house.job.startService()
    house.clock.advance(FIRST_AFTER_S)
    house.clock.advance(BREATH_S)
    house.clock.advance(BREATH_S)
    assert kind.deleted == []
    house.clock.advance(BREATH_S)
    assert kind.deleted == [[1, 2]]

    house.is_pressed = True
    house.after(60, PRESSED_S)
    assert kind.deleted == [[1, 2]]
    house.is_pressed = False
    house.after(PRESSED_S + 1)

    assert kind.deleted == [[1, 2], [3, 4], [5, 6]]


def test_a_kind_that_fails_keeps_no_other_from_its_turn_and_is_alarmed_after_some_runs(open_house):
    bad, good = Pages([1], name="bad"), Pages([2], name="good")
    house = open_house(bad, good)
    bad.error = Unavailable("store: gone")
    house.job.startService()

    with capture_logs() as said:
        house.after(FIRST_AFTER_S + 1)
        assert good.deleted == [[2]]
        assert house.alarms.standing() == []
        house.after(EVERY_S * (FAILURES_BEFORE_ALARM - 1) + 10, 1.0)
    assert [alarm.name for alarm in house.alarms.standing()] == [RETENTION_ALARM]
    assert [line["kind"] for line in said if line["event"] == "retention failed"] == [
        "bad"
    ] * FAILURES_BEFORE_ALARM

    bad.error = None
    house.after(EVERY_S + 10, 1.0)
    assert house.alarms.standing() == []
    assert bad.deleted == [[1]]


def test_an_error_that_nobody_foresaw_does_not_end_the_job(open_house):
    kind = Pages([1])
    kind.error = ZeroDivisionError()
    house = open_house(kind)
    house.job.startService()

    house.after(FIRST_AFTER_S + 1)
    kind.error = None
    house.after(EVERY_S + 10, 1.0)

    assert kind.deleted == [[1]]


def test_a_long_walk_is_gone_on_with_after_a_restart(open_house):
    kind = Pages(*[[]] * (NOTE_EVERY * 2 + 10))
    house = open_house(kind)
    house.job.startService()
    house.after(FIRST_AFTER_S + BREATH_S * NOTE_EVERY * 1.5)
    house.job.stopService()
    assert house.notes.begin("things") == NOTE_EVERY
    assert not house.clock.getDelayedCalls()

    so_far = len(kind.looked)
    again = open_house(kind)
    again.job.startService()
    again.after(FIRST_AFTER_S + BREATH_S * NOTE_EVERY * 3)

    assert (kind.looked[0], kind.looked[so_far]) == (0, NOTE_EVERY)
    assert again.notes.begin("things") == 0


def test_a_log_that_cannot_be_emptied_is_said(open_house):
    house = open_house(Pages([1]))
    house.folds = False
    house.job.startService()

    with capture_logs() as said:
        house.after(FIRST_AFTER_S + 2 * FOLD_TRIES * PRESSED_S, 0.5)

    assert len(house.folded) == FOLD_TRIES
    assert "log still holds what was deleted" in [line["event"] for line in said]


@pytest.mark.parametrize(
    "octets", [b"", b"{", b"[]", b'{"things": 7}', b'{"things": {"after": "x", "at": 5}}', b"\xff" * 99]
)
def test_notes_that_cannot_be_read_are_as_good_as_none(tmp_path, octets):
    path = tmp_path / "retention.json"
    path.write_bytes(octets)
    notes = RetentionNotes(path)

    assert (notes.begin("things"), notes.last_run("things")) == (0, None)
    notes.ran("things", NOON, 3)
    assert notes.last_run("things").at == NOON
