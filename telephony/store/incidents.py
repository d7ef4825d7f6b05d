"""Incidents as operators see them: listed, told as a story, closed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, TypeVar

import structlog
from sqlalchemy import Connection, exists, func, select, text

from telephony.domain.delivery import (
    CLOSING,
    DELIVERED,
    GUARDIANS,
    LOCATE,
    PENDING,
    PERSON,
    REJECTED,
    SUPERSEDED,
    TRACK,
)
from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact, Newer
from telephony.domain.incident import CLOSED, TRANSITIONS
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.report import UpdateReason
from telephony.domain.values import Msisdn
from telephony.store.bound import believed, is_sound, rebind
from telephony.store.crypto import KeyRing
from telephony.store.fact_rows import FactRow, fact_of
from telephony.store.guardian_rows import release_guardians
from telephony.store.incident_rows import incident_to_change
from telephony.store.locks import lock_incidents_called
from telephony.store.orders import AUDIBLE
from telephony.store.outbox.writing import supersede
from telephony.store.reports import position_of
from telephony.store.schema import delivery, fact, incident, position, press
from telephony.store.sealed_rows import (
    seal_close_reason,
    unseal_close_reason,
    unseal_error,
    unseal_incident,
    unseal_order,
    unseal_press,
)
from telephony.store.sealing import keys_of
from telephony.store.texts import storable
from telephony.store.times import from_us, to_us
from telephony.store.updates import News, plan_updates, reasons_in

log = structlog.get_logger()

T = TypeVar("T")

UNREADABLE = "(unreadable)"
"""Stands for a value that was damaged; the rest of its incident is told all the same."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One line of the list. Times are UTC."""

    id: str
    state: str
    msisdn: Msisdn | None
    """``None`` where the row is damaged."""
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


class Happened(StrEnum):
    """The kinds of line in a story; a settled delivery by the state that it ended in."""

    PRESS = "press"
    POSITION = "position"
    FACT = "fact"
    PLANNED = "planned"
    DELIVERED = DELIVERED.value
    REJECTED = REJECTED.value
    SUPERSEDED = SUPERSEDED.value
    NEXT_ATTEMPT = "next attempt"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One thing that happened, with its time (UTC) and its facts."""

    at: datetime
    kind: Happened | Newer
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
    .where(delivery.c.incident_key == incident.c.key, delivery.c.sequence == 1, delivery.c.state == DELIVERED)
    .scalar_subquery()
    .label("told_at")
)
_LOCATED = (
    select(func.min(position.c.received_at))
    .where(position.c.incident_key == incident.c.key)
    .scalar_subquery()
    .label("located_at")
)
_delivered = delivery.alias()
_OWED = select(delivery.c.incident_key).where(
    text(
        f"delivery.state = '{PENDING}'"
    ),  # in these words SQLite sees that its index of pending deliveries will do
    delivery.c.sequence > 0,
    ~exists().where(
        _delivered.c.incident_key == delivery.c.incident_key,
        _delivered.c.sequence == delivery.c.sequence,
        _delivered.c.state == DELIVERED,
    ),
)


def _row(ring: KeyRing, found: Any) -> IncidentRow:
    row = believed(ring, found)
    who = _legible(lambda: unseal_incident(ring, row.key, row.sealed), None)
    return IncidentRow(
        row.id,
        row.state,
        None if who is None else who.msisdn,
        row.carrier,
        row.source,
        row.test,
        from_us(row.opened_at),
        row.press_count,
        from_us(row.last_press_at),
        _moment(row.closed_at),
        _reason(ring, row),
        _moment(row.told_at),
        _moment(row.located_at),
    )


def _reason(ring: KeyRing, row: Any) -> str | None:
    said: str | None = UNREADABLE
    return _legible(partial(unseal_close_reason, ring, row.key, row.close_reason), said)


def _legible(read: Callable[[], T], instead: T) -> T:
    """Return the value that was read, or a substitute where the row is damaged."""
    try:
        return read()
    except (Malformed, ValueError) as error:
        log.critical("row unreadable", error=str(error))
        return instead


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)


def list_incidents(
    connection: Connection,
    *,
    only_open: bool = False,
    only_owed: bool = False,
    states: Collection[str] = (),
    carriers: Collection[str] = (),
    since: datetime | None = None,
    limit: int = 50,
) -> list[IncidentRow]:
    """Return the newest incidents first; of those that owe 112 a report, the ones with one that no channel has delivered."""
    query = select(incident, _TOLD, _LOCATED).order_by(incident.c.opened_at.desc()).limit(limit)
    if only_open:
        query = query.where(incident.c.state != CLOSED)
    if only_owed:
        query = query.where(incident.c.key.in_(_OWED))
    if states:
        query = query.where(incident.c.state.in_(states))
    if carriers:
        query = query.where(incident.c.carrier.in_(carriers))
    if since is not None:
        query = query.where(incident.c.opened_at >= to_us(since))
    ring = keys_of(connection)
    return [_row(ring, row) for row in connection.execute(query)]


def story(connection: Connection, incident_id: str) -> Story | None:
    """Return everything the store knows of an incident, in order of time; None when there is none of that id."""
    row = connection.execute(
        select(incident, _TOLD, _LOCATED).where(incident.c.id == incident_id)
    ).one_or_none()
    if row is None:
        return None
    ring = keys_of(connection)
    deliveries = connection.execute(
        select(delivery).where(delivery.c.incident_key == row.key).order_by(delivery.c.sequence)
    ).all()
    lines = [
        *_press_lines(connection, ring, row.key),
        *_position_lines(connection, ring, row.key),
        *_fact_lines(connection, ring, row.key),
        *(line for item in deliveries for line in _delivery_lines(ring, item)),
    ]
    if row.closed_at is not None:
        lines.append(StoryLine(from_us(row.closed_at), Happened.CLOSED, {"reason": _reason(ring, row)}))
    lines.sort(key=lambda line: line.at)
    owed = sum(1 for item in deliveries if item.sequence > 0 and item.state == PENDING)
    return Story(_row(ring, row), tuple(lines), owed)


def _press_lines(connection: Connection, ring: KeyRing, incident_key: int) -> list[StoryLine]:
    rows = connection.execute(
        select(press).where(press.c.incident_key == incident_key).order_by(press.c.number)
    ).all()
    lines = []
    for row in rows:
        came = _legible(partial(unseal_press, ring, incident_key, row.number, row.sealed), None)
        facts = {
            "number": row.number,
            "source": row.source,
            "connector": row.connector,
            "destination": UNREADABLE if came is None else came.destination,
            "joined": row.joined,
            "reference": UNREADABLE if came is None else came.reference,
            "seen": row.seen,
            "text": None if came is None else came.text,
            "encoding": row.encoding,
        }
        if row.part_total is not None:
            facts["part"] = f"{row.part_number}/{row.part_total}"
        lines.append(StoryLine(from_us(row.received_at), Happened.PRESS, facts))
    return lines


def _position_lines(connection: Connection, ring: KeyRing, incident_key: int) -> list[StoryLine]:
    rows = connection.execute(
        select(position).where(position.c.incident_key == incident_key).order_by(position.c.number)
    ).all()
    return [
        StoryLine(
            from_us(row.received_at),
            Happened.POSITION,
            {
                "number": row.number,
                "source": row.source,
                "method": row.method,
                "uncertainty_m": row.uncertainty_m,
                "confidence": row.confidence,
                "became_best": row.became_best,
            },
            _legible(partial(position_of, ring, row), None),
        )
        for row in rows
    ]


def _fact_lines(connection: Connection, ring: KeyRing, incident_key: int) -> list[StoryLine]:
    rows = connection.execute(
        select(fact).where(fact.c.incident_key == incident_key).order_by(fact.c.number)
    ).all()
    lines = []
    for row in rows:
        kept = FactRow(*row)
        facts = {"number": row.number, "kind": row.kind, "subject": row.subject}
        known = _legible(partial(fact_of, ring, kept), None)
        lines.append(StoryLine(from_us(row.at), Happened.FACT, facts, known=known))
    return lines


def _delivery_lines(ring: KeyRing, row: Any) -> list[StoryLine]:
    at = (row.incident_key, row.sequence)
    said: str | None = UNREADABLE
    facts = {
        "kind": row.kind,
        "sequence": row.sequence,
        "channel": row.channel,
        "state": row.state,
        "attempts": row.attempts,
        "detail": _legible(partial(unseal_error, ring, *at, row.last_error), said),
        "why": ", ".join(reasons_in(row.payload)) or None,
    }
    is_order = row.sequence < 0
    if row.sealed is not None:
        facts |= _legible(partial(unseal_order, ring, *at, row.sealed), {"by": UNREADABLE})
    lines = [] if row.sequence == 0 else [StoryLine(from_us(row.created_at), Happened.PLANNED, facts)]
    if row.settled_at is not None and (is_order or row.state != SUPERSEDED):
        lines.append(StoryLine(from_us(row.settled_at), _settled(row.state), facts))
    elif row.state == PENDING and row.sequence != 0:
        lines.append(StoryLine(from_us(row.due_at), Happened.NEXT_ATTEMPT, facts))
    return lines


def _settled(state: str) -> Happened | Newer:
    try:
        return Happened(state)
    except ValueError:
        return Newer(str(state))


def close_incident(
    connection: Connection,
    plan: Plan,
    incident_id: str,
    reason: str,
    now: datetime,
    *,
    quiet_since: datetime | None = None,
) -> bool:
    """Close an incident and write down the closing report; False when there is none open of that id.

    With ``quiet_since`` only one that was not pressed since: another daemon may have taken a press after it was found
    quiet. Errands end, and orders after which the caller's phone could sound; reports that are still owed stay owed, for
    112 must have the whole history.
    """
    lock_incidents_called(connection, [incident_id])
    row = incident_to_change(connection, incident_id)
    if row is None or CLOSED not in TRANSITIONS.get(row.state, ()):
        return False
    if quiet_since is not None and row.last_press_at >= to_us(quiet_since):
        return False
    ring = keys_of(connection)
    sealed = seal_close_reason(ring, row.key, storable(reason) or "")
    rebind(connection, ring, row, state=CLOSED, closed_at=to_us(now), close_reason=sealed)
    supersede(connection, row.key, (LOCATE, TRACK, GUARDIANS, PERSON, *AUDIBLE), now)
    news = News(
        row.key,
        row.carrier,
        row.last_sequence,
        to_us(now),
        row.press_count,
        row.best_position,
        row.fact_count,
        (UpdateReason.CLOSED,),
        CLOSING,
    )
    plan_updates(connection, plan, [news])
    release_guardians(connection, row, now)
    return True


class OpenIncident(NamedTuple):
    """An open incident, as the known callers need it."""

    caller: str
    """What presses are joined by: see `telephony.store.presses.caller_key`."""
    id: str
    opened_at: datetime
    press_count: int


def open_incidents(connection: Connection, since: datetime, limit: int = 10_000) -> list[OpenIncident]:
    """Return the open incidents with a press since the given time, the one that was pressed for longest ago first.

    Without those that another hand has changed: her next press opens one of its own.
    """
    rows = connection.execute(
        select(incident)
        .where(incident.c.state != CLOSED, incident.c.last_press_at >= to_us(since))
        .order_by(incident.c.last_press_at.desc())
        .limit(limit)
    ).all()
    ring = keys_of(connection)
    found = []
    for row in reversed(rows):
        if not is_sound(ring, incident.name, row):
            continue
        who = _legible(partial(unseal_incident, ring, row.key, row.sealed), None)
        if who is not None:
            found.append(OpenIncident(who.caller, row.id, from_us(row.opened_at), row.press_count))
    return found


def quiet_incidents(connection: Connection, before: datetime, limit: int = 100) -> Sequence[str]:
    """Return ids of open incidents whose last press is older than the given time, oldest first."""
    return list(
        connection.execute(
            select(incident.c.id)
            .where(incident.c.state != CLOSED, incident.c.last_press_at < to_us(before))
            .order_by(incident.c.last_press_at)
            .limit(limit)
        ).scalars()
    )
