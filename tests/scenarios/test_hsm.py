"""A daemon whose keys an HSM wraps: the HSM is asked at the start, and for no press."""

from __future__ import annotations

import subprocess

import pytest_twisted

from telephony.smpp.wire.constants import ESME_RMSGQFUL
from tests.scenarios.house import House
from tests.soft_hsm import MODULE, SoftHsm, hanging_module


async def commanded(house: House, *arguments: str) -> str:
    """Run a command that says something on standard error too."""
    command = house.daemon.command(*arguments, stderr=subprocess.STDOUT)
    await house.until(lambda: command.poll() is not None)
    said = command.communicate()[0].decode()
    assert command.returncode == 0, said
    return said


def in_the_store(house: House) -> list[str]:
    return [row[0] for row in house.daemon.rows("SELECT id FROM incident ORDER BY opened_at")]


@pytest_twisted.ensureDeferred
async def test_keys_move_into_the_hsm_beside_the_daemon_and_one_that_is_gone_is_felt_at_a_start_alone(
    house: House,
):
    token = SoftHsm(house.folder / "hsm")
    house.daemon.environment |= token.environment
    callers = [house.caller() for _ in range(5)]
    await house.start()
    await house.accepted_press(callers[0])
    await house.stop()
    house.choose(more=token.settings)
    await house.start()
    await house.accepted_press(callers[1])

    await commanded(house, "keys", "move-into-hsm")
    token.go()
    await house.accepted_press(callers[2])
    token.come_back()
    await commanded(house, "keys", "rotate", "--forget-old")
    await house.accepted_press(callers[3])
    token.go()
    await house.kill9()
    await house.start()
    assert await house.soon(house.press(callers[4])) == ESME_RMSGQFUL
    await house.until(lambda: house.alerts(callers[4]))
    (line,) = house.logged("store not usable at start")
    assert "the HSM (token)" in line["error"]

    token.come_back()
    await house.until(lambda: house.logged("alarm over", alarm="store-unavailable"), 60)
    await house.until(lambda: house.skt.queued == 0, 60)
    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    # Their senders were answered by the journal, a moment before the store had them.
    await house.until(lambda: in_the_store(house) == [house.alerts(caller)[0].incident for caller in callers])


@pytest_twisted.ensureDeferred
async def test_a_module_that_hangs_keeps_no_daemon_from_starting(house: House):
    token = SoftHsm(house.folder / "hsm")
    house.daemon.environment |= token.environment
    module = house.folder / "module.so"
    module.symlink_to(MODULE)
    settings = token.settings.replace(str(MODULE), str(module))
    house.choose(more=settings)
    caller = house.caller()
    await house.start()
    await commanded(house, "keys", "init", "--hsm")
    await house.stop()
    module.unlink()
    module.symlink_to(hanging_module(house.folder))
    house.choose(more=settings.replace("20.0", "10.0"))

    await house.start()
    assert await house.soon(house.press(caller)) == ESME_RMSGQFUL
    await house.until(lambda: house.alerts(caller))
    assert "the HSM has not opened" in house.logged("store not usable at start")[-1]["error"]
    await house.until(lambda: "no answer within 10 s" in str(house.logged("store not taken up")))
    module.unlink()
    module.symlink_to(MODULE)

    await house.until(lambda: house.skt.queued == 0, 60)
    await house.until(lambda: in_the_store(house) == [house.alerts(caller)[0].incident])
