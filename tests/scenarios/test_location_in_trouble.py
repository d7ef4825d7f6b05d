"""The location service hangs, lies or does not know: 112 is told at once, and where she is as soon as that is known."""

from __future__ import annotations

import pytest
import pytest_twisted

from tests.scenarios.house import SEOUL


@pytest_twisted.ensureDeferred
async def test_112_does_not_wait_for_a_location_service_that_hangs_nor_does_another_carrier(house):
    await house.start()
    house.lbs["skt"].never()
    caller, other = house.caller(SEOUL), house.caller(SEOUL, "kt")

    await house.accepted_press(caller)
    await house.accepted_press(other, smsc=house.kt)
    await house.until(lambda: house.alerts(caller) and house.located(other))

    assert house.located(caller) == []
    house.lbs["skt"].behave()
    await house.until(lambda: house.located(caller))
    assert house.alerts(caller)[0].at < house.located(caller)[0].at
    assert house.located(caller)[0].msg_type == "Update"


TROUBLES = {
    "what is no XML": "rubbish",
    "what is no HTTP": "not_http",
    "half a document": "cut_xml",
    "entities that grow to a gigabyte": "entity_bomb",
    "the middle of the sea": "zero_zero",
    "NaN": "nan",
    "somebody else's place": "other_target",
    "a closed connection": "hang_up",
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
@pytest_twisted.ensureDeferred
async def test_112_hears_of_no_place_from_a_location_service_that_answers(house, trouble):
    await house.start()
    server = house.lbs["skt"]
    getattr(server, trouble)()
    caller = house.caller(SEOUL)

    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller) and house.logged("no position", quality="fast"))

    assert house.located(caller) == []
    server.behave()
    await house.until(lambda: house.located(caller))
    assert server.fetches == 0


@pytest_twisted.ensureDeferred
async def test_a_number_that_its_carrier_does_not_know_is_looked_for_at_the_others(house):
    await house.start()
    ported = house.caller(SEOUL, "kt")

    await house.accepted_press(ported, smsc=house.skt)
    await house.until(lambda: house.located(ported))

    assert house.located(ported)[0].parameters["location-source"] == ("lbs:kt",)
    assert house.lbs["skt"].requests[0].msid == house.lbs["kt"].requests[0].msid == ported


@pytest_twisted.ensureDeferred
async def test_a_phone_that_moves_is_followed(house):
    house.choose(interval_s=5.0)
    await house.start()
    caller = house.caller(SEOUL)
    await house.accepted_press(caller)
    await house.until(lambda: house.located(caller))

    house.lbs["skt"].place(caller, 37.5796, 126.9770, fine_m=5.0)
    house.see(37.5796, 126.9770)
    await house.until(lambda: house.located(caller)[-1].circle.startswith("37.5796"))

    assert len(house.alerts(caller)) == 1


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TALKERS = {
    "interim answers": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "chunks of one octet": (HEAD, b"1\r\na\r\n"),
    "extensions of chunks": (HEAD, b"1;" + b"e" * 900 + b"\r\na\r\n"),
    "blank lines": (b"\r\n", b"\r\n"),
}


@pytest.mark.parametrize(("beginning", "then"), TALKERS.values(), ids=TALKERS.keys())
@pytest_twisted.ensureDeferred
async def test_112_does_not_wait_for_a_location_service_that_talks_for_ever(house, beginning, then):
    await house.start()
    house.lbs["skt"].talk_for_ever(beginning, then)
    # Few: each has two talkers, who leave this process little time beside them.
    callers = [house.caller(SEOUL) for _ in range(6)]

    for caller in callers:
        await house.accepted_press(caller)
    await house.until(lambda: all(house.alerts(caller) for caller in callers))

    # Cut off for its length, or by the time budget where this process is too busy to talk so much.
    reasons = ("no answer: answer without end", "no answer: time budget")
    await house.until(lambda: any(line["reason"].startswith(reasons) for line in house.logged("no position")))
    house.lbs["skt"].behave()
    await house.until(lambda: all(house.located(caller) for caller in callers), 360)
