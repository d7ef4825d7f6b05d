"""The calls that stand, with what an operator wants to see of each at a glance."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Connection, select

from telephony.domain.errors import Malformed
from telephony.domain.facts import CallFact, FactKind
from telephony.domain.values import Msisdn
from telephony.store.bound import believed
from telephony.store.crypto import KeyRing
from telephony.store.fact_rows import FactRow, fact_of
from telephony.store.schema import call, fact, incident
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.times import from_us

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StandingCall:
    """One call of which no end is known."""

    incident_id: str
    reference: str
    trunk: str
    started_at: datetime
    state: str
    """As 112 was told last: arrived, dialling, connected; empty where nothing is kept of it yet."""
    silence: str
    """How her phone is kept silent: no-rtp, zeros; empty where it is not known."""
    is_lifted: bool
    """112 has lifted silence for the incident."""
    caller: Msisdn | None = field(default=None, repr=False)
    """``None`` where the row is damaged."""


def standing_calls(connection: Connection, server: str) -> list[StandingCall]:
    """Return the calls of a server of which no end is known, oldest first."""
    ring = keys_of(connection)
    rows = connection.execute(
        select(
            call.c.reference,
            call.c.trunk,
            call.c.started_at,
            incident,
        )
        .join(incident, incident.c.key == call.c.incident_key)
        .where(call.c.server == server, call.c.ended_at.is_(None))
        .order_by(call.c.started_at)
    ).all()
    standing = []
    for row in rows:
        said = _newest(connection, ring, row.key, row.reference)
        standing.append(
            StandingCall(
                row.id,
                row.reference,
                row.trunk,
                from_us(row.started_at),
                "" if said is None else str(said.state),
                "" if said is None else said.silence,
                believed(ring, row).silence_lifted_at is not None,
                _caller(ring, row.key, row.sealed),
            )
        )
    return standing


def _newest(connection: Connection, ring: KeyRing, incident_key: int, reference: str) -> CallFact | None:
    """Return the newest fact of a call; ``None`` where there is none, or it cannot be read."""
    row = connection.execute(
        select(fact)
        .where(fact.c.incident_key == incident_key, fact.c.kind == FactKind.CALL, fact.c.subject == reference)
        .order_by(fact.c.number.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    kept = FactRow(*row)
    try:
        known = fact_of(ring, kept)
    except Malformed as error:
        log.critical("row unreadable", error=str(error))
        return None
    return known if isinstance(known, CallFact) else None


def _caller(ring: KeyRing, incident_key: int, sealed: bytes) -> Msisdn | None:
    try:
        return unseal_incident(ring, incident_key, sealed).msisdn
    except (Malformed, ValueError) as error:
        log.critical("row unreadable", error=str(error))
        return None
