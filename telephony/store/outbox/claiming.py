"""Takes deliveries that are due out of the outbox, with a lease; and looks up the deliveries that are due or owed on each channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from telephony.domain.delivery import FIRST_REPORT, PENDING, Delivery, Errand
from telephony.domain.errors import Malformed
from telephony.domain.report import Part, Report
from telephony.store.bound import UNBOUND
from telephony.store.bulk import execute, execute_many, placeholder
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.due_rows import KEY_IS_SOUND, LONGEST_PAYLOAD, DueRow, delivery_of, opened_at
from telephony.store.remains import what_is_left
from telephony.store.reports import UNREADABLE, load_what_can_be_read, text_of
from telephony.store.sealed_rows import unseal_incident, unseal_order
from telephony.store.sealing import keys_of
from telephony.store.times import seconds_to_us

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Claim:
    """The request of a channel loop. Times are Unix seconds.

    ``others`` is how many of the ``limit`` may be no alert, where alerts go before updates; None for a channel that has none.
    """

    channel: str
    owner: str
    limit: int
    now: float
    lease_until: float
    others: int | None = None


_DUE = (
    f"SELECT d.incident_key, i.id, i.sealed, i.carrier, i.opened_at, d.sequence, d.kind,"
    f" substr(d.payload, 1, {LONGEST_PAYLOAD + 1}), d.sealed, d.created_at, d.attempts, d.lease_token, d.bound"
    " FROM delivery d LEFT JOIN incident i ON i.key = d.incident_key"
    f" WHERE d.channel = {{0}} AND d.state = '{PENDING}' AND d.due_at <= {{0}} AND d.lease_until <= {{0}}"
    # A row whose very key is damaged could not be settled: see `telephony.store.mending`.
    f" AND {KEY_IS_SOUND.format('d.')}"
    " AND NOT EXISTS (SELECT 1 FROM delivery e WHERE e.incident_key = d.incident_key AND e.channel = d.channel"
    f" AND e.sequence < d.sequence AND e.state = '{PENDING}')"
    "{1} ORDER BY d.due_at LIMIT {0}"
)
_OF_INCIDENT = " AND d.incident_key = {0}"
_ALERTS, _OTHERS = f" AND d.sequence = {FIRST_REPORT}", f" AND d.sequence <> {FIRST_REPORT}"
_TAKE = (
    "UPDATE delivery SET attempts = attempts + 1, lease_owner = {0}, lease_until = {0}, lease_token = {0}"
    " WHERE incident_key = {0} AND channel = {0} AND sequence = {0}"
)


def claim(connection: Connection, wanted: Claim) -> list[Delivery]:
    """Take due deliveries of a channel, alerts first and then the oldest, at most one per incident; they come ready to send.

    A delivery whose lease is held cannot be claimed until that lapses. SQLite has one writer anyway; on PostgreSQL
    ``SKIP LOCKED`` keeps two daemons from waiting for each other. A damaged report comes as far as it can be read, of a
    damaged errand nothing. One whose key is not here is taken and not given: it comes again when the lease lapses, and meanwhile
    holds up no other.
    """
    at = (wanted.channel, wanted.lease_until)
    found = [_Due(row, *at) for row in _due_rows(connection, wanted)]
    return _taken(connection, wanted.owner, wanted.now, found)


class Wanted(NamedTuple):
    """What is due of an incident on a channel, to be taken until a Unix time."""

    incident_key: int
    channel: str
    lease_until: float


def claim_these(connection: Connection, owner: str, now: float, wanted: Sequence[Wanted]) -> list[Delivery]:
    """Take what is due of these incidents, likewise: for a process that has written it in this very transaction."""
    mark, at = placeholder(connection.dialect.name), seconds_to_us(now)
    query = _DUE.format(mark, _OF_INCIDENT.format(mark)) + _skipping(connection)
    found = []
    for each in wanted:
        row = execute(connection, query, (each.channel, at, at, each.incident_key, 1)).fetchone()
        if row is not None:
            found.append(_Due(DueRow(*row), each.channel, each.lease_until))
    return _taken(connection, owner, now, found)


class _Due(NamedTuple):
    """A row that is due, where it is, and until when it is to be taken."""

    row: DueRow
    channel: str
    lease_until: float


def _taken(connection: Connection, owner: str, now: float, due: Sequence[_Due]) -> list[Delivery]:
    if not due:
        return []
    execute_many(
        connection,
        _TAKE.format(placeholder(connection.dialect.name)),
        [
            (
                owner, seconds_to_us(each.lease_until), each.row.next_token,
                each.row.key, each.channel, each.row.sequence,
            )
            for each in due
        ],
    )  # fmt: skip
    ring = keys_of(connection)
    read = [delivery_of(ring, row, channel, lease_until, now) for row, channel, lease_until in due]
    whole = [item for item, lost in read if item.is_report and not lost]
    ready = {
        id(item): report for item, report in zip(whole, load_what_can_be_read(connection, whole), strict=True)
    }
    given = []
    for each, (item, lost) in zip(due, read, strict=True):
        if item.is_report:
            report = ready.get(id(item))
            if not isinstance(report, Report) or (report.position is None and "position" in item.payload):
                report = what_is_left(connection, item, lost)
            if isinstance(report, Report):
                given.append(replace(item, content=report, is_damaged=bool(report.unread)))
        elif (errand := _errand(ring, each.row, item, lost)) is not None:
            given.append(errand)
    return given


def _skipping(connection: Connection) -> str:
    """Return how a row that another daemon is taking is passed over."""
    return "" if connection.dialect.name == "sqlite" else " FOR UPDATE OF d SKIP LOCKED"


def _due_rows(connection: Connection, wanted: Claim) -> list[DueRow]:
    mark, skip = placeholder(connection.dialect.name), _skipping(connection)
    now = seconds_to_us(wanted.now)

    def due(of_kind: str, limit: int) -> list[DueRow]:
        if limit <= 0:
            return []
        found = execute(
            connection, _DUE.format(mark, of_kind) + skip, (wanted.channel, now, now, limit)
        ).fetchall()
        return [DueRow(*row) for row in found]

    if wanted.others is None:
        return due("", wanted.limit)
    alerts = due(_ALERTS, wanted.limit)
    return alerts + due(_OTHERS, min(wanted.others, wanted.limit - len(alerts)))


def _errand(ring: KeyRing, row: DueRow, item: Delivery, lost: Sequence[Part]) -> Delivery | None:
    """Return a delivery that is no report ready to be done; without content where that cannot be read any more."""
    payload, since = item.payload, opened_at(row)
    try:
        who = unseal_incident(ring, row.key, row.who)
        carrier = text_of(row.carrier)
        if row.sealed is not None:
            payload = {**payload, **unseal_order(ring, row.key, row.sequence, row.sealed)}
        if since is None or (Part.DELIVERY in lost and item.kind not in UNBOUND):
            raise Malformed("its own row is damaged")
    except KeysUnavailable as error:
        log.critical(
            "errand sealed under a missing key", incident=item.incident_id, kind=item.kind, error=str(error)
        )
        return None
    except UNREADABLE as error:
        log.critical("errand unreadable", incident=item.incident_id, kind=item.kind, error=str(error))
        return replace(item, is_damaged=True)
    return replace(item, payload=payload, content=Errand(who.msisdn, carrier, since))


def due_channels(connection: Connection, now: float) -> list[str]:
    """Return the channels on which something is due at this Unix time and not leased."""
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
    """Return for each channel the Unix time at which its oldest report that is not acknowledged was written.

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
    """Return the channels with anything pending: a look into the index for each, however much is pending.

    One statement, which compares what stands there and not what can be read of it: a damaged name is passed by.
    """
    least = f"SELECT min(d.channel) FROM delivery d WHERE d.state = '{PENDING}'"
    rows = execute(connection, _PENDING_CHANNELS.format(least, least)).fetchall()
    return [row[0] for row in rows]
