"""A volume that fills up: room is watched ahead, the log leaves room for presses, and the last of it is kept for them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted

from tests.scenarios.house import House

SMALL = 16 << 20
RESERVE = SMALL // 8
LEFT_BY_THE_LOG = SMALL // 8 + (64 << 10)
NOISE = b'{"timestamp":"","level":"info","event":"noise"}\n'


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A volume of 16 MiB, in memory."""
    volume = tmp_path / "volume"
    volume.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=700", "onetouch", str(volume)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a volume takes root")
    try:
        yield volume
    finally:
        subprocess.run(["umount", "--lazy", str(volume)], check=True)


@pytest.fixture
def on_small(small: Path, house: House) -> House:
    """The house with all of the daemon's files on that volume."""
    house.folder = small
    house.daemon.log = small / "log"
    house.daemon.store = small / "state" / "onetouch.sqlite"
    return house


def fill(volume: Path, leave: int) -> Path:
    """Fill the volume up to so many octets, as somebody else's file does."""
    room = os.statvfs(volume)
    other = volume / f"other-{leave}"
    with other.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(room.f_bavail * room.f_frsize - leave, 4096))
    return other


@pytest_twisted.ensureDeferred
async def test_a_disk_that_fills_up_is_an_alarm_ahead_and_its_reserve_is_given_up_for_presses(on_small):
    house, state = on_small, on_small.folder / "state"
    await house.start()
    await house.until((state / "reserve").exists)
    assert (state / "reserve").stat().st_size == RESERVE

    getting_full = fill(house.folder, 3 << 20)
    await house.until(lambda: house.logged("alarm", alarm="disk-low", about=str(state)))
    assert (state / "reserve").exists()
    full = fill(house.folder, 0)
    await house.until(lambda: not (state / "reserve").exists())
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))

    getting_full.unlink()
    full.unlink()
    await house.until((state / "reserve").exists)
    await house.until(lambda: house.logged("alarm over", alarm="disk-low"))
    assert [line["about"] for line in house.logged("alarm", alarm="disk-full")] in ([], [str(state)])


@pytest_twisted.ensureDeferred
async def test_a_volume_that_holds_its_own_log_goes_on_taking_presses(on_small):
    """112 is away and every attempt is a line: the log must not eat what the store needs."""
    house = on_small
    await house.start()
    await house.until((house.folder / "state" / "reserve").exists)
    await house.centre.go_down()
    await house.second.go_down()
    # The log has grown up to where it has to leave room.
    room = os.statvfs(house.folder)
    with house.daemon.log.open("ab") as file:
        file.write(NOISE * ((room.f_bavail * room.f_frsize - LEFT_BY_THE_LOG) // len(NOISE)))

    callers = [house.caller() for _ in range(200)]
    for caller in callers:
        await house.soon(house.press(caller))
    await house.until(lambda: house.skt.queued == 0)
    await house.centre.come_back()

    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    await house.until(lambda: house.daemon.rows("SELECT count(*) FROM press") == [(len(callers),)])
    assert house.daemon.log.stat().st_size < SMALL - LEFT_BY_THE_LOG
