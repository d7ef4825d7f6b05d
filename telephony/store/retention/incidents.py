"""Closed incidents, their positions and their texts, each kept for a period of its own after the closing.

An open incident is never touched, nor one that still owes a report to 112. Incidents are gone through in the order of
their keys, which is that of time: an hourly run begins where the one before found the first that is still in its time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import Connection, Select, case, delete, exists, func, or_, select, update

from telephony.domain.delivery import PENDING
from telephony.domain.errors import Malformed
from telephony.domain.incident import CLOSED
from telephony.store.bound import bound_anew
from telephony.store.callers import caller_hashes
from telephony.store.crypto import KeysUnavailable
from telephony.store.people_erasing import clear_around
from telephony.store.presses import NODE_BITS
from telephony.store.retention.runs import Found, Survey, announced
from telephony.store.schema import call, delivery, fact, incident, last_position, position, press
from telephony.store.sealed_rows import seal_press, unseal_incident, unseal_press
from telephony.store.sealing import keys_of
from telephony.store.times import from_us, to_us

PAGE: Final = 500
"""Incidents gone through in one read."""
TEXT_DELETED: Final = "deleted"
"""Stands as a press's encoding when the retention has taken its text and octets out."""

UNREADABLE: Final = (Malformed, KeysUnavailable)
"""A row that is damaged, or under a key that was lost. Without any key file nothing gets this far."""

_OWED = exists().where(
    delivery.c.incident_key == incident.c.key, delivery.c.sequence > 0, delivery.c.state == PENDING
)
_HAS_TEXT = or_(press.c.encoding.is_(None), press.c.encoding != TEXT_DELETED)


@dataclass(frozen=True, slots=True)
class ClosedIncidents:
    """The whole of an incident: presses, positions, facts, calls, reports."""

    period: timedelta
    name: ClassVar[str] = "incidents"
    at_once: ClassVar[int] = 10

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of incidents that were closed longer ago than the period."""
        return _over(connection, now - self.period, after, None)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how many incidents go."""
        del connection
        return announced(len(items), now - self.period)

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete all rows of these incidents."""
        keys = _still_over(connection, items, now - self.period)
        _forget_last_positions(connection, keys)
        references = (
            connection.execute(select(call.c.reference).where(call.c.incident_key.in_(keys))).scalars().all()
        )
        for table in (press, position, fact, delivery):
            connection.execute(delete(table).where(table.c.incident_key.in_(keys)))
            clear_around(connection, table.name, keys)
        connection.execute(delete(call).where(call.c.reference.in_(references)))
        clear_around(connection, call.name, references)
        connection.execute(delete(incident).where(incident.c.key.in_(keys)))
        clear_around(connection, incident.name, keys)
        return len(keys)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count closed incidents."""
        return _surveyed(
            connection, select(incident.c.key).where(incident.c.state == CLOSED), now - self.period, grace
        )


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions of closed incidents."""

    period: timedelta
    name: ClassVar[str] = "positions"
    at_once: ClassVar[int] = 10

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of incidents whose positions are over their time."""
        return _over(connection, now - self.period, after, select(position.c.incident_key))

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say of how many incidents."""
        del connection
        return f"{announced(len(items), now - self.period)}: positions of so many incidents"

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Delete the positions of these incidents; the incidents say from now on that none is known."""
        keys = _still_over(connection, items, now - self.period)
        _forget_last_positions(connection, keys)
        connection.execute(delete(position).where(position.c.incident_key.in_(keys)))
        clear_around(connection, position.name, keys)
        connection.execute(
            update(incident)
            .where(incident.c.key.in_(keys))
            .values(best_position=None, newest_position=None, sharpest_position=None)
        )
        return len(keys)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count positions of closed incidents."""
        rows = select(position.c.incident_key).join(incident, incident.c.key == position.c.incident_key)
        return _surveyed(connection, rows.where(incident.c.state == CLOSED), now - self.period, grace)


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of callers, and their undecoded octets."""

    period: timedelta
    name: ClassVar[str] = "texts"
    at_once: ClassVar[int] = 10

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of incidents whose texts are over their time."""
        return _over(connection, now - self.period, after, select(press.c.incident_key).where(_HAS_TEXT))

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say of how many incidents."""
        del connection
        return f"{announced(len(items), now - self.period)}: texts of so many incidents"

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Reseal the rest of these presses, without the text and the octets."""
        keys = _still_over(connection, items, now - self.period)
        ring = keys_of(connection)
        rows = connection.execute(select(press).where(press.c.incident_key.in_(keys), _HAS_TEXT)).all()
        for row in rows:
            of_this = (press.c.incident_key == row.incident_key, press.c.reference == row.reference)
            try:
                kept = unseal_press(ring, row.incident_key, row.number, row.sealed)
                sealed = seal_press(
                    ring, row.incident_key, row.number, kept.reference, kept.destination, None, None
                )
            except UNREADABLE:
                # It cannot be read, or not any more: its time is over all the same.
                sealed = seal_press(ring, row.incident_key, row.number, "", "", None, None)
            code = bound_anew(ring, press.name, row._asdict(), encoding=TEXT_DELETED)
            changed = update(press).where(*of_this)
            connection.execute(changed.values(sealed=sealed, encoding=TEXT_DELETED, bound=code))
        clear_around(connection, press.name, keys)
        return len(keys)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count presses of closed incidents that have their text still."""
        rows = select(press.c.incident_key).join(incident, incident.c.key == press.c.incident_key)
        return _surveyed(
            connection, rows.where(incident.c.state == CLOSED, _HAS_TEXT), now - self.period, grace
        )


def _over(connection: Connection, before: datetime, after: int, having: Select[Any] | None) -> Found:
    """Go through a page of incidents, and give those that were closed before a time and have something to delete."""
    end = to_us(before) + 1 << NODE_BITS
    rows = connection.execute(
        select(incident.c.key, incident.c.state, incident.c.closed_at, _OWED.label("owed"))
        .where(incident.c.key > after, incident.c.key < end)
        .order_by(incident.c.key)
        .limit(PAGE)
    ).all()
    over, low = [], None
    for row in rows:
        if row.state == CLOSED and row.closed_at < to_us(before) and not row.owed:
            over.append(int(row.key))
        elif low is None:
            low = int(row.key)
    if having is not None and over:
        column = having.selected_columns[0]
        over = sorted(connection.execute(having.where(column.in_(over)).distinct()).scalars())
    if len(rows) == PAGE:
        return Found(over, int(rows[-1].key), low)
    last = int(rows[-1].key) if rows else after
    return Found(over, None, last + 1 if low is None else low)


def _still_over(connection: Connection, keys: Collection[int], before: datetime) -> list[int]:
    """Return those that may go at this moment, whatever happened since they were found, and lock them."""
    wanted = (
        select(incident.c.key)
        .where(
            incident.c.key.in_(keys), incident.c.state == CLOSED, incident.c.closed_at < to_us(before), ~_OWED
        )
        .order_by(incident.c.key)
        .with_for_update(of=incident)
    )
    return list(connection.execute(wanted).scalars())


def _forget_last_positions(connection: Connection, keys: Collection[int]) -> None:
    """Delete the last positions of these callers, where they are of these incidents."""
    ring = keys_of(connection)
    for row in connection.execute(select(incident).where(incident.c.key.in_(keys))).all():
        try:
            callers = caller_hashes(connection, unseal_incident(ring, row.key, row.sealed).caller)
        except UNREADABLE:
            callers = (bytes(row.caller),)
        connection.execute(
            delete(last_position).where(
                last_position.c.caller.in_(callers), last_position.c.incident_key == row.key
            )
        )


def _surveyed(connection: Connection, rows: Select[Any], before: datetime, grace: timedelta) -> Survey:
    """Count rows that stand for closed incidents, or that belong to them."""
    closed_at = incident.c.closed_at
    is_over = closed_at < to_us(before)
    kept, since, overdue, late, held = connection.execute(
        rows.with_only_columns(
            func.count(),
            func.min(closed_at),
            func.sum(case((is_over & ~_OWED, 1), else_=0)),
            func.sum(case(((closed_at < to_us(before - grace)) & ~_OWED, 1), else_=0)),
            func.sum(case((is_over & _OWED, 1), else_=0)),
            maintain_column_froms=True,
        )
    ).one()
    oldest = None if since is None else from_us(since)
    return Survey(int(kept), oldest, int(overdue or 0), int(late or 0), int(held or 0))
