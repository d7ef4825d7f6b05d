"""The control centre cannot be reached, or does not answer: every report stays owed until it is acknowledged."""

from __future__ import annotations

import pytest_twisted

from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.house import SEOUL


@pytest_twisted.ensureDeferred
async def test_112_down_for_long_and_back_hears_everything_in_order_with_one_alert_per_caller(house):
    await house.start()
    await house.centre.go_down()
    callers = [house.caller(SEOUL), house.caller(), house.caller(carrier="kt")]

    for caller in callers:
        await house.accepted_press(caller, "첫 번째 도움 요청")
    await house.until(lambda: house.logged("will retry", kind="alert", attempt=4))
    await house.accepted_press(callers[0], "두 번째 도움 요청")
    await house.centre.come_back()
    await house.until(lambda: all(house.alerts(caller) for caller in callers))
    await house.until(lambda: house.reports(callers[0])[-1].parameters["press-count"] == ("2",))

    for caller in callers:
        reports = house.reports(caller)
        numbers = [int(report.parameters["report-sequence"][0]) for report in reports]
        assert numbers == list(range(1, len(reports) + 1))
        assert [report.msg_type for report in reports] == ["Alert"] + ["Update"] * (len(reports) - 1)
        assert len({report.incident for report in reports}) == 1
    assert house.located(callers[0])
    await house.until(lambda: house.logged("alarm", alarm="channel-failing", about="seoul-a"))
    await house.until(lambda: house.logged("alarm over", alarm="channel-failing", about="seoul-a"))


@pytest_twisted.ensureDeferred
async def test_where_112_hangs_its_second_address_gets_the_report_after_its_time_while_the_first_keeps_trying(
    house,
):
    house.choose(timeout_s=1.0, second_after_s=1.5)
    await house.start()
    house.centre.hang()
    caller, at = house.caller(), house.reactor.seconds()

    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller, house.second))
    attempts = house.centre.requests
    await house.until(lambda: house.centre.requests > attempts)
    await house.centre.come_back()
    await house.until(lambda: house.alerts(caller))

    (by_second,), (by_first,) = house.reports(caller, house.second), house.reports(caller)
    assert by_second.at - at > 1.5
    assert by_first.raw == by_second.raw


@pytest_twisted.ensureDeferred
async def test_the_second_address_hears_nothing_of_what_the_first_has_acknowledged(house):
    house.choose(second_after_s=0.5)
    await house.start()
    one, other = house.caller(), house.caller()

    await house.accepted_press(one)
    await house.until(lambda: house.alerts(one))
    house.centre.hang()
    await house.accepted_press(other)
    await house.until(lambda: house.alerts(other, house.second))

    assert house.reports(one, house.second) == []
    await house.centre.come_back()


@pytest_twisted.ensureDeferred
async def test_a_centre_that_is_busy_is_asked_again_when_it_says(house):
    await house.start()
    house.centre.refuse(503, retry_after="2")
    caller = house.caller()

    assert await house.soon(house.press(caller)) == ESME_ROK
    await house.until(lambda: house.centre.requests == 1)
    at = house.reactor.seconds()
    await house.centre.come_back()
    await house.until(lambda: house.alerts(caller))

    assert house.alerts(caller)[0].at - at > 1.9


@pytest_twisted.ensureDeferred
async def test_the_turn_of_the_second_address_comes_although_nobody_can_read_the_store(house):
    """What hangs in the readers' threads is not what looks for reports that are due."""
    house.choose(timeout_s=1.0, second_after_s=0.5)
    await house.start("readers-hang")
    caller, before = house.caller(), house.caller()
    # How far the journal is taken up is read once, after the start.
    await house.accepted_press(before)
    await house.until(lambda: house.alerts(before))
    (house.folder / "readers-hang").touch()
    house.centre.hang()

    await house.accepted_press(caller)

    await house.until(lambda: house.alerts(caller, house.second))
    await house.centre.come_back()
    await house.until(lambda: house.alerts(caller))
