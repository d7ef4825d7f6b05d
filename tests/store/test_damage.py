"""Rows that are damaged in every way that a column can be: what is left is told to 112, and no other incident waits behind it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from telephony.domain.delivery import Delivered
from telephony.domain.report import Report
from telephony.psap.cap import encode
from telephony.store.mending import Mending
from tests.doubles import KST, ONE_CENTRE, press
from tests.store.ledger import NOON_S, Ledger, call_fact, fix

LEE, PARK = "821022222222", "821033333333"
CHANNELS = ("seoul", "locate:skt", "track:skt")

ANYTHING = (
    "NULL", "'x'", "''", "X'ff00'", "-1", "0", "9223372036854775807", "1e308", "CAST(X'ff' AS TEXT)",
)  # fmt: skip
"""What a damaged column of SQLite may hold, whatever its type was."""
PAYLOADS = (
    "[", "[]", "7", "null", "{}", '{"presses":"x"}', '{"presses":-3}', '{"presses":true}', '{"presses":999}',
    '{"presses":1e999}', '{"presses":123456789012345678901234567890}', "[" * 100_000, '{"presses":1' + " " * 1_000_000,
    '{"presses":1,"position":[1]}', '{"presses":1,"position":9}', '{"presses":1,"facts":"x"}',
    '{"presses":1,"facts":9223372036854775807}', '{"presses":1,"why":5}', '{"presses":1,"why":[[1]]}',
)  # fmt: skip
COLUMNS = {
    "delivery": (
        "payload", "kind", "state", "channel", "sequence", "attempts", "created_at", "due_at", "lease_until",
        "lease_owner", "sealed", "incident_key",
    ),
    "incident": ("id", "sealed", "carrier", "source", "opened_at", "test", "last_sequence", "press_count", "fact_count", "position_count", "best_position", "state", "key"),
    "press": (
        "sealed", "received_at", "part_reference", "part_total", "part_number", "number", "labels", "incident_key"
    ),
    "position": (
        "sealed", "uncertainty_m", "confidence", "method", "source", "fixed_at", "received_at", "became_best", "number"
    ),
    "fact": ("sealed", "kind", "subject", "at", "number"),
}  # fmt: skip
OF_WHOM = {("incident", "sealed"), ("incident", "key")}
"""Columns without which it cannot be said who presses."""

pytestmark = pytest.mark.parametrize("engines", ["sqlite"], indirect=True)
"""PostgreSQL checks the types of its columns: an SQLite store alone holds values of any type."""


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """Two callers who owe 112 an alert and an update each."""
    ledger = Ledger(engines[0])
    for caller in (PARK, LEE):
        ledger.record(press(caller))
        ledger.locate(fix(), caller)
        ledger.tell(call_fact(), incident_id=f"sos-{caller}")
    return ledger


def damage(ledger: Ledger, table: str, column: str, value: str, *arguments: Any) -> bool:
    """Put the value, as SQL, into Park's row: of the outbox into that of the alert. False where SQLite has none of it."""
    key = "key" if table == "incident" else "incident_key"
    of_alert = " AND channel = 'seoul' AND sequence = 1" if table == "delivery" else ""
    statement = f"UPDATE {table} SET {column} = {value} WHERE {key} = {ledger.key_of(PARK)}{of_alert}"
    try:
        ledger.transact(lambda connection: connection.exec_driver_sql(statement, arguments))
    except IntegrityError:
        return False
    return True


def tell_112(ledger: Ledger) -> list[Report]:
    """Empty the outbox as the relay does, with the search for what it would not find, and give what 112 is told."""
    mending = Mending(ONE_CENTRE, CHANNELS)
    told: list[Report] = []
    for after_s in range(20, 140, 20):
        if ledger.transact(mending.finds, NOON_S + after_s, NOON_S - 86_400):
            ledger.transact(mending.mend, NOON_S + after_s, NOON_S - 86_400)
        for item in ledger.claim(after_s=after_s):
            assert isinstance(item.content, Report)
            told.append(item.content)
            ledger.settle(item, Delivered(), after_s=after_s)
    assert ledger.claim(after_s=10_000) == []
    return told


def assert_told(told: list[Report], *, whose: str = PARK) -> None:
    """All has been told of Lee, and of Park an alert with her number and what else can be read."""
    for report in told:
        # Whatever was read can be written.
        assert encode(report, sender="us.example", addresses="112.example", language="ko", zone=KST)
    assert [(each.kind, each.unread) for each in told if each.msisdn.number == LEE] == [
        ("alert", ()),
        ("update", ()),
    ]
    assert "alert" in [report.kind for report in told if report.msisdn.number == whose]
    assert not any(report.test for report in told)


@pytest.mark.parametrize(
    ("table", "column"), [(table, each) for table, all_ in COLUMNS.items() for each in all_]
)
@pytest.mark.parametrize("value", ANYTHING)
def test_whatever_a_column_holds_112_is_told_what_is_left(
    ledger: Ledger, table: str, column: str, value: str
):
    if damage(ledger, table, column, value):
        told = tell_112(ledger)

        assert_told(told, whose="?" if (table, column) in OF_WHOM else PARK)


@pytest.mark.parametrize(
    "column", ["last_sequence", "press_count", "fact_count", "carrier", "source", "state"]
)
@pytest.mark.parametrize("value", ANYTHING)
def test_whatever_an_incident_counts_her_next_press_is_told_too(ledger: Ledger, column: str, value: str):
    if damage(ledger, "incident", column, value):
        tell_112(ledger)

        ledger.again("more", caller=PARK, after_s=200)

        (update,) = ledger.claim(after_s=220)
        assert isinstance(update.content, Report)
        assert (update.content.msisdn.number, update.content.press_count) == (PARK, 2)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload[:30])
def test_whatever_a_payload_says_112_is_told_what_is_left(ledger: Ledger, payload: str):
    damage(ledger, "delivery", "payload", "?", payload)

    told = tell_112(ledger)

    assert_told(told)
    alert = next(each for each in told if each.msisdn.number == PARK and each.kind == "alert")
    assert (alert.texts, bool(alert.unread)) == (("SOS",), True)


@pytest.mark.parametrize("table", ["incident", "press", "position", "fact"])
@pytest.mark.parametrize("change", ["cut", "first octet", "last octet"])
def test_sealed_octets_that_were_cut_or_changed_cost_themselves_alone(
    ledger: Ledger, table: str, change: str
):
    """Also in the octets that name the key: an unknown key is no reason to wait where the rest can be opened."""
    key = "key" if table == "incident" else "incident_key"
    sealed = ledger.transact(
        lambda c: c.exec_driver_sql(
            f"SELECT sealed FROM {table} WHERE {key} = {ledger.key_of(PARK)}"
        ).scalar()
    )
    changed = {
        "cut": sealed[:-9],
        "first octet": bytes([sealed[0] ^ 1]) + sealed[1:],
        "last octet": sealed[:-1] + bytes([sealed[-1] ^ 1]),
    }[change]
    damage(ledger, table, "sealed", "?", changed)

    assert_told(tell_112(ledger), whose="?" if table == "incident" else PARK)


@pytest.mark.parametrize("table", ["press", "incident", "delivery", "position", "fact"])
def test_rows_that_are_gone_cost_themselves_alone(ledger: Ledger, table: str):
    key = "key" if table == "incident" else "incident_key"
    statement = f"DELETE FROM {table} WHERE {key} = {ledger.key_of(PARK)}"
    ledger.transact(lambda connection: connection.exec_driver_sql(statement))

    assert_told(tell_112(ledger), whose="?" if table == "incident" else PARK)


def test_a_damaged_errand_comes_without_its_content_and_says_so(ledger: Ledger):
    damage(ledger, "incident", "sealed", "X'00'")

    errands = ledger.claim("locate:skt")

    assert sorted((item.content is None, item.is_damaged) for item in errands) == [
        (False, False),
        (True, True),
    ]
