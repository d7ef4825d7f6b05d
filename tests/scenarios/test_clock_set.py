"""The machine's clock is set, forwards or back: nothing waits for it, and 112 is told as ever."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.house import SEOUL, House

HOUR_S = 3600


class Machine:
    """The daemon's machine, whose clock can be set while it runs; what runs on evenly is left alone."""

    def __init__(self, house: House) -> None:
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
        self._offset = house.folder / "clock"
        self.set_by(0)
        house.daemon.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_by(self, seconds: int) -> None:
        """Set the clock to so many seconds before or after the true time."""
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+d}s")
        new.rename(self._offset)


@pytest.fixture
def machine(house: House) -> Machine:
    return Machine(house)


@pytest.mark.parametrize("steps", [(-HOUR_S,), (-30,), (HOUR_S,), (HOUR_S, 0), (-HOUR_S, HOUR_S, -30)])
@pytest_twisted.ensureDeferred
async def test_a_clock_that_is_set_stops_no_report_and_drops_no_link(house, machine, steps):
    await house.start()
    links = list(house.skt.links)
    await house.accepted_press(house.caller(SEOUL))

    for number, step in enumerate(steps, 1):
        callers = [house.caller(SEOUL) for _ in range(5)]
        machine.set_by(step)
        for caller in callers:
            await house.accepted_press(caller)
        await house.until(lambda: all(house.located(caller) for caller in callers))  # noqa: B023
        assert [len(house.alerts(caller)) for caller in callers] == [1] * 5
        await house.until(lambda: len(house.logged("clock was set")) == number)  # noqa: B023

    assert house.skt.links == links
    await house.until(lambda: house.logged("alarm", alarm="clock-set"))


@pytest_twisted.ensureDeferred
async def test_a_report_that_112_did_not_take_is_tried_again_in_time_although_the_clock_went_back(
    house, machine
):
    await house.start()
    await house.centre.go_down()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.logged("will retry", kind="alert"))

    machine.set_by(-HOUR_S)
    await house.centre.come_back()

    await house.until(lambda: house.alerts(caller))


@pytest_twisted.ensureDeferred
async def test_what_was_owed_before_a_restart_is_told_although_the_clock_is_an_hour_behind_after_it(
    house, machine
):
    machine.set_by(HOUR_S)
    await house.start()
    await house.centre.go_down()
    caller = house.caller(SEOUL)
    await house.accepted_press(caller)
    await house.until(lambda: house.logged("will retry", kind="alert"))
    await house.kill9()

    machine.set_by(0)
    await house.start()
    await house.centre.come_back()

    await house.until(lambda: house.located(caller))
    assert len(house.alerts(caller)) == 1
    assert house.logged("clock was set back while we were away")


@pytest_twisted.ensureDeferred
async def test_an_incident_closed_by_command_while_the_clocks_differ_is_told_at_once(house, machine):
    """The daemon has seen the clock set back; the command reads a clock that is right again."""
    await house.start()
    caller = house.caller()
    assert await house.soon(house.press(caller)) == ESME_ROK
    await house.until(lambda: house.alerts(caller))

    machine.set_by(-HOUR_S)
    await house.until(lambda: house.logged("clock was set"))
    house.daemon.environment = {}
    await house.onetouch("incidents", "close", house.alerts(caller)[0].incident, "--reason", "safe")

    await house.until(lambda: house.reports(caller)[-1].parameters["incident-state"] == ("closed",))
