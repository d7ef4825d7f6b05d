"""The record of locatings: each request to a carrier, without the place. It outlives its incident.

The number stands sealed in its row and as the caller's keyed hash, so that a person can be told who looked for them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.locating import AnswerKind, Locating, Purpose
from telephony.domain.values import Msisdn
from telephony.store.bulk import BulkInsert, execute_many, placeholder
from telephony.store.callers import CALLER, caller_hashes
from telephony.store.crypto import KeyRing, KeysUnavailable, Place
from telephony.store.schema import locating
from telephony.store.sealing import keys_of, seal, unseal
from telephony.store.texts import storable
from telephony.store.times import from_us, to_us

_LOCATING: Final = BulkInsert(
    locating,
    (
        "key", "incident_id", "subject", "at", "carrier", "purpose", "quality", "answer", "method", "answered_at",
        "sealed",
    ),
)  # fmt: skip
Kept = tuple[int, Locating]
"""A locating and the key of its row."""


def keep_locatings(connection: Connection, items: Sequence[Kept]) -> list[Unavailable | None]:
    """Write these requests down, or their answers where they are written already.

    One answer per item: missing keys are that of all of them, and not a failure of the presses in the same commit.
    """
    try:
        ring = keys_of(connection)
    except Unavailable as error:
        return [error] * len(items)
    wanted = select(locating.c.key).where(locating.c.key.in_([key for key, _ in items]))
    written = set(connection.execute(wanted).scalars())
    _LOCATING.run(connection, [_row(ring, key, asked) for key, asked in items if key not in written])
    mark = placeholder(connection.dialect.name)
    execute_many(
        connection,
        f"UPDATE locating SET answer = {mark}, method = {mark}, answered_at = {mark} WHERE key = {mark}",
        [
            (asked.answer.value, storable(asked.method), _us(asked.answered_at), key)
            for key, asked in items
            if key in written
        ],
    )
    return [None] * len(items)


def locatings_of_incident(connection: Connection, incident_id: str) -> list[Locating]:
    """Return the requests that were made for an incident, in the order in which they were. Raises `KeysUnavailable`."""
    rows = select(locating).where(locating.c.incident_id == incident_id).order_by(locating.c.key)
    return _read(connection, rows)


def locatings_of_numbers(
    connection: Connection, numbers: Collection[Msisdn], incidents: Collection[str] = ()
) -> list[Locating]:
    """Return the requests for these numbers, also of incidents that were deleted. Raises `KeysUnavailable`."""
    subjects = [each for number in numbers for each in caller_hashes(connection, number.number)]
    wanted = or_(locating.c.subject.in_(subjects), locating.c.incident_id.in_(incidents))
    found = _read(connection, select(locating).where(wanted).order_by(locating.c.key))
    # The sealed number decides, not the hash that led there.
    return [each for each in found if each.msisdn in numbers]


def subject_of(ring: KeyRing, key: int, sealed: bytes) -> bytes:
    """Return the hash that a row is found by. Raises `KeysUnavailable` or `Malformed`."""
    return ring.hash(CALLER, _opened(ring, key, sealed)[0].number)


def _row(ring: KeyRing, key: int, asked: Locating) -> tuple[Any, ...]:
    said = {"number": asked.msisdn.number, "e164": asked.msisdn.is_e164, "by": asked.asked_by}
    plain = json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return (
        key,
        asked.incident_id,
        ring.hash(CALLER, asked.msisdn.number),
        to_us(asked.asked_at),
        storable(asked.carrier),
        asked.purpose.value,
        asked.quality,
        asked.answer.value,
        storable(asked.method),
        _us(asked.answered_at),
        seal(ring, Place("locating", "sealed", key), plain),
    )


def _read(connection: Connection, wanted: Any) -> list[Locating]:
    ring = keys_of(connection)
    return [_locating(ring, row) for row in connection.execute(wanted).all()]


def _locating(ring: KeyRing, row: Any) -> Locating:
    try:
        msisdn, asked_by = _opened(ring, row.key, row.sealed)
    except (Malformed, KeysUnavailable):
        # The record is of use without it.
        msisdn, asked_by = Msisdn("", is_e164=False), "?"
    return Locating(
        row.incident_id,
        msisdn,
        row.carrier,
        asked_by,
        Purpose(row.purpose),
        row.quality,
        from_us(row.at),
        AnswerKind(row.answer),
        row.method or "",
        None if row.answered_at is None else from_us(row.answered_at),
    )


def _opened(ring: KeyRing, key: int, sealed: bytes) -> tuple[Msisdn, str]:
    plain = unseal(ring, Place("locating", "sealed", key), sealed)
    try:
        said = json.loads(plain.decode("utf-8", "surrogatepass"))
        return Msisdn(said["number"], is_e164=said["e164"]), said["by"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Malformed(f"locating {key} cannot be read: was it written by a newer release?") from None


def _us(moment: Any) -> int | None:
    return None if moment is None else to_us(moment)
