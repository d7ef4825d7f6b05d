"""Reads the store as another process would, so that its content can be compared with the world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from telephony.domain.delivery import DELIVERED, PENDING
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.values import Msisdn
from telephony.journal.journal import entries_in
from telephony.store.engines import one_transaction, open_engines
from telephony.store.incidents import close_incident
from telephony.store.locatings import locatings_of_numbers
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
    """A delivery that is pending. ``is_told``: whether another channel has delivered the same report."""

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
    f"SELECT i.id, d.channel, d.sequence, d.kind, i.state <> '{CLOSED}', EXISTS (SELECT 1 FROM delivery e"  # noqa: S608 - words of ours
    f" WHERE e.incident_key = d.incident_key AND e.sequence = d.sequence AND e.state = '{DELIVERED}')"
    f" FROM delivery d JOIN incident i ON i.key = d.incident_key WHERE d.state = '{PENDING}'"
    " ORDER BY i.key, d.channel, d.sequence"
)


class Ledger:
    """The store of one simulation, from outside the daemon."""

    def __init__(self, url: str, keys: Keys, journal: Path | None = None) -> None:
        self._writing, self._reading = open_engines(url, keys)
        self._keys = keys
        self._journal = journal

    def incidents(self) -> list[StoredIncident]:
        """Return all incidents, oldest first."""
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

    def in_journal(self, number: str) -> list[float]:
        """Return the times of the presses of a number that stand in the journal's files, in the store or not yet."""
        if self._journal is None:
            return []
        entries = entries_in(self._journal, self._keys())
        return [
            each.trigger.received_at.timestamp() for each in entries if each.trigger.msisdn.number == number
        ]

    def locatings(self) -> list[tuple[str, str, float]]:
        """Return the carrier, the number and the time of each recorded request for a place, by the daemon's machine."""
        numbers = [Msisdn(each.number) for each in self.incidents()]
        with self._reading.connect() as connection:
            found = locatings_of_numbers(connection, numbers)
        return [(each.carrier, each.msisdn.number, each.asked_at.timestamp()) for each in found]

    def owed(self) -> list[Owed]:
        """Return the deliveries that are pending."""
        return [Owed(*row) for row in self._read(_OWED)]

    def open_incident(self, number: str) -> str | None:
        """Return the id of a caller's open incident."""
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
