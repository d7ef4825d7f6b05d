"""What 112 does about an incident: somebody there has taken it, and units are on their way."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from telephony.domain.facts import AcknowledgedFact, DispatchedFact, Fact, FactKind
from telephony.domain.incident import ACKNOWLEDGED, DISPATCHED, is_entered
from telephony.domain.orders import OrderRefused, StoodAlready
from telephony.domain.plan import Plan
from telephony.store.bound import rebind
from telephony.store.facts import append_facts, facts_of_kind
from telephony.store.orders import open_incident_to_change
from telephony.store.sealing import keys_of
from telephony.store.texts import storable


def acknowledge(
    connection: Connection, plan: Plan, incident_id: str, by: str, now: datetime
) -> OrderRefused | StoodAlready | None:
    """Note that somebody at 112 has taken an incident, and tell 112.

    The first who says so stands. 112 reads the time in the zone of ``now``.
    """
    row = open_incident_to_change(connection, incident_id)
    if isinstance(row, OrderRefused):
        return row
    if is_entered(row.state, ACKNOWLEDGED):
        return StoodAlready()
    rebind(connection, keys_of(connection), row, state=ACKNOWLEDGED)
    append_facts(connection, plan, row, [_acknowledged(by, now)])
    return None


def dispatch(  # noqa: PLR0917 - as its neighbours that are handed over by position
    connection: Connection, plan: Plan, incident_id: str, unit: str, by: str, now: datetime
) -> OrderRefused | StoodAlready | None:
    """Note that a unit is on its way, which says that the incident was taken too, and tell 112.

    Every unit is told of once. 112 reads the time in the zone of ``now``.
    """
    row = open_incident_to_change(connection, incident_id)
    if isinstance(row, OrderRefused):
        return row
    sent = _units(connection, row.key)
    is_sent, is_dispatched = (storable(unit) or "") in sent, is_entered(row.state, DISPATCHED)
    if is_sent and is_dispatched:
        return StoodAlready()
    news: list[Fact] = []
    if not is_entered(row.state, ACKNOWLEDGED):
        news.append(_acknowledged(by, now))
    if not is_sent:
        at = now.astimezone(UTC)
        news.append(DispatchedFact(len(sent) + 1, at, unit, by, now.replace(microsecond=0)))
    if not is_dispatched:
        rebind(connection, keys_of(connection), row, state=DISPATCHED)
    append_facts(connection, plan, row, news)
    return None


def _acknowledged(by: str, now: datetime) -> AcknowledgedFact:
    return AcknowledgedFact(now.astimezone(UTC), by, now.replace(microsecond=0))


def _units(connection: Connection, incident_key: int) -> list[str | None]:
    """Return the units that were sent, in their order; ``None`` for one whose row cannot be read.

    That one is told again when it is sent again: better twice than not at all.
    """
    known = facts_of_kind(connection, incident_key, FactKind.DISPATCHED)
    return [each.unit if isinstance(each, DispatchedFact) else None for each in known]
