"""What 112 was told past the store is remembered on disk: a restart, or another hour, neither doubles nor changes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_RMSGQFUL, ESME_ROK
from tests.scenarios.house import HELP, House
from tests.scenarios.test_clock_set import HOUR_S, Machine

CALLERS = 20
STATUS = {"journal": ESME_ROK, "store": ESME_RMSGQFUL}
"""What a carrier is answered while the store is away."""
FILE = "told-past-the-store"


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Hold the store's lock, as a process that hangs does."""
    other = sqlite3.connect(house.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def kept(house: House, name: str = FILE) -> bytes:
    """Return what is in use of a file beside the store."""
    file = house.daemon.store.with_name(name)
    return file.read_bytes().rstrip(b"\0") if file.exists() else b""


def incidents(house: House) -> set[tuple[object, ...]]:
    return set(house.daemon.rows("SELECT id, press_count FROM incident"))


async def everybody_is_in_one_incident(house: House, callers: list[str]) -> None:
    """See the store take up every press under the name that 112 knows, and the file empty after that."""
    await house.until(lambda: house.skt.queued == 0)
    await house.until(
        lambda: len({line["incident"] for line in house.logged("delivered", kind="alert")}) == len(callers)
    )
    alerts = [house.alerts(caller) for caller in callers]
    assert [len(each) for each in alerts] == [1] * len(callers)
    assert {name for name, _ in incidents(house)} == {each.incident for (each,) in alerts}
    await house.until(lambda: not kept(house))


@pytest.mark.parametrize("ack_after", STATUS)
@pytest.mark.parametrize("hours", [0, 1])
@pytest_twisted.ensureDeferred
async def test_after_an_outage_and_a_kill_112_is_not_told_again_nor_under_other_names(
    house: House, hours: int, ack_after: str
):
    house.choose(ack_after=ack_after)
    machine = Machine(house)
    await house.start()
    callers = [house.caller() for _ in range(CALLERS)]
    with locked(house):
        answers = [house.press(caller) for caller in callers]
        assert {await house.soon(answer) for answer in answers} == {STATUS[ack_after]}
        await house.until(lambda: all(house.alerts(caller) for caller in callers))
        await house.until(lambda: kept(house).count(b'"channel":"seoul-a"') == CALLERS)
        assert not [caller for caller in callers if caller.encode() in kept(house)]
        assert HELP.encode() not in kept(house)
        await house.kill9()
    told_at = {house.alerts(caller)[0].incident: house.alerts(caller)[0].raw for caller in callers}
    machine.set_by(hours * HOUR_S)
    await house.start()

    await everybody_is_in_one_incident(house, callers)
    assert incidents(house) == {(name, 1) for name in told_at}
    assert house.centre.repeats == 0


@pytest.mark.parametrize("ack_after", STATUS)
@pytest_twisted.ensureDeferred
async def test_what_112_took_and_could_not_acknowledge_is_told_again_in_the_same_octets_with_the_store_still_away(
    house: House, ack_after: str
):
    house.choose(ack_after=ack_after)
    await house.start()
    first, second = house.caller(), house.caller()
    house.centre.drop_after_receiving()
    house.second.refuse(503)
    with locked(house):
        for caller in (first, second):
            assert await house.soon(house.press(caller)) == STATUS[ack_after]
        assert await house.soon(house.press(first, "다시")) == STATUS[ack_after]
        await house.until(
            lambda: house.alerts(first) and house.alerts(second) and len(house.reports(first)) == 2
        )
        await house.until(lambda: kept(house).count(b'"tried"') == 3)
        await house.kill9()
        repeats = house.centre.repeats
        await house.centre.come_back()
        await house.second.come_back()
        await house.start()
        await house.until(lambda: kept(house).count(b'"acknowledged"') >= 3)
        assert house.centre.repeats > repeats

    await everybody_is_in_one_incident(house, [first, second])
    # The third press of the second process is told of in the store's own words as well.
    assert incidents(house) == {(house.alerts(first)[0].incident, 2), (house.alerts(second)[0].incident, 1)}


@pytest_twisted.ensureDeferred
async def test_what_was_acknowledged_and_failed_at_112_is_told_while_its_store_is_away(house: House):
    await house.start()
    caller = house.caller()
    await house.centre.go_down()
    await house.second.go_down()
    await house.accepted_press(caller)
    await house.until(lambda: house.logged("will retry", kind="alert"))

    with locked(house):
        await house.until(lambda: house.logged("alarm", alarm="store-unavailable"))
        await house.centre.come_back()
        await house.until(lambda: house.alerts(caller))
        await house.until(lambda: b'"channel":"seoul-a"' in kept(house))
        await house.kill9()
    await house.start()

    await everybody_is_in_one_incident(house, [caller])
    assert house.centre.repeats == 0


@pytest.mark.parametrize("ack_after", STATUS)
@pytest_twisted.ensureDeferred
async def test_a_start_that_finds_the_store_away_tells_a_further_press_under_the_open_incident(
    house: House, ack_after: str
):
    house.choose(ack_after=ack_after)
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    await house.until(lambda: kept(house, "open-incidents"))
    await house.kill9()

    with locked(house):
        await house.start()
        assert await house.soon(house.press(caller, "다시")) == STATUS[ack_after]
        await house.until(lambda: len(house.alerts(caller)) == 2)
    await house.until(lambda: house.skt.queued == 0)

    (name,) = {report.incident for report in house.reports(caller)}
    await house.until(lambda: incidents(house) == {(name, 2)})


@pytest.mark.parametrize("ack_after", STATUS)
@pytest_twisted.ensureDeferred
async def test_a_file_that_is_none_of_ours_or_cannot_be_written_keeps_nobody_from_112(
    house: House, ack_after: str
):
    house.choose(ack_after=ack_after)
    await house.start()
    await house.stop()
    file = house.daemon.store.with_name(FILE)
    file.write_bytes(b"what somebody else has written\n" * 3)
    await house.start()
    await house.until(lambda: house.logged("alarm", alarm="told-damaged", damaged_count=3))
    await house.until(lambda: file.exists() and not kept(house))
    file.unlink()
    (file / "full").mkdir(parents=True)

    caller = house.caller()
    with locked(house):
        assert await house.soon(house.press(caller)) == STATUS[ack_after]
        await house.until(lambda: house.alerts(caller))
        await house.until(lambda: house.logged("alarm", alarm="told-not-kept"))

    await house.until(lambda: house.skt.queued == 0)
    await house.until(lambda: house.logged("delivered", kind="alert"))
    assert len(house.alerts(caller)) == 1
