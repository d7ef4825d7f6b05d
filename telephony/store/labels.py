"""Records what a press turned out to be: a false alarm, by the word of those who may say so, or a drill."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from telephony.domain import score
from telephony.domain.errors import Malformed
from telephony.domain.facts import FactKind, FalseAlarmFact, Sayer, subject_of
from telephony.domain.plan import Plan
from telephony.store.facts import append_facts
from telephony.store.history import registered, remember, unregistered
from telephony.store.incident_rows import incident_to_change
from telephony.store.people import Registry
from telephony.store.positions import best_position
from telephony.store.schema import fact
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.times import from_us


def record_false_alarm(  # noqa: PLR0917 - `Database.transact` hands its arguments over by position
    connection: Connection, plan: Plan, incident_id: str, sayer: Sayer, by: str, now: datetime, why: str = ""
) -> bool:
    """Keep that somebody says it was a false alarm, and remember it of the person; False for an unknown incident.

    ``sayer`` is a guardian's place or ``112``; ``by`` how, or which desk. 112 is told while the incident is open,
    which it stays: the one who says so may be the one she fears, so that only 112 closes. A repetition by the same
    sayer is no news. A drill is remembered as a drill.
    """
    row = incident_to_change(connection, incident_id)
    if row is None:
        return False
    if _is_said(connection, row.key, subject_of(sayer)):
        return True
    append_facts(connection, plan, row, [FalseAlarmFact(sayer, now, by, why, now.replace(microsecond=0))])
    if not row.test:
        _remember(connection, row, score.FALSE_ALARM)
    return True


def remember_drill(connection: Connection, incident_id: str) -> None:
    """Remember that somebody tried their key in calm; of an emergency, or an unknown incident, nothing."""
    row = incident_to_change(connection, incident_id)
    if row is not None and row.test:
        _remember(connection, row, score.DRILL)


def _is_said(connection: Connection, incident_key: int, subject: str) -> bool:
    there = select(fact.c.number).where(
        fact.c.incident_key == incident_key, fact.c.kind == FactKind.FALSE_ALARM, fact.c.subject == subject
    )
    return connection.execute(there.limit(1)).one_or_none() is not None


def _remember(connection: Connection, row: Any, kind: str) -> None:
    ring = keys_of(connection)
    number = unseal_incident(ring, row.key, row.sealed).msisdn
    try:
        found = Registry(partial(keys_of, connection)).found(connection, number)
    except Malformed:
        # A damaged row is still somebody's, but it cannot be known whose history it belongs to.
        return
    subject = unregistered(number) if found is None else registered(found.key)
    if subject is not None:
        place = best_position(connection, row.id)
        remember(connection, subject, from_us(row.opened_at), kind, place)
