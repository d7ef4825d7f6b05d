"""What the 112 side orders about an incident: silence lifted or held, its call ended, its caller called back.

An order is a delivery on the channel `CALL_CONTROL`. Its sequence is negative, so that it is no report and that the
orders of one incident are carried out one after the other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from telephony.domain.delivery import (
    CALL_BACK,
    CALL_CONTROL,
    HANG_UP,
    HOLD_SILENCE,
    LIFT_SILENCE,
    PENDING,
    SUPERSEDED,
)
from telephony.domain.fact import PHONE, SILENCE, Fact
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.silence import Output, Refused, may_reach
from telephony.store.facts import append_facts, incident_to_change
from telephony.store.locks import lock_incidents_called
from telephony.store.schema import delivery, incident
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
) -> Refused | None:
    """Lift silence for an incident or hold it again, tell 112, and order its calls to follow.

    ``by`` is who asked. Asked once more for what holds already, the order is given again and 112 is told nothing.
    """
    lock_incidents_called(connection, [incident_id])
    row = incident_to_change(connection, incident_id)
    refused = _not_open(row, incident_id)
    if refused is not None:
        return refused
    if lifted != (row.silence_lifted_at is not None):
        connection.execute(
            update(incident)
            .where(incident.c.key == row.key)
            .values(silence_lifted_at=to_us(now) if lifted else None)
        )
        state = "lifted" if lifted else "held"
        append_facts(connection, plan, row, [Fact(SILENCE, PHONE, now, {"state": state, "by": by})])
    if not lifted:
        take_back_audible(connection, row.key, now)
    _order(connection, row.key, LIFT_SILENCE if lifted else HOLD_SILENCE, by, now)
    return None


def silence_lifted(connection: Connection, incident_id: str) -> bool:
    """Claim that something of ours may reach the caller's phone: lifted, and the incident is open."""
    row = connection.execute(
        select(incident.c.state, incident.c.silence_lifted_at).where(incident.c.id == incident_id)
    ).one_or_none()
    return row is not None and row.state != CLOSED and row.silence_lifted_at is not None


def order_hang_up(connection: Connection, incident_id: str, by: str, now: datetime) -> Refused | None:
    """Order that the incident's calls are ended; a closed one may still have some."""
    row = incident_to_change(connection, incident_id)
    if row is None:
        return _unknown(incident_id)
    _order(connection, row.key, HANG_UP, by, now)
    return None


def order_call_back(connection: Connection, incident_id: str, by: str, now: datetime) -> Refused | None:
    """Order a call to the caller's phone."""
    row = incident_to_change(connection, incident_id)
    refused = _not_open(row, incident_id) or may_reach(
        Output.CALL_BACK, silence_lifted=row.silence_lifted_at is not None
    )
    if refused is not None:
        return refused
    number = unseal_incident(keys_of(connection), row.key, row.sealed).msisdn
    if number.is_withheld:
        return Refused("the caller's number is withheld: there is nothing to call")
    if not number.is_e164:
        return Refused("what the carrier gave is no number that can be called")
    _order(connection, row.key, CALL_BACK, by, now)
    return None


def take_back_audible(connection: Connection, incident_key: int, now: datetime) -> None:
    """End the orders that wait and after which something could reach the caller's phone."""
    connection.execute(
        update(delivery)
        .where(
            delivery.c.incident_key == incident_key,
            delivery.c.kind.in_(AUDIBLE),
            delivery.c.state == PENDING,
        )
        .values(state=SUPERSEDED, settled_at=to_us(now), lease_until=0)
    )


def _unknown(incident_id: str) -> Refused:
    return Refused(f"there is no incident {incident_id}")


def _not_open(row: Any, incident_id: str) -> Refused | None:
    if row is None:
        return _unknown(incident_id)
    return Refused(f"incident {incident_id} is closed") if row.state == CLOSED else None


def _order(connection: Connection, incident_key: int, kind: str, by: str, now: datetime) -> None:
    newest = connection.execute(
        select(func.max(delivery.c.sequence)).where(
            delivery.c.incident_key == incident_key, delivery.c.channel == CALL_CONTROL
        )
    ).scalar_one()
    sequence = (BEFORE_FIRST_ORDER if newest is None else newest) + 1
    sealed = seal_order(keys_of(connection), incident_key, sequence, {"by": storable(by)})
    at = to_us(now)
    connection.execute(
        insert(delivery).values(
            incident_key=incident_key,
            channel=CALL_CONTROL,
            sequence=sequence,
            kind=kind,
            payload="{}",
            sealed=sealed,
            state=PENDING,
            attempts=0,
            created_at=at,
            due_at=at,
            lease_until=0,
        )
    )
