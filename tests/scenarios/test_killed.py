"""The daemon dies at the worst moments; no acknowledged press is forgotten, and none is told twice."""

from __future__ import annotations

import pytest
import pytest_twisted

from telephony.smpp.wire.constants import ESME_ROK


@pytest.mark.parametrize("ack_after", ["journal", "store"])
@pytest_twisted.ensureDeferred
async def test_killed_between_disk_and_acknowledgement_the_redelivery_joins_what_was_kept(house, ack_after):
    house.choose(ack_after=ack_after)
    await house.start("before-acknowledging")
    caller = house.caller()

    acknowledgement = house.press(caller)
    await house.died()
    in_the_store = [(1, 1)] if ack_after == "store" else [(0, None)]
    assert house.daemon.rows("SELECT count(*), max(seen) FROM press") == in_the_store
    assert house.skt.counts.acked == 0
    await house.start()

    assert await house.soon(acknowledgement) == ESME_ROK
    await house.until(lambda: len(house.reports(caller)) == 2)
    alert, update = house.reports(caller)
    assert (alert.msg_type, update.msg_type) == ("Alert", "Update")
    assert "seen-again" in update.parameters["update-reason"]
    assert house.daemon.rows("SELECT id, press_count FROM incident") == [(alert.incident, 1)]
    assert house.daemon.rows("SELECT seen FROM press") == [(2,)]


@pytest_twisted.ensureDeferred
async def test_killed_between_commit_and_report_112_is_told_after_the_next_start_though_nobody_sends_again(
    house,
):
    await house.start("before-reporting")
    caller = house.caller()

    await house.accepted_press(caller)
    await house.kill9()
    assert house.centre.requests == 0
    assert house.skt.queued == 0
    await house.start()

    await house.until(lambda: house.alerts(caller))
    await house.until(lambda: house.logged("delivered", kind="alert"))
    assert len(house.reports(caller)) == 1
    assert house.daemon.rows("SELECT seen FROM press") == [(1,)]


@pytest_twisted.ensureDeferred
async def test_killed_while_112_has_the_report_but_has_not_answered_the_repeat_is_the_very_same(house):
    await house.start()
    caller = house.caller()
    house.centre.slow(3600)

    await house.accepted_press(caller)
    await house.until(lambda: house.alerts(caller))
    await house.kill9()
    await house.centre.come_back()
    await house.start()

    await house.until(lambda: house.logged("delivered", kind="alert"))
    assert len(house.reports(caller)) == 1
    assert house.centre.repeats == 1
    assert house.centre.violations == []


@pytest.mark.xdist_group("heavy")
@pytest_twisted.ensureDeferred
async def test_stopped_in_good_order_under_load_nothing_is_lost_and_nobody_is_reported_twice(house):
    await house.start()
    # So that there are always reports in 112's hands that it has not acknowledged yet.
    house.centre.slow(0.2)
    callers = [house.caller() for _ in range(600)]

    for caller in callers:
        house.press(caller)
    await house.until(lambda: house.skt.counts.acked >= 50)
    await house.stop()
    acked_by_then = house.skt.counts.acked
    assert house.logged("alarm", alarm="link-down") == []
    await house.start()

    def alerts():
        return [report for report in house.centre.reports if report.msg_type == "Alert"]

    await house.until(lambda: house.skt.queued == 0 and len(alerts()) >= 600)

    assert 50 <= acked_by_then < 600
    told = sorted(report.parameters["callback"] for report in alerts())
    assert told == [(f"tel:+{caller}",) for caller in sorted(callers)]
    # What our unbind overtook comes again, and may have been pressed again.
    updates = [report for report in house.centre.reports if report.msg_type != "Alert"]
    assert all("seen-again" in report.parameters["update-reason"] for report in updates)
    assert house.centre.repeats == 0
