"""One caller at two daemons at once: one emergency, told whole, whatever the two do to each other's rows."""

from __future__ import annotations

import pytest
import pytest_twisted

from tests.scenarios.house import SEOUL
from tests.scenarios.two_writers import TwoWriters

CALLERS, PRESSES = 200, 3


@pytest.mark.xdist_group("heavy")
@pytest_twisted.ensureDeferred
async def test_callers_who_press_at_both_daemons_at_once_have_one_incident_each_and_every_press_is_told(
    house, database
):
    two = TwoWriters(house, database)
    await two.start()
    try:
        callers = [house.caller(SEOUL) for _ in range(CALLERS)]

        await two.press_at_both(callers, PRESSES)
        await two.all_told()

        assert two.races().happened == {}
        assert two.ask("SELECT count(*), sum(press_count) FROM incident") == [
            (CALLERS, 2 * CALLERS * PRESSES)
        ]
    finally:
        await two.stop()
