"""Records facts of an incident, and the update that tells 112 of the new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import structlog
from sqlalchemy import Connection, bindparam, select, update

from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact, FactKind, Reach, ReachFact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.report import UpdateReason
from telephony.store.crypto import KeyRing
from telephony.store.fact_rows import FACT, FACT_COLUMNS, FactRow, fact_of, fact_row, said_by, storable_fact
from telephony.store.incident_rows import incident_to_change
from telephony.store.prepared import Prepared
from telephony.store.schema import fact, incident
from telephony.store.sealed_rows import unseal_fact
from telephony.store.sealing import keys_of
from telephony.store.times import to_us
from telephony.store.updates import News, plan_updates

log = structlog.get_logger()

_REASONS: Final[Mapping[str, UpdateReason]] = MappingProxyType(
    {
        FactKind.CALL: UpdateReason.CALL,
        FactKind.KNOCK: UpdateReason.KNOCK,
        FactKind.SILENCE: UpdateReason.SILENCE,
        FactKind.GUARDIAN: UpdateReason.GUARDIAN,
        FactKind.PERSON: UpdateReason.PERSON,
        FactKind.SCORE: UpdateReason.SCORE,
        FactKind.FALSE_ALARM: UpdateReason.FALSE_ALARM,
        FactKind.ACKNOWLEDGED: UpdateReason.ACKNOWLEDGED,
        FactKind.DISPATCHED: UpdateReason.DISPATCHED,
        FactKind.ARRIVED: UpdateReason.ARRIVED,
        FactKind.NOTE: UpdateReason.NOTE,
    }
)
"""Most kinds of facts are the reason of the update that tells of them."""


_OF_INCIDENT: Final = (fact.c.incident_key == bindparam("incident_key"), fact.c.kind == bindparam("kind"))
_OF_KIND: Final = Prepared(select(*FACT_COLUMNS).where(*_OF_INCIDENT).order_by(fact.c.number))
_NEWEST: Final = Prepared(
    select(fact.c.number, fact.c.sealed)
    .where(*_OF_INCIDENT, fact.c.subject == bindparam("subject"))
    .order_by(fact.c.number.desc())
    .limit(1)
)
_COUNT: Final = Prepared(
    update(incident).where(incident.c.key == bindparam("at")).values(fact_count=bindparam("fact_count"))
)


def record_facts(connection: Connection, plan: Plan, incident_id: str, facts: Sequence[Fact]) -> bool:
    """Keep facts of an incident and write down the one update that tells of them.

    Gives whether anything was new: False for an unknown incident, and where every fact says what the standing one of
    its kind and subject says. A closed incident keeps facts too, but 112 is not told any more.
    """
    row = incident_to_change(connection, incident_id)
    return row is not None and append_facts(connection, plan, row, facts)


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
    """Keep the new ones among facts of an incident, and return them: it is the caller that tells 112."""
    ring = keys_of(connection)
    new = _new_ones(connection, ring, row.key, facts)
    if new:
        rows = [
            fact_row(ring, row.key, number, known) for number, known in enumerate(new, row.fact_count + 1)
        ]
        FACT.run(connection, rows)
        count = row.fact_count + len(new)
        _COUNT.run(connection, at=row.key, fact_count=count)
    return new


def reasons_of(facts: Sequence[Fact]) -> tuple[UpdateReason, ...]:
    """Return why an update that tells of these facts is sent."""
    return tuple(dict.fromkeys(reason for known in facts if (reason := _reason_of(known)) is not None))


def _reason_of(known: Fact) -> UpdateReason | None:
    if isinstance(known, ReachFact):
        is_silent = known.state is Reach.NOT_ANSWERING
        return UpdateReason.NOT_ANSWERING if is_silent else UpdateReason.ANSWERING
    return _REASONS.get(known.kind)


def facts_of_kind(connection: Connection, incident_key: int, kind: FactKind) -> list[Fact | None]:
    """Return an incident's facts of one kind, in their order; ``None`` for one whose row cannot be read, which is logged."""
    ring = keys_of(connection)
    rows = _OF_KIND.all(connection, incident_key=incident_key, kind=kind)
    return [_fact(ring, row) for row in rows]


def _fact(ring: KeyRing, row: Any) -> Fact | None:
    try:
        return fact_of(ring, FactRow(*row))
    except Malformed as error:
        log.critical("fact unreadable", error=str(error))
        return None


def _new_ones(connection: Connection, ring: KeyRing, incident_key: int, facts: Sequence[Fact]) -> list[Fact]:
    """Return the facts that are not known already; the time of a fact alone is no news."""
    standing: dict[tuple[str, str], str | None] = {}
    new = []
    for known in map(storable_fact, facts):
        about = (str(known.kind), known.subject)
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
    newest = _NEWEST.one(connection, incident_key=incident_key, kind=kind, subject=subject)
    if newest is None:
        return None
    try:
        return unseal_fact(ring, incident_key, newest.number, newest.sealed)
    except Malformed as error:
        # A fact is told again where the standing one cannot be read: better twice than not at all.
        log.critical("fact unreadable", error=str(error))
        return None
