"""What becomes of a press when all is well: the service, told from the key to the control centre."""

from __future__ import annotations

import json

import pytest
import pytest_twisted
from twisted.internet.task import deferLater

from telephony.lab.carrier.mobile_originated import encode_mo, split_text
from telephony.smpp.request_book import ROUND_TRIP_S
from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.house import HELP, LONG_HELP, SEOUL


@pytest_twisted.ensureDeferred
async def test_a_press_reaches_112_without_a_position_and_the_position_follows_as_an_update(house):
    await house.start()
    caller = house.caller(SEOUL)

    await house.accepted_press(caller)
    await house.until(lambda: house.located(caller))

    alert, update = house.reports(caller)[:2]
    assert (alert.msg_type, alert.status, alert.circle) == ("Alert", "Actual", None)
    assert alert.parameters["caller-text"] == (HELP,)
    assert alert.parameters["carrier"] == ("skt",)
    assert update.msg_type == "Update"
    assert [reference.split(",")[1] for reference in update.references] == [alert.identifier]
    latitude, longitude = update.circle.split(" ")[0].split(",")
    assert (float(latitude), float(longitude)) == pytest.approx(SEOUL, abs=1e-4)
    assert update.parameters["location-source"] == ("lbs:skt",)


@pytest_twisted.ensureDeferred
async def test_a_long_sms_in_two_segments_over_two_binds_in_wrong_order_is_one_incident_with_its_whole_text(
    house,
):
    await house.start()
    caller = house.caller()

    parts = [encode_mo(caller, "112", content) for content in split_text(LONG_HELP, 7, "udh")]
    for part in reversed(parts):
        assert await house.soon(house.skt.send_pdus([part])) == ESME_ROK
    await house.until(lambda: len(house.reports(caller)) == 2)

    alert, update = house.reports(caller)
    assert alert.parameters["caller-text"] == ("…" + LONG_HELP[67:],)
    assert update.parameters["caller-text"] == (LONG_HELP,)
    assert {report.incident for report in (alert, update)} == {alert.incident}
    await house.until(lambda: len(house.logged("press accepted", incident=alert.incident)) == 2)
    connectors = {line["connector"] for line in house.logged("press accepted")}
    assert connectors == {"skt-1", "skt-2"}


@pytest_twisted.ensureDeferred
async def test_two_callers_with_the_same_segment_reference_never_mix(house):
    await house.start()
    texts = {house.caller(): "가" * 67 + "나" * 20, house.caller(): "다" * 67 + "라" * 20}
    parts = {
        caller: [encode_mo(caller, "112", content) for content in split_text(text, 7, "udh")]
        for caller, text in texts.items()
    }
    one, other = parts.values()

    assert await house.soon(house.skt.send_pdus([one[0], other[1], other[0], one[1]])) == ESME_ROK

    for caller, text in texts.items():
        await house.until(
            lambda: any(r.parameters["caller-text"] == (text,) for r in house.reports(caller))  # noqa: B023 - awaited here
        )
    for caller, text in texts.items():
        written = "".join("".join(report.parameters["caller-text"]) for report in house.reports(caller))
        assert set(written) <= set(text) | {"…"}
        assert len({report.incident for report in house.reports(caller)}) == 1
    first, second = (house.reports(caller)[0].incident for caller in texts)
    assert first != second


SEEN_AGAIN = "seen again: redelivery or pressed again"


@pytest_twisted.ensureDeferred
async def test_a_message_delivered_again_after_a_restart_and_on_the_other_bind_is_no_second_alert(house):
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    (alert,) = house.alerts(caller)

    await house.restart()
    statuses = [house.skt.redeliver(), house.skt.redeliver()]
    assert [await house.soon(status) for status in statuses] == [ESME_ROK, ESME_ROK]
    await house.until(lambda: house.logged("delivered", kind="update"))
    again = await house.onetouch("incidents", "show", alert.incident, "--json")

    # The daemon writes its log a moment later, and all of it before it ends.
    await house.stop()
    seen_again = house.logged("press accepted", incident=alert.incident)[1:]
    assert {line["joined"] for line in seen_again} == {SEEN_AGAIN}
    assert {line["connector"] for line in seen_again} == {"skt-1", "skt-2"}
    story = json.loads(again)
    assert [line["seen"] for line in story["story"] if line["what"] == "press"] == [3]
    assert story["press_count"] == 1
    assert house.alerts(caller) == [alert]
    for update in house.reports(caller)[1:]:
        assert "seen-again" in update.parameters["update-reason"]
        assert update.parameters["press-count"] == ("1",)
    assert house.centre.repeats == 0


@pytest_twisted.ensureDeferred
async def test_the_key_pressed_again_after_our_answer_is_counted_and_told(house):
    """An SOS key says the same every time, and what was acknowledged on a link that stands is not delivered again."""
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    await deferLater(house.reactor, 2 * ROUND_TRIP_S)

    await house.accepted_press(caller)
    await house.until(lambda: len(house.reports(caller)) == 2)

    alert, update = house.reports(caller)
    assert (alert.msg_type, update.msg_type) == ("Alert", "Update")
    assert update.parameters["press-count"] == ("2",)
    assert "pressed-again" in update.parameters["update-reason"]


@pytest_twisted.ensureDeferred
async def test_a_message_that_comes_again_after_its_link_fell_is_told_as_seen_again(house):
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller)
    house.skt.drop_link()
    await house.until(lambda: house.alerts(caller))
    await house.soon(house.skt.when_bound(2))

    assert await house.soon(house.skt.redeliver()) == ESME_ROK
    await house.until(lambda: len(house.reports(caller)) == 2)

    alert, update = house.reports(caller)
    assert (alert.msg_type, update.msg_type) == ("Alert", "Update")
    assert update.parameters["press-count"] == ("1",)
    assert "seen-again" in update.parameters["update-reason"]
    assert len(update.parameters["seen-again-time"]) == 1


@pytest_twisted.ensureDeferred
async def test_two_callers_who_withhold_their_numbers_and_say_the_same_are_two_emergencies(house):
    await house.start()

    for _ in range(2):
        assert await house.soon(house.skt.send_mo("", "112", text=HELP)) == ESME_ROK
        await deferLater(house.reactor, 2 * ROUND_TRIP_S)
    await house.until(lambda: len(house.centre.reports) == 2)

    assert [report.msg_type for report in house.centre.reports] == ["Alert", "Alert"]
    assert len({report.incident for report in house.centre.reports}) == 2


@pytest_twisted.ensureDeferred
async def test_a_second_press_of_a_caller_joins_the_open_incident_and_112_hears_of_it_as_an_update(house):
    await house.start()
    caller = house.caller()

    await house.accepted_press(caller, "첫 번째 도움 요청")
    await house.accepted_press(caller, "두 번째 도움 요청")
    await house.until(lambda: len(house.reports(caller)) == 2)

    alert, update = house.reports(caller)
    assert (alert.msg_type, update.msg_type) == ("Alert", "Update")
    assert update.incident == alert.incident
    assert update.parameters["press-count"] == ("2",)
    assert update.parameters["caller-text"] == ("첫 번째 도움 요청", "두 번째 도움 요청")


def questions(house, caller):
    """Return what the location server was asked about a number."""
    return [request for request in house.lbs["skt"].requests if request.msid == caller]


@pytest_twisted.ensureDeferred
async def test_an_operator_closes_an_incident_and_112_is_told_and_the_phone_is_no_longer_looked_for(house):
    house.choose(interval_s=5.0)
    await house.start()
    caller, other = house.caller(SEOUL), house.caller(SEOUL)
    for each in (caller, other):
        await house.accepted_press(each)
        await house.until(lambda: len(questions(house, each)) == 2)  # noqa: B023 - awaited here
    incident = house.alerts(caller)[0].incident

    said = await house.onetouch("incidents", "close", incident, "--reason", "found safe, unit 12")
    await house.until(lambda: house.reports(caller)[-1].parameters["incident-state"] == ("closed",))
    await house.until(lambda: len(questions(house, other)) == 3)

    assert said == f"closed {incident}\n"
    closing = house.reports(caller)[-1]
    assert closing.parameters["close-reason"] == ("found safe, unit 12",)
    assert closing.references
    assert len(questions(house, caller)) == 2
    assert incident not in await house.onetouch("incidents", "list", "--open")
    await house.accepted_press(caller, "다시 도와주세요")
    await house.until(lambda: len(house.alerts(caller)) == 2)
    assert house.alerts(caller)[1].incident != incident


@pytest_twisted.ensureDeferred
async def test_112_takes_an_incident_and_sends_units_and_all_goes_on_as_before_until_it_is_closed(house):
    house.choose(interval_s=5.0)
    await house.start()
    caller = house.caller(SEOUL)
    await house.accepted_press(caller)
    await house.until(lambda: len(questions(house, caller)) == 2)
    incident = house.alerts(caller)[0].incident
    by = ("--by", "Lee, desk 7")

    said = [
        await house.onetouch("incidents", "acknowledge", incident, *by),
        await house.onetouch("incidents", "dispatch", incident, "--unit", "순찰 12호", *by),
        await house.onetouch("incidents", "dispatch", incident, "--unit", "ambulance 3", *by),
        await house.onetouch("incidents", "dispatch", incident, "--unit", "순찰 12호"),
    ]
    asked = len(questions(house, caller))
    await house.until(lambda: "ambulance 3" in house.reports(caller)[-1].parameters.get("dispatched", ()))

    assert said == [
        f"{incident} is acknowledged\n",
        f"순찰 12호 is dispatched to {incident}\n",
        f"ambulance 3 is dispatched to {incident}\n",
        f"순찰 12호 was dispatched to {incident} already; nothing is changed\n",
    ]
    told = house.reports(caller)[-1]
    assert told.parameters["acknowledged"] == ("Lee, desk 7",)
    assert told.parameters["dispatched"] == ("순찰 12호", "ambulance 3")
    assert told.parameters["incident-state"] == ("open",)
    assert "출동: 순찰 12호, " in told.raw.decode()
    reasons = [
        each for report in house.reports(caller) for each in report.parameters.get("update-reason", ())
    ]
    assert {"acknowledged", "dispatched"} <= set(reasons)

    await house.accepted_press(caller, "아직 여기 있어요")
    await house.until(lambda: house.reports(caller)[-1].parameters["press-count"] == ("2",))
    await house.until(lambda: len(questions(house, caller)) > asked)
    assert {report.incident for report in house.reports(caller)} == {incident}
    (row,) = [
        json.loads(line)
        for line in (await house.onetouch("incidents", "list", "--open", "--json")).splitlines()
    ]
    assert (row["incident"], row["state"], row["press_count"]) == (incident, "dispatched", 2)

    await house.onetouch("incidents", "close", incident, "--reason", "found safe, unit 12")
    await house.until(lambda: house.reports(caller)[-1].parameters["incident-state"] == ("closed",))
    assert "is closed" in await house.refused_onetouch("incidents", "dispatch", incident, "--unit", "unit 14")
    assert "is closed" in await house.refused_onetouch("incidents", "acknowledge", incident)


@pytest_twisted.ensureDeferred
async def test_the_command_tells_the_story_of_an_incident_without_telling_who_and_where(house):
    await house.start()
    caller = house.caller(SEOUL)
    await house.accepted_press(caller)
    await house.until(lambda: house.located(caller))
    await house.until(lambda: house.logged("delivered", kind="update"))
    incident = house.alerts(caller)[0].incident

    listed = await house.onetouch("incidents", "list", "--json")
    story = await house.onetouch("incidents", "show", incident)
    with_place = await house.onetouch("incidents", "show", incident, "--positions", "--why", "a test")

    (row,) = [json.loads(line) for line in listed.splitlines()]
    assert (row["incident"], row["state"], row["press_count"]) == (incident, "open", 1)
    assert 0 < row["told_ms"] < row["located_ms"] + 5_000
    for words in (
        "press 1 by sms on skt-",
        "alert 1 to seoul-a ACKNOWLEDGED",
        "position 1 by lbs:skt",
        "update 2 to seoul-a",
    ):
        assert words in story
    for told in (listed, story):
        assert caller not in told
        assert HELP not in told
        assert "37.566" not in told
    assert "37.566" in with_place


@pytest.mark.xdist_group("heavy")
@pytest_twisted.ensureDeferred
async def test_five_hundred_presses_at_once_are_all_acknowledged_and_reported_as_one_incident_each(house):
    await house.start()
    callers = [house.caller() for _ in range(500)]

    statuses = [house.press(caller) for caller in callers]
    await house.soon(house.skt.when_empty())
    await house.until(lambda: len(house.centre.reports) >= 500)

    assert {await status for status in statuses} == {ESME_ROK}
    assert house.skt.counts.refused == 0
    alerts = [report.parameters["callback"] for report in house.centre.reports if report.msg_type == "Alert"]
    assert sorted(alerts) == [(f"tel:+{caller}",) for caller in sorted(callers)]
    assert len({report.incident for report in house.centre.reports}) == 500
    assert house.centre.repeats == 0
