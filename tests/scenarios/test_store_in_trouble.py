"""The store cannot commit: 112 is told directly, the journal or the SMSC keeps the press, and it is the same incident."""

from __future__ import annotations

import resource
import sqlite3

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK
from tests.scenarios.house import HELP


async def press_is_told_directly_and_kept(house, caller):
    """Press while the store is out of order; where there is no journal the SMSC keeps it."""
    is_kept = house.choices.ack_after == "journal"
    assert await house.soon(house.press(caller)) == (ESME_ROK if is_kept else ESME_RMSGQFUL)
    await house.until(lambda: house.alerts(caller))
    assert (house.skt.counts.acked, house.skt.queued) == ((1, 0) if is_kept else (0, 1))
    await house.until(lambda: house.logged("alarm", alarm="store-unavailable"))
    await house.until(lambda: house.logged("relayed directly", channel="seoul-a"))


async def store_has_it_in_the_incident_112_knows(house, caller):
    """See the store in order again, and the press of before in it."""
    await house.until(lambda: house.skt.queued == 0)
    await house.until(lambda: house.logged("delivered", kind="alert"))
    (alert,) = house.reports(caller)
    assert alert.parameters["caller-text"] == (HELP,)
    assert house.daemon.rows("SELECT id, state, press_count FROM incident") == [(alert.incident, "open", 1)]
    assert house.centre.repeats == 0
    await house.until(lambda: house.logged("alarm over", alarm="store-unavailable"))


@pytest.mark.parametrize("ack_after", ["journal", "store"])
@pytest_twisted.ensureDeferred
async def test_a_locked_store(house, ack_after):
    house.choose(ack_after=ack_after)
    await house.start()
    caller = house.caller()
    other = sqlite3.connect(house.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    await press_is_told_directly_and_kept(house, caller)
    other.execute("ROLLBACK")
    other.close()

    await store_has_it_in_the_incident_112_knows(house, caller)


@pytest.mark.parametrize("ack_after", ["journal", "store"])
@pytest_twisted.ensureDeferred
async def test_a_full_disk(house, ack_after):
    house.choose(ack_after=ack_after)
    await house.start()
    caller = house.caller()
    log = house.daemon.store.with_name("onetouch.sqlite-wal")
    largest = max(file.stat().st_size for file in (log, house.daemon.store))
    _, most = resource.prlimit(house.daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(house.daemon.pid, resource.RLIMIT_FSIZE, (largest, most))

    await press_is_told_directly_and_kept(house, caller)
    resource.prlimit(house.daemon.pid, resource.RLIMIT_FSIZE, (most, most))

    await store_has_it_in_the_incident_112_knows(house, caller)


@pytest.mark.parametrize("is_running", [True, False])
@pytest_twisted.ensureDeferred
async def test_a_store_of_nothing_but_garbage_is_set_aside_and_a_fresh_one_takes_the_press(house, is_running):
    await house.start()
    # Stopped in good order, all is in the one file, and a fresh start has read only its first pages.
    await house.restart()
    caller = house.caller()
    octets = house.daemon.store.stat().st_size
    if not is_running:
        await house.stop()
    overwrite(house.daemon.store, b"\xa5" * octets)
    if not is_running:
        await house.start(until_bound=False)

    assert await house.soon(house.press(caller)) in (ESME_ROK, ESME_RMSGQFUL)
    await house.until(lambda: house.alerts(caller))

    await house.until(lambda: house.skt.queued == 0)
    await house.until(lambda: house.logged("fresh store in use"))
    await house.until(lambda: house.daemon.rows("SELECT state, press_count FROM incident") == [("open", 1)])
    (alert,) = house.alerts(caller)
    assert house.daemon.rows("SELECT id FROM incident") == [(alert.incident,)]
    (kept,) = house.daemon.store.parent.glob("onetouch.sqlite.damaged-*Z")
    assert kept.read_bytes() == b"\xa5" * octets
    await house.until(lambda: house.logged("alarm over", alarm="store-unavailable"))


def overwrite(file, octets):
    """Change the octets of a file that others have open."""
    with file.open("r+b") as opened:
        opened.write(octets)
