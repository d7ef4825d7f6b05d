"""Incidents as operators see them: listed, told as a story, closed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, update

from telephony.domain.delivery import CLOSING, GUARDIANS, LOCATE, PENDING, PERSON, SUPERSEDED, TRACK
from telephony.domain.fact import Fact
from telephony.domain.incident import CLOSED, TRANSITIONS
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import FactRow, fact_of
from telephony.store.orders import AUDIBLE
from telephony.store.reports import News, plan_updates, position_of
from telephony.store.schema import delivery, fact, incident, position, press
from telephony.store.times import from_us, to_us


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One line of the list. Times are UTC."""

    id: str
    state: str
    msisdn: Msisdn
    carrier: str
    source: str
    test: bool
    opened_at: datetime
    press_count: int
    last_press_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    told_at: datetime | None
    """When 112 acknowledged the first report."""
    located_at: datetime | None
    """When the first position came."""


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One thing that happened, with its time (UTC) and its facts."""

    at: datetime
    kind: str
    facts: dict[str, Any]
    position: Position | None = None
    known: Fact | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """An incident and everything that happened in it, in order of time."""

    incident: IncidentRow
    lines: tuple[StoryLine, ...]
    owed: int
    """Reports that 112 has not acknowledged yet."""


_TOLD = (
    select(func.min(delivery.c.settled_at))
    .where(
        delivery.c.incident_key == incident.c.key, delivery.c.sequence == 1, delivery.c.state == "delivered"
    )
    .scalar_subquery()
    .label("told_at")
)
_LOCATED = (
    select(func.min(position.c.received_at))
    .where(position.c.incident_key == incident.c.key)
    .scalar_subquery()
    .label("located_at")
)


def _row(row: Any) -> IncidentRow:
    return IncidentRow(
        row.id,
        row.state,
        Msisdn(row.msisdn, is_e164=row.is_e164),
        row.carrier,
        row.source,
        row.test,
        from_us(row.opened_at),
        row.press_count,
        from_us(row.last_press_at),
        _moment(row.closed_at),
        row.close_reason,
        _moment(row.told_at),
        _moment(row.located_at),
    )


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)


def list_incidents(connection: Connection, *, only_open: bool = False, limit: int = 50) -> list[IncidentRow]:
    """Give the newest incidents first."""
    query = select(incident, _TOLD, _LOCATED).order_by(incident.c.opened_at.desc()).limit(limit)
    if only_open:
        query = query.where(incident.c.state != CLOSED)
    return [_row(row) for row in connection.execute(query)]


def story(connection: Connection, incident_id: str) -> Story | None:
    """Give everything the store knows of an incident, in order of time; None when there is none of that id."""
    row = connection.execute(
        select(incident, _TOLD, _LOCATED).where(incident.c.id == incident_id)
    ).one_or_none()
    if row is None:
        return None
    deliveries = connection.execute(
        select(delivery).where(delivery.c.incident_key == row.key).order_by(delivery.c.sequence)
    ).all()
    lines = [
        *_press_lines(connection, row.key),
        *_position_lines(connection, row.key),
        *_fact_lines(connection, row.key),
        *(line for item in deliveries for line in _delivery_lines(item)),
    ]
    if row.closed_at is not None:
        lines.append(StoryLine(from_us(row.closed_at), "closed", {"reason": row.close_reason}))
    lines.sort(key=lambda line: line.at)
    owed = sum(1 for item in deliveries if item.sequence > 0 and item.state == PENDING)
    return Story(_row(row), tuple(lines), owed)


def _press_lines(connection: Connection, incident_key: int) -> list[StoryLine]:
    rows = connection.execute(select(press).where(press.c.incident_key == incident_key)).all()
    lines = []
    for row in rows:
        facts = {
            "number": row.number,
            "source": row.source,
            "connector": row.connector,
            "destination": row.destination,
            "joined": row.joined,
            "reference": row.reference,
            "seen": row.seen,
            "text": row.text,
            "encoding": row.encoding,
        }
        if row.part_total is not None:
            facts["part"] = f"{row.part_number}/{row.part_total}"
        lines.append(StoryLine(from_us(row.received_at), "press", facts))
    return lines


def _position_lines(connection: Connection, incident_key: int) -> list[StoryLine]:
    rows = connection.execute(select(position).where(position.c.incident_key == incident_key)).all()
    return [
        StoryLine(
            from_us(row.received_at),
            "position",
            {
                "number": row.number,
                "source": row.source,
                "method": row.method,
                "uncertainty_m": row.uncertainty_m,
                "confidence": row.confidence,
                "became_best": row.became_best,
            },
            position_of(row),
        )
        for row in rows
    ]


def _fact_lines(connection: Connection, incident_key: int) -> list[StoryLine]:
    rows = connection.execute(select(fact).where(fact.c.incident_key == incident_key)).all()
    lines = []
    for row in rows:
        known = fact_of(FactRow(row.kind, row.subject, row.at, row.data))
        facts = {"number": row.number, "kind": known.kind, "subject": known.subject}
        lines.append(StoryLine(known.at, "fact", facts, known=known))
    return lines


def _delivery_lines(row: Any) -> list[StoryLine]:
    facts = {
        "kind": row.kind,
        "sequence": row.sequence,
        "channel": row.channel,
        "state": row.state,
        "attempts": row.attempts,
        "detail": row.last_error,
    }
    is_order = row.sequence < 0
    if is_order:
        facts["by"] = json.loads(row.payload)["by"]
    lines = [] if row.sequence == 0 else [StoryLine(from_us(row.created_at), "planned", facts)]
    if row.settled_at is not None and (is_order or row.state != SUPERSEDED):
        lines.append(StoryLine(from_us(row.settled_at), row.state, facts))
    elif row.state == PENDING and row.sequence != 0:
        lines.append(StoryLine(from_us(row.due_at), "next attempt", facts))
    return lines


def close_incident(connection: Connection, plan: Plan, incident_id: str, reason: str, now: datetime) -> bool:
    """Close an incident and write down the closing report; False when there is none open of that id.

    Errands end, and orders after which the caller's phone could sound; reports that are still owed stay owed, for
    112 must have the whole history.
    """
    closable = [state for state, targets in TRANSITIONS.items() if CLOSED in targets]
    changed = connection.execute(
        update(incident)
        .where(incident.c.id == incident_id, incident.c.state.in_(closable))
        .values(state=CLOSED, closed_at=to_us(now), close_reason=reason)
    )
    if changed.rowcount == 0:
        return False
    row = connection.execute(select(incident).where(incident.c.id == incident_id)).one()
    connection.execute(
        update(delivery)
        .where(
            delivery.c.incident_key == row.key,
            delivery.c.kind.in_([LOCATE, TRACK, GUARDIANS, PERSON, *AUDIBLE]),
            delivery.c.state == PENDING,
        )
        .values(state=SUPERSEDED, settled_at=to_us(now), lease_until=0)
    )
    news = News(
        row.key,
        row.carrier,
        row.last_sequence,
        to_us(now),
        row.press_count,
        row.best_position,
        row.fact_count,
        CLOSING,
        reason,
    )
    plan_updates(connection, plan, [news])
    return True


class OpenIncident(NamedTuple):
    """An open incident as whoever remembers callers needs it."""

    caller: str
    """What presses are joined by: see `telephony.store.presses.caller_key`."""
    id: str
    opened_at: datetime
    press_count: int


def open_incidents(connection: Connection, since: datetime, limit: int = 10_000) -> list[OpenIncident]:
    """Give the open incidents with a press since the given time, the one that was pressed for longest ago first."""
    rows = connection.execute(
        select(incident.c.caller, incident.c.id, incident.c.opened_at, incident.c.press_count)
        .where(incident.c.state != CLOSED, incident.c.last_press_at >= to_us(since))
        .order_by(incident.c.last_press_at.desc())
        .limit(limit)
    ).all()
    return [
        OpenIncident(row.caller, row.id, from_us(row.opened_at), row.press_count) for row in reversed(rows)
    ]


def quiet_incidents(connection: Connection, before: datetime, limit: int = 100) -> Sequence[str]:
    """Give ids of open incidents whose last press is older than the given time, oldest first."""
    return list(
        connection.execute(
            select(incident.c.id)
            .where(incident.c.state != CLOSED, incident.c.last_press_at < to_us(before))
            .order_by(incident.c.last_press_at)
            .limit(limit)
        ).scalars()
    )
