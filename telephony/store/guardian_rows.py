"""Keeps what telling guardians leaves in the store: facts of the incident, awaited replies, and the release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Connection, select

from telephony.domain.delivery import DELIVERED, FIRST_REPORT, GUARDIANS, GUARDIANS_RELEASED
from telephony.domain.errors import Malformed
from telephony.domain.facts import FactKind, GuardianFact, GuardianState, GuardianWay
from telephony.domain.guardians.spoken_call import Standing
from telephony.domain.guardians.turns import Turn
from telephony.domain.guardians.words import GuardianReply
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.values import Msisdn
from telephony.store.awaited import Awaited, awaited_from, expect, settle
from telephony.store.bound import BOUND, COLUMN, believed
from telephony.store.fact_rows import FACT_COLUMNS, FactRow, fact_of
from telephony.store.facts import append_facts
from telephony.store.incident_rows import incident_to_change
from telephony.store.labels import record_false_alarm
from telephony.store.locks import lock_incidents_called
from telephony.store.outbox.writing import again, hasten
from telephony.store.schema import delivery, fact, incident
from telephony.store.sealing import keys_of

log = structlog.get_logger()

GUARDIAN_TOLD: Final = "guardian-told"
"""The kind of an awaited reply; its payload: incident, place, round, relation."""
REPLY_WITHIN: Final = timedelta(days=3)
"""So long a guardian may reply, if the incident is open so long."""
MOST_WORDS: Final = 20
"""Texts of one guardian that 112 reads of an incident; the last place is written over."""
_LONGEST_NUMBER: Final = 9
"""Digits of a place or a round; more are none."""
_ON_THE_WAY: Final = frozenset({GuardianState.TEXTED, GuardianState.CALLING})


@dataclass(frozen=True, slots=True)
class Taken:
    """A reply that belonged to this open incident, of the guardian at this place."""

    incident_id: str
    place: str


def guardian_facts(connection: Connection, incident_id: str) -> tuple[GuardianFact, ...]:
    """Return the facts about an incident's guardians, in the order in which they came.

    A fact that is damaged is left out: one guardian told twice is better than none told. Raises `KeysUnavailable`.
    """
    key = connection.execute(select(incident.c.key).where(incident.c.id == incident_id)).scalar_one_or_none()
    return () if key is None else _facts_of(connection, key)


def is_heard(connection: Connection, incident_id: str) -> bool:
    """Return whether 112 has acknowledged any report of an incident."""
    key = select(incident.c.key).where(incident.c.id == incident_id).scalar_subquery()
    heard = select(delivery.c.sequence).where(
        delivery.c.incident_key == key, delivery.c.sequence >= FIRST_REPORT, delivery.c.state == DELIVERED
    )
    return connection.execute(heard.limit(1)).one_or_none() is not None


def standing(connection: Connection, incident_id: str) -> Standing:
    """Return how an incident stands with 112. Closed by another hand it is open, as everywhere."""
    columns = [incident.c[name] for name in (*BOUND[incident.name], COLUMN, "sealed")]
    row = connection.execute(select(*columns).where(incident.c.id == incident_id)).one_or_none()
    if row is not None and row.state == CLOSED and believed(keys_of(connection), row).state == CLOSED:
        return Standing.OVER
    return Standing.KNOWN if is_heard(connection, incident_id) else Standing.ASKED


def keep_guardian_facts(
    connection: Connection, plan: Plan, incident_id: str, facts: Sequence[GuardianFact]
) -> bool:
    """Keep facts of guardians and tell 112; gives whether anything was new.

    Of a guardian who has confirmed nothing else is told any more: a receipt or a call that ends later takes nothing
    back. A guardian who was told while the incident was being closed is told that it is over, too.
    """
    lock_incidents_called(connection, [incident_id])
    row = incident_to_change(connection, incident_id)
    if row is None:
        return False
    settled = {
        each.subject for each in _facts_of(connection, row.key) if each.state is GuardianState.CONFIRMED
    }
    news = [each for each in facts if each.subject not in settled or each.state is GuardianState.RELEASED]
    if not append_facts(connection, plan, row, news):
        return False
    if row.state == CLOSED and any(each.state in _ON_THE_WAY for each in news):
        again(connection, row.key, GUARDIANS_RELEASED, max(each.at for each in news))
    return True


def expect_reply(connection: Connection, incident_id: str, turn: Turn, now: datetime) -> None:
    """Wait for the reply of the guardian whose turn it is; a reply that was awaited about the same incident is replaced."""
    phone = turn.guardian.phone
    for earlier in awaited_from(connection, phone, GUARDIAN_TOLD, now=now):
        if earlier.payload.get("incident") == incident_id:
            settle(connection, earlier.key)
    told = {
        "incident": incident_id,
        "place": str(turn.place),
        "round": str(turn.round),
        "relation": turn.guardian.relation,
    }
    expect(connection, phone, GUARDIAN_TOLD, told, now, now + REPLY_WITHIN)


def take_reply(
    connection: Connection, plan: Plan, phone: Msisdn, reply: GuardianReply, now: datetime
) -> list[Taken]:
    """Do what a guardian's reply says, in every open incident they were told of; gives those.

    After a confirmation those who were never told are told at once, and then it is over. A reply about a closed incident is
    no longer awaited.
    """
    taken = []
    waiting = awaited_from(connection, phone, GUARDIAN_TOLD, now=now)
    lock_incidents_called(connection, [str(each.payload.get("incident", "")) for each in waiting])
    for awaited in waiting:
        incident_id, place = str(awaited.payload.get("incident", "")), _number(awaited, "place")
        row = incident_to_change(connection, incident_id)
        if row is None or row.state == CLOSED or place is None:
            settle(connection, awaited.key)
            continue
        said = _facts_said(connection, row.key, _Waiting(awaited, place, phone), reply, now)
        append_facts(connection, plan, row, said)
        if reply.is_mistake:
            record_false_alarm(connection, plan, incident_id, place, GuardianWay.SMS, now)
        if reply.confirms:
            # The next one is told now, and not when a reply was waited for in vain.
            hasten(connection, incident_id, GUARDIANS, now)
        taken.append(Taken(incident_id, str(place)))
    return taken


def release_guardians(connection: Connection, row: Any, now: datetime) -> None:
    """Write down, in the transaction that closes an incident, that its guardians are to hear of it.

    Nothing is written where no guardian is known to have been told of anything.
    """
    there = (
        select(fact.c.number).where(fact.c.incident_key == row.key, fact.c.kind == FactKind.GUARDIAN).limit(1)
    )
    if connection.execute(there).one_or_none() is not None:
        again(connection, row.key, GUARDIANS_RELEASED, now)


def _facts_of(connection: Connection, incident_key: int) -> tuple[GuardianFact, ...]:
    ring = keys_of(connection)
    rows = connection.execute(
        select(*FACT_COLUMNS)
        .where(fact.c.incident_key == incident_key, fact.c.kind == FactKind.GUARDIAN)
        .order_by(fact.c.number)
    ).all()
    found = []
    for row in rows:
        try:
            known = fact_of(ring, FactRow(*row))
        except Malformed as error:
            log.warning("guardian's state unreadable", number=row.number, error=str(error))
        else:
            found += [known] if isinstance(known, GuardianFact) else []
    return tuple(found)


class _Waiting(NamedTuple):
    """A reply that is awaited, of the guardian at this place, who has this phone."""

    awaited: Awaited
    place: int
    phone: Msisdn


def _facts_said(
    connection: Connection, incident_key: int, waiting: _Waiting, reply: GuardianReply, now: datetime
) -> list[GuardianFact]:
    place = waiting.place
    confirmed = GuardianFact(
        place,
        now,
        GuardianState.CONFIRMED,
        _number(waiting.awaited, "round"),
        GuardianWay.SMS,
        str(waiting.awaited.payload.get("relation", "")),
        waiting.phone.masked,
    )
    earlier = [each for each in _facts_of(connection, incident_key) if each.place == place]
    facts = []
    has_confirmed = any(
        each.text_number is None and each.state is GuardianState.CONFIRMED for each in earlier
    )
    if reply.confirms and not has_confirmed:
        facts.append(confirmed)
    # Each text stands beside the earlier ones and beside the guardian's state, so each has a subject of its own.
    said = [each for each in earlier if each.text_number is not None]
    if reply.words and reply.words not in (each.words for each in said):
        number = min(len(said) + 1, MOST_WORDS)
        facts.append(replace(confirmed, state=GuardianState.WORDS, words=reply.words, text_number=number))
    return facts


def _number(awaited: Awaited, name: str) -> int | None:
    written = str(awaited.payload.get(name, ""))
    return (
        int(written) if written.isascii() and written.isdigit() and len(written) <= _LONGEST_NUMBER else None
    )
