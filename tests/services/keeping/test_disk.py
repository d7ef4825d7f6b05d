"""Room on disk: an alarm ahead of time, a reserve that is freed for presses, and made again."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.alarms import HOLD_S, Alarms
from telephony.services.keeping.disk import (
    EVERY_S,
    FULL_ALARM,
    LOW_ALARM,
    MIB,
    WHEN_LOW_EVERY_S,
    DiskLimits,
    DiskWatch,
    Room,
    room_of,
    watched_directories,
)
from tests.doubles import Inline

LIMITS = DiskLimits(1_024 * MIB, 1_000, 16 * MIB)
LARGE = Room(100_000 * MIB, 50_000 * MIB, 1_000_000, 900_000)


class House:
    def __init__(self, state_dir: Path) -> None:
        self.clock = task.Clock()
        self.alarms = Alarms(self.clock)
        self.room = LARGE
        self.trouble: OSError | None = None
        self.state_dir = state_dir
        self.making: list[Deferred[bool]] = []
        self.runner = Inline()
        self.watch = DiskWatch(
            [state_dir],
            LIMITS,
            runner=self.runner,
            clock=self.clock,
            alarms=self.alarms,
            make_room=self._make_room,
            room_of=self._room_of,
        )
        self.watch.start()

    def _room_of(self, _: Path) -> Room:
        if self.trouble is not None:
            raise self.trouble
        return self.room

    def _make_room(self) -> Deferred[bool]:
        self.making.append(Deferred())
        return self.making[-1]

    def has(self, free_mib: float, inodes: int = 900_000) -> None:
        self.room = Room(self.room.bytes, int(free_mib * MIB), self.room.inodes, inodes)
        self.clock.advance(EVERY_S)

    @property
    def reserve(self) -> Path:
        return self.state_dir / "reserve"

    @property
    def standing(self) -> list[str]:
        return [alarm.name for alarm in self.alarms.standing()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_reserve_is_really_there(house: House):
    status = house.reserve.stat()

    assert status.st_size == 16 * MIB
    assert status.st_blocks * 512 >= 16 * MIB
    assert status.st_mode & 0o777 == 0o600


def test_little_room_is_an_alarm_ahead_of_time_until_there_is_more(house: House):
    house.has(1_024)
    assert house.standing == []

    house.has(1_023)
    assert house.standing == [LOW_ALARM]
    assert house.reserve.exists()

    house.has(1_024)
    house.clock.pump([WHEN_LOW_EVERY_S] * int(HOLD_S / WHEN_LOW_EVERY_S + 1))
    assert house.standing == []


def test_few_inodes_are_the_same_alarm(house: House):
    house.has(50_000, inodes=999)

    (alarm,) = house.alarms.standing()
    assert (alarm.name, alarm.about, alarm.facts["free_inodes"]) == (LOW_ALARM, str(house.state_dir), 999)


def test_a_file_system_that_has_no_inodes_lacks_none(house: House):
    house.room = Room(LARGE.bytes, LARGE.free_bytes, 0, 0)
    house.clock.advance(EVERY_S)

    assert house.standing == []
    assert house.reserve.exists()


def test_a_full_disk_gets_the_reserve_and_the_store_folds_its_log_back_in_it(house: House):
    house.has(15.9)

    assert not house.reserve.exists()
    assert house.standing == [LOW_ALARM, FULL_ALARM]
    assert len(house.making) == 1


def test_room_is_made_again_and_again_while_the_disk_is_full_and_once_at_a_time(house: House):
    house.has(0)
    house.has(0)
    assert len(house.making) == 1

    house.making[0].callback(True)
    house.has(0)
    house.making[1].errback(OSError("no room"))
    with capture_logs() as said:
        house.has(0)

    assert len(house.making) == 3
    assert "unhandled failure" not in [line["event"] for line in said]


def test_no_inodes_at_all_are_a_full_disk(house: House):
    house.has(50_000, inodes=0)

    assert not house.reserve.exists()


def test_the_reserve_is_made_again_when_there_is_room_for_it_and_more(house: House):
    house.has(0)
    house.has(1_024 + 15)
    assert not house.reserve.exists()

    house.has(1_024 + 16)

    assert house.reserve.exists()
    house.clock.pump([EVERY_S] * int(HOLD_S))
    assert house.standing == []


def test_on_a_small_volume_every_bound_is_less(tmp_path: Path):
    house = House(tmp_path)
    house.reserve.unlink()
    house.room = Room(16 * MIB, 8 * MIB, 4_096, 4_000)
    house.has(8, inodes=4_000)
    assert house.reserve.stat().st_size == 2 * MIB
    assert house.standing == []

    house.has(3.9, inodes=4_000)
    assert house.standing == [LOW_ALARM]
    assert house.reserve.exists()

    house.has(0.9, inodes=4_000)
    assert not house.reserve.exists()


def test_a_volume_that_tells_nothing_is_looked_at_again(house: House):
    house.trouble = OSError(5, "Input/output error")
    with capture_logs() as said:
        house.clock.advance(EVERY_S)
    assert [line["event"] for line in said] == ["room on disk not known"]

    house.trouble = None
    house.has(1)

    assert LOW_ALARM in house.standing


def test_a_watch_that_is_stopped_looks_no_more(house: House):
    house.watch.stop()
    house.has(0)

    assert house.reserve.exists()
    assert house.clock.getDelayedCalls() == []


def test_a_watch_that_is_stopped_while_the_volume_hangs_tells_what_it_did_and_looks_no_more(house: House):
    house.runner.hold()
    house.clock.advance(EVERY_S)
    house.room = Room(house.room.bytes, 0, house.room.inodes, house.room.free_inodes)

    house.watch.stop()
    with capture_logs() as said:
        house.runner.release()

    assert "reserve freed" in [line["event"] for line in said]
    assert house.making == []
    assert house.clock.getDelayedCalls() == []


def test_the_room_of_a_real_volume(tmp_path: Path):
    room = room_of(tmp_path)

    assert 0 <= room.free_bytes <= room.bytes


def test_one_volume_is_watched_once(tmp_path: Path):
    assert watched_directories(tmp_path, tmp_path / "log") == [tmp_path]
    assert watched_directories(tmp_path, None) == [tmp_path]
    assert watched_directories(tmp_path, Path("/proc/log")) == [tmp_path, Path("/proc")]
