"""Recordings of calls, kept from the end of the call on. What is still needed by an open incident stays.

A transaction of the store waits for no file. So it says that a recording's time is over, and the daemon that sees the file
destroys it within seconds (`telephony.services.recordings_keeping`); its row goes after it. Until then it counts as overdue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import Connection, case, exists, func, select, update

from telephony.domain.incident import CLOSED
from telephony.domain.recording import RecordingState
from telephony.store.retention.runs import SLICE, Found, Survey, announced
from telephony.store.schema import incident, recording
from telephony.store.times import from_us, to_us

_IS_OPEN: Final = exists().where(incident.c.id == recording.c.incident_id, incident.c.state != CLOSED)


@dataclass(frozen=True, slots=True)
class Recordings:
    """Sealed recordings, by the end of their call."""

    period: timedelta
    name: ClassVar[str] = "recordings"
    at_once: ClassVar[int] = 100

    def find(self, connection: Connection, now: datetime, after: int) -> Found:
        """Return keys of recordings that are older than the period, the oldest first."""
        del after
        wanted = self._over(now).order_by(recording.c.ended_at).limit(SLICE)
        keys = [int(key) for key in connection.execute(wanted).scalars()]
        return Found(keys, 0 if len(keys) == SLICE else None)

    def announce(self, connection: Connection, items: Sequence[Any], now: datetime) -> str:
        """Say how many."""
        del connection
        return announced(len(items), now - self.period)

    def delete(self, connection: Connection, items: Sequence[Any], now: datetime) -> int:
        """Say of these that their time is over, unless their incident was opened again."""
        keys = list(connection.execute(self._over(now).where(recording.c.key.in_(items))).scalars())
        connection.execute(
            update(recording).where(recording.c.key.in_(keys)).values(state=RecordingState.OVER)
        )
        return len(keys)

    def survey(self, connection: Connection, now: datetime, grace: timedelta) -> Survey:
        """Count by the end of the call; those whose file is still there although their time is over are overdue."""
        is_over = recording.c.ended_at < to_us(now - self.period)
        is_late = recording.c.ended_at < to_us(now - self.period - grace)
        kept, since, overdue, late, held = connection.execute(
            select(
                func.count(),
                func.min(recording.c.ended_at),
                func.sum(case((is_over & ~_IS_OPEN, 1), else_=0)),
                func.sum(case((is_late & ~_IS_OPEN, 1), else_=0)),
                func.sum(case((is_over & _IS_OPEN, 1), else_=0)),
            ).select_from(recording)
        ).one()
        oldest = None if since is None else from_us(since)
        return Survey(int(kept), oldest, int(overdue or 0), int(late or 0), int(held or 0))

    def _over(self, now: datetime) -> Any:
        return select(recording.c.key).where(
            recording.c.state == RecordingState.SEALED,
            recording.c.ended_at < to_us(now - self.period),
            ~_IS_OPEN,
        )
