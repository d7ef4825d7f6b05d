"""Machines come in over HTTP: a press of an app is a press as any other, and the page for their developers is true."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

import pytest
import pytest_twisted

from telephony.lab.ports import free_port
from tests.scenarios.doors import CENTRE_TOKEN, PRESSER_TOKEN, SETTINGS, STATUS_TOKEN, Machine, examples
from tests.scenarios.house import SEOUL

AT = {
    "latitude": 37.5651,
    "longitude": 126.9895,
    "uncertainty_m": 12,
    "confidence_percent": 95,
    "method": "gnss",
}
ELSEWHERE = {"latitude": 37.5797, "longitude": 126.977, "uncertainty_m": 8, "confidence_percent": 95}


@pytest.fixture
def app(house):
    """A house whose daemon has doors, and the server of the app."""
    port = free_port()
    (house.folder / "presser.token").write_text(f"{PRESSER_TOKEN}\n")
    (house.folder / "centre.token").write_text(CENTRE_TOKEN)
    house.choose(
        more=SETTINGS.format(port=port, folder=house.folder),
        centre_more=STATUS_TOKEN.format(folder=house.folder),
    )
    house.keep_secret(PRESSER_TOKEN, CENTRE_TOKEN, "도와주세요 화장실")
    house.see(AT["latitude"], AT["longitude"])
    house.see(ELSEWHERE["latitude"], ELSEWHERE["longitude"])
    return Machine(port)


@pytest_twisted.ensureDeferred
async def test_a_press_of_the_app_reaches_112_with_the_place_where_the_phone_found_itself(house, app):
    await house.start()
    caller = house.caller()

    said = await app.press(
        {
            "caller": f"+{caller}",
            "source": "app",
            "text": "도와주세요 화장실",
            "position": AT,
            "battery_percent": 7,
        }
    )

    assert said.status == 201
    await house.until(lambda: house.alerts(caller))
    (alert,) = house.alerts(caller)
    assert said.known["incident"] == alert.incident
    assert alert.circle == "37.565100,126.989500 0.012"
    assert alert.parameters["trigger-source"] == ("app",)
    assert alert.parameters["caller-text"] == ("도와주세요 화장실",)
    assert alert.parameters["location-source"] == ("device",)
    assert alert.parameters["device-battery-percent"] == ("7",)


@pytest_twisted.ensureDeferred
async def test_later_fixes_are_told_until_the_incident_is_closed(house, app):
    await house.start()
    caller = house.caller()
    said = await app.press({"caller": f"+{caller}", "position": AT})
    await house.until(lambda: house.alerts(caller))

    later = await app.send("PUT", said.known["position"], ELSEWHERE)

    assert later.status == 204
    await house.until(lambda: [r for r in house.reports(caller) if r.circle == "37.579700,126.977000 0.008"])
    await house.onetouch("incidents", "close", said.known["incident"], "--reason", "met by unit 12")
    assert (await app.send("PUT", said.known["position"], AT)).status == 410


@pytest_twisted.ensureDeferred
async def test_a_press_by_sms_and_one_of_the_app_are_one_incident(house, app):
    await house.start()
    caller = house.caller(SEOUL)
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))

    said = await app.press({"caller": f"+{caller}", "source": "terminal"})

    (alert,) = house.alerts(caller)
    assert (said.status, said.known["incident"]) == (201, alert.incident)
    await house.until(
        lambda: any("pressed-again" in r.parameters.get("update-reason", ()) for r in house.reports(caller))
    )


@pytest_twisted.ensureDeferred
async def test_the_same_request_again_is_the_same_press_whatever_happened_to_the_daemon_between(house, app):
    await house.start()
    caller = house.caller()
    press = {"caller": f"+{caller}", "position": AT}
    first = await app.press(press)
    await house.until(lambda: house.alerts(caller))
    again = await app.press(press)
    await house.kill9()
    await house.start()

    last = await app.press(press)

    assert {(each.status, each.known["incident"]) for each in (first, again, last)} == {
        (201, first.known["incident"])
    }
    assert house.daemon.rows("SELECT press_count FROM incident") == [(1,)]
    assert house.daemon.rows("SELECT count(*) FROM position WHERE source = 'device'") == [(1,)]
    assert len(house.alerts(caller)) == 1


@pytest_twisted.ensureDeferred
async def test_a_press_is_kept_and_told_while_the_store_is_locked(house, app):
    await house.start()
    caller = house.caller()
    with closing(sqlite3.connect(house.daemon.store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = await app.press({"caller": f"+{caller}", "position": AT})
        assert said.status == 201
        await house.until(lambda: house.alerts(caller))
        other.execute("ROLLBACK")

    (alert,) = house.alerts(caller)
    assert alert.circle == "37.565100,126.989500 0.012"
    await house.until(lambda: house.daemon.rows("SELECT id FROM incident") == [(said.known["incident"],)])
    assert len(house.alerts(caller)) == 1


@pytest_twisted.ensureDeferred
async def test_a_stranger_presses_for_nobody(house, app):
    await house.start()
    caller = house.caller()

    said = await Machine(app.port, "guess" * 10).press({"caller": f"+{caller}"})

    assert (said.status, said.known["code"]) == (401, "unauthenticated")
    await house.until(lambda: house.logged("connections refused", server="web", cause="unknown token"))
    assert house.daemon.rows("SELECT count(*) FROM press") == [(0,)]


@pytest_twisted.ensureDeferred
async def test_the_examples_of_the_page_are_answered_as_it_says(house, app):
    await house.start()
    house.keep_secret("살려주세요", "821012345678")
    press, fix, status = examples()

    pressed = await app.run(press)
    assert (pressed.status, sorted(pressed.known)) == (201, ["incident", "position"])
    incident = pressed.known["incident"]
    await house.until(lambda: house.alerts("821012345678"))
    assert (await app.run(fix, sos_20261130_7k3qwz2m9t=incident)).status == 204
    told = await app.run(
        status, sos_20261130_7k3qwz2m9t=incident, **{"2026_11_30T19:00:20": "2026-01-01T00:00:00"}
    )
    assert (told.status, told.known) == (
        200, {"incident": incident, "state": "dispatched", "silence": "held", "became": "applied"}
    )  # fmt: skip


def said(incident, status, n, **more):
    """A status that happened in the n-th second of a day long ago."""
    return {
        "id": f"{status}-{n}",
        "incident": incident,
        "at": f"2026-01-01T00:00:{n:02}Z",
        "status": status,
    } | more


@pytest_twisted.ensureDeferred
async def test_the_system_of_the_centre_takes_the_incident_sends_a_unit_and_closes_it(house, app):
    centre = Machine(app.port, CENTRE_TOKEN)
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    (alert,) = house.alerts(caller)

    async def tell(*status, **more):
        answer = await centre.send("POST", "/v1/centre/seoul/status", said(alert.incident, *status, **more))
        return answer.status, answer.known.get("state"), answer.known.get("became", answer.known.get("code"))

    assert await tell("dispatched", 2, unit="unit 12") == (200, "dispatched", "applied")
    assert await tell("accepted", 1) == (200, "dispatched", "stood-already")
    assert await tell("call-back", 3) == (409, None, "order-refused")
    assert await tell("arrived", 4, unit="unit 12") == (200, "dispatched", "applied")
    assert await tell("note", 5, words="back door is open") == (200, "dispatched", "applied")
    await house.kill9()
    await house.start()
    assert await tell("note", 5, words="back door is open") == (200, "dispatched", "applied")
    assert await tell("closed", 6, outcome="helped") == (200, "closed", "applied")
    assert await tell("lift-silence", 7) == (410, None, "incident-closed")

    await house.until(
        lambda: [r for r in house.reports(caller) if "closed" in r.parameters.get("update-reason", ())]
    )
    last = house.reports(caller)[-1]
    assert (last.parameters["arrived"], last.parameters["note"]) == (("unit 12",), ("back door is open",))
    assert last.parameters["close-reason"] == ("helped",)
    story = await house.onetouch("incidents", "show", alert.incident)
    assert "arrived unit 12, says seoul" in story
    assert "status call-back of seoul: refused" in story
    assert "centre:seoul" in await house.onetouch("audit", "list", "--why", "test of the doors")


@pytest_twisted.ensureDeferred
async def test_a_changed_token_is_known_after_a_reload_and_the_old_one_is_not(house, app):
    await house.start()
    (house.folder / "presser.token").write_text("f" * 40)
    house.daemon.signal(signal.SIGHUP)
    await house.until(lambda: house.logged("settings reloaded"))

    assert (await app.press({"caller": f"+{house.caller()}"})).status == 401
    assert (await Machine(app.port, "f" * 40).press({"caller": f"+{house.caller()}"})).status == 201
