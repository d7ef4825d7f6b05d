"""Keeping a store that is a server's: asked every second, put away at once, taken up again when it commits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.alarms import HOLD_S, Alarms
from telephony.services.keeping import store_keeper as keeping
from telephony.services.keeping.service_key import ServiceKey
from telephony.services.keeping.store_keeper import LOOK_S, StoreKeeper
from telephony.services.spine.telling import STORE_ALARM
from telephony.store.bounds import Access
from telephony.store.crypto import KeyFile
from telephony.store.database import Database
from telephony.store.engines import open_engines
from tests.awaiting import result_of
from tests.doubles import Inline, without_fsync

BUDGET_S = 2.0


class Place:
    """A keeper whose server is an SQLite file: what is proven of it and when is the same."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "store.sqlite"
        self.clock = task.Clock()
        self.clock.advance(1_000)
        self.alarms = Alarms(self.clock)
        self.access = Access()
        self.writer, self.runner = Inline(), Inline()
        key_file = KeyFile(folder / "data.keys")
        writing, reading = open_engines(f"sqlite:///{self.file}", key_file.ring)
        without_fsync(writing)
        self.database = Database(
            writing, reading, writer=self.writer, reader=Inline(), clock=self.clock, linger_s=0.0
        )
        self.resumed = 0
        self.keeper = StoreKeeper(
            self.database,
            (writing, reading),
            None,
            key_file,
            ServiceKey(folder, key_file.ring),
            access=self.access,
            budget_s=BUDGET_S,
            runner=self.runner,
            clock=self.clock,
            alarms=self.alarms,
            resume=self._resume,
        )

    async def _resume(self) -> None:
        self.resumed += 1

    def vanish(self) -> sqlite3.Connection:
        """Keep it from committing anything."""
        other = sqlite3.connect(self.file, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        return other

    @property
    def reasons(self) -> list[str]:
        return [alarm.facts["reason"] for alarm in self.alarms.standing() if alarm.name == STORE_ALARM]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.writer.release()
    place.runner.release()
    result_of(Deferred.fromCoroutine(place.keeper.stop()))
    result_of(place.database.stop())
    assert place.clock.getDelayedCalls() == []


def test_one_that_does_not_commit_is_put_away_before_anybody_presses(place: Place):
    place.keeper.take_up_at_start()
    place.keeper.start()
    place.clock.advance(LOOK_S)
    assert (place.database.is_away, place.resumed, place.reasons) == (False, 1, [])

    other = place.vanish()
    place.clock.advance(LOOK_S)

    assert place.database.is_away
    assert place.reasons == ["store: database is locked"]
    assert place.access.cuts == 1  # whatever else is under way there is given up too
    other.close()


def test_it_is_taken_up_again_within_a_second_of_its_return(place: Place):
    place.keeper.take_up_at_start()
    place.keeper.start()
    other = place.vanish()
    place.clock.pump([LOOK_S] * 3)
    assert place.database.is_away

    other.close()
    place.clock.advance(LOOK_S)

    assert not place.database.is_away
    assert place.resumed == 2
    place.clock.advance(HOLD_S)
    assert place.reasons == []


def test_an_answer_that_does_not_come_is_waited_for_as_long_as_a_press_would(place: Place):
    place.keeper.take_up_at_start()
    place.keeper.start()
    place.writer.hold()
    place.clock.advance(LOOK_S)
    assert place.writer.held
    place.database._began = place.clock.seconds()  # its thread has begun, and waits

    place.clock.advance(BUDGET_S - 0.1)
    assert not place.database.is_away
    place.clock.advance(0.1)

    assert place.database.is_away
    assert place.reasons == ["a transaction has had no answer for 2.0 s"]


def test_a_start_goes_on_without_one_that_has_not_answered_and_tries_it_once_at_a_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keeping, "START_S", 0.01)
    place.runner.hold()

    place.keeper.take_up_at_start()
    place.keeper.start()
    place.clock.pump([LOOK_S] * 10)

    assert place.database.is_away
    assert place.reasons == ["not taken up: it has not answered yet"]
    assert place.resumed == 0
    place.runner.release()
    assert not place.database.is_away
    assert place.resumed == 1
