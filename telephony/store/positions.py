"""Positions of an incident: each is kept, the better one is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, insert, select, update

from telephony.domain.errors import Malformed
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.position import Position, is_better
from telephony.store.callers import caller_hashes
from telephony.store.crypto import KeyRing
from telephony.store.reports import News, plan_updates, position_of
from telephony.store.schema import incident, last_position, position
from telephony.store.sealed_rows import seal_coordinates, unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.times import to_us

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of where the caller of an incident is."""

    best: Position | None
    last_known: Position | None
    """The newest position of an earlier incident of the same caller."""


def whereabouts(connection: Connection, incident_key: int) -> Whereabouts:
    """Read what is known of where the caller is."""
    row = connection.execute(select(incident).where(incident.c.key == incident_key)).one()
    ring = keys_of(connection)
    last = connection.execute(
        select(position)
        .join(
            last_position,
            (last_position.c.incident_key == position.c.incident_key)
            & (last_position.c.number == position.c.number),
        )
        .where(
            last_position.c.caller.in_(_callers(connection, ring, row)),
            last_position.c.incident_key != incident_key,
        )
    ).first()
    return Whereabouts(_position(connection, ring, incident_key, row.best_position), _read(ring, last))


def best_position(connection: Connection, incident_id: str) -> Position | None:
    """Read the best that is known of where the caller of an incident is."""
    row = connection.execute(
        select(position)
        .join(
            incident,
            (incident.c.key == position.c.incident_key) & (incident.c.best_position == position.c.number),
        )
        .where(incident.c.id == incident_id)
    ).one_or_none()
    return _read(keys_of(connection), row)


def record_position(connection: Connection, plan: Plan, incident_key: int, found: Position) -> bool:
    """Keep a position; where it is better than what 112 knows, write down the update that tells so.

    Gives whether it became the best. A closed incident takes no more positions.
    """
    row = connection.execute(select(incident).where(incident.c.key == incident_key)).one()
    if row.state == CLOSED:
        return False
    ring = keys_of(connection)
    best = _position(connection, ring, incident_key, row.best_position)
    became_best = is_better(found, best, found.received_at)
    number = row.position_count + 1
    connection.execute(
        insert(position).values(
            incident_key=incident_key,
            number=number,
            sealed=seal_coordinates(ring, incident_key, number, found.latitude, found.longitude),
            uncertainty_m=found.uncertainty_m,
            confidence=found.confidence,
            method=found.method,
            source=found.source,
            fixed_at=to_us(found.fixed_at or found.received_at),
            received_at=to_us(found.received_at),
            became_best=became_best,
        )
    )
    changes: dict[str, Any] = {"position_count": number}
    if became_best:
        changes["best_position"] = number
        _remember(connection, ring, row, number)
        at_us = to_us(found.received_at)
        news = News(row.key, row.carrier, row.last_sequence, at_us, row.press_count, number, row.fact_count)
        plan_updates(connection, plan, [news])
    connection.execute(update(incident).where(incident.c.key == incident_key).values(**changes))
    return became_best


def _position(
    connection: Connection, ring: KeyRing, incident_key: int, number: int | None
) -> Position | None:
    if number is None:
        return None
    row = connection.execute(
        select(position).where(position.c.incident_key == incident_key, position.c.number == number)
    ).one()
    return _read(ring, row)


def _read(ring: KeyRing, row: Any) -> Position | None:
    """Give the position of a row; a damaged one is as good as none: whatever comes next is better."""
    try:
        return None if row is None else position_of(ring, row)
    except Malformed as error:
        log.critical("position unreadable", error=str(error))
        return None


def _callers(connection: Connection, ring: KeyRing, row: Any) -> Sequence[bytes]:
    """Give the hashes under which the last position of an incident's caller may stand."""
    try:
        return caller_hashes(connection, unseal_incident(ring, row.key, row.sealed).caller)
    except Malformed as error:
        log.critical("caller unreadable", incident=row.id, error=str(error))
        return (row.caller,)


def _remember(connection: Connection, ring: KeyRing, row: Any, number: int) -> None:
    hashes = _callers(connection, ring, row)
    changed = connection.execute(
        update(last_position)
        .where(last_position.c.caller.in_(hashes))
        .values(caller=hashes[0], incident_key=row.key, number=number)
    )
    if changed.rowcount == 0:
        connection.execute(
            insert(last_position).values(caller=hashes[0], incident_key=row.key, number=number)
        )
