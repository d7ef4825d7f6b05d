"""Rows that no loop would look for: found, and what their incident owes 112 written down again; on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from telephony.domain.delivery import Delivered
from telephony.domain.plan import Plan, ReportRoute
from telephony.store.mending import LONGEST_WAIT_S, Mended, Mending
from tests.doubles import ONE_CENTRE, WITH_FALLBACK, press
from tests.store.ledger import NOON_S, Ledger

KIM, LEE = "821012345678", "821022222222"
CHANNELS = ("seoul", "locate:skt", "track:skt")
LONG_AGO = NOON_S - 3_600


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    ledger = Ledger(engines[0])
    ledger.record(press(KIM), press(LEE))
    return ledger


def change(ledger: Ledger, what: str, table: str = "delivery", channel: str | None = None) -> None:
    key = "key" if table == "incident" else "incident_key"
    where = f"{key} = {ledger.key_of(LEE)}" + ("" if table == "incident" else " AND sequence = 1")
    where += "" if channel is None else f" AND channel = '{channel}'"
    ledger.transact(lambda connection: connection.exec_driver_sql(f"UPDATE {table} SET {what} WHERE {where}"))


def mend(
    ledger: Ledger, plan: Plan = ONE_CENTRE, channels: tuple[str, ...] = CHANNELS, since: float = LONG_AGO
) -> Mended:
    mending = Mending(plan, channels)
    found = ledger.transact(mending.finds, NOON_S, since)
    mended: Mended = ledger.transact(mending.mend, NOON_S, since)
    assert found is not mended.is_nothing
    return mended


def claimed(ledger: Ledger, channel: str = "seoul") -> list[tuple[str, int, str]]:
    return sorted((item.incident_id, item.sequence, item.kind) for item in ledger.claim(channel, after_s=1))


WHOLE = [(f"sos-{KIM}", 1, "alert"), (f"sos-{LEE}", 1, "alert")]


def test_where_all_is_well_nothing_is_changed(ledger: Ledger):
    before = ledger.bare_rows("delivery"), ledger.bare_rows("incident")

    assert mend(ledger) == Mended()

    assert (ledger.bare_rows("delivery"), ledger.bare_rows("incident")) == before


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (f"due_at = {2**62}", Mended(times=1)),
        (f"lease_until = {2**62}", Mended(times=1)),
        ("state = 'pendinq'", Mended(states=1)),
        ("channel = 'seoum'", Mended(channels=1)),
    ],
)
def test_an_alert_that_no_loop_would_find_goes_out(ledger: Ledger, what: str, found: Mended):
    change(ledger, what)

    assert mend(ledger) == found

    assert claimed(ledger) == WHOLE


def test_an_alert_that_is_gone_is_written_again_and_once(ledger: Ledger):
    delete = f"DELETE FROM delivery WHERE incident_key = {ledger.key_of(LEE)}"
    ledger.transact(lambda connection: connection.exec_driver_sql(delete))

    assert mend(ledger).incidents == (f"sos-{LEE}",)
    assert mend(ledger) == Mended()

    assert claimed(ledger) == WHOLE


def test_a_newest_report_that_is_gone_is_followed_by_one_that_says_everything(ledger: Ledger):
    for item in ledger.claim():
        ledger.settle(item, Delivered())
    ledger.again("1", caller=LEE)
    delete = f"DELETE FROM delivery WHERE incident_key = {ledger.key_of(LEE)} AND sequence = 2"
    ledger.transact(lambda connection: connection.exec_driver_sql(delete))

    assert mend(ledger).incidents == (f"sos-{LEE}",)

    (update,) = ledger.claim(after_s=1)
    assert (update.sequence, update.payload["presses"]) == (3, 2)


@pytest.mark.parametrize("state", ["delivered", "rejected", "superseded"])
def test_what_was_settled_is_not_told_again_where_its_channel_has_another_name_now(
    ledger: Ledger, state: str
):
    ledger.transact(lambda c: c.exec_driver_sql(f"UPDATE delivery SET state = '{state}' WHERE sequence = 1"))

    renamed = Plan(everywhere_else=(ReportRoute("busan"),), by_carrier={})

    assert mend(ledger, renamed, ("busan", "locate:skt", "track:skt")) == Mended()


def test_what_is_owed_on_a_channel_that_is_no_more_goes_out_on_those_that_are(ledger: Ledger):
    renamed = Plan(everywhere_else=(ReportRoute("busan"),), by_carrier={})

    mended = mend(ledger, renamed, ("busan", "locate:skt", "track:skt"))

    assert mended == Mended(channels=2)
    assert claimed(ledger, "busan") == WHOLE


def test_a_state_that_is_damaged_after_the_report_was_settled_tells_nobody_again(ledger: Ledger):
    for item in ledger.claim():
        ledger.settle(item, Delivered())
    change(ledger, "state = 'dellvered'")

    assert mend(ledger) == Mended(states=1)

    assert claimed(ledger) == []


def test_a_location_errand_on_a_channel_that_never_was_goes_to_that_of_the_carrier(ledger: Ledger):
    damage = f"UPDATE delivery SET channel = 'locate:skx' WHERE channel = 'locate:skt' AND incident_key = {ledger.key_of(LEE)}"
    ledger.transact(lambda connection: connection.exec_driver_sql(damage))

    assert mend(ledger) == Mended(channels=1)

    assert len(ledger.claim("locate:skt", after_s=1)) == 2


@pytest.mark.parametrize(
    ("column", "value"), [("last_sequence", -1), ("press_count", 0), ("press_count", 2**30)]
)
def test_a_count_that_is_none_is_counted_again(ledger: Ledger, column: str, value: Any):
    change(ledger, f"{column} = {value}", "incident")

    assert mend(ledger).counts == 1

    assert [row[column] for row in ledger.rows("incident")] == [1, 1]


def test_incidents_of_before_are_left_alone(ledger: Ledger):
    change(ledger, "state = 'pendinq'")

    assert mend(ledger, since=NOON_S + 1) == Mended()


def test_a_fallback_waits_its_time(engines: tuple[Engine, Engine]):
    plan = Plan(everywhere_else=(ReportRoute("seoul"), ReportRoute("seoul-2", 3_600.0)), by_carrier={})
    ledger = Ledger(engines[0], plan)
    ledger.record(press(KIM))

    assert mend(ledger, plan, (*CHANNELS, "seoul-2")) == Mended()


def test_a_report_that_is_due_later_than_any_fallback_is_due_now(ledger: Ledger):
    change(ledger, f"due_at = {int((NOON_S + LONGEST_WAIT_S - 1) * 1_000_000)}", channel="seoul")

    assert mend(ledger) == Mended(times=1)

    assert claimed(ledger) == WHOLE


def test_an_alert_whose_first_channel_is_damaged_does_not_wait_for_the_fallback(
    engines: tuple[Engine, Engine],
):
    ledger = Ledger(engines[0], WITH_FALLBACK)
    ledger.record(press(KIM), press(LEE))
    channels = (*CHANNELS, "seoul-2")
    change(ledger, "channel = 'seoum'", channel="seoul")

    assert mend(ledger, WITH_FALLBACK, channels) == Mended(channels=1)

    assert claimed(ledger) == WHOLE


def test_an_alert_that_is_gone_from_its_first_channel_does_not_wait_for_the_fallback(
    engines: tuple[Engine, Engine],
):
    plan = Plan(everywhere_else=(ReportRoute("seoul"), ReportRoute("seoul-2", 600.0)), by_carrier={})
    ledger = Ledger(engines[0], plan)
    ledger.record(press(KIM), press(LEE))
    delete = f"DELETE FROM delivery WHERE channel = 'seoul' AND incident_key = {ledger.key_of(LEE)}"
    ledger.transact(lambda connection: connection.exec_driver_sql(delete))

    assert mend(ledger, plan, (*CHANNELS, "seoul-2")).incidents == (f"sos-{LEE}",)

    assert claimed(ledger) == WHOLE


def test_a_report_that_has_a_row_on_every_channel_needs_none_of_another(ledger: Ledger):
    copy = (
        "INSERT INTO delivery SELECT incident_key, 'seoum', sequence, kind, payload, sealed, state, attempts, created_at,"
        f" due_at, lease_owner, lease_until, settled_at, last_error, lease_token, bound FROM delivery WHERE incident_key = {ledger.key_of(LEE)}"
        " AND sequence = 1"
    )
    ledger.transact(lambda connection: connection.exec_driver_sql(copy))

    assert mend(ledger) == Mended(channels=1)

    assert ledger.delivery("seoum", 1)["state"] == "rejected"
    assert claimed(ledger) == WHOLE
