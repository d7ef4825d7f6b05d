"""Takes the registry's data out of the incidents of a person whose consent is over.

The incident stays, as the record of an emergency of a number. Who pressed, the score, and who the guardians are and what they
wrote is taken out of its facts. Of an incident that is open or owes 112 a report nothing is taken yet: it is marked, and the
retention does it (`telephony.store.retention.withdrawn`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, delete, exists, insert, select, update

from telephony.domain.delivery import PENDING
from telephony.domain.errors import Malformed
from telephony.domain.facts import Fact, FactKind, GuardianFact, PersonFact, Registered, ScoreFact
from telephony.domain.incident import CLOSED
from telephony.domain.values import Msisdn
from telephony.store.bound import believed
from telephony.store.callers import caller_hashes, is_of
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.fact_rows import FACT_COLUMNS, FactRow, fact_of, said_by
from telephony.store.people_erasing import clear_around
from telephony.store.schema import delivery, fact, incident, withdrawn
from telephony.store.sealed_rows import seal_fact, unseal_fact
from telephony.store.sealing import keys_of
from telephony.store.times import from_us

AT_ONCE: Final = 20
"""Incidents that a withdrawal goes through itself, the newest: presses wait for its transaction."""

OWED: Final = exists().where(
    delivery.c.incident_key == incident.c.key, delivery.c.sequence > 0, delivery.c.state == PENDING
)
"""Whether an incident owes 112 a report, which is made from these facts."""

_ABOUT_PEOPLE: Final = (FactKind.PERSON, FactKind.SCORE, FactKind.GUARDIAN)
_NO_TIME: Final = from_us(0)
"""A fact's time is no part of its data."""
_WITHDRAWN: Final = said_by(PersonFact(_NO_TIME, Registered.WITHDRAWN))
_NOTHING: Final = said_by(ScoreFact(_NO_TIME, None))


def withdraw_from_incidents(connection: Connection, numbers: Collection[Msisdn]) -> None:
    """Take a person out of the incidents of their numbers; those that may not be changed yet are marked.

    In the transaction that deletes the person. Raises `KeysUnavailable`.
    """
    ring = keys_of(connection)
    keys = {key for number in numbers for key in (number.number, f"test:{number.number}")}
    callers = [each for key in keys for each in caller_hashes(connection, key)]
    says_who = exists().where(fact.c.incident_key == incident.c.key, fact.c.kind.in_(_ABOUT_PEOPLE))
    found = connection.execute(
        select(incident, OWED.label("owed"))
        .where(incident.c.caller.in_(callers), says_who)
        .order_by(incident.c.key.desc())
    ).all()
    rows = [believed(ring, row) for row in found if is_of(ring, row.key, row.sealed, keys)]
    strip(connection, ring, [row.key for row in rows if row.state == CLOSED and not row.owed][:AT_ONCE])
    _mark(connection, [row.key for row in rows])


def strip(connection: Connection, ring: KeyRing, incident_keys: Iterable[int]) -> None:
    """Take what is said of people out of these incidents' facts; doing it twice changes nothing."""
    for key in incident_keys:
        rows = connection.execute(
            select(*FACT_COLUMNS).where(fact.c.incident_key == key, fact.c.kind.in_(_ABOUT_PEOPLE))
        ).all()
        changed = [row for row in rows if _strip_one(connection, ring, key, row)]
        if changed:
            clear_around(connection, fact.name, [key])


def unmark(connection: Connection, incident_keys: Collection[int]) -> None:
    """Note that nothing is left to be done about these."""
    connection.execute(delete(withdrawn).where(withdrawn.c.incident_key.in_(incident_keys)))
    clear_around(connection, withdrawn.name, incident_keys)


def _strip_one(connection: Connection, ring: KeyRing, key: int, row: Any) -> bool:
    left = _left(row.kind, _known(ring, row))
    if left == _said(ring, key, row):
        return False
    connection.execute(
        update(fact)
        .where(fact.c.incident_key == key, fact.c.number == row.number)
        .values(sealed=seal_fact(ring, key, row.number, left))
    )
    return True


def _known(ring: KeyRing, row: Any) -> Fact | None:
    """Return what a fact says; None where it cannot be read, or not any more."""
    try:
        return fact_of(ring, FactRow(*row))
    except (Malformed, KeysUnavailable):
        return None


def _said(ring: KeyRing, key: int, row: Any) -> str | None:
    try:
        return unseal_fact(ring, key, row.number, row.sealed)
    except (Malformed, KeysUnavailable):
        return None


def _left(kind: str, known: Fact | None) -> str:
    """Return what is left of a fact: that guardians were told, when, by what way and with what result."""
    if isinstance(known, GuardianFact):
        return said_by(replace(known, relation="", phone="", words=""))
    return _WITHDRAWN if kind == FactKind.PERSON else _NOTHING


def _mark(connection: Connection, incident_keys: Sequence[int]) -> None:
    standing = set(
        connection.execute(
            select(withdrawn.c.incident_key).where(withdrawn.c.incident_key.in_(incident_keys))
        ).scalars()
    )
    rows = [{"incident_key": key} for key in incident_keys if key not in standing]
    if rows:
        connection.execute(insert(withdrawn), rows)
