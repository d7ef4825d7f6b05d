"""What the store keeps of telling guardians: facts of the incident, replies that are awaited, and the release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, select, update

from telephony.domain.delivery import GUARDIANS, GUARDIANS_RELEASED, PENDING
from telephony.domain.errors import Malformed
from telephony.domain.fact import GUARDIAN, Fact
from telephony.domain.guardian_turns import BY_SMS, CALLING, CONFIRMED, RELEASED, TEXTED, WORDS, Turn
from telephony.domain.guardian_words import GuardianReply
from telephony.domain.incident import CLOSED
from telephony.domain.plan import Plan
from telephony.domain.values import Msisdn
from telephony.store.awaited import Awaited, awaited_from, expect, settle
from telephony.store.crypto import KeysUnavailable
from telephony.store.fact_rows import FactRow, fact_of
from telephony.store.facts import append_facts, incident_to_change
from telephony.store.labels import record_false_alarm
from telephony.store.locks import lock_incidents_called
from telephony.store.schema import delivery, fact, incident
from telephony.store.sealing import keys_of
from telephony.store.times import to_us
from telephony.store.updates import DELIVERY

log = structlog.get_logger()

GUARDIAN_TOLD: Final = "guardian-told"
"""The kind of an awaited reply; its payload: incident, place, round, relation."""
REPLY_WITHIN: Final = timedelta(days=3)
"""So long a guardian may reply, if the incident is open so long."""
MOST_WORDS: Final = 20
"""Texts of one guardian that 112 reads of an incident; the last place is written over."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A reply that belonged to this open incident, of the guardian at this place."""

    incident_id: str
    place: str


def guardian_facts(connection: Connection, incident_id: str) -> tuple[Fact, ...]:
    """Give what is known of an incident's guardians, in the order in which it came.

    A fact that is damaged is left out: one guardian told twice is better than none told. Raises `KeysUnavailable`.
    """
    key = connection.execute(select(incident.c.key).where(incident.c.id == incident_id)).scalar_one_or_none()
    return () if key is None else _facts_of(connection, key)


def keep_guardian_facts(connection: Connection, plan: Plan, incident_id: str, facts: Sequence[Fact]) -> bool:
    """Keep facts of guardians and tell 112; gives whether anything was new.

    Of a guardian who has confirmed nothing else is told any more: a receipt or a call that ends later takes nothing
    back. Whoever was told while the incident was being closed is told that it is over, too.
    """
    lock_incidents_called(connection, [incident_id])
    row = incident_to_change(connection, incident_id)
    if row is None:
        return False
    settled = {each.subject for each in _facts_of(connection, row.key) if each.data.get("state") == CONFIRMED}
    news = [each for each in facts if each.subject not in settled or each.data.get("state") == RELEASED]
    if not append_facts(connection, plan, row, news):
        return False
    if row.state == CLOSED and any(each.data.get("state") in (TEXTED, CALLING) for each in news):
        plan_release(connection, row.key, max(each.at for each in news))
    return True


def expect_reply(connection: Connection, incident_id: str, turn: Turn, now: datetime) -> None:
    """Wait for the reply of the guardian whose turn it is; what was awaited of the same incident is replaced."""
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

    A confirmation lets whoever was never told be told at once, and then it is over. What was told of a closed incident is awaited no longer.
    """
    taken = []
    waiting = awaited_from(connection, phone, GUARDIAN_TOLD, now=now)
    lock_incidents_called(connection, [str(each.payload.get("incident", "")) for each in waiting])
    for awaited in waiting:
        incident_id, place = (str(awaited.payload.get(name, "")) for name in ("incident", "place"))
        row = incident_to_change(connection, incident_id)
        if row is None or row.state == CLOSED:
            settle(connection, awaited.key)
            continue
        append_facts(connection, plan, row, _facts_said(connection, row.key, awaited, phone, reply, now))
        if reply.is_mistake:
            record_false_alarm(connection, plan, incident_id, f"guardian {place}", BY_SMS, now)
        if reply.confirms:
            hasten(connection, incident_id, now)
        taken.append(Taken(incident_id, place))
    return taken


def hasten(connection: Connection, incident_id: str, now: datetime) -> None:
    """Let the next guardian be told now, and not when a reply was waited for in vain."""
    key = select(incident.c.key).where(incident.c.id == incident_id).scalar_subquery()
    connection.execute(
        update(delivery)
        .where(
            delivery.c.incident_key == key,
            delivery.c.channel == GUARDIANS,
            delivery.c.state == PENDING,
            delivery.c.due_at > to_us(now),
        )
        .values(due_at=to_us(now))
    )


def release_guardians(connection: Connection, row: Any, now: datetime) -> None:
    """Write down, in the transaction that closes an incident, that its guardians are to hear of it.

    Nothing is written where no guardian is known to have been told of anything.
    """
    there = select(fact.c.number).where(fact.c.incident_key == row.key, fact.c.kind == GUARDIAN).limit(1)
    if connection.execute(there).one_or_none() is not None:
        plan_release(connection, row.key, now)


def plan_release(connection: Connection, incident_key: int, now: datetime) -> None:
    """Let the guardians who were told hear that it is over, once more where that was done already.

    Who is just telling them may not know of all: the row is taken from them, and done again when their lease lapses.
    """
    written = connection.execute(
        update(delivery)
        .where(
            delivery.c.incident_key == incident_key,
            delivery.c.channel == GUARDIANS_RELEASED,
            delivery.c.sequence == 0,
        )
        .values(
            state=PENDING,
            due_at=to_us(now),
            settled_at=None,
            lease_token=delivery.c.lease_token + 1,
        )
    )
    if written.rowcount == 0:
        at = to_us(now)
        row = (incident_key, GUARDIANS_RELEASED, 0, GUARDIANS_RELEASED, "{}", at, at, None, 0)
        DELIVERY.run(connection, [row])


def _facts_of(connection: Connection, incident_key: int) -> tuple[Fact, ...]:
    ring = keys_of(connection)
    rows = connection.execute(
        select(fact.c.incident_key, fact.c.number, fact.c.kind, fact.c.subject, fact.c.at, fact.c.sealed)
        .where(fact.c.incident_key == incident_key, fact.c.kind == GUARDIAN)
        .order_by(fact.c.number)
    ).all()
    found = []
    for row in rows:
        try:
            found.append(fact_of(ring, FactRow(*row)))
        except KeysUnavailable:
            raise
        except (ValueError, Malformed) as error:
            log.warning("guardian's state unreadable", number=row.number, error=str(error))
    return tuple(found)


def _facts_said(  # noqa: PLR0917 - one step of `take_reply`, which has all of them
    connection: Connection,
    incident_key: int,
    awaited: Awaited,
    phone: Msisdn,
    reply: GuardianReply,
    now: datetime,
) -> list[Fact]:
    known = {name: str(awaited.payload.get(name, "")) for name in ("round", "relation")}
    known = {name: text for name, text in known.items() if text} | {"phone": phone.masked, "by": BY_SMS}
    place = str(awaited.payload.get("place", ""))
    earlier = _facts_of(connection, incident_key)
    facts = []
    has_confirmed = any(each.subject == place and each.data.get("state") == CONFIRMED for each in earlier)
    if reply.confirms and not has_confirmed:
        facts.append(Fact(GUARDIAN, place, now, {"state": CONFIRMED, **known}))
    # Each text stands beside the earlier ones and beside the guardian's state, so each has a subject of its own.
    said = [each for each in earlier if each.subject.startswith(f"{place}.")]
    if reply.words and reply.words not in (each.data.get("words") for each in said):
        number = min(len(said) + 1, MOST_WORDS)
        words = {"state": WORDS, "words": reply.words, **known}
        facts.append(Fact(GUARDIAN, f"{place}.{number}", now, words))
    return facts
