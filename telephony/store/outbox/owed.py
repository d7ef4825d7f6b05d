"""Counts what 112 has not acknowledged and what is open, for a person who asks how things stand; every count has a bound."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from telephony.domain.delivery import DELIVERED, PENDING
from telephony.domain.incident import CLOSED
from telephony.store.times import from_us
from telephony.store.upgrade import version_in

MOST_COUNTED: Final = 10_000
"""Where a count stops: in a disaster the number of digits is answer enough."""

_OWED: Final = text(
    "SELECT count(*), min(at), sum(rows_of) FROM ("
    " SELECT incident_key, sequence, min(created_at) AS at, count(*) AS rows_of FROM ("
    "  SELECT d.incident_key, d.sequence, d.created_at FROM delivery d"
    # In these words SQLite sees that its index of pending deliveries will do.
    f"  WHERE d.state = '{PENDING}' AND d.sequence > 0 AND NOT EXISTS ("
    "   SELECT 1 FROM delivery e WHERE e.incident_key = d.incident_key AND e.sequence = d.sequence"
    f"   AND e.state = '{DELIVERED}')"
    f"  LIMIT {MOST_COUNTED + 1}) AS pending_rows"
    " GROUP BY incident_key, sequence) AS owed"
)
_OPEN: Final = text(
    f"SELECT count(*) FROM (SELECT 1 FROM incident WHERE state <> '{CLOSED}' LIMIT {MOST_COUNTED + 1}) AS open_ones"
)


@dataclass(frozen=True, slots=True)
class Owed:
    """The counts."""

    reports: int
    """That no channel of 112 has acknowledged; a report that waits on two channels counts once."""
    oldest_at: datetime | None
    open_incidents: int
    is_more: bool
    """Whether a count stopped at its bound."""
    schema_version: str | None


def owed(connection: Connection) -> Owed:
    """Count; only reads."""
    reports, oldest, rows = connection.execute(_OWED).one()
    open_incidents = connection.execute(_OPEN).scalar_one()
    return Owed(
        reports=min(reports, MOST_COUNTED),
        oldest_at=None if oldest is None else from_us(int(oldest)),
        open_incidents=min(open_incidents, MOST_COUNTED),
        is_more=max(int(rows or 0), open_incidents) > MOST_COUNTED,
        schema_version=version_in(connection),
    )
