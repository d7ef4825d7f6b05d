"""Pages of the store's file are overwritten with garbage: a fresh store takes over, with all that is owed."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.house import House
from tests.store.garbage import overwrite, pages_of, root_of


def some(numbers: list[int], seed: int, share: float = 0.5) -> list[int]:
    """Choose of these pages, one at least."""
    return random.Random(seed).sample(numbers, max(1, round(len(numbers) * share)))


DAMAGE: dict[str, Callable[[Path], list[int]]] = {
    "leaves of the deliveries": lambda file: some(pages_of(file, "delivery"), 1),
    "the root of the deliveries": lambda file: [root_of(file, "delivery")],
    "a leaf of the incidents": lambda file: some(pages_of(file, "incident"), 3, 0.3),
    "the index of open incidents": lambda file: [root_of(file, "one_open_incident_per_caller")],
    "the header": lambda file: [1],
    "one page of each kind": lambda file: [
        some(pages_of(file, "delivery"), 5, 0.1)[0],
        some(pages_of(file, "incident"), 5, 0.1)[0],
        some(pages_of(file, "press"), 5, 0.1)[0],
        root_of(file, "delivery_due"),
        1,
    ],
}


def acknowledged(house: House) -> set[str]:
    """Return the names of incidents whose presses were acknowledged."""
    one_by_one = {line["incident"] for line in house.logged("press accepted")}
    return one_by_one.union(*(line["incidents"].split() for line in house.logged("presses accepted")))


def told(house: House) -> set[str]:
    """Return the names of incidents that 112 has heard of."""
    return {report.incident for report in house.centre.reports if report.msg_type == "Alert"}


async def pressed(house: House, callers: list[str]) -> None:
    """Press by many at once, and have all acknowledged."""
    statuses = [await house.soon(each) for each in [house.press(caller) for caller in callers]]
    assert set(statuses) == {ESME_ROK}


@pytest.mark.parametrize("what", DAMAGE)
@pytest_twisted.ensureDeferred
async def test_what_was_acknowledged_is_told_though_its_pages_are_garbage(house: House, what: str):
    await house.start()
    house.centre.refuse(503)
    await pressed(house, [house.caller() for _ in range(30)])
    await house.stop()
    store = house.daemon.store
    overwrite(store, DAMAGE[what](store), seed=7)
    await house.centre.come_back()

    await house.start()
    await house.until(lambda: house.logged("fresh store in use"))
    late = house.caller()
    await house.soon(house.press(late))
    await house.until(lambda: house.skt.queued == 0, 30)

    await house.until(lambda: len(acknowledged(house)) >= 31)
    await house.until(lambda: acknowledged(house) <= told(house))
    assert len(acknowledged(house)) == 31
    await house.until(lambda: house.alerts(late))
    assert house.logged("alarm", alarm="store-damaged")
    await house.until(lambda: house.logged("damaged store brought over"))
    (kept,) = store.parent.glob("onetouch.sqlite.damaged-*Z")
    assert house.logged("fresh store in use")[0]["kept"] == str(kept)
    assert "ok" in await house.onetouch("db", "check")


@pytest_twisted.ensureDeferred
async def test_what_the_journal_brings_once_more_is_told_under_the_name_that_it_has(house: House):
    """Killed before the journal's files could say how far the store is, the daemon takes all of it up again."""
    await house.start()
    house.centre.refuse(503)
    callers = [house.caller() for _ in range(30)]
    await pressed(house, callers)
    await house.until(lambda: len(acknowledged(house)) == 30)
    await house.kill9()
    store = house.daemon.store
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(store, pages_of(store, "incident"), seed=7)
    await house.centre.come_back()

    await house.start()
    await house.until(lambda: house.logged("journal has presses of an earlier life"))
    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    await house.until(lambda: house.logged("damaged store brought over"))

    assert len(acknowledged(house)) == 30
    assert told(house) == acknowledged(house)
    (fresh,) = house.logged("fresh store in use")
    assert fresh["restored_incidents"]
    assert fresh["lost_incidents"] == []


def under_the_daemon(file: Path) -> list[int]:
    """Return pages of what is owed, and one that no commit writes again: the log makes good for the others as it is folded back."""
    return [
        root_of(file, "person"),
        root_of(file, "delivery_due"),
        *some(pages_of(file, "incident"), 13),
        *some(pages_of(file, "delivery"), 13),
    ]


@pytest_twisted.ensureDeferred
async def test_a_running_daemon_finds_it_and_goes_on_with_a_fresh_store(house: House):
    house.choose(more="[store]\nlook_every_s = 0.5")
    await house.start()
    house.centre.refuse(503)
    await pressed(house, [house.caller() for _ in range(30)])
    await house.restart()
    store = house.daemon.store

    overwrite(store, under_the_daemon(store), seed=9)
    late = [house.caller() for _ in range(10)]
    for press in [house.press(caller) for caller in late]:
        await house.soon(press)
    await house.until(lambda: house.logged("fresh store in use"))
    await house.centre.come_back()
    await house.until(lambda: house.logged("damaged store brought over"))
    await house.until(lambda: house.skt.queued == 0)
    last = house.caller()
    await house.accepted_press(last)

    await house.until(lambda: len(acknowledged(house)) >= 41)
    await house.until(lambda: acknowledged(house) <= told(house))
    assert len(acknowledged(house)) == 41
    await house.until(lambda: all(house.alerts(caller) for caller in [*late, last]))
    assert house.logged("store damaged")
    assert house.logged("alarm", alarm="store-damaged")
