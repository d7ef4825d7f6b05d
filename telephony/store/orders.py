"""Gives orders of the 112 side about an incident: to lift or hold silence, end its call, call its caller back.

An order is a delivery on the channel `CALL_CONTROL`. Its sequence is negative, so that it is no report and that the
orders of one incident are carried out one after the other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from telephony.domain.delivery import (
    CALL_BACK,
    CALL_CONTROL,
    HANG_UP,
    HOLD_SILENCE,
    LIFT_SILENCE,
)
from telephony.domain.facts import SilenceFact, SilenceState
from telephony.domain.incident import CLOSED
from telephony.domain.orders import OrderRefused
from telephony.domain.plan import Plan
from telephony.domain.silence import Output, may_reach
from telephony.store.bound import rebind
from telephony.store.facts import append_facts
from telephony.store.incident_rows import incident_called, incident_to_change
from telephony.store.locks import lock_incidents_called
from telephony.store.outbox.writing import SealedOrder, enqueue_order, supersede
from telephony.store.schema import delivery
from telephony.store.sealed_rows import seal_order, unseal_incident
from telephony.store.sealing import keys_of
from telephony.store.texts import storable
from telephony.store.times import to_us

BEFORE_FIRST_ORDER = -1_000_000
"""The n-th order of an incident has this sequence plus n: below 0 for more orders than anybody gives."""

AUDIBLE = (LIFT_SILENCE, CALL_BACK)
"""Orders after which something can reach the caller's phone: not carried out once silence is held again or the incident is closed."""


def set_silence(  # noqa: PLR0917 - `Database.transact` hands its arguments over by position
    connection: Connection,
    plan: Plan,
    incident_id: str,
    lifted: bool,  # noqa: FBT001 - likewise
    by: str,
    now: datetime,
) -> OrderRefused | None:
    """Lift silence for an incident or hold it again, tell 112, and order its calls to follow.

    ``by`` names who asked. Where it holds already, the order is given again and 112 is told nothing.
    """
    row = open_incident_to_change(connection, incident_id)
    if isinstance(row, OrderRefused):
        return row
    if lifted != (row.silence_lifted_at is not None):
        rebind(connection, keys_of(connection), row, silence_lifted_at=to_us(now) if lifted else None)
        state = SilenceState.LIFTED if lifted else SilenceState.HELD
        append_facts(connection, plan, row, [SilenceFact(now, state, by)])
    if not lifted:
        supersede(connection, row.key, AUDIBLE, now)
    _order(connection, row.key, LIFT_SILENCE if lifted else HOLD_SILENCE, by, now)
    return None


def silence_lifted(connection: Connection, incident_id: str) -> bool:
    """Whether something of ours may reach the caller's phone: lifted, and the incident is open."""
    row = incident_called(connection, incident_id)
    return row is not None and row.state != CLOSED and row.silence_lifted_at is not None


def open_incident_to_change(connection: Connection, incident_id: str) -> Any | OrderRefused:
    """Return the row of an open incident, locked with its pending deliveries; or why nothing can be ordered about it."""
    lock_incidents_called(connection, [incident_id])
    row = incident_to_change(connection, incident_id)
    return _why_not_open(row, incident_id) or row


def order_hang_up(connection: Connection, incident_id: str, by: str, now: datetime) -> OrderRefused | None:
    """Order that the incident's calls are ended; a closed one may still have some."""
    row = incident_to_change(connection, incident_id)
    if row is None:
        return unknown(incident_id)
    _order(connection, row.key, HANG_UP, by, now)
    return None


def order_call_back(connection: Connection, incident_id: str, by: str, now: datetime) -> OrderRefused | None:
    """Order a call to the caller's phone."""
    row = incident_to_change(connection, incident_id)
    refused = _why_not_open(row, incident_id)
    if refused is not None:
        return refused
    silenced = may_reach(Output.CALL_BACK, silence_lifted=row.silence_lifted_at is not None)
    if silenced is not None:
        return OrderRefused(silenced.reason)
    number = unseal_incident(keys_of(connection), row.key, row.sealed).msisdn
    if number.is_withheld:
        return OrderRefused("the caller's number is withheld: there is nothing to call")
    if not number.is_e164:
        return OrderRefused("what the carrier gave is no number that can be called")
    _order(connection, row.key, CALL_BACK, by, now)
    return None


def unknown(incident_id: str) -> OrderRefused:
    """Return the answer to an order about an incident that is none."""
    return OrderRefused(f"there is no incident {incident_id}")


def not_open(connection: Connection, incident_id: str) -> OrderRefused | None:
    """Return why nothing can be ordered about an incident that is to be open; none where it is."""
    return _why_not_open(incident_to_change(connection, incident_id), incident_id)


def _why_not_open(row: Any, incident_id: str) -> OrderRefused | None:
    """Do as `not_open`, for a row that was read in this transaction."""
    if row is None:
        return unknown(incident_id)
    return OrderRefused(f"incident {incident_id} is closed") if row.state == CLOSED else None


def _order(connection: Connection, incident_key: int, kind: str, by: str, now: datetime) -> None:
    newest = connection.execute(
        select(func.max(delivery.c.sequence)).where(
            delivery.c.incident_key == incident_key, delivery.c.channel == CALL_CONTROL
        )
    ).scalar_one()
    sequence = (BEFORE_FIRST_ORDER if newest is None else newest) + 1
    sealed = seal_order(keys_of(connection), incident_key, sequence, {"by": storable(by)})
    enqueue_order(connection, SealedOrder(incident_key, CALL_CONTROL, sequence, kind, sealed), now)
