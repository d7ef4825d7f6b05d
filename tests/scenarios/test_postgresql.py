"""The same daemon, and two of them, on a real PostgreSQL."""

from __future__ import annotations

import shutil

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_ROK
from tests.postgresql_server import rows
from tests.scenarios.daemon_process import DaemonProcess
from tests.scenarios.house import SEOUL


@pytest_twisted.ensureDeferred
async def test_killed_and_started_again_it_knows_every_press_and_the_redelivery_joins(house, database):
    house.choose(more=f'[store]\nurl = "{database}"')
    await house.start()
    caller = house.caller(SEOUL)

    await house.accepted_press(caller)
    await house.until(lambda: house.located(caller))
    await house.kill9()
    await house.start()
    assert await house.soon(house.skt.redeliver()) == ESME_ROK

    assert len(house.alerts(caller)) == 1
    assert rows(database, "SELECT count(*), max(press_count) FROM incident") == [(1, 1)]
    await house.until(lambda: rows(database, "SELECT seen FROM press") == [(2,)])


@pytest.mark.xdist_group("heavy")
@pytest_twisted.ensureDeferred
async def test_of_two_daemons_on_one_store_the_other_reports_what_the_dead_one_had_begun(house, database):
    house.choose(more=f'[store]\nurl = "{database}"', timeout_s=1.0)
    await house.start()
    other = DaemonProcess(house.folder / "other")
    other.store.parent.mkdir(parents=True)
    # Daemons that share a store share its keys.
    shutil.copy(house.daemon.store.with_name("data.keys"), other.store.with_name("data.keys"))
    other.config.write_text(
        house.daemon.config.read_text()
        .replace(str(house.folder), str(other.folder))
        .replace("[service]", '[service]\nname = "other"')
    )
    house.kt.refuse_bind(0x0D)
    other.start()
    try:
        await house.until(lambda: len(house.skt.links) == 4)
        house.centre.hang()
        callers = [house.caller() for _ in range(6)]
        for caller in callers:
            await house.accepted_press(caller)
        # What is in the dead one's journal alone waits for its next start.
        await house.until(lambda: rows(database, "SELECT count(*) FROM press") == [(len(callers),)])
        begun = len(house.logged("press accepted"))
        assert 0 < begun < len(callers)

        house.daemon.kill()
        await house.centre.come_back()

        # A lease outlives its attempt's time-out by a few seconds; then it is anybody's.
        await house.until(lambda: all(house.alerts(caller) for caller in callers))
        assert [len(house.alerts(caller)) for caller in callers] == [1] * len(callers)
        assert rows(database, "SELECT count(*) FROM incident") == [(len(callers),)]
    finally:
        other.kill()
