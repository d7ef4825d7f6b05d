"""Many keys are held at once, as in a disaster: each is one call to 112 and one alert, and none waits for another."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.lab.phones.sip import address_of
from tests.scenarios.voice import national

pytestmark = pytest.mark.xdist_group("many-calls")

CALLS, SECONDS = 100, 15
"""Twice as many a second as 200 in a minute are. The whole minute is a measurement (docs/voice.md), not a test."""
CALL_MS = 3000
RING_MS = 500


def caller_of(seen):
    """Return who an INVITE is from."""
    return (
        address_of(seen.message.headers.get("p-asserted-identity")).uri.removeprefix("sip:").partition("@")[0]
    )


@pytest_twisted.ensureDeferred
async def test_a_hundred_calls_in_15_seconds_reach_112_at_once_and_are_an_alert_each(voice, record_property):
    await voice.start()
    callers = [voice.caller() for _ in range(CALLS)]
    numbers = voice.folder / "callers.csv"
    numbers.write_text("SEQUENTIAL\n" + "".join(f"{national(caller)}\n" for caller in callers))
    centre = await voice.sipp_centre("centre_takes_many", options=("-m", CALLS, "-d", RING_MS))

    pace = ("-r", CALLS, "-rp", SECONDS * 1000, "-d", CALL_MS)
    phones = voice.sipp_phone("many_phones", options=("-inf", numbers, "-m", CALLS, *pace))
    await voice.until(lambda: phones.is_over and centre.is_over, SECONDS + 15)
    await voice.until(lambda: all(voice.told(caller, call_state="ended") for caller in callers))

    assert phones.has_followed, phones.errors
    assert centre.has_followed, centre.errors
    assert 180 not in phones.statuses()
    held = {caller_of(seen): seen.at for seen in phones.requests("INVITE")}
    rung = {caller_of(seen): seen.at for seen in centre.requests("INVITE")}
    assert held.keys() == rung.keys() == {national(caller) for caller in callers}
    assert len(centre.requests("INVITE")) == CALLS
    took_ms = sorted((rung[caller] - held[caller]) * 1000 for caller in held)
    median_ms, p99_ms = took_ms[CALLS // 2], took_ms[CALLS * 99 // 100]
    record_property("invite_to_invite_median_ms", round(median_ms, 1))
    record_property("invite_to_invite_p99_ms", round(p99_ms, 1))
    print(f"INVITE to INVITE: median {median_ms:.1f} ms, p99 {p99_ms:.1f} ms, most {took_ms[-1]:.1f} ms")  # noqa: T201 - shown when it fails
    assert median_ms < 100
    reports = voice.centre.reports
    alerts = sorted(report.parameters["callback"][0] for report in reports if report.msg_type == "Alert")
    assert alerts == sorted(f"tel:+{caller}" for caller in callers)
    named = {seen.message.headers.get("x-incident-id") for seen in centre.requests("INVITE")}
    assert named == {report.incident for report in reports}
    ends = {report.parameters.get("call-ended-by") for report in reports}
    assert ends == {None, ("caller",)}


STANDING, STANDING_MS = 40, 20_000
"""500 of them are a measurement (bench/calls.py), not a test."""


@pytest_twisted.ensureDeferred
async def test_calls_that_stand_while_the_daemon_is_killed_and_started_are_told_once_and_to_their_end(voice):
    await voice.start()
    callers = [voice.caller() for _ in range(STANDING)]
    numbers = voice.folder / "callers.csv"
    numbers.write_text("SEQUENTIAL\n" + "".join(f"{national(caller)}\n" for caller in callers))
    centre = await voice.sipp_centre("centre_takes_many", options=("-m", STANDING, "-d", RING_MS))
    phones = voice.sipp_phone(
        "many_phones",
        options=("-inf", numbers, "-m", STANDING, "-r", STANDING, "-rp", 4000, "-d", STANDING_MS),
    )
    await voice.until(lambda: all(voice.told(caller, call_state="connected") for caller in callers))

    await voice.kill9()
    await voice.start()
    await voice.until(lambda: phones.is_over and centre.is_over)
    await voice.until(lambda: all(voice.told(caller, call_state="ended") for caller in callers))

    assert phones.has_followed, phones.errors
    assert centre.has_followed, centre.errors
    assert [len(voice.alerts(caller)) for caller in callers] == [1] * STANDING
    lasted = [
        voice.told(caller, call_state="ended")[0].parameters["call-duration-s"][0] for caller in callers
    ]
    assert min(map(int, lasted)) >= STANDING_MS / 1000 - 1
    assert voice.daemon.rows("SELECT count(*), sum(press_count) FROM incident") == [(STANDING, STANDING)]
