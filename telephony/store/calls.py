"""Calls of incidents: a call's incident and channel, and what its location token opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Connection, Select, insert, select, update

from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.position import Position
from telephony.domain.values import Msisdn
from telephony.store.bound import bind_row, is_sound
from telephony.store.bulk import select_in
from telephony.store.crypto import KeyRing
from telephony.store.facts import append_facts
from telephony.store.incident_rows import incident_at, incident_to_change
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
    """The incident that a location token stands for, its caller, and the best known position of her."""

    incident_id: str
    is_open: bool
    msisdn: Msisdn
    best: Position | None = field(default=None, repr=False)


_CALLS = select(call, incident.c.id.label("incident_id")).join(
    incident, incident.c.key == call.c.incident_key
)
_INCIDENT_IDS = (
    "SELECT c.reference, c.incident_key, c.server, c.trunk, c.token, c.started_at, c.ended_at, c.bound, i.id"
    " FROM call c JOIN incident i ON i.key = c.incident_key WHERE c.reference {}"
)


class _KnownRow(NamedTuple):
    """A row of these, in that order."""

    reference: str
    incident_key: int
    server: str
    trunk: str
    token: bytes | None
    started_at: int
    ended_at: int | None
    bound: bytes | None
    incident_id: str


def record_call(
    connection: Connection, plan: Plan, incident_id: str, record: CallRecord, facts: Sequence[Fact]
) -> bool:
    """Keep a call, and its facts as `record_facts` does.

    What was known stays known: the token and the end are never taken back, the incident and the start never change.
    Gives whether a fact was new. False, and nothing kept, for an unknown incident.
    """
    row = incident_to_change(connection, incident_id)
    if row is None:
        return False
    _keep(connection, row.key, record)
    return append_facts(connection, plan, row, facts)


def live_calls(connection: Connection, server: str) -> list[KnownCall]:
    """Return the calls of a server of which no end is known, oldest first."""
    return _known(
        connection,
        _CALLS.where(call.c.server == server, call.c.ended_at.is_(None)).order_by(call.c.started_at),
    )


def known_calls(connection: Connection, references: Iterable[str]) -> dict[str, str]:
    """Return for each of the references that is known, live or ended, the id of its incident."""
    ring = keys_of(connection)
    rows = [_KnownRow(*row) for row in select_in(connection, _INCIDENT_IDS, references)]
    return {row.reference: row.incident_id for row in rows if is_sound(ring, call.name, row)}


def calls_of(connection: Connection, incident_id: str, *, only_live: bool = True) -> list[KnownCall]:
    """Return the calls of an incident, oldest first; by default those of which no end is known."""
    found = _CALLS.where(incident.c.id == incident_id).order_by(call.c.started_at)
    return _known(connection, found.where(call.c.ended_at.is_(None)) if only_live else found)


def by_token(connection: Connection, digests: Sequence[bytes]) -> TokenHolder | None:
    """Return what the location token opens that is kept by one of these digests; ``None`` when there is no such token, or none of ours.

    The token dies with its incident: check ``is_open`` before answering with a position.
    """
    ring = keys_of(connection)
    of_tokens = connection.execute(select(call).where(call.c.token.in_(list(digests)))).all()
    of_token = next((row for row in of_tokens if is_sound(ring, call.name, row)), None)
    if of_token is None:
        return None
    row = incident_at(connection, of_token.incident_key)
    if row is None:
        return None
    who = unseal_incident(ring, row.key, row.sealed)
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
        if is_sound(ring, call.name, row)
    ]


def _channel(ring: KeyRing, row: Any) -> str:
    """Return a call's channel; a damaged one is no channel that Asterisk knows, and the call's end is found by its id."""
    try:
        return unseal_channel(ring, row.reference, row.sealed)
    except Malformed as error:
        log.critical("channel of a call unreadable", call=row.reference, error=str(error))
        return ""


def _keep(connection: Connection, incident_key: int, record: CallRecord) -> None:
    """Write a call down. Of a row that another hand changed nothing stays: only the present values are kept."""
    ring, of_this = keys_of(connection), call.c.reference == record.reference
    row = connection.execute(select(call).where(of_this).with_for_update()).one_or_none()
    known: dict[str, Any] = {
        "reference": record.reference,
        "incident_key": incident_key,
        "server": record.server,
        "token": record.token,
        "started_at": to_us(record.started_at),
        "ended_at": None if record.ended_at is None else to_us(record.ended_at),
    }
    if row is not None and is_sound(ring, call.name, row):
        changes = {name: known[name] for name in ("token", "ended_at") if known[name] is not None}
        known = {name: getattr(row, name) for name in known} | changes
    known["trunk"] = storable(record.trunk)
    known |= {
        "sealed": seal_channel(ring, record.reference, record.channel),
        "bound": bind_row(ring, call.name, known),
    }
    if row is None:
        connection.execute(insert(call).values(**known))
    else:
        connection.execute(update(call).where(of_this).values(**known))
