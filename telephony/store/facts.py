"""Facts of an incident: each is kept, and 112 is told of what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, select, update

from telephony.domain.errors import Malformed
from telephony.domain.fact import REACH, Fact, Reach
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.report import UpdateReason
from telephony.store.crypto import KeyRing
from telephony.store.fact_rows import FACT, fact_row, said_by, storable_fact
from telephony.store.schema import fact, incident
from telephony.store.sealed_rows import unseal_fact
from telephony.store.sealing import keys_of
from telephony.store.times import to_us
from telephony.store.updates import News, plan_updates

log = structlog.get_logger()

_REASONS = frozenset(UpdateReason)
"""Most kinds of facts are the reason of the update that tells of them."""


def record_facts(connection: Connection, plan: Plan, incident_id: str, facts: Sequence[Fact]) -> bool:
    """Keep facts of an incident and write down the one update that tells of them.

    Gives whether anything was new: False for an unknown incident, and where every fact says what the standing one of
    its kind and subject says. A closed incident keeps facts too, but 112 is not told any more.
    """
    row = incident_to_change(connection, incident_id)
    return row is not None and append_facts(connection, plan, row, facts)


def incident_to_change(connection: Connection, incident_id: str) -> Any:
    """Give the incident's row, or ``None``; no other daemon changes it before this transaction ends.

    Whoever changes several in one transaction locks them first: `telephony.store.locks`.
    """
    found = select(incident).where(incident.c.id == incident_id).with_for_update()
    return connection.execute(found).one_or_none()


def append_facts(connection: Connection, plan: Plan, row: Any, facts: Sequence[Fact]) -> bool:
    """Do as `record_facts`, for an incident whose row was read in this transaction."""
    new = keep_facts(connection, row, facts)
    if not new:
        return False
    if row.state != CLOSED:
        at_us = to_us(max(known.at for known in new))
        news = News(
            row.key, row.carrier, row.last_sequence, at_us, row.press_count, row.best_position,
            row.fact_count + len(new), reasons_of(new),
        )  # fmt: skip
        plan_updates(connection, plan, [news])
    return True


def keep_facts(connection: Connection, row: Any, facts: Sequence[Fact]) -> Sequence[Fact]:
    """Keep what is new in facts of an incident, and return that: 112 is told of it by whoever asks."""
    ring = keys_of(connection)
    new = _new_ones(connection, ring, row.key, facts)
    if new:
        rows = [
            fact_row(ring, row.key, number, known) for number, known in enumerate(new, row.fact_count + 1)
        ]
        FACT.run(connection, rows)
        count = row.fact_count + len(new)
        connection.execute(update(incident).where(incident.c.key == row.key).values(fact_count=count))
    return new


def reasons_of(facts: Sequence[Fact]) -> tuple[UpdateReason, ...]:
    """Return why an update that tells of these facts is sent."""
    return tuple(dict.fromkeys(reason for known in facts if (reason := _reason_of(known)) is not None))


def _reason_of(known: Fact) -> UpdateReason | None:
    if known.kind == REACH:
        is_silent = known.data.get("state") == Reach.NOT_ANSWERING
        return UpdateReason.NOT_ANSWERING if is_silent else UpdateReason.ANSWERING
    return UpdateReason(known.kind) if known.kind in _REASONS else None


def _new_ones(connection: Connection, ring: KeyRing, incident_key: int, facts: Sequence[Fact]) -> list[Fact]:
    """Leave out what is known already; the time of a fact alone is no news."""
    standing: dict[tuple[str, str], str | None] = {}
    new = []
    for known in map(storable_fact, facts):
        about = (known.kind, known.subject)
        if about not in standing:
            standing[about] = _standing(connection, ring, incident_key, *about)
        said = said_by(known)
        if said != standing[about]:
            standing[about] = said
            new.append(known)
    return new


def _standing(
    connection: Connection, ring: KeyRing, incident_key: int, kind: str, subject: str
) -> str | None:
    newest = connection.execute(
        select(fact.c.number, fact.c.sealed)
        .where(fact.c.incident_key == incident_key, fact.c.kind == kind, fact.c.subject == subject)
        .order_by(fact.c.number.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return None
    try:
        return unseal_fact(ring, incident_key, newest.number, newest.sealed)
    except Malformed as error:
        # What cannot be read is told anew: better twice than not at all.
        log.critical("fact unreadable", error=str(error))
        return None
