"""A quiet night differs from a dead relay, at the centre and for us: heartbeats of a real daemon."""

from __future__ import annotations

import json

import pytest_twisted


async def heartbeats_of(house):
    """What `onetouch status` says of the heartbeats, by channel."""
    _, said = await house._said(house.daemon.command("status", "--json"))
    return {end["name"]: end["heartbeat"] for end in json.loads(said)["far_ends"] if end["kind"] == "112"}


@pytest_twisted.ensureDeferred
async def test_each_url_of_112_hears_that_the_service_is_alive_and_nobody_presses(house):
    house.choose(centre_more="heartbeat_s = 10")
    await house.start()

    await house.until(lambda: house.centre.heartbeats and house.second.heartbeats)

    for centre, channel in ((house.centre, "seoul-a"), (house.second, "seoul-b")):
        heartbeat = centre.heartbeats[0]
        assert heartbeat.is_valid
        told = {
            name: values[0] for name, values in heartbeat.parameters.items() if name != "service-started-time"
        }
        assert told == {
            "heartbeat": "1",
            "heartbeat-interval-s": "10",
            "service": "onetouch",
            "service-channel": channel,
            "links": "3",
            "links-up": "3",
            "reports-owed": "0",
        }
        assert centre.reports == []
    for look in (await heartbeats_of(house)).values():
        assert (look["every_s"], look["misses"]) == (10.0, 0)
        assert look["taken_at"] is not None


@pytest_twisted.ensureDeferred
async def test_a_heartbeat_that_hangs_keeps_no_press_from_its_way(house):
    house.choose(centre_more="heartbeat_s = 10", timeout_s=60.0)
    await house.start()
    house.centre.hang()
    await house.until(lambda: house.centre.requests and house.second.heartbeats)
    await house.centre.come_back()
    caller = house.caller()

    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))

    assert not house.centre.heartbeats, "it hangs still, and kept no report from its way"
    assert house.centre.violations == []
