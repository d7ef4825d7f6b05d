"""The incidents of people whose consent is over that were open, or owed 112 a report, when the person was deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import Connection, case, func, or_, select

from telephony.domain.incident import CLOSED
from telephony.store.retention.runs import Found, Survey, announced
from telephony.store.schema import incident, withdrawn
from telephony.store.sealing import keys_of
from telephony.store.times import from_us, to_us
from telephony.store.withdrawn import OWED, strip, unmark

PAGE = 500


@dataclass(frozen=True, slots=True)
class WithdrawnFacts:
    """Facts about people in such incidents. The hour is for what guardians are still told after the closing."""

    period: timedelta = timedelta(hours=1)
    name: ClassVar[str] = "withdrawn facts"
    at_once: ClassVar[int] = 10

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of marked incidents that may be changed now, or that are gone."""
        rows = (
            connection.execute(
                self._ready(now)
                .where(withdrawn.c.incident_key > after)
                .order_by(withdrawn.c.incident_key)
                .limit(PAGE)
            )
            .scalars()
            .all()
        )
        return Found(list(rows), int(rows[-1]) if len(rows) == PAGE else None)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say of how many incidents."""
        del connection
        return f"{announced(len(items), now - self.period)}: facts about people whose consent is over, of so many incidents"

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Take the people out of these incidents, unless one owes a report again."""
        wanted = self._ready(now).where(withdrawn.c.incident_key.in_(items)).with_for_update(of=withdrawn)
        keys = list(connection.execute(wanted).scalars())
        strip(connection, keys_of(connection), keys)
        unmark(connection, keys)
        return len(keys)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count marked incidents; those that are open are kept, and not overdue."""
        before = to_us(now - self.period)
        is_closed = incident.c.state == CLOSED
        is_over = is_closed & (incident.c.closed_at < before)
        is_late = is_closed & (incident.c.closed_at < to_us(now - self.period - grace))
        kept, since, overdue, late, held = connection.execute(
            select(
                func.count(),
                func.min(incident.c.closed_at),
                func.sum(case((is_over & ~OWED, 1), else_=0)),
                func.sum(case((is_late & ~OWED, 1), else_=0)),
                func.sum(case((is_over & OWED, 1), else_=0)),
            ).select_from(withdrawn.join(incident, incident.c.key == withdrawn.c.incident_key))
        ).one()
        oldest = None if since is None else from_us(since)
        return Survey(int(kept), oldest, int(overdue or 0), int(late or 0), int(held or 0))

    def _ready(self, now: datetime) -> Any:
        """Select marked incidents that were closed longer ago than the period and owe nothing, or are gone."""
        is_over = (incident.c.state == CLOSED) & (incident.c.closed_at < to_us(now - self.period)) & ~OWED
        return (
            select(withdrawn.c.incident_key)
            .select_from(withdrawn.outerjoin(incident, incident.c.key == withdrawn.c.incident_key))
            .where(or_(incident.c.key.is_(None), is_over))
        )
