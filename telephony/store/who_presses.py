"""Reads an incident in order to say who presses and to score it, and keeps the facts that come of that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, bindparam, select

from telephony.domain.delivery import GUARDIANS, UPDATE, Delivery
from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.position import ASSUMED_AGE, Position
from telephony.domain.report import Report
from telephony.domain.score import PRESS
from telephony.domain.values import Msisdn
from telephony.store.bulk import execute
from telephony.store.callers import caller_hashes, is_of
from telephony.store.facts import append_facts
from telephony.store.history import Remembered, history, remember
from telephony.store.incident_rows import incident_at, incident_to_change
from telephony.store.locks import lock_incidents_called
from telephony.store.outbox.writing import NOTHING_MORE, enqueue, new_row
from telephony.store.people import Found, Registry
from telephony.store.positions import first_position
from telephony.store.prepared import Prepared
from telephony.store.presses import NODE_BITS
from telephony.store.reports import NEWEST_PRESSES, load_reports, position_of
from telephony.store.schema import delivery, incident, position, press
from telephony.store.sealing import keys_of
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

QUIETLY: Final = Plan(everywhere_else=(), by_carrier={})
"""No channel is told at once: what is new goes into an update that has not begun to be sent, or waits for the next one."""
NEWEST_INCIDENTS: Final = 200
"""Open incidents among which those nearby are looked for."""
LOOK_UP_MS: Final = 2_000
"""PostgreSQL gives up a look-up after this time: the table of people may be locked by somebody's maintenance."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """An open incident as it is weighed. ``report`` is what an update would say now; ``None``: a row is damaged."""

    incident_id: str
    opened_at: datetime
    test: bool
    pressed_at: tuple[datetime, ...]
    """The newest presses, in order of time."""
    ways: frozenset[str]
    report: Report | None
    first_position: Position | None = field(default=None, repr=False)
    """Where she was first found."""
    earlier: Sequence[Remembered] = ()
    also: Sequence[str] = ()
    """Open incidents of her other devices."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request to read: the incident, whose history since when, and the other devices of the same person."""

    incident_key: int
    subject: str | None = field(default=None, repr=False)
    since: datetime | None = None
    other_devices: Sequence[Msisdn] = ()


class OpenPlace(NamedTuple):
    """The position of the caller of another open incident."""

    incident_id: str
    opened_at: datetime
    position: Position


@dataclass(frozen=True, slots=True)
class Joined:
    """The facts to keep: those that are worth an update when they are new, and those that go with the next one."""

    loud: Sequence[Fact]
    quiet: Sequence[Fact]
    has_guardians: bool = False
    subject: str | None = field(default=None, repr=False)
    """The person or number that the press is remembered of; ``None``: neither."""
    place: Position | None = field(default=None, repr=False)


_NEWEST_PRESSES: Final = Prepared(
    select(press.c.received_at, press.c.source)
    .where(press.c.incident_key == bindparam("incident_key"))
    .order_by(press.c.number.desc())
    .limit(NEWEST_PRESSES)
)
_ERRAND: Final = Prepared(
    select(delivery.c.sequence).where(
        delivery.c.incident_key == bindparam("incident_key"),
        delivery.c.channel == bindparam("channel"),
        delivery.c.sequence == 0,
    )
)


def who_has(connection: Connection, registry: Registry, number: Msisdn) -> Found | None:
    """Look the person up, and give up in time. Raises `KeysUnavailable`, `Damaged` or `Malformed`."""
    if connection.dialect.name == "postgresql":
        execute(connection, f"SET LOCAL statement_timeout = {LOOK_UP_MS}")
    return registry.found(connection, number)


def so_far(connection: Connection, wanted: Wanted) -> SoFar | None:
    """Read an incident and its rows; ``None`` when it is not open."""
    row = incident_at(connection, wanted.incident_key)
    if row is None or row.state == CLOSED:
        return None
    presses = _NEWEST_PRESSES.all(connection, incident_key=row.key)
    (now,) = load_reports(connection, [_as_of_now(row)])
    first = first_position(connection, row) if row.best_position else None
    opened_at = from_us(row.opened_at)
    earlier: Sequence[Remembered] = ()
    if wanted.subject is not None and wanted.since is not None:
        earlier = history(connection, wanted.subject, since=wanted.since, besides=opened_at)
    return SoFar(
        row.id,
        opened_at,
        bool(row.test),
        tuple(sorted(from_us(each.received_at) for each in presses)),
        frozenset(each.source for each in presses),
        now,
        first if first is not None and _is_of_about(first, opened_at) else None,
        earlier,
        _open_incidents_of(connection, wanted.other_devices),
    )


def places_of_open_incidents(connection: Connection, since: datetime) -> list[OpenPlace]:
    """Return where the callers of open incidents are that were opened since a time: of the newest `NEWEST_INCIDENTS`.

    The key of an incident grows with time, so that a disaster with ten thousand open ones costs no more.
    """
    newest = (
        select(incident.c.key, incident.c.id, incident.c.opened_at, incident.c.best_position)
        .where(
            incident.c.key >= to_us(since) << NODE_BITS,
            incident.c.state != CLOSED,
            incident.c.test.is_(False),
        )
        .order_by(incident.c.key.desc())
        .limit(NEWEST_INCIDENTS)
        .subquery()
    )
    of_theirs = (position.c.incident_key == newest.c.key) & (position.c.number == newest.c.best_position)
    rows = connection.execute(
        select(newest.c.id, newest.c.opened_at, position).join(position, of_theirs)
    ).all()
    ring = keys_of(connection)
    places = []
    for row in rows:
        try:
            places.append(OpenPlace(row.id, from_us(row.opened_at), position_of(ring, row)))
        except (Malformed, ValueError) as error:
            log.critical("row unreadable", error=str(error))
    return places


class Keeping(NamedTuple):
    """The facts to keep of one incident, as `record_all` takes them."""

    plan: Plan
    incident_id: str
    joined: Joined
    now: datetime


def record_all(connection: Connection, items: Sequence[Keeping]) -> list[bool]:
    """Do `record_joined` for each; a batch function for `Database.batch`, so that many share a commit."""
    lock_incidents_called(connection, [item.incident_id for item in items])
    return [record_joined(connection, *item) for item in items]


def record_joined(
    connection: Connection, plan: Plan, incident_id: str, joined: Joined, now: datetime
) -> bool:
    """Keep the facts and enqueue the errand to the guardians; gives whether there is something to deliver at once.

    Everything is idempotent: what is known already is no news, and that errand is enqueued once an incident. A closed
    incident is left alone.
    """
    row = incident_to_change(connection, incident_id)
    if row is None or row.state == CLOSED:
        return False
    is_told = append_facts(connection, plan, row, joined.loud)
    if is_told:
        row = incident_to_change(connection, incident_id)
    # After the loud ones: they go into the very update that those are worth.
    append_facts(connection, QUIETLY, row, joined.quiet)
    is_sent_for = plan.tells_guardians and joined.has_guardians and _send_for_guardians(connection, row, now)
    if joined.subject is not None:
        remember(connection, joined.subject, from_us(row.opened_at), PRESS, joined.place)
    return is_told or is_sent_for


def _open_incidents_of(connection: Connection, numbers: Iterable[Msisdn]) -> list[str]:
    found: list[str] = []
    ring = keys_of(connection)
    for number in numbers:
        hashes = caller_hashes(connection, number.number)
        rows = connection.execute(
            select(incident.c.key, incident.c.id, incident.c.sealed).where(
                incident.c.caller.in_(hashes), incident.c.state != CLOSED
            )
        )
        found += [row.id for row in rows if is_of(ring, row.key, row.sealed, {number.number})]
    return found


def _send_for_guardians(connection: Connection, row: Any, now: datetime) -> bool:
    if row.test:
        return False
    if _ERRAND.one(connection, incident_key=row.key, channel=GUARDIANS.value) is not None:
        return False
    now_us = to_us(now)
    ring = keys_of(connection)
    enqueue(connection, [new_row(ring, row.key, GUARDIANS, 0, GUARDIANS, NOTHING_MORE, now_us, now_us)])
    return True


def _as_of_now(row: Any) -> Delivery:
    """Return the update that would be sent now; it is never written."""
    payload = {"presses": row.press_count, "position": row.best_position or 0, "facts": row.fact_count}
    return Delivery(
        row.key,
        row.id,
        "",
        row.last_sequence,
        UPDATE,
        payload,
        from_us(max(row.last_press_at, row.opened_at)),
    )


def _is_of_about(found: Position, opened_at: datetime) -> bool:
    """Whether she was there about when she pressed: what is older shows no move of hers."""
    return not found.is_memory and found.measured_at >= opened_at - ASSUMED_AGE
