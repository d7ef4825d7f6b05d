"""The transactional outbox: claim with a lease, settle with an outcome.

First in, first out within an incident and channel; parallel across incidents. A lease that lapses (its process
died) makes the row claimable again. A process that was only stopped may go on after that: every acquisition has a token of its
own, and what is settled or given back under an earlier one is not written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection

from telephony.domain.delivery import (
    DELIVERED,
    LONGEST_UPDATE_PAUSE_S,
    PENDING,
    REJECTED,
    RETRY_DELAYS_S,
    SUPERSEDED,
    UPDATE,
    Again,
    Delivered,
    Delivery,
    Errand,
    Outcome,
    Rejected,
    retry_delay_s,
)
from telephony.domain.errors import Malformed
from telephony.domain.incident import CLOSED
from telephony.domain.report import Part, Report
from telephony.store.bulk import execute, execute_many, placeholder
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.due_rows import KEY_IS_SOUND, LONGEST_PAYLOAD, DueRow, delivery_of, opened_at
from telephony.store.locks import lock_deliveries, lock_deliveries_where
from telephony.store.remains import what_is_left
from telephony.store.reports import UNREADABLE, load_what_can_be_read, text_of
from telephony.store.sealed_rows import seal_error, unseal_incident, unseal_order
from telephony.store.sealing import keys_of
from telephony.store.texts import storable
from telephony.store.times import seconds_to_us

log = structlog.get_logger()

LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Claim:
    """What a channel loop asks for. Times are Unix seconds."""

    channel: str
    owner: str
    limit: int
    now: float
    lease_until: float


_DUE = (
    f"SELECT d.incident_key, i.id, i.sealed, i.carrier, i.opened_at, d.sequence, d.kind,"
    f" substr(d.payload, 1, {LONGEST_PAYLOAD + 1}), d.sealed, d.created_at, d.attempts, d.lease_token"
    " FROM delivery d LEFT JOIN incident i ON i.key = d.incident_key"
    f" WHERE d.channel = {{0}} AND d.state = '{PENDING}' AND d.due_at <= {{0}} AND d.lease_until <= {{0}}"
    # A row whose very key is damaged could not be settled: see `telephony.store.mending`.
    f" AND {KEY_IS_SOUND.format('d.')}"
    " AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.incident_key = d.incident_key AND e.channel = d.channel"
    f" AND e.sequence < d.sequence AND e.state = '{PENDING}')"
    " ORDER BY d.due_at LIMIT {0}"
)
_TAKE = (
    "UPDATE delivery SET attempts = attempts + 1, lease_owner = {0}, lease_until = {0}, lease_token = {0}"
    " WHERE incident_key = {0} AND channel = {0} AND sequence = {0}"
)


_HELD = f"incident_key = {{0}} AND channel = {{0}} AND sequence = {{0}} AND state = '{PENDING}' AND lease_token = {{0}}"
"""A delivery that nobody has taken since it was taken under this token."""
_ENDED = "state = {0}, attempts = {0}, settled_at = {0}, last_error = {0}"
_LATER = "due_at = {0}, attempts = {0}, last_error = {0}"
_MOVED = "channel = {0}, kind = {0}, due_at = {0}, attempts = {0}, last_error = {0}"


def claim(connection: Connection, wanted: Claim) -> list[Delivery]:
    """Take due deliveries of a channel, oldest first, and at most one per incident; they come ready to send.

    A delivery whose lease is held is nobody else's until that lapses. SQLite has one writer anyway; on PostgreSQL
    ``SKIP LOCKED`` keeps two daemons from waiting for each other. Of a damaged report comes what can be read, of a
    damaged errand nothing. One whose key is not here is taken and not given: it comes again when the lease lapses, and holds up nobody meanwhile.
    """
    dialect = connection.dialect.name
    mark = placeholder(dialect)
    skip = "" if dialect == "sqlite" else " FOR UPDATE OF d SKIP LOCKED"
    now = seconds_to_us(wanted.now)
    found = execute(connection, _DUE.format(mark) + skip, (wanted.channel, now, now, wanted.limit)).fetchall()
    if not found:
        return []
    rows = [DueRow(*row) for row in found]
    execute_many(
        connection,
        _TAKE.format(mark),
        [
            (
                wanted.owner, seconds_to_us(wanted.lease_until), row.next_token,
                row.key, wanted.channel, row.sequence,
            )
            for row in rows
        ],
    )  # fmt: skip
    read = [delivery_of(row, wanted.channel, wanted.lease_until, wanted.now) for row in rows]
    whole = [item for item, lost in read if item.is_report and not lost]
    ready = {
        id(item): report for item, report in zip(whole, load_what_can_be_read(connection, whole), strict=True)
    }
    ring = keys_of(connection)
    given = []
    for row, (item, lost) in zip(rows, read, strict=True):
        if item.is_report:
            report = ready.get(id(item))
            if not isinstance(report, Report) or (report.position is None and "position" in item.payload):
                report = what_is_left(connection, item, lost)
            if isinstance(report, Report):
                given.append(replace(item, content=report, is_damaged=bool(report.unread)))
        elif (errand := _errand(ring, row, item, lost)) is not None:
            given.append(errand)
    return given


def _errand(ring: KeyRing, row: DueRow, item: Delivery, lost: Sequence[Part]) -> Delivery | None:
    """Give a delivery that is no report ready to be done; without content where that cannot be read any more."""
    payload, since = item.payload, opened_at(row)
    try:
        if since is None or Part.DELIVERY in lost:
            raise Malformed("its own row is damaged")
        who = unseal_incident(ring, row.key, row.who)
        carrier = text_of(row.carrier)
        if row.sealed is not None:
            payload = {**payload, **unseal_order(ring, row.key, row.sequence, row.sealed)}
    except KeysUnavailable as error:
        log.critical(
            "errand sealed under a missing key", incident=item.incident_id, kind=item.kind, error=str(error)
        )
        return None
    except UNREADABLE as error:
        log.critical("errand unreadable", incident=item.incident_id, kind=item.kind, error=str(error))
        return replace(item, is_damaged=True)
    return replace(item, payload=payload, content=Errand(who.msisdn, carrier, since))


@dataclass(frozen=True, slots=True)
class Settlement:
    """A delivery and what became of it: when, as people read it, and from when its next attempt is counted (Unix time)."""

    delivery: Delivery
    outcome: Outcome
    at: float
    due_from: float


def settle_all(connection: Connection, settlements: Sequence[Settlement]) -> list[None]:
    """Write down what became of deliveries; a batch function for `Database.batch`.

    A report that one channel has delivered is not wanted any more on the channels that stand in for it. What somebody else
    has taken over since, or ended, is left as it is.
    """
    lock_deliveries(
        connection, [(item.delivery.incident_key, item.delivery.sequence) for item in settlements]
    )
    ring = keys_of(connection)
    mark = placeholder(connection.dialect.name)
    ended: list[tuple[Any, ...]] = []
    later: list[tuple[Any, ...]] = []
    moved: list[tuple[Any, ...]] = []
    delivered: list[tuple[Any, ...]] = []
    for item in settlements:
        delivery, outcome, at = item.delivery, item.outcome, seconds_to_us(item.at)
        due_from = seconds_to_us(item.due_from)
        key = (delivery.incident_key, delivery.channel, delivery.sequence, delivery.lease_token)
        attempts = max(delivery.attempts, 1)
        said = _said(ring, delivery, outcome)
        if isinstance(outcome, Delivered):
            ended.append((DELIVERED, attempts, at, said, *key))
            if delivery.is_report:
                delivered.append((at, delivery.incident_key, delivery.sequence, delivery.channel))
        elif isinstance(outcome, Rejected):
            ended.append((REJECTED, attempts, at, said, *key))
        elif isinstance(outcome, Again):
            due_at = due_from + seconds_to_us(outcome.after_s)
            moved.append((outcome.channel, outcome.kind, due_at, attempts, said, *key))
        else:
            wait_s = retry_delay_s(attempts) if outcome.after_s is None else outcome.after_s
            later.append((due_from + seconds_to_us(wait_s), attempts, said, *key))
    settled = sum(
        execute_many(
            connection, f"UPDATE delivery SET {to}, lease_until = 0 WHERE {_HELD}".format(mark), rows
        )
        for to, rows in ((_ENDED, ended), (_LATER, later), (_MOVED, moved))
        if rows
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
    if settled < len(settlements):
        log.info("outcomes too late", count=len(settlements) - settled)
    return [None] * len(settlements)


def is_told(connection: Connection, incident_id: str, sequence: int) -> bool:
    """Claim that a report was acknowledged on some channel, or that its incident is closed."""
    mark = placeholder(connection.dialect.name)
    found = execute(
        connection,
        f"SELECT 1 FROM incident i WHERE i.id = {mark} AND (i.state = '{CLOSED}' OR EXISTS (SELECT 1 FROM delivery d"
        f" WHERE d.incident_key = i.key AND d.sequence = {mark} AND d.state = '{DELIVERED}'))",
        (incident_id, sequence),
    ).fetchone()
    return found is not None


def give_back_all(connection: Connection, deliveries: Sequence[Delivery]) -> list[None]:
    """Give back deliveries that were taken and not begun; a batch function for `Database.batch`.

    Only under the very lease they were taken with: where that has lapsed, somebody else may be sending them.
    """
    lock_deliveries(connection, [(item.incident_key, item.sequence) for item in deliveries])
    mark = placeholder(connection.dialect.name)
    execute_many(
        connection,
        f"UPDATE delivery SET lease_until = 0, attempts = {mark} WHERE {_HELD.format(mark)}",
        [
            (
                max(item.attempts - 1, 0), item.incident_key, item.channel, item.sequence,
                item.lease_token,
            )
            for item in deliveries
        ],
    )  # fmt: skip
    return [None] * len(deliveries)


def _said(ring: KeyRing, delivery: Delivery, outcome: Outcome) -> bytes | None:
    """Give what a far end said as the store keeps it: a row that cannot be settled would be sent for ever."""
    words = outcome.detail if isinstance(outcome, Delivered | Again) else outcome.reason
    return seal_error(ring, delivery.incident_key, delivery.sequence, storable(words[:LONGEST_ERROR]))


def owner_of(name: str, process: str) -> str:
    """Give the name under which one process of a daemon holds leases."""
    return f"{name}#{process}"


def release_leases(connection: Connection, name: str, owner: str) -> int:
    """Take back at start what earlier processes of this daemon had leased; gives how many rows.

    What this very process (``owner``) has leased already, for presses that came at once, stays leased.
    """
    mark = placeholder(connection.dialect.name)
    theirs = (
        f"state = '{PENDING}' AND lease_until > 0 AND lease_owner LIKE {mark} AND lease_owner <> {mark}",
        (owner_of(name, "%"), owner),
    )
    lock_deliveries_where(connection, *theirs)
    released = execute(connection, f"UPDATE delivery SET lease_until = 0 WHERE {theirs[0]}", theirs[1])
    count: int = released.rowcount
    return count


LONGEST_REPORT_WAIT_S = RETRY_DELAYS_S[-1]
"""After a start no report that was tried before waits for longer: its time may be of a clock that was wrong."""


def bring_forward(connection: Connection, now: float, longest_errand_s: float) -> int:
    """Make due in time what would wait for a clock that was set back while we were away; return how many rows.

    What was never tried waits as long as it was to wait when it was written (a fallback); an update may have been
    written for later (`update_pause_s`). What was tried and would wait for longer than the longest pause between two
    attempts (of an errand: ``longest_errand_s``) is due at once. Leases are not looked at: see `release_leases`.
    """
    mark = placeholder(connection.dialect.name)
    at, report, planned, errand = (
        seconds_to_us(now + wait_s)
        for wait_s in (0.0, LONGEST_REPORT_WAIT_S, LONGEST_UPDATE_PAUSE_S, longest_errand_s)
    )
    as_planned = f"{mark} + due_at - created_at"
    moved = 0
    lock_deliveries_where(
        connection, f"state = '{PENDING}' AND (due_at > {mark} OR created_at > {mark})", (at, at)
    )
    for due, where, values in (
        (as_planned, f"attempts = 0 AND kind <> '{UPDATE}' AND created_at > {mark}", (at, at)),
        (as_planned, f"attempts = 0 AND kind = '{UPDATE}' AND created_at > {mark}", (at, planned)),
        (mark, f"attempts > 0 AND sequence > 0 AND due_at > {mark}", (at, report)),
        (mark, f"attempts > 0 AND sequence <= 0 AND due_at > {mark}", (at, errand)),
    ):
        statement = f"UPDATE delivery SET due_at = {due} WHERE state = '{PENDING}' AND {where}"
        moved += execute(connection, statement, values).rowcount
    return moved


def due_channels(connection: Connection, now: float) -> list[str]:
    """Give the channels on which something is due at this Unix time and leased to nobody."""
    mark = placeholder(connection.dialect.name)
    due = (
        f"SELECT 1 FROM delivery WHERE channel = {mark} AND state = '{PENDING}' AND due_at <= {mark}"
        f" AND lease_until <= {mark} LIMIT 1"
    )
    at = seconds_to_us(now)
    return [
        channel
        for channel in _pending_channels(connection)
        if execute(connection, due, (channel, at, at)).fetchone() is not None
    ]


OLDEST_AMONG = 500
"""Pending reports of a channel, first due first, among which the oldest is looked for."""


def oldest_reports(connection: Connection) -> dict[str, float]:
    """Give for each channel the Unix time at which its oldest report that is not acknowledged was written.

    Looks at the first few hundred of each channel only: a backlog must not make it slow.
    """
    mark = placeholder(connection.dialect.name)
    first = (
        f"SELECT sequence, created_at FROM delivery WHERE channel = {mark} AND state = '{PENDING}'"
        " ORDER BY due_at LIMIT"
    )
    oldest = {}
    for channel in _pending_channels(connection):
        foremost = execute(connection, f"{first} 1", (channel,)).fetchone()
        # A channel carries reports or errands, never both; and it may have been emptied since.
        if foremost is not None and foremost[0] > 0:
            rows = execute(connection, f"{first} {OLDEST_AMONG}", (channel,)).fetchall()
            oldest[channel] = min(row[1] for row in (*rows, foremost)) / 1_000_000
    return oldest


_PENDING_CHANNELS = (
    "WITH RECURSIVE pending(channel) AS ({} UNION ALL"
    " SELECT ({} AND d.channel > p.channel) FROM pending p WHERE p.channel IS NOT NULL)"
    " SELECT channel FROM pending WHERE channel IS NOT NULL"
)


def _pending_channels(connection: Connection) -> list[str]:
    """Give the channels with anything pending: a look into the index for each, however much is pending.

    One statement, which compares what stands there and not what can be read of it: a damaged name is passed by.
    """
    least = f"SELECT min(d.channel) FROM delivery d WHERE d.state = '{PENDING}'"
    rows = execute(connection, _PENDING_CHANNELS.format(least, least)).fetchall()
    return [row[0] for row in rows]
