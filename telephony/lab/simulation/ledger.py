"""What the store holds, read beside the daemon as another process would, for those who compare it with the world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text

from telephony.domain.plan import Plan
from telephony.store.engines import one_transaction, open_engines
from telephony.store.incidents import close_incident
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import Keys


class StoredIncident(NamedTuple):
    """A row of the incident table; times are Unix seconds by the daemon's machine."""

    key: int
    id: str
    number: str
    opened_at: float
    closed_at: float | None
    press_count: int
    last_sequence: int
    best_position: int | None


class Owed(NamedTuple):
    """A delivery that is pending. ``is_told`` claims that another channel has delivered the same report."""

    incident: str
    channel: str
    sequence: int
    kind: str
    is_open: bool
    is_told: bool


_INCIDENTS = (
    "SELECT key, id, sealed, opened_at / 1e6, closed_at / 1e6, press_count, last_sequence, best_position"
    " FROM incident ORDER BY opened_at, key"
)
_SEEN = (
    "SELECT received_at / 1e6 FROM press WHERE incident_key = :key"
    " UNION SELECT last_seen_at / 1e6 FROM press WHERE incident_key = :key"
)
_OWED = (
    "SELECT i.id, d.channel, d.sequence, d.kind, i.state <> 'closed', EXISTS (SELECT 1 FROM delivery e"
    " WHERE e.incident_key = d.incident_key AND e.sequence = d.sequence AND e.state = 'delivered')"
    " FROM delivery d JOIN incident i ON i.key = d.incident_key WHERE d.state = 'pending' ORDER BY i.key, d.channel, d.sequence"
)


class Ledger:
    """The store of one simulation, from outside the daemon."""

    def __init__(self, url: str, keys: Keys) -> None:
        self._writing, self._reading = open_engines(url, keys)
        self._keys = keys

    def incidents(self) -> list[StoredIncident]:
        """Give all incidents, oldest first."""
        ring = self._keys()
        return [
            StoredIncident(key, name, unseal_incident(ring, key, sealed).msisdn.number, *rest)
            for key, name, sealed, *rest in self._read(_INCIDENTS)
        ]

    def seen(self, number: str) -> list[float]:
        """Return the times at which presses of a number came, as the daemon's machine wrote them down."""
        return [
            moment
            for incident in self.incidents()
            if incident.number == number
            for (moment,) in self._read(_SEEN, key=incident.key)
            if moment is not None
        ]

    def owed(self) -> list[Owed]:
        """Give the deliveries that are pending."""
        return [Owed(*row) for row in self._read(_OWED)]

    def open_incident(self, number: str) -> str | None:
        """Give the id of a caller's open incident."""
        of_theirs = (each for each in self.incidents() if each.number == number and each.closed_at is None)
        return next((each.id for each in of_theirs), None)

    def close_incident(self, plan: Plan, incident_id: str, reason: str, now: datetime) -> bool:
        """Close an incident as an operator's command does, from another process."""
        with self._writing.connect() as connection, one_transaction(connection):
            return close_incident(connection, plan, incident_id, reason, now)

    def shut(self) -> None:
        """Close the connections."""
        self._writing.dispose()
        self._reading.dispose()

    def _read(self, query: str, **values: Any) -> Sequence[Any]:
        with self._reading.connect() as connection:
            return connection.execute(text(query), values).fetchall()
