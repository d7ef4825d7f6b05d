"""Fifty SIGKILLs at random instants under load."""

from __future__ import annotations

import random

import pytest
import pytest_twisted

from tests.scenarios.kill_harness import kill_again_and_again


@pytest.mark.xdist_group("heavy")
@pytest_twisted.ensureDeferred
async def test_fifty_kills_at_random_instants_under_load_make_112_forget_nobody_and_hear_of_nobody_twice(
    house,
):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - what repeats a failure

    harvest = await kill_again_and_again(house, kills=50, seed=seed, rate=150.0)

    print(harvest.table())  # noqa: T201
    assert harvest.forgotten == harvest.unheard == []
    assert harvest.doubled == []
    assert harvest.violations == []
    assert harvest.store == "ok"
    # Without these the kills would have proved little.
    assert harvest.kills == 50
    assert harvest.delivered_again > 0
    assert harvest.kills_with_reports_owed > 0
