"""Whatever is broken beside the way of a press to 112, alone or with something else: 112 is told."""

from __future__ import annotations

import pytest_twisted

from tests.scenarios.lanes import Lanes


@pytest_twisted.ensureDeferred
async def test_112_is_told_whichever_two_lanes_are_broken(house):
    """In one daemon's life: no lane, each alone, each two. How soon is measured by `bench/lanes.py`."""
    lanes = Lanes(house)
    await lanes.start()

    for number in range(len(lanes.cases)):
        await lanes.told_after_s(number)

    assert [len(house.alerts(caller)) for caller in lanes.callers] == [1] * len(lanes.cases)
    await house.until(lambda: all(house.located(caller) for caller in lanes.callers))
