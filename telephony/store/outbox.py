"""The transactional outbox: claim with a lease, settle with an outcome.

First in, first out within an incident and channel; parallel across incidents. A lease that lapses (its process
died) makes the row claimable again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from telephony.domain.delivery import (
    DELIVERED,
    PENDING,
    REJECTED,
    SUPERSEDED,
    Again,
    Delivered,
    Delivery,
    Outcome,
    Rejected,
    retry_delay_s,
)
from telephony.store.bulk import execute, execute_many, placeholder
from telephony.store.reports import load_reports
from telephony.store.times import from_us, seconds_to_us

LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Claim:
    """What a channel loop asks for. Times are Unix seconds."""

    channel: str
    owner: str
    limit: int
    now: float
    lease_until: float


def claim(connection: Connection, wanted: Claim) -> list[Delivery]:
    """Take due deliveries of a channel, oldest first, and at most one per incident; reports come ready to send.

    A delivery whose lease is held is nobody else's until that lapses. SQLite has one writer anyway; on PostgreSQL
    ``SKIP LOCKED`` keeps two daemons from waiting for each other.
    """
    dialect = connection.dialect.name
    mark = placeholder(dialect)
    skip = "" if dialect == "sqlite" else " FOR UPDATE OF d SKIP LOCKED"
    now = seconds_to_us(wanted.now)
    rows = execute(
        connection,
        "SELECT d.incident_key, i.id, d.sequence, d.kind, d.payload, d.created_at, d.attempts"
        " FROM delivery d JOIN incident i ON i.key = d.incident_key"
        f" WHERE d.channel = {mark} AND d.state = '{PENDING}' AND d.due_at <= {mark} AND d.lease_until <= {mark}"
        f" AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.incident_key = d.incident_key AND e.channel = d.channel"
        f" AND e.sequence < d.sequence AND e.state = '{PENDING}')"
        f" ORDER BY d.due_at LIMIT {mark}{skip}",
        (wanted.channel, now, now, wanted.limit),
    ).fetchall()
    if not rows:
        return []
    execute_many(
        connection,
        f"UPDATE delivery SET attempts = attempts + 1, lease_owner = {mark}, lease_until = {mark}"
        f" WHERE incident_key = {mark} AND channel = {mark} AND sequence = {mark}",
        [(wanted.owner, seconds_to_us(wanted.lease_until), row[0], wanted.channel, row[2]) for row in rows],
    )
    claimed = [
        Delivery(
            key, incident_id, wanted.channel, sequence, kind, json.loads(payload), from_us(created_at), attempts + 1,
            wanted.lease_until,
        )
        for key, incident_id, sequence, kind, payload, created_at, attempts in rows
    ]  # fmt: skip
    with_report = [item for item in claimed if item.sequence > 0]
    reports = dict(zip(map(id, with_report), load_reports(connection, with_report), strict=True))
    return [replace(item, report=reports.get(id(item))) for item in claimed]


@dataclass(frozen=True, slots=True)
class Settlement:
    """A delivery and what became of it, at a Unix time."""

    delivery: Delivery
    outcome: Outcome
    at: float


def settle_all(connection: Connection, settlements: Sequence[Settlement]) -> list[None]:
    """Write down what became of deliveries; a batch function for `Database.batch`.

    A report that one channel has delivered is not wanted any more on the channels that stand in for it.
    """
    mark = placeholder(connection.dialect.name)
    ended: list[tuple[Any, ...]] = []
    later: list[tuple[Any, ...]] = []
    delivered: list[tuple[Any, ...]] = []
    for item in settlements:
        delivery, outcome, at = item.delivery, item.outcome, seconds_to_us(item.at)
        key = (delivery.incident_key, delivery.channel, delivery.sequence)
        attempts = max(delivery.attempts, 1)
        if isinstance(outcome, Delivered):
            ended.append((DELIVERED, attempts, at, outcome.detail[:LONGEST_ERROR] or None, *key))
            if delivery.sequence > 0:
                delivered.append((at, delivery.incident_key, delivery.sequence, delivery.channel))
        elif isinstance(outcome, Rejected):
            ended.append((REJECTED, attempts, at, outcome.reason[:LONGEST_ERROR], *key))
        elif isinstance(outcome, Again):
            later.append(
                (at + seconds_to_us(outcome.after_s), attempts, outcome.detail[:LONGEST_ERROR], *key)
            )
        else:
            wait_s = retry_delay_s(attempts) if outcome.after_s is None else outcome.after_s
            later.append((at + seconds_to_us(wait_s), attempts, outcome.reason[:LONGEST_ERROR], *key))
    where = f" WHERE incident_key = {mark} AND channel = {mark} AND sequence = {mark} AND state = '{PENDING}'"
    if ended:
        execute_many(
            connection,
            f"UPDATE delivery SET state = {mark}, attempts = {mark}, settled_at = {mark}, last_error = {mark},"
            f" lease_until = 0{where}",
            ended,
        )
    if later:
        execute_many(
            connection,
            f"UPDATE delivery SET due_at = {mark}, attempts = {mark}, last_error = {mark}, lease_until = 0{where}",
            later,
        )
    if delivered:
        # Only channels that were to wait stand in for another; two channels of equal rank are both told.
        execute_many(
            connection,
            f"UPDATE delivery SET state = '{SUPERSEDED}', settled_at = {mark}, lease_until = 0"
            f" WHERE incident_key = {mark} AND sequence = {mark} AND channel <> {mark} AND state = '{PENDING}'"
            " AND due_at > created_at AND attempts = 0",
            delivered,
        )
    return [None] * len(settlements)


def release_leases(connection: Connection, owner: str) -> int:
    """Give back at start what an earlier process of the same name had leased; gives how many rows."""
    mark = placeholder(connection.dialect.name)
    released = connection.exec_driver_sql(
        f"UPDATE delivery SET lease_until = 0 WHERE state = '{PENDING}' AND lease_owner = {mark} AND lease_until > 0",
        (owner,),
    )
    return released.rowcount


def due_channels(connection: Connection, now: float) -> list[str]:
    """Give the channels on which something is due at this Unix time and leased to nobody."""
    mark = placeholder(connection.dialect.name)
    at = seconds_to_us(now)
    rows = connection.exec_driver_sql(
        f"SELECT DISTINCT channel FROM delivery WHERE state = '{PENDING}' AND due_at <= {mark} AND lease_until <= {mark}",
        (at, at),
    ).fetchall()
    return [row[0] for row in rows]


def oldest_reports(connection: Connection) -> dict[str, float]:
    """Give for each channel the Unix time at which its oldest report that is not acknowledged was written."""
    rows = connection.exec_driver_sql(
        f"SELECT channel, min(created_at) FROM delivery WHERE state = '{PENDING}' AND sequence > 0"
        " GROUP BY channel"
    ).fetchall()
    return {row[0]: row[1] / 1_000_000 for row in rows}
