"""Calls of incidents: which call is which incident's, on which channel, and what its location token opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Select, insert, select, update

from telephony.domain.errors import Malformed
from telephony.domain.fact import Fact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.store.bulk import select_in
from telephony.store.crypto import KeyRing
from telephony.store.facts import append_facts, incident_to_change
from telephony.store.positions import best_position
from telephony.store.schema import call, incident
from telephony.store.sealed_rows import seal_channel, unseal_channel, unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.texts import storable
from telephony.store.times import from_us, to_us

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One SOS call on a server of ours.

    ``reference`` is the server's name, a slash and Asterisk's Uniqueid. ``channel`` is Asterisk's name of the caller's
    channel. ``token`` is the SHA-256 of the location token that 112 was given, not the token. Times are UTC.
    """

    reference: str
    server: str
    channel: str
    trunk: str
    started_at: datetime
    token: bytes | None = field(default=None, repr=False)
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call and its incident."""

    record: CallRecord
    incident_id: str


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """What a location token speaks of: an incident, its caller, and the best that is known of where she is."""

    incident_id: str
    is_open: bool
    msisdn: Msisdn
    best: Position | None = field(default=None, repr=False)


_CALLS = select(call, incident.c.id.label("incident_id")).join(
    incident, incident.c.key == call.c.incident_key
)
_INCIDENT_IDS = (
    "SELECT c.reference, i.id FROM call c JOIN incident i ON i.key = c.incident_key WHERE c.reference {}"
)


def record_call(
    connection: Connection, plan: Plan, incident_id: str, record: CallRecord, facts: Sequence[Fact]
) -> bool:
    """Keep what is known of a call, and its facts as `record_facts` does.

    What was known stays known: the token and the end are never taken back, the incident and the start never change.
    Gives whether a fact was new. False, and nothing kept, for an unknown incident.
    """
    row = incident_to_change(connection, incident_id)
    if row is None:
        return False
    _keep(connection, row.key, record)
    return append_facts(connection, plan, row, facts)


def live_calls(connection: Connection, server: str) -> list[KnownCall]:
    """Give the calls of a server of which no end is known, oldest first."""
    return _known(
        connection,
        _CALLS.where(call.c.server == server, call.c.ended_at.is_(None)).order_by(call.c.started_at),
    )


def known_calls(connection: Connection, references: Iterable[str]) -> dict[str, str]:
    """Give for each of the references that is known, live or ended, the id of its incident."""
    rows = select_in(connection, _INCIDENT_IDS, references)
    return {row[0]: row[1] for row in rows}


def calls_of(connection: Connection, incident_id: str, *, only_live: bool = True) -> list[KnownCall]:
    """Give the calls of an incident, oldest first; by default those of which no end is known."""
    found = _CALLS.where(incident.c.id == incident_id).order_by(call.c.started_at)
    return _known(connection, found.where(call.c.ended_at.is_(None)) if only_live else found)


def by_token(connection: Connection, digest: bytes) -> TokenHolder | None:
    """Give what the location token with this SHA-256 opens; ``None`` when there is no such token.

    The token dies with its incident: whoever answers with a position asks for ``is_open`` first.
    """
    row = connection.execute(
        select(incident).join(call, call.c.incident_key == incident.c.key).where(call.c.token == digest)
    ).one_or_none()
    if row is None:
        return None
    who = unseal_incident(keys_of(connection), row.key, row.sealed)
    return TokenHolder(row.id, row.state != CLOSED, who.msisdn, best_position(connection, row.id))


def _known(connection: Connection, query: Select[Any]) -> list[KnownCall]:
    ring = keys_of(connection)
    return [
        KnownCall(
            CallRecord(
                row.reference,
                row.server,
                _channel(ring, row),
                row.trunk,
                from_us(row.started_at),
                row.token,
                None if row.ended_at is None else from_us(row.ended_at),
            ),
            row.incident_id,
        )
        for row in connection.execute(query)
    ]


def _channel(ring: KeyRing, row: Any) -> str:
    """Give a call's channel; a damaged one is no channel that Asterisk knows, and the call's end is found by its id."""
    try:
        return unseal_channel(ring, row.reference, row.sealed)
    except Malformed as error:
        log.critical("channel of a call unreadable", call=row.reference, error=str(error))
        return ""


def _keep(connection: Connection, incident_key: int, record: CallRecord) -> None:
    sealed = seal_channel(keys_of(connection), record.reference, record.channel)
    known: dict[str, Any] = {"sealed": sealed, "trunk": storable(record.trunk)}
    if record.token is not None:
        known["token"] = record.token
    if record.ended_at is not None:
        known["ended_at"] = to_us(record.ended_at)
    changed = connection.execute(update(call).where(call.c.reference == record.reference).values(**known))
    if changed.rowcount == 0:
        connection.execute(
            insert(call).values(
                reference=record.reference,
                incident_key=incident_key,
                server=record.server,
                started_at=to_us(record.started_at),
                **known,
            )
        )
