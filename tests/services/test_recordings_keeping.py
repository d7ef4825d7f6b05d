"""Recordings are sealed soon after their call, beside presses; what cannot be sealed stays and is told; what is over goes."""

from __future__ import annotations

import errno
import os
import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs
from twisted.internet.defer import succeed

from telephony.alarms import Alarms
from telephony.domain.recording import RecordingState, call_of
from telephony.services.recordings_keeping import (
    AGAIN_S,
    COMPARE_S,
    LOOK_S,
    PRESSED_S,
    REGISTER_S,
    RecordingsKeeping,
)
from telephony.store.crypto import Key, KeyRing, KeysUnavailable
from telephony.store.engines import one_transaction
from telephony.store.recordings.register import listed
from telephony.store.recordings.sealed import CHUNK, opened
from telephony.store.schema import recording
from tests.doubles import NINE_HOURS, NOON, Inline, SetClock, database, keys
from tests.store.recording_drafts import name_of, sealed_file

LONG = os.urandom(40 * CHUNK)


class House:
    """One Asterisk's folder, and who keeps it."""

    server = "voice-1"

    def __init__(self, engines, folder):
        self.engines = engines
        self.path = folder / "monitor"
        self.path.mkdir(mode=0o700)
        self.clock = SetClock()
        self.clock.rightNow = NOON.timestamp()
        self.alarms = Alarms(self.clock)
        self.database = database(*engines)
        self.calls = frozenset()
        self.is_pressed = False
        self.ring = keys()
        self.folds = 0
        self.keeping = RecordingsKeeping(
            self,
            self.database,
            host="here",
            utc_offset=NINE_HOURS,
            keys=lambda: self.ring,
            runner=Inline(),
            clock=self.clock,
            alarms=self.alarms,
            is_pressed=lambda: self.is_pressed,
            fold_back=self._fold,
        )

    async def folder(self):
        return self.path

    def standing(self):
        return self.calls

    def _fold(self):
        self.folds += 1
        return succeed(True)

    def record(self, octets=LONG, n=1):
        path = self.path / name_of(n)
        path.write_bytes(octets)
        path.chmod(0o600)
        os.utime(path, (time.time() - 60,) * 2)
        return path

    def sealed(self, n=1):
        return self.path / "sealed" / f"{name_of(n)}.sealed"

    def pass_time(self, seconds):
        for _ in range(int(seconds * 20)):
            self.clock.advance(0.05)

    def rows(self):
        with self.engines[1].connect() as connection:
            return listed(connection)

    def change(self, statement):
        with self.engines[0].connect() as connection, one_transaction(connection):
            connection.execute(statement)

    def standing_alarms(self):
        return {alarm.name: dict(alarm.facts) for alarm in self.alarms.standing()}


@pytest.fixture
def house(engines, tmp_path):
    house = House(engines, tmp_path)
    yield house
    house.keeping.stop()


def test_a_recording_whose_call_is_over_is_sealed_and_written_down(house):
    plain = house.record()

    house.keeping.start()
    house.pass_time(LOOK_S + 1)

    assert not plain.exists()
    with opened(house.sealed(), house.ring) as sealed:
        assert b"".join(sealed.chunks()) == LONG
    (row,) = house.rows()
    assert (row.name, row.host, row.path) == (name_of(), "here", str(house.sealed()))
    assert row.octets == len(LONG)
    assert row.state is RecordingState.SEALED
    assert house.standing_alarms() == {}


def test_a_call_that_stands_keeps_its_recording_and_a_call_back_that_is_not_written_any_more_goes(house):
    plain = house.record()
    back = house.record(n=2).rename(house.path / name_of(1).replace(".wav", "-back-1796021258.wav"))
    house.calls = frozenset({call_of(name_of())})
    house.keeping.start()
    house.pass_time(5)

    assert plain.exists()
    assert back.exists(), "of the call before it, which stands"
    house.calls = frozenset()
    house.pass_time(3)
    assert not plain.exists()
    assert not back.exists()


def test_while_presses_come_fast_a_step_is_a_second_away_from_the_next(house):
    plain = house.record()
    house.is_pressed = True
    house.keeping.start()

    house.pass_time(2 * PRESSED_S)
    assert plain.exists()

    house.pass_time(12 * PRESSED_S)
    assert not plain.exists()


def test_a_store_that_is_away_keeps_nothing_plain_and_is_told_when_it_is_back(house):
    plain = house.record()
    house.database.put_away("gone")
    house.keeping.start()
    house.pass_time(3)

    assert not plain.exists()
    assert house.sealed().exists()
    assert house.rows() == []
    house.database.bring_back()
    house.pass_time(3)
    assert [each.name for each in house.rows()] == [name_of()]


def test_a_sealed_file_that_the_register_does_not_know_is_taken_up(house):
    (house.path / "sealed").mkdir()
    sealed_file(house.sealed(), house.ring, LONG)

    house.keeping.start()
    house.pass_time(1)

    assert [each.path for each in house.rows()] == [str(house.sealed())]


def test_a_sealed_file_that_cannot_be_read_is_in_no_one_s_way(house):
    stranger = Key.make(NOON)
    (house.path / "sealed").mkdir()
    sealed_file(house.sealed(7), KeyRing({stranger.id: stranger}, stranger.id), b"theirs")
    house.sealed(8).write_bytes(b"rubbish")
    house.record()

    with capture_logs() as logs:
        house.keeping.start()
        house.pass_time(10)

    assert [each.name for each in house.rows()] == [name_of()]
    assert house.sealed(7).exists()
    (told,) = [each for each in logs if each["event"] == "sealed recordings cannot be read"]
    assert told["count"] == 2


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
def test_a_full_disk_leaves_the_plain_file_and_is_an_alarm_until_there_is_room(house, monkeypatch, call):
    plain = house.record()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    house.keeping.start()
    house.pass_time(0.1)
    plain = house.record()
    monkeypatch.setattr(os, call, full)
    house.pass_time(5)
    assert plain.read_bytes() == LONG
    alarm = house.standing_alarms()["recording-unsealed"]
    assert alarm["reason"] == os.strerror(errno.ENOSPC)
    monkeypatch.undo()

    house.pass_time(AGAIN_S + 15)

    assert not plain.exists()
    assert house.standing_alarms() == {}


def test_no_keys_leave_the_plain_file_and_are_an_alarm(house):
    plain = house.record()

    def away():
        raise KeysUnavailable("there is no key file")

    house.keeping._keys = away
    house.keeping.start()
    house.pass_time(5)

    assert plain.exists()
    assert house.standing_alarms()["recording-unsealed"]["reason"] == "there is no key file"


def test_a_folder_that_others_may_read_is_an_alarm_until_they_may_not(house):
    house.path.chmod(0o755)
    house.keeping.start()
    house.pass_time(2)
    assert "chmod 0700" in house.standing_alarms()["recording-exposed"]["readable"]

    house.path.chmod(0o700)
    house.pass_time(15)
    assert house.standing_alarms() == {}


def test_what_is_over_its_time_is_destroyed_and_its_row_goes_after_it(house):
    house.record()
    house.record(n=2)
    house.keeping.start()
    house.pass_time(3)
    one = recording.c.name == name_of(1)
    house.change(update(recording).where(one).values(state=RecordingState.OVER))

    with capture_logs() as logs:
        house.pass_time(REGISTER_S + 2)

    assert not house.sealed(1).exists()
    assert house.sealed(2).exists()
    assert [each.name for each in house.rows()] == [name_of(2)]
    assert [each["count"] for each in logs if each["event"] == "recordings destroyed"] == [1]
    assert house.folds == 1


def test_what_cannot_be_destroyed_keeps_its_row_and_is_an_alarm(house, monkeypatch):
    house.record()
    house.keeping.start()
    house.pass_time(3)
    house.change(update(recording).values(state=RecordingState.OVER))

    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "pwrite", refuse)
    house.pass_time(REGISTER_S + 2)

    assert len(house.rows()) == 1
    assert house.standing_alarms()["retention-overdue"]["kind"] == "recordings"


def test_a_path_that_was_written_into_the_store_leads_out_of_no_folder(house, tmp_path):
    house.record()
    house.keeping.start()
    house.pass_time(3)
    elsewhere = sealed_file(tmp_path / "elsewhere.sealed", house.ring, LONG)
    house.change(update(recording).values(state=RecordingState.OVER, path=str(elsewhere)))

    house.pass_time(REGISTER_S + 2)

    assert elsewhere.exists()
    assert len(house.rows()) == 1
    assert "is not in" in house.standing_alarms()["retention-overdue"]["reason"]


def test_a_header_under_an_older_key_comes_under_the_current_one(house):
    house.record()
    house.keeping.start()
    house.pass_time(3)
    old, new = house.ring.current, Key.make(NOON)
    house.ring = KeyRing({old.id: old, new.id: new}, new.id, audit_key=house.ring.audit_key)
    for engine in house.engines:
        engine.update_execution_options(onetouch_keys=lambda: house.ring)

    house.pass_time(REGISTER_S + 2)

    with opened(house.sealed(), KeyRing({new.id: new}, new.id)) as sealed:
        assert b"".join(sealed.chunks()) == LONG
    with house.engines[1].connect() as connection:
        assert connection.execute(select(recording.c.key_id)).scalar_one() == new.id


def test_of_two_daemons_that_see_the_folder_the_second_works_when_the_first_has_left(house, engines):
    other = House.__new__(House)
    other.__dict__.update(house.__dict__)
    second = RecordingsKeeping(
        other, house.database, host="here", utc_offset=NINE_HOURS, keys=lambda: house.ring, runner=Inline(), clock=house.clock,
        alarms=house.alarms, is_pressed=lambda: False, fold_back=house._fold,
    )  # fmt: skip
    house.keeping.start()
    house.pass_time(1)
    second.start()
    house.keeping.stop()
    plain = house.record()

    house.pass_time(3)

    assert not plain.exists()
    second.stop()


def test_another_disk_in_the_place_of_the_folder_is_taken_up(house):
    house.keeping.start()
    house.pass_time(1)
    house.path.rename(house.path.with_name("unmounted"))
    house.path.mkdir(mode=0o700)
    plain = house.record()

    house.pass_time(AGAIN_S + 3)

    assert not plain.exists()
    assert house.sealed().exists()


def test_a_recording_that_was_sealed_an_hour_ago_by_another_hand_is_found(house):
    house.keeping.start()
    house.pass_time(1)
    sealed_file(house.sealed(), house.ring, LONG)
    house.clock.advance(COMPARE_S)
    house.pass_time(REGISTER_S + 2)

    assert [each.name for each in house.rows()] == [name_of()]
    assert timedelta(seconds=house.rows()[0].length_s) == timedelta(0)
