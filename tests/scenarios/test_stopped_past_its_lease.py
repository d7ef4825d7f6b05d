"""A daemon that is stopped for longer than its lease and goes on: what another has taken over meanwhile is the other's."""

from __future__ import annotations

import signal

import pytest
import pytest_twisted

from tests.scenarios.house import SEOUL
from tests.scenarios.two_writers import TwoWriters

ALERT = (
    "SELECT lease_owner, lease_token, state, lease_until, attempts, due_at, last_error FROM delivery"
    " WHERE channel = 'seoul-a' AND sequence = 1"
)


@pytest.mark.xdist_group("heavy")
@pytest_twisted.ensureDeferred
async def test_a_daemon_that_was_stopped_past_its_lease_changes_nothing_that_another_took_over(
    house, database
):
    two = TwoWriters(house, database)
    await two.start(timeout_s=10.0)
    try:
        caller = house.caller(SEOUL)
        house.centre.hang()
        await house.accepted_press(caller)
        await house.until(lambda: house.centre.connections_made)
        house.daemon.signal(signal.SIGSTOP)
        [(stopped, *_)] = two.ask(ALERT)
        await house.until(lambda: two.ask(ALERT)[0][1] > 1)
        taken_over = two.ask(ALERT)

        house.daemon.signal(signal.SIGCONT)
        await house.until(lambda: house.logged("outcomes too late"))

        assert two.ask(ALERT) == taken_over
        assert (stopped.partition("#")[0], taken_over[0][0].partition("#")[0]) == ("onetouch", "other")
        await house.centre.come_back()
        await two.all_told()
        assert len({report.raw for report in house.alerts(caller)}) == 1
        assert two.races().happened == {}
    finally:
        house.daemon.signal(signal.SIGCONT)
        await two.stop()
