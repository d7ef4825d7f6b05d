"""Takes what a 112 centre's own system tells us of an incident: once each, in whatever order it comes, as orders through the one door.

Each is kept as a fact of its incident, with what became of it, in the transaction that carries it out. So a repeat is answered
as the first was, whichever daemon it reaches, for as long as the incident is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import Connection, exists, select

from telephony.domain import audit
from telephony.domain.audit import Looked
from telephony.domain.centre_status import CentreSaid, orders_of
from telephony.domain.facts import (
    Became,
    CentreStatus,
    CentreStatusFact,
    FactKind,
    SilenceFact,
    SilenceState,
)
from telephony.domain.incident import CLOSED, IncidentState
from telephony.domain.orders import Ordered, Orderer
from telephony.domain.plan import Plan
from telephony.store.audit import append
from telephony.store.call_names import incident_named
from telephony.store.direction import LONGEST_SUBJECT, give
from telephony.store.facts import facts_of_kind, keep_facts
from telephony.store.incident_rows import incident_to_change
from telephony.store.locks import lock_incidents_called
from telephony.store.schema import delivery

ABOUT_SILENCE: Final = frozenset({CentreStatus.LIFT_SILENCE, CentreStatus.HOLD_SILENCE})
ABOUT_A_UNIT: Final = frozenset({CentreStatus.DISPATCHED, CentreStatus.ARRIVED})
OF_CLOSED_ONES: Final = frozenset({CentreStatus.HANG_UP, CentreStatus.CLOSED})
"""What may be said of an incident that is closed: its calls may go on, and that it is closed stands already."""


class NotTaken(Enum):
    """Why a status was not taken."""

    UNKNOWN = auto()
    """There is no such incident, or none that this centre was told of."""
    CLOSED = auto()
    ID_REUSED = auto()
    """The centre has used this id for another status of the incident."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a status, and where its incident stands."""

    incident_id: str
    became: Became
    state: IncidentState
    is_silence_lifted: bool
    refused: str = ""
    is_repeat: bool = False


def take_status(
    connection: Connection, plan: Plan, channels: Collection[str], said: CentreSaid, now: datetime
) -> Taken | NotTaken:
    """Carry out a status of a centre whose reports go by these channels, or say what became of it before.

    ``now`` is ours, in the zone of the centre. Raises `KeysUnavailable` where nothing can be sealed or audited.
    """
    incident_id = incident_named(connection, said.incident)
    lock_incidents_called(connection, [incident_id])
    row = incident_to_change(connection, incident_id)
    if row is None or not _was_told(connection, row.key, channels):
        _audit_refused(connection, said, incident_id, "told of no such incident", now)
        return NotTaken.UNKNOWN
    known = facts_of_kind(connection, row.key, FactKind.CENTRE_STATUS)
    earlier = [each for each in known if isinstance(each, CentreStatusFact)]
    key, content = _digest(said.centre, said.id), _content(said)
    first = next((each for each in earlier if each.key == key), None)
    if first is not None:
        if first.content != content:
            return NotTaken.ID_REUSED
        return _taken(row, first, is_repeat=True)
    if row.state == CLOSED and said.status not in OF_CLOSED_ONES:
        _audit_refused(connection, said, incident_id, "the incident is closed", now)
        return NotTaken.CLOSED
    became, refused = _carry_out(connection, plan, row, said, earlier, now)
    kept = CentreStatusFact(
        key, now.astimezone(UTC), said.status, became, said.said_at, said.who, said.unit, content, refused
    )
    row = incident_to_change(connection, incident_id)
    keep_facts(connection, row, [kept])
    return _taken(row, kept)


def _carry_out(  # noqa: PLR0917 - what is known of the status and of its incident
    connection: Connection,
    plan: Plan,
    row: Any,
    said: CentreSaid,
    earlier: Sequence[CentreStatusFact],
    now: datetime,
) -> tuple[Became, str]:
    if _is_overtaken(connection, row, said, earlier):
        return Became.OVERTAKEN, ""
    if row.state == CLOSED and said.status is CentreStatus.CLOSED:
        return Became.STOOD_ALREADY, ""
    orderer = Orderer(said.who, account_of(said.centre))
    answers = [give(connection, plan, Ordered(row.id, order, orderer, now)) for order in orders_of(said)]
    last = answers[-1]
    if last.refused is not None:
        return Became.REFUSED, last.refused.reason
    return Became.STOOD_ALREADY if last.stood_already else Became.APPLIED, ""


def _is_overtaken(
    connection: Connection, row: Any, said: CentreSaid, earlier: Sequence[CentreStatusFact]
) -> bool:
    """Whether something later was said of the same thing: a status that was long on its way must not undo it.

    A lifting of silence is overtaken by any later holding of it, whoever asked for that.
    """
    if said.status in ABOUT_SILENCE:
        about = [each for each in earlier if each.status in ABOUT_SILENCE]
        held = [
            each
            for each in facts_of_kind(connection, row.key, FactKind.SILENCE)
            if isinstance(each, SilenceFact)
        ]
        if said.status is CentreStatus.LIFT_SILENCE and any(
            each.state is SilenceState.HELD and each.at > said.said_at and not _is_of(said.centre, each.by)
            for each in held
        ):
            return True
    elif said.status in ABOUT_A_UNIT:
        about = [each for each in earlier if each.status in ABOUT_A_UNIT and each.unit == said.unit]
    else:
        return False
    return any(
        each.said_at is not None and each.said_at > said.said_at and each.became is not Became.REFUSED
        for each in about
    )


def _is_of(centre: str, by: str) -> bool:
    """Whether it was asked for by this centre's system: that is known by the centre's clock, and not by ours."""
    return by.partition(", ")[0] == centre


def account_of(centre: str) -> str:
    """Return the account of a centre's system, as the audit chain names it."""
    return f"centre:{centre}"


def _was_told(connection: Connection, incident_key: int, channels: Collection[str]) -> bool:
    told = exists().where(
        delivery.c.incident_key == incident_key,
        delivery.c.sequence > 0,
        delivery.c.channel.in_(sorted(channels)),
    )
    return bool(connection.execute(select(told)).scalar_one())


def _audit_refused(
    connection: Connection, said: CentreSaid, incident_id: str, why: str, now: datetime
) -> None:
    what = f"{said.status}, asked by {said.who}; refused: {why}"
    subject = incident_id[:LONGEST_SUBJECT]
    append(connection, Looked(account_of(said.centre), audit.WAS_REFUSED, subject, what, now.astimezone(UTC)))


def _taken(row: Any, fact: CentreStatusFact, *, is_repeat: bool = False) -> Taken:
    # What a newer release has kept of it was not refused by this one.
    became = fact.became if isinstance(fact.became, Became) else Became.STOOD_ALREADY
    return Taken(row.id, became, row.state, row.silence_lifted_at is not None, fact.refused, is_repeat)


def _digest(*texts: str) -> str:
    joined = "\0".join(texts).encode("utf-8", "surrogatepass")
    return blake2b(joined, digest_size=16).hexdigest()


def _content(said: CentreSaid) -> str:
    eta = "" if said.eta is None else said.eta.isoformat()
    return _digest(said.said_at.isoformat(), said.status, said.by, said.unit, eta, said.words, said.outcome)
