"""The key file in life: made at the first start, missed when it is gone, changed while presses come."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest_twisted

from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK
from telephony.store.sealing import key_id_of
from tests.scenarios.house import SEOUL, House

ALL_SEALED = (
    "SELECT sealed FROM incident UNION ALL SELECT close_reason FROM incident WHERE close_reason IS NOT NULL"
    " UNION ALL SELECT sealed FROM press UNION ALL SELECT sealed FROM position UNION ALL SELECT sealed FROM audit"
    " UNION ALL SELECT last_error FROM delivery WHERE last_error IS NOT NULL"
)


def key_file(house: House) -> Path:
    return house.folder / "state" / "data.keys"


def key_ids(house: House) -> list[int]:
    return [key["id"] for key in json.loads(key_file(house).read_text())["keys"]]


@pytest_twisted.ensureDeferred
async def test_without_its_key_file_112_is_told_directly_and_no_other_key_is_made(house: House):
    await house.start()
    first, caller = house.caller(), house.caller()
    await house.accepted_press(first)
    await house.stop()
    aside = key_file(house).rename(house.folder / "aside")

    await house.start()
    assert await house.soon(house.press(caller)) == ESME_RMSGQFUL
    await house.until(lambda: house.alerts(caller))

    assert not key_file(house).exists()
    (line,) = house.logged("store not usable at start")
    assert "data.keys is not there: bring it back from its backup" in line["error"]
    assert "data.keys" in await house.refused_onetouch("incidents", "list")
    assert "bring" in await house.refused_onetouch("keys", "init")

    aside.rename(key_file(house))
    await house.until(lambda: house.skt.queued == 0)
    # What the journal alone may have had is told now, though the start could not read it.
    await house.until(lambda: house.alerts(first))
    # The redelivery opens the very incident that 112 has heard of.
    told = [(house.alerts(each)[0].incident,) for each in (first, caller)]
    await house.until(lambda: house.daemon.rows("SELECT id FROM incident ORDER BY opened_at") == told)
    await house.until(lambda: house.logged("alarm cleared") or house.logged("delivered", kind="alert"))


@pytest_twisted.ensureDeferred
async def test_a_key_file_that_vanishes_costs_no_press(house: House):
    await house.start()
    await house.accepted_press(house.caller())
    aside = key_file(house).rename(house.folder / "aside")

    caller = house.caller(SEOUL)
    for number in range(3):
        await house.accepted_press(caller, f"{number}: 빨리")
    await house.until(lambda: house.located(caller))

    assert len(house.logged("key file gone, going on from memory")) == 1
    aside.rename(key_file(house))
    await house.accepted_press(caller, "아직 여기예요")
    await house.restart()
    await house.accepted_press(caller, "들려요?")
    assert len(house.alerts(caller)) == 1


@pytest_twisted.ensureDeferred
async def test_keys_are_changed_while_presses_come_and_a_kill_is_no_harm(house: House):
    await house.start()
    callers = [house.caller(SEOUL) for _ in range(30)]
    for caller in callers:
        await house.accepted_press(caller)
    (old,) = key_ids(house)

    rotation = house.daemon.command("keys", "rotate", stderr=subprocess.STDOUT)
    await house.until(lambda: len(key_ids(house)) == 2)
    rotation.send_signal(signal.SIGKILL)
    rotation.communicate()
    for caller in callers[:10]:
        await house.accepted_press(caller, "다시 눌렀어요")
    going_on = house.daemon.command("keys", "rotate", "--forget-old", stderr=subprocess.STDOUT)
    slowest = 0.0
    while going_on.poll() is None:
        begun = time.monotonic()
        await house.accepted_press(callers[-1], f"바꾸는 동안 {begun}")
        slowest = max(slowest, time.monotonic() - begun)
    said = going_on.communicate()[0].decode()
    for caller in callers[10:20]:
        await house.accepted_press(caller, "또 눌렀어요")
    await house.until(
        lambda: not house.daemon.rows("SELECT 1 FROM delivery WHERE state = 'pending' AND sequence > 0")
    )

    assert going_on.returncode == 0, said
    assert "going on with key" in said
    (new,) = key_ids(house)
    assert new != old
    await house.stop()
    assert {key_id_of(row[0]) for row in house.daemon.rows(ALL_SEALED)} == {new}
    assert house.daemon.rows("SELECT count(*) FROM incident") == [(len(callers),)]
    assert all(len(house.alerts(caller)) == 1 for caller in callers)
    assert slowest < 1.0
    shown = await house.onetouch("incidents", "list", "--json", "--limit", "100")
    assert len(shown.splitlines()) == len(callers)
    assert "null" not in {json.loads(line)["msisdn"] for line in shown.splitlines()}


@pytest_twisted.ensureDeferred
async def test_a_redelivery_after_the_change_of_keys_is_no_second_press(house: House):
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    house.skt.drop_link()
    await house.soon(house.skt.when_bound(2))
    rotation = house.daemon.command("keys", "rotate", "--forget-old", stderr=subprocess.STDOUT)
    await house.until(lambda: rotation.poll() is not None)
    assert "forgot key" in rotation.communicate()[0].decode()

    assert await house.soon(house.skt.redeliver()) == ESME_ROK

    await house.until(lambda: house.daemon.rows("SELECT seen FROM press") == [(2,)])
    assert len(house.alerts(caller)) == 1
