"""The one door for what 112 and operators order about an incident, from a terminal today and over HTTP tomorrow.

Here a name is resolved, the order is written and audited, in one transaction. A refused order is audited too: who
tried to lift silence matters as much as who did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Final, assert_never

from sqlalchemy import Connection

from telephony.domain import audit
from telephony.domain.audit import Looked
from telephony.domain.facts import CENTRE
from telephony.domain.orders import (
    Acknowledge,
    Arrive,
    CallBack,
    Close,
    Dispatch,
    HangUp,
    HoldSilence,
    LiftSilence,
    MarkFalse,
    Note,
    Order,
    Ordered,
    OrderRefused,
    StoodAlready,
    ToldByVoice,
)
from telephony.domain.plan import Plan
from telephony.store.audit import Entry, append
from telephony.store.call_names import incident_named
from telephony.store.incidents import close_incident
from telephony.store.labels import record_false_alarm
from telephony.store.orders import not_open, order_call_back, order_hang_up, set_silence, unknown
from telephony.store.readout import record_told_by_voice
from telephony.store.response import acknowledge, arrive, dispatch, note

NO_CALLS: Final = OrderRefused("there is no Asterisk in our settings, so that no phone can be rung")
LONGEST_SUBJECT: Final = 100
"""Of a name that is no incident's: somebody may have typed anything."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order, and the entry of the audit chain that tells of it."""

    incident_id: str
    """The incident that the name led to; the name itself where it led to none."""
    refused: OrderRefused | None
    stood_already: bool
    """Whether what it asks for stood already: nothing was changed, and 112 is told nothing."""
    looked: Looked
    entry: Entry


def give(connection: Connection, plan: Plan, ordered: Ordered) -> Answer:
    """Write an order down, or say why not.

    Raises `KeysUnavailable` where nothing can be sealed or audited: then nothing is done.
    """
    order, orderer = ordered.order, ordered.orderer
    incident_id = incident_named(connection, ordered.name)
    became = _carry_out(connection, plan, incident_id, ordered)
    what, why = _entered(order, orderer.by)
    refused = became if isinstance(became, OrderRefused) else None
    stood_already = isinstance(became, StoodAlready)
    if refused is not None:
        what, why = audit.WAS_REFUSED, f"{what}, {why}; refused: {refused.reason}"
    elif stood_already:
        why = f"{why}; it stood already"
    at = ordered.at.astimezone(UTC)
    looked = Looked(orderer.account, what, incident_id[:LONGEST_SUBJECT], why, at, orderer.seat)
    return Answer(incident_id, refused, stood_already, looked, append(connection, looked))


def _carry_out(  # noqa: C901 - one case an order
    connection: Connection, plan: Plan, incident_id: str, ordered: Ordered
) -> OrderRefused | StoodAlready | None:
    by, at = ordered.orderer.by, ordered.at.astimezone(UTC)
    became: OrderRefused | StoodAlready | None
    match ordered.order:
        case LiftSilence():
            became = set_silence(connection, plan, incident_id, True, by, at)
        case HoldSilence():
            became = set_silence(connection, plan, incident_id, False, by, at)
        case HangUp():
            became = order_hang_up(connection, incident_id, by, at)
        case CallBack():
            became = order_call_back(connection, incident_id, by, at) if plan.can_call else NO_CALLS
        case Acknowledge():
            became = acknowledge(connection, plan, incident_id, by, ordered.at)
        case Dispatch(unit, eta):
            became = dispatch(connection, plan, incident_id, unit, by, ordered.at, eta)
        case Arrive(unit):
            became = arrive(connection, plan, incident_id, unit, by, ordered.at)
        case Note(words):
            became = note(connection, plan, incident_id, words, by, ordered.at)
        case Close(reason):
            is_closed = close_incident(connection, plan, incident_id, reason, at)
            became = None if is_closed else not_open(connection, incident_id)
        case MarkFalse(why):
            is_known = record_false_alarm(connection, plan, incident_id, CENTRE, by, at, why)
            became = None if is_known else unknown(incident_id)
        case ToldByVoice(why):
            is_known = record_told_by_voice(connection, plan, incident_id, by, why, ordered.at)
            became = None if is_known else unknown(incident_id)
        case never:
            assert_never(never)
    return became


def _entered(order: Order, by: str) -> tuple[str, str]:  # noqa: C901 - one case an order
    """Return what the audit chain says of an order, and why."""
    match order:
        case LiftSilence():
            entered = audit.GAVE_ORDER, f"silence lifted, asked by {by}"
        case HoldSilence():
            entered = audit.GAVE_ORDER, f"silence held, asked by {by}"
        case HangUp():
            entered = audit.GAVE_ORDER, f"hang up, asked by {by}"
        case CallBack():
            entered = audit.GAVE_ORDER, f"call back, asked by {by}"
        case Acknowledge():
            entered = audit.ACKNOWLEDGED_INCIDENT, f"by {by}"
        case Dispatch(unit, eta):
            there = "" if eta is None else f", there at {eta.isoformat(timespec='seconds')}"
            entered = audit.DISPATCHED_UNIT, f"by {by}: {unit}{there}"
        case Arrive(unit):
            entered = audit.NOTED_ARRIVAL, f"by {by}: {unit}"
        case Note():
            # The words are kept in the incident, and are deleted with it.
            entered = audit.NOTED, f"by {by}"
        case Close(reason):
            entered = audit.CLOSED_INCIDENT, reason
        case MarkFalse(why):
            entered = audit.MARKED_FALSE, f"by {by}: {why}"
        case ToldByVoice(why):
            entered = audit.TOLD_112, f"by {by}: {why}"
        case never:
            assert_never(never)
    return entered
