"""One bad item costs itself: a damaged row, a report that 112 refuses; what stands behind it goes out."""

from __future__ import annotations

import sqlite3

import pytest
import pytest_twisted

DAMAGED, SET_BACK = ("alarm", "rows-damaged"), ("clock was set back while we were away", None)
"""What is said of it: event and alarm. A report that was tried and is due in the far future is as after a clock that was set back."""
NOTHING = ("", None)
"""A count that is none begins again, and nothing is lost."""


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE delivery SET payload = '[' WHERE sequence = 1", DAMAGED),
        ("UPDATE delivery SET attempts = 'x' WHERE sequence = 1", NOTHING),
        ("UPDATE delivery SET kind = CAST(X'ff' AS TEXT) WHERE sequence = 1", DAMAGED),
        ("UPDATE delivery SET created_at = 9223372036854775807 WHERE sequence = 1", DAMAGED),
        ("UPDATE delivery SET due_at = 9223372036854775807 WHERE sequence = 1", SET_BACK),
        ("UPDATE delivery SET channel = 'seoul-x' WHERE sequence = 1 AND channel = 'seoul-a'", DAMAGED),
        ("UPDATE delivery SET state = 'pendinq' WHERE sequence = 1", DAMAGED),
        ("DELETE FROM delivery WHERE sequence = 1", DAMAGED),
        ("DELETE FROM press", DAMAGED),
    ],
)
@pytest_twisted.ensureDeferred
async def test_rows_that_were_damaged_while_the_daemon_was_away_are_told_and_nobody_waits_behind_them(
    house, damage, said
):
    await house.start()
    await house.centre.go_down()
    await house.second.go_down()
    damaged, other = house.caller(), house.caller()
    await house.accepted_press(damaged)
    await house.until(lambda: house.daemon.rows("SELECT 1 FROM delivery WHERE sequence = 1 AND attempts > 0"))
    await house.kill9()
    store = sqlite3.connect(house.daemon.store)
    store.execute(damage)
    store.commit()
    store.close()

    await house.start()
    await house.accepted_press(other)
    event, alarm = said
    if said != NOTHING:
        # While 112 is away nothing is settled that the look for damage would have found.
        await house.until(lambda: house.logged(event, **({"alarm": alarm} if alarm else {})))
    await house.centre.come_back()

    await house.until(lambda: house.alerts(damaged) and house.alerts(other), 30)
    if said == NOTHING:
        assert house.logged("alarm", alarm="rows-damaged") == []


@pytest.mark.parametrize("status", [400, 413])
@pytest_twisted.ensureDeferred
async def test_an_update_that_112_refuses_is_set_aside_and_the_next_one_arrives(house, status):
    await house.start()
    caller = house.caller()
    await house.accepted_press(caller, "경찰 불러 주세요")
    await house.until(lambda: house.alerts(caller))
    house.centre.refuse_if(status, lambda octets: b"-2</identifier>" in octets)

    await house.accepted_press(caller, "문 앞에 있어요")
    await house.until(lambda: house.logged("will retry", kind="update", sequence=2))
    await house.accepted_press(caller, "빨리요")

    await house.until(lambda: len(house.reports(caller)) == 2, 60)
    (rejected,) = house.logged("rejected", sequence=2, channel="seoul-a")
    assert rejected["reason"] == f"the centre answered {status}"
    assert house.logged("alarm", alarm="report-rejected", about="seoul-a")
    assert house.reports(caller)[-1].parameters["caller-text"] == (
        "경찰 불러 주세요",
        "문 앞에 있어요",
        "빨리요",
    )
