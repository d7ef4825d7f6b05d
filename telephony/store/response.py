"""What 112 does about an incident: somebody there has taken it, units are on their way or there, something was noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from telephony.domain.facts import AcknowledgedFact, ArrivedFact, DispatchedFact, Fact, FactKind, NoteFact
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
    connection: Connection,
    plan: Plan,
    incident_id: str,
    unit: str,
    by: str,
    now: datetime,
    eta: datetime | None = None,
) -> OrderRefused | StoodAlready | None:
    """Note that a unit is on its way, which says that the incident was taken too, and tell 112.

    Every unit is told of once, and again when another ``eta`` is known. 112 reads times in the zone of ``now``.
    """
    row = open_incident_to_change(connection, incident_id)
    if isinstance(row, OrderRefused):
        return row
    units = _Units.of(connection, row.key)
    sent, is_dispatched = units.named(unit), is_entered(row.state, DISPATCHED)
    eta = None if eta is None else eta.astimezone(now.tzinfo).replace(microsecond=0)
    is_later_told = sent is not None and eta is not None and sent.eta != eta
    if sent is not None and is_dispatched and not is_later_told:
        return StoodAlready()
    news = _on_the_way(connection, row, by, now)
    if sent is None or is_later_told:
        news.append(units.dispatched(unit, by, now, eta))
    append_facts(connection, plan, row, news)
    return None


def arrive(  # noqa: PLR0917 - likewise
    connection: Connection, plan: Plan, incident_id: str, unit: str, by: str, now: datetime
) -> OrderRefused | StoodAlready | None:
    """Note that a unit is there, which says that it was on its way too, and tell 112. Every unit arrives once."""
    row = open_incident_to_change(connection, incident_id)
    if isinstance(row, OrderRefused):
        return row
    units = _Units.of(connection, row.key)
    sent = units.named(unit)
    there = [
        each.number
        for each in facts_of_kind(connection, row.key, FactKind.ARRIVED)
        if isinstance(each, ArrivedFact)
    ]
    if sent is not None and sent.number in there:
        return StoodAlready()
    news = _on_the_way(connection, row, by, now)
    if sent is None:
        sent = units.dispatched(unit, by, now, None)
        news.append(sent)
    news.append(ArrivedFact(sent.number, now.astimezone(UTC), unit, by, now.replace(microsecond=0)))
    append_facts(connection, plan, row, news)
    return None


def note(  # noqa: PLR0917 - likewise
    connection: Connection, plan: Plan, incident_id: str, words: str, by: str, now: datetime
) -> OrderRefused | StoodAlready | None:
    """Note something in words, and tell 112; what was noted last is not noted again."""
    row = open_incident_to_change(connection, incident_id)
    if isinstance(row, OrderRefused):
        return row
    notes = facts_of_kind(connection, row.key, FactKind.NOTE)
    last = notes[-1] if notes else None
    if isinstance(last, NoteFact) and (last.words, last.by) == (storable(words), storable(by)):
        return StoodAlready()
    noted = NoteFact(len(notes) + 1, now.astimezone(UTC), words, by, now.replace(microsecond=0))
    append_facts(connection, plan, row, [noted])
    return None


def _acknowledged(by: str, now: datetime) -> AcknowledgedFact:
    return AcknowledgedFact(now.astimezone(UTC), by, now.replace(microsecond=0))


def _on_the_way(connection: Connection, row: Any, by: str, now: datetime) -> list[Fact]:
    """Enter that a unit was sent, where it is not entered; return what 112 is to be told by that."""
    news: list[Fact] = [] if is_entered(row.state, ACKNOWLEDGED) else [_acknowledged(by, now)]
    if not is_entered(row.state, DISPATCHED):
        rebind(connection, keys_of(connection), row, state=DISPATCHED)
    return news


@dataclass(frozen=True, slots=True)
class _Units:
    """The units that were sent to an incident: by name the newest that is known of each, and the number of the next.

    One whose row cannot be read is told again when it is sent again: better twice than not at all.
    """

    by_name: Mapping[str, DispatchedFact]
    next_number: int

    @classmethod
    def of(cls, connection: Connection, incident_key: int) -> _Units:
        known = facts_of_kind(connection, incident_key, FactKind.DISPATCHED)
        read = [each for each in known if isinstance(each, DispatchedFact)]
        unread = len(known) - len(read)
        return cls({each.unit: each for each in read}, len({each.number for each in read}) + unread + 1)

    def named(self, unit: str) -> DispatchedFact | None:
        """Return what is known of a unit."""
        return self.by_name.get(storable(unit) or "")

    def dispatched(self, unit: str, by: str, now: datetime, eta: datetime | None) -> DispatchedFact:
        """Return what is to be known of a unit from now on."""
        at, whole = now.astimezone(UTC), now.replace(microsecond=0)
        sent = self.named(unit)
        if sent is None:
            return DispatchedFact(self.next_number, at, unit, by, whole, eta)
        return replace(sent, at=at, by=by, eta=eta)
