"""Records whether the location service reaches a caller's phone: 112 is told when it no longer does, and when it does again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, select, update

from telephony.domain.errors import Malformed
from telephony.domain.facts import FactKind, Newer, NotReached, Reach, ReachFact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.whereabouts import AgeOf, as_it_came_before, on_the_clock_of
from telephony.store.facts import append_facts, facts_of_kind
from telephony.store.incident_rows import incident_at_to_change
from telephony.store.reports import position_of
from telephony.store.schema import incident, position
from telephony.store.sealing import keys_of
from telephony.store.times import from_us, to_us

log = structlog.get_logger()

LONGEST_PATIENCE: Final = timedelta(minutes=30)
OF_SERVICES: Final = "lbs:"
"""How the sources of fixes begin that a location service has measured."""
_ENOUGH_DOUBLINGS = 20
"""Of any interval that can be set; more would not fit into a time span."""


class Missed(NamedTuple):
    """A location request that the phone did not answer, and for how long 112 is not told of such."""

    why: NotReached
    at: datetime
    patience: timedelta
    age_s: AgeOf
    """How long ago it is that something was written down: the clock may have been set since."""


def record_unreached(connection: Connection, plan: Plan, incident_key: int, missed: Missed) -> bool:
    """Note that a phone did not answer; gives whether 112 is told so now.

    It is told once, when there was no answer for as long as the patience, and not of single ones that are missed: the
    patience doubles with each time that 112 was told, up to `LONGEST_PATIENCE`. A number that no carrier knows has to
    have answered a location service before: that a device has found itself does not make it a number of the carrier's.
    """
    row = incident_at_to_change(connection, incident_key)
    if (
        row is None
        or row.state == CLOSED
        or (missed.why is NotReached.UNKNOWN and not _was_found_by_a_service(connection, row.key))
    ):
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
    if missed.at - on_the_clock_of(missed.at, from_us(row.unreached_since), missed.age_s) < needed:
        return False
    known = ReachFact(missed.at, Reach.NOT_ANSWERING, missed.why, _last_answer(connection, row, missed))
    return append_facts(connection, plan, row, [known])


def reach_states(connection: Connection, incident_key: int) -> list[Reach | Newer]:
    """Return what 112 was told of reaching an incident's phone, in order."""
    known = facts_of_kind(connection, incident_key, FactKind.REACH)
    return [each.state if isinstance(each, ReachFact) else Newer() for each in known]


def _was_found_by_a_service(connection: Connection, incident_key: int) -> bool:
    of_services = select(position.c.number).where(
        position.c.incident_key == incident_key, position.c.source.startswith(OF_SERVICES)
    )
    return connection.execute(of_services.limit(1)).one_or_none() is not None


def _last_answer(connection: Connection, row: Any, missed: Missed) -> datetime | None:
    """Return when the phone was last measured, or came in where that is not known; ``None``: not in this incident."""
    of_newest = (position.c.incident_key == row.key) & (position.c.number == row.newest_position)
    newest = connection.execute(select(position).where(of_newest)).one_or_none()
    try:
        found = None if newest is None else position_of(keys_of(connection), newest)
    except Malformed as error:
        log.critical("position unreadable", error=str(error))
        return None
    if found is None or found.is_memory:
        return None
    found = as_it_came_before(missed.at, found, missed.age_s)
    return found.fixed_at or found.received_at
