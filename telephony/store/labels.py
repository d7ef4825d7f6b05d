"""What a press turned out to be: a false alarm, as those say who may, or a drill."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from telephony.domain import score
from telephony.domain.audit import MARKED_FALSE, Looked
from telephony.domain.errors import Malformed
from telephony.domain.fact import FALSE_ALARM, Fact
from telephony.domain.plan import Plan
from telephony.store.audit import Entry, append
from telephony.store.facts import append_facts, incident_to_change
from telephony.store.history import registered, remember, unregistered
from telephony.store.people import Registry
from telephony.store.positions import best_position
from telephony.store.schema import fact
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.times import from_us


def record_false_alarm(  # noqa: PLR0917 - `Database.transact` hands its arguments over by position
    connection: Connection, plan: Plan, incident_id: str, subject: str, by: str, now: datetime, why: str = ""
) -> bool:
    """Keep that somebody says it was a false alarm, and remember it of the person; False for an unknown incident.

    ``subject`` is who: ``guardian 1``, ``112``; ``by`` how, or which desk. 112 is told while the incident is open,
    which it stays: whoever knows better may be the one she fears, so that only 112 closes. Said once more by the same
    it is no news. A drill is remembered as a drill.
    """
    row = incident_to_change(connection, incident_id)
    if row is None:
        return False
    if _is_said(connection, row.key, subject):
        return True
    known = {"by": by, "at": now.isoformat(timespec="seconds"), "why": why}
    said = Fact(FALSE_ALARM, subject, now, {name: text for name, text in known.items() if text})
    append_facts(connection, plan, row, [said])
    if not row.test:
        _remember(connection, row, score.FALSE_ALARM)
    return True


def mark_false_alarm(  # noqa: PLR0917 - as above
    connection: Connection,
    plan: Plan,
    incident_id: str,
    by: str,
    why: str,
    now: datetime,
    looked: Looked | None = None,
) -> Entry | None:
    """Do so for the 112 side, with an entry of the audit chain in the same transaction; None for an unknown incident.

    ``looked`` is the entry where it is known who says so; otherwise it is in the name of ``by``.
    """
    if not record_false_alarm(connection, plan, incident_id, "112", by, now, why):
        return None
    return append(connection, looked or Looked(by, MARKED_FALSE, incident_id, why, now))


def remember_drill(connection: Connection, incident_id: str) -> None:
    """Remember that somebody tried their key in calm; of an emergency, or an unknown incident, nothing."""
    row = incident_to_change(connection, incident_id)
    if row is not None and row.test:
        _remember(connection, row, score.DRILL)


def _is_said(connection: Connection, incident_key: int, subject: str) -> bool:
    there = select(fact.c.number).where(
        fact.c.incident_key == incident_key, fact.c.kind == FALSE_ALARM, fact.c.subject == subject
    )
    return connection.execute(there.limit(1)).one_or_none() is not None


def _remember(connection: Connection, row: Any, kind: str) -> None:
    ring = keys_of(connection)
    number = unseal_incident(ring, row.key, row.sealed).msisdn
    try:
        found = Registry(partial(keys_of, connection)).found(connection, number)
    except Malformed:
        # A damaged row is still somebody's, but nobody can say whose history it is.
        return
    subject = unregistered(number) if found is None else registered(found.key)
    if subject is not None:
        place = best_position(connection, row.id)
        remember(connection, subject, from_us(row.opened_at), kind, place)
