"""Whether the location service still reaches a caller's phone: 112 is told when it does not any more, and when it does again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, select, update

from telephony.domain.errors import Malformed
from telephony.domain.fact import LAST_ANSWERED, PHONE, REACH, Fact, Reach
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.ports import NotReached
from telephony.store.fact_rows import FactRow, fact_of
from telephony.store.facts import append_facts
from telephony.store.reports import position_of
from telephony.store.schema import fact, incident, position
from telephony.store.sealing import keys_of
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

LONGEST_PATIENCE: Final = timedelta(minutes=30)
_ENOUGH_DOUBLINGS = 20
"""Of any interval that can be set; more would not fit into a time span."""


class Missed(NamedTuple):
    """A question about a phone that the phone did not answer, and for how long nobody is told of such."""

    why: NotReached
    at: datetime
    patience: timedelta


def record_unreached(connection: Connection, plan: Plan, incident_key: int, missed: Missed) -> bool:
    """Note that a phone did not answer; gives whether 112 is told so now.

    It is told once, when there was no answer for as long as the patience, and not of single ones that are missed: the
    patience doubles with each time that 112 was told, up to `LONGEST_PATIENCE`. A number that no carrier knows has to
    have answered before.
    """
    row = connection.execute(select(incident).where(incident.c.key == incident_key).with_for_update()).one()
    if row.state == CLOSED or (missed.why is NotReached.UNKNOWN and row.newest_position is None):
        return False
    if row.unreached_since is None:
        changed = update(incident).where(incident.c.key == row.key)
        connection.execute(changed.values(unreached_since=to_us(missed.at)))
        return False
    states = reach_states(connection, row.key)
    if states[-1:] == [Reach.NOT_ANSWERING]:
        return False
    doubled = min(states.count(Reach.NOT_ANSWERING), _ENOUGH_DOUBLINGS)
    needed = min(missed.patience * 2**doubled, max(missed.patience, LONGEST_PATIENCE))
    if missed.at - from_us(row.unreached_since) < needed:
        return False
    said: dict[str, str] = {"state": Reach.NOT_ANSWERING, "why": missed.why}
    answered_at = _last_answer(connection, row)
    if answered_at is not None:
        said[LAST_ANSWERED] = answered_at.isoformat(timespec="seconds")
    return append_facts(connection, plan, row, [Fact(REACH, PHONE, missed.at, said)])


def reach_states(connection: Connection, incident_key: int) -> list[str]:
    """Give what 112 was told of reaching an incident's phone, in order."""
    ring = keys_of(connection)
    rows = connection.execute(
        select(fact.c.incident_key, fact.c.number, fact.c.kind, fact.c.subject, fact.c.at, fact.c.sealed)
        .where(fact.c.incident_key == incident_key, fact.c.kind == REACH)
        .order_by(fact.c.number)
    ).all()
    states = []
    for row in rows:
        try:
            states.append(fact_of(ring, FactRow(*row)).data.get("state", ""))
        except (Malformed, ValueError) as error:
            log.critical("fact unreadable", error=str(error))
            states.append("")
    return states


def _last_answer(connection: Connection, row: Any) -> datetime | None:
    """Give when the phone was last measured, or came in where that is not known; ``None``: not in this incident."""
    of_newest = (position.c.incident_key == row.key) & (position.c.number == row.newest_position)
    newest = connection.execute(select(position).where(of_newest)).one_or_none()
    try:
        found = None if newest is None else position_of(keys_of(connection), newest)
    except Malformed as error:
        log.critical("position unreadable", error=str(error))
        return None
    return None if found is None or found.is_memory else found.fixed_at or found.received_at
