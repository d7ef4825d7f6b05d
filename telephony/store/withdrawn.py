"""What a person whose consent is over leaves behind in their incidents: nothing of the registry's.

The incident stays, as the record of an emergency of a number. Who pressed, the score, and who the guardians are and what they
wrote is taken out of its facts. Of an incident that is open or owes 112 a report nothing is taken yet: it is marked, and the
retention does it (`telephony.store.retention_withdrawn`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, exists, insert, select, update

from telephony.domain.delivery import PENDING
from telephony.domain.errors import Malformed
from telephony.domain.fact import GUARDIAN, PERSON, SCORE
from telephony.domain.incident import CLOSED
from telephony.domain.person_fact import WITHDRAWN
from telephony.domain.values import Msisdn
from telephony.store.callers import caller_hashes
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.people_erasing import clear_around
from telephony.store.schema import delivery, fact, incident, withdrawn
from telephony.store.sealed_rows import seal_fact, unseal_fact
from telephony.store.sealing import keys_of

AT_ONCE: Final = 20
"""Incidents that a withdrawal goes through itself, the newest: presses wait for its transaction."""

OWED: Final = exists().where(
    delivery.c.incident_key == incident.c.key, delivery.c.sequence > 0, delivery.c.state == PENDING
)
"""Whether an incident owes 112 a report, which is made from these facts."""

_ABOUT_PEOPLE: Final = (PERSON, SCORE, GUARDIAN)
_STAYS: Final = ("state", "round", "by")
"""That guardians were told, when, by what way and with what result."""


def withdraw_from_incidents(connection: Connection, numbers: Collection[Msisdn]) -> None:
    """Take a person out of the incidents of their numbers; those that may not be changed yet are marked.

    In the transaction that deletes the person. Raises `KeysUnavailable`.
    """
    ring = keys_of(connection)
    callers = [
        each
        for number in numbers
        for key in (number.number, f"test:{number.number}")
        for each in caller_hashes(connection, key)
    ]
    says_who = exists().where(fact.c.incident_key == incident.c.key, fact.c.kind.in_(_ABOUT_PEOPLE))
    rows = connection.execute(
        select(incident.c.key, incident.c.state, OWED.label("owed"))
        .where(incident.c.caller.in_(callers), says_who)
        .order_by(incident.c.key.desc())
    ).all()
    strip(connection, ring, [row.key for row in rows if row.state == CLOSED and not row.owed][:AT_ONCE])
    _mark(connection, [row.key for row in rows])


def strip(connection: Connection, ring: KeyRing, incident_keys: Iterable[int]) -> None:
    """Take out of these incidents' facts what is said of people; once more changes nothing."""
    for key in incident_keys:
        rows = connection.execute(
            select(fact.c.number, fact.c.kind, fact.c.sealed).where(
                fact.c.incident_key == key, fact.c.kind.in_(_ABOUT_PEOPLE)
            )
        ).all()
        changed = [row for row in rows if _strip_one(connection, ring, key, row)]
        if changed:
            clear_around(connection, fact.name, [key])


def unmark(connection: Connection, incident_keys: Collection[int]) -> None:
    """Note that nothing is left to be done about these."""
    connection.execute(delete(withdrawn).where(withdrawn.c.incident_key.in_(incident_keys)))
    clear_around(connection, withdrawn.name, incident_keys)


def _strip_one(connection: Connection, ring: KeyRing, key: int, row: Any) -> bool:
    said = _said(ring, key, row)
    left = _left(row.kind, said)
    if left == said:
        return False
    plain = json.dumps(left, ensure_ascii=False, sort_keys=True)
    connection.execute(
        update(fact)
        .where(fact.c.incident_key == key, fact.c.number == row.number)
        .values(sealed=seal_fact(ring, key, row.number, plain))
    )
    return True


def _said(ring: KeyRing, key: int, row: Any) -> Mapping[str, Any] | None:
    """Return what a fact says; None where nobody can read it, or not any more."""
    try:
        said = json.loads(unseal_fact(ring, key, row.number, row.sealed))
    except (Malformed, KeysUnavailable, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _left(kind: str, said: Mapping[str, Any] | None) -> dict[str, Any]:
    if kind == PERSON:
        return {"registered": WITHDRAWN}
    if kind == SCORE:
        return {}
    return {name: text for name, text in (said or {}).items() if name in _STAYS}


def _mark(connection: Connection, incident_keys: Sequence[int]) -> None:
    standing = set(
        connection.execute(
            select(withdrawn.c.incident_key).where(withdrawn.c.incident_key.in_(incident_keys))
        ).scalars()
    )
    rows = [{"incident_key": key} for key in incident_keys if key not in standing]
    if rows:
        connection.execute(insert(withdrawn), rows)
