"""What cannot be proven right is a store that is away: keys of another store, files removed, moved or replaced."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK
from telephony.store.crypto import KeyFile
from telephony.store.upgrade import HEAD
from tests.scenarios.house import House

PARTS = ("onetouch.sqlite", "onetouch.sqlite-wal", "onetouch.sqlite-shm")


def state(house: House) -> Path:
    return house.folder / "state"


def key_file(house: House) -> Path:
    return state(house) / "data.keys"


def keys_of_another(house: House) -> Path:
    other = KeyFile(house.folder / "another" / "data.keys")
    other.make()
    return other.path


async def told_directly(house: House, caller: str, *, is_kept: bool = False) -> None:
    """Press while the store is away; the journal keeps the press, or its sender has to."""
    assert await house.soon(house.press(caller)) == (ESME_ROK if is_kept else ESME_RMSGQFUL)
    await house.until(lambda: house.alerts(caller))
    await house.until(lambda: house.logged("alarm", alarm="store-unavailable"))


async def store_is_back(house: House) -> None:
    await house.until(lambda: house.logged("alarm over", alarm="store-unavailable"), 20)


async def every_press_is_in_the_store(house: House, callers: list[str]) -> None:
    """What 112 has heard of, acknowledged or told directly, stands in the store after a restart, once each."""
    await house.until(lambda: house.skt.queued == 0, 30)
    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    await house.stop()
    kept = {row[0] for row in house.daemon.rows("SELECT id FROM incident")}
    assert kept == {house.alerts(caller)[0].incident for caller in callers}
    await house.start()
    shown = await house.onetouch("incidents", "list", "--json", "--limit", "100")
    assert len(shown.splitlines()) == len(callers)
    assert "ok" in await house.onetouch("db", "check")


# -- keys -----------------------------------------------------------------------------------------------------------


@pytest_twisted.ensureDeferred
async def test_with_the_key_file_of_another_store_nothing_is_promised_and_112_is_told(house: House):
    await house.start()
    first, second = house.caller(), house.caller()
    await house.accepted_press(first)
    await house.stop()
    own = key_file(house).rename(house.folder / "aside")
    shutil.copy(keys_of_another(house), key_file(house))

    await house.start()
    await told_directly(house, second)
    said = await house.refused_onetouch("db", "check")

    assert "key_proof" in said
    assert "WRONG" in said
    assert "is not the key file of this store" in said
    own.rename(key_file(house))
    await store_is_back(house)
    await every_press_is_in_the_store(house, [first, second])


@pytest_twisted.ensureDeferred
async def test_a_key_file_that_changes_under_the_daemon_is_not_used_and_its_own_keys_are_kept(house: House):
    await house.start()
    callers = [house.caller() for _ in range(3)]
    await house.accepted_press(callers[0])
    shutil.copy(keys_of_another(house), key_file(house))

    await house.accepted_press(callers[1])
    await house.until(lambda: house.logged("alarm", alarm="key-file-wrong"))
    assert "WRONG" in await house.refused_onetouch("db", "check")
    await house.kill9()
    await house.start()
    await told_directly(house, callers[2])

    key_file(house).with_name("data.keys.kept").rename(key_file(house))
    await store_is_back(house)
    await every_press_is_in_the_store(house, callers)


@pytest_twisted.ensureDeferred
async def test_a_key_file_that_vanishes_is_written_again_and_a_kill_is_no_harm(house: House):
    await house.start()
    callers = [house.caller(), house.caller()]
    await house.accepted_press(callers[0])
    key_file(house).unlink()

    await house.accepted_press(callers[1])
    await house.kill9()
    await house.start()

    await every_press_is_in_the_store(house, callers)


@pytest.mark.parametrize("octets", [0, 31, 33, 65, 200])
@pytest_twisted.ensureDeferred
async def test_a_service_key_of_another_length_costs_no_press(house: House, octets: int):
    state(house).mkdir()
    (state(house) / "service.key").write_bytes(bytes(octets))
    await house.start()
    caller = house.caller()

    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))

    await house.until(lambda: house.logged("alarm", alarm="service-key-wrong"))
    assert (state(house) / "service.key").read_bytes() == bytes(octets)


# -- files ----------------------------------------------------------------------------------------------------------

REMOVED = {
    "all of the store": PARTS,
    "the file": PARTS[:1],
    "the log": PARTS[1:2],
    "the index": PARTS[2:],
    "log and index": PARTS[1:],
    "everything": (*PARTS, "data.keys", "service.key"),
}


async def press_until_the_store_is_back(house: House, caller: str) -> None:
    """Whatever the answer is: told, and in the end acknowledged."""
    await house.soon(house.press(caller))
    await house.until(lambda: house.alerts(caller))
    await house.until(lambda: house.logged("store went away under us"))
    await store_is_back(house)
    await house.until(lambda: house.skt.queued == 0, 30)


@pytest.mark.parametrize("what", REMOVED)
@pytest_twisted.ensureDeferred
async def test_what_is_removed_under_the_daemon_is_written_again_from_what_it_has_open(
    house: House, what: str
):
    await house.start()
    callers = [house.caller() for _ in range(5)]
    for caller in callers[:3]:
        await house.accepted_press(caller)
    name = (state(house) / "service.key").read_bytes()
    for part in REMOVED[what]:
        (state(house) / part).unlink()

    await press_until_the_store_is_back(house, callers[3])
    await house.accepted_press(callers[4])
    await house.kill9()
    await house.start()

    assert (state(house) / "service.key").read_bytes() == name
    await every_press_is_in_the_store(house, callers)


@pytest_twisted.ensureDeferred
async def test_a_state_directory_that_is_removed_comes_back_whole(house: House):
    await house.start()
    callers = [house.caller() for _ in range(3)]
    for caller in callers[:2]:
        await house.accepted_press(caller)
    # In one step: what is put back while a tree is being removed would keep it from going.
    doomed = state(house).rename(house.folder / "doomed")
    shutil.rmtree(doomed)

    await press_until_the_store_is_back(house, callers[2])
    await house.kill9()
    await house.start()

    await every_press_is_in_the_store(house, callers)


@pytest_twisted.ensureDeferred
async def test_what_112_does_not_know_yet_survives_the_removal_of_its_store_and_a_kill(house: House):
    await house.start()
    callers = [house.caller() for _ in range(20)]
    house.centre.refuse(503)
    for caller in callers:
        await house.accepted_press(caller)
    for part in PARTS:
        (state(house) / part).unlink()

    await house.until(lambda: house.logged("store written anew where it was lost"))
    await house.kill9()
    await house.centre.come_back()
    await house.start()

    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    await every_press_is_in_the_store(house, callers)


@pytest_twisted.ensureDeferred
async def test_files_that_are_removed_right_before_a_stop_are_there_at_the_next_start(house: House):
    await house.start()
    callers = [house.caller() for _ in range(2)]
    for caller in callers:
        await house.accepted_press(caller)
    for part in PARTS:
        (state(house) / part).unlink()

    await house.stop()
    await house.start()

    await every_press_is_in_the_store(house, callers)


def is_removed(folder: Path) -> bool:
    """Remove a folder; a file that the daemon has just put there may need another try."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


@pytest.mark.parametrize("is_whole_directory", [False, True])
@pytest_twisted.ensureDeferred
async def test_what_is_moved_away_is_waited_for(house: House, is_whole_directory: bool):  # noqa: FBT001
    await house.start()
    first, second = house.caller(), house.caller()
    await house.accepted_press(first)
    aside = house.folder / "aside"
    if is_whole_directory:
        state(house).rename(aside)
        state(house).mkdir()
    else:
        aside.mkdir()
        for part in PARTS:
            (state(house) / part).rename(aside / part)

    await told_directly(house, second, is_kept=not is_whole_directory)
    (alarm,) = house.logged("alarm", alarm="store-unavailable")
    assert f"it is {aside}/onetouch.sqlite now, move it back" in alarm["reason"]

    if is_whole_directory:
        await house.until(lambda: is_removed(state(house)))
        aside.rename(state(house))
    else:
        for part in PARTS:
            (aside / part).rename(state(house) / part)
    await store_is_back(house)
    await every_press_is_in_the_store(house, [first, second])


def back_up(house: House, copy: Path) -> None:
    source, target = sqlite3.connect(house.daemon.store), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()


@pytest_twisted.ensureDeferred
async def test_a_backup_put_over_the_running_store_takes_nothing_that_was_acknowledged(house: House):
    await house.start()
    callers = [house.caller() for _ in range(3)]
    await house.accepted_press(callers[0])
    back_up(house, house.folder / "backup")
    await house.accepted_press(callers[1])
    (house.folder / "backup").rename(house.daemon.store)

    await told_directly(house, callers[2], is_kept=True)
    await house.until(lambda: list(state(house).glob("onetouch.sqlite.kept-*")))
    (kept,) = state(house).glob("onetouch.sqlite.kept-*")
    assert not house.logged("alarm over", alarm="store-unavailable")

    kept.rename(house.daemon.store)
    await store_is_back(house)
    await every_press_is_in_the_store(house, callers)


@pytest_twisted.ensureDeferred
async def test_a_backup_in_the_place_of_a_store_that_was_moved_away_is_not_taken(house: House):
    await house.start()
    callers = [house.caller() for _ in range(3)]
    await house.accepted_press(callers[0])
    back_up(house, house.folder / "backup")
    await house.accepted_press(callers[1])
    for part in PARTS:
        (state(house) / part).rename(house.folder / part)
    shutil.copy(house.folder / "backup", house.daemon.store)

    await told_directly(house, callers[2], is_kept=True)
    await house.until(lambda: house.logged("store not taken up"))
    assert f"is in {house.folder}/onetouch.sqlite" in house.logged("store not taken up")[-1]["error"]

    (house.folder / PARTS[0]).rename(house.daemon.store)
    await store_is_back(house)
    await every_press_is_in_the_store(house, callers)


@pytest_twisted.ensureDeferred
async def test_another_file_system_over_the_state_directory_is_no_store_of_ours(house: House):
    await house.start()
    first, second = house.caller(), house.caller()
    await house.accepted_press(first)
    if subprocess.call(["mount", "-t", "tmpfs", "tmpfs", state(house)], stderr=subprocess.DEVNULL):  # noqa: ASYNC221
        pytest.skip("this account may mount nothing")
    try:
        await told_directly(house, second)
    finally:
        # The daemon looks there for its store and its keys now and then, and the kernel calls that busy.
        await house.until(lambda: subprocess.call(["umount", state(house)], stderr=subprocess.DEVNULL) == 0)

    await store_is_back(house)
    await every_press_is_in_the_store(house, [first, second])


@pytest_twisted.ensureDeferred
async def test_a_store_of_a_later_version_is_not_written_to(house: House):
    await house.start()
    await house.stop()
    with sqlite3.connect(house.daemon.store) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    await house.start()
    caller = house.caller()

    await told_directly(house, caller, is_kept=True)

    with sqlite3.connect(house.daemon.store) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (HEAD,))
    connection.close()
    await store_is_back(house)
    await every_press_is_in_the_store(house, [caller])
    assert await house.soon(house.press(caller, "다시")) == ESME_ROK
