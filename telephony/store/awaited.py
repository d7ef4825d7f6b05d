"""Replies that we wait for: which phone is to send what, and what its reply will bring about.

Nobody can read from a row whose phone it is: the phone is known by its keyed hash, and what the reply will do is
sealed, with the number in it, so that a rotation of keys can make the hash anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from telephony.domain.values import Msisdn
from telephony.store.bulk import BulkInsert, execute, placeholder
from telephony.store.crypto import Damaged, KeyRing, Place
from telephony.store.schema import awaited_reply
from telephony.store.sealing import key_id_of, keys_of, padded, seal, unseal
from telephony.store.times import from_us, to_us

AWAITED: Final = "awaited"
"""Kind of the look-up hash."""
FAILED: Final = "failed"
"""A row of this kind awaits nothing: it counts a phone's wrong codes, and expires a day after the first."""
FAILED_FOR: Final = timedelta(days=1)
MOST_OF_A_KIND: Final = 4
"""Replies of one kind that one phone may owe us: a grandmother of four children, and no flood. The oldest gives way."""
PADDED_TO: Final = 256
"""Octets: a question and what it is about, so that their length does not tell which one it is."""
PAGE: Final = 500
_LOCK: Final = 114
"""Advisory lock of PostgreSQL under which a key is drawn."""

_INSERT = BulkInsert(
    awaited_reply, ("key", "hash", "kind", "sealed", "made_at", "expires_at", "sent_at"), {"failures": "0"}
)
_COLUMNS: Final = "key, kind, sealed, made_at, expires_at, sent_at"


@dataclass(frozen=True, slots=True)
class Awaited:
    """A reply that we wait for. Times are aware, UTC."""

    key: int
    kind: str
    payload: Mapping[str, Any] = field(repr=False)
    made_at: datetime
    expires_at: datetime


def expect(  # noqa: PLR0917 - `Database.transact` hands its arguments over by position
    connection: Connection,
    phone: Msisdn,
    kind: str,
    payload: Mapping[str, Any],
    now: datetime,
    expires_at: datetime,
    *,
    is_sent: bool = True,
) -> int:
    """Wait for a reply of this phone; gives the key of the row. ``payload`` must be JSON.

    Where the question is yet to be sent (``is_sent`` false) nothing counts as its reply before `text_left`.

    Of `MOST_OF_A_KIND` of the same kind the oldest gives way. What expires is not given any more, and the retention job
    deletes it. Raises `KeysUnavailable`.
    """
    ring = keys_of(connection)
    standing = _rows(connection, ring, phone, kind, to_us(now))
    for row in standing[: max(0, len(standing) - MOST_OF_A_KIND + 1)]:
        settle(connection, row[0])
    key = _next_key(connection, to_us(now))
    plain = json.dumps({"phone": [phone.number, phone.is_e164], "payload": dict(payload)}, ensure_ascii=False)
    sealed = seal(ring, _place(key), padded(plain.encode(), PADDED_TO, b" "))
    sent_at = to_us(now) if is_sent else None
    row = (key, ring.hash(AWAITED, phone.number), kind, sealed, to_us(now), to_us(expires_at), sent_at)
    _INSERT.run(connection, [row])
    return key


def awaited_from(
    connection: Connection,
    phone: Msisdn,
    kind: str | None = None,
    *,
    now: datetime,
    is_unsent_too: bool = False,
) -> list[Awaited]:
    """Give what this phone may reply to, oldest first, without what has expired or was never asked.

    A damaged row is left out: it could only be asked for anew. Raises `KeysUnavailable`.
    """
    ring = keys_of(connection)
    found = []
    for key, known_kind, sealed, made_at, expires_at, sent_at in _rows(
        connection, ring, phone, kind, to_us(now)
    ):
        if known_kind == FAILED or (sent_at is None and not is_unsent_too):
            continue
        try:
            _, payload = _opened(ring, key, sealed)
        except Damaged:
            continue
        found.append(Awaited(key, known_kind, payload, from_us(made_at), from_us(expires_at)))
    return found


def text_left(connection: Connection, key: int, now: datetime) -> None:
    """Note that a message centre has taken the question: from now on it may be replied to."""
    mark = placeholder(connection.dialect.name)
    execute(
        connection,
        f"UPDATE awaited_reply SET sent_at = {mark} WHERE key = {mark} AND sent_at IS NULL",
        (to_us(now), key),
    )


def failures_of(connection: Connection, phone: Msisdn, now: datetime) -> int:
    """Return how many wrong codes came from this phone within the day since the first."""
    rows = _rows(connection, keys_of(connection), phone, FAILED, to_us(now))
    return int(_failures(connection, rows[-1][0])) if rows else 0


def failed(connection: Connection, phone: Msisdn, now: datetime) -> int:
    """Count a reply with a wrong code, whatever was asked; return how many there were within the day since the first."""
    rows = _rows(connection, keys_of(connection), phone, FAILED, to_us(now))
    key = rows[-1][0] if rows else expect(connection, phone, FAILED, {}, now, now + FAILED_FOR)
    mark = placeholder(connection.dialect.name)
    execute(connection, f"UPDATE awaited_reply SET failures = failures + 1 WHERE key = {mark}", (key,))
    return _failures(connection, key)


def _failures(connection: Connection, key: int) -> int:
    mark = placeholder(connection.dialect.name)
    row = execute(connection, f"SELECT failures FROM awaited_reply WHERE key = {mark}", (key,)).fetchone()
    return 0 if row is None else int(row[0])


def settle(connection: Connection, key: int) -> bool:
    """Wait no longer; False where somebody else has settled it already, and what it brings about is done."""
    mark = placeholder(connection.dialect.name)
    deleted = execute(connection, f"DELETE FROM awaited_reply WHERE key = {mark}", (key,))
    return bool(deleted.rowcount)


def settle_all_of(connection: Connection, phone: Msisdn, kind: str | None = None) -> int:
    """Wait for nothing (of a kind) from this phone any more; gives how many replies that were."""
    mark = placeholder(connection.dialect.name)
    where, and_kind = f"hash = {mark}", "" if kind is None else f" AND kind = {mark}"
    count = 0
    for each in keys_of(connection).hashes(AWAITED, phone.number):
        given = (each,) if kind is None else (each, kind)
        count += execute(connection, f"DELETE FROM awaited_reply WHERE {where}{and_kind}", given).rowcount
    return count


def reseal(connection: Connection, after: int, limit: int = PAGE) -> tuple[int, int] | None:
    """Bring the next rows under the current key; gives (last key gone through, rows rewritten).

    None when there is no row after ``after``. A damaged row is left to expire.
    """
    ring = keys_of(connection)
    mark = placeholder(connection.dialect.name)
    rows = execute(
        connection,
        f"SELECT key, sealed FROM awaited_reply WHERE key > {mark} ORDER BY key LIMIT {limit}",
        (after,),
    ).fetchall()
    if not rows:
        return None
    rewritten = 0
    for key, sealed in rows:
        if key_id_of(bytes(sealed)) == ring.current.id:
            continue
        try:
            phone, _ = _opened(ring, key, sealed)
        except Damaged:
            continue
        anew = seal(ring, _place(key), unseal(ring, _place(key), sealed))
        execute(
            connection,
            f"UPDATE awaited_reply SET hash = {mark}, sealed = {mark} WHERE key = {mark}",
            (ring.hash(AWAITED, phone.number), anew, key),
        )
        rewritten += 1
    return rows[-1][0], rewritten


def _rows(connection: Connection, ring: KeyRing, phone: Msisdn, kind: str | None, now_us: int) -> list[Any]:
    """Give the phone's rows under whatever key, oldest first."""
    mark = placeholder(connection.dialect.name)
    hashes = ring.hashes(AWAITED, phone.number)
    and_kind = "" if kind is None else f" AND kind = {mark}"
    rows: list[Any] = execute(
        connection,
        f"SELECT {_COLUMNS} FROM awaited_reply WHERE hash IN ({', '.join([mark] * len(hashes))})"
        f" AND expires_at > {mark}{and_kind} ORDER BY key",
        (*hashes, now_us) if kind is None else (*hashes, now_us, kind),
    ).fetchall()
    return rows


def _opened(ring: KeyRing, key: int, sealed: bytes) -> tuple[Msisdn, Mapping[str, Any]]:
    plain = json.loads(unseal(ring, _place(key), sealed))
    number, is_e164 = plain["phone"]
    return Msisdn(number, is_e164=is_e164), plain["payload"]


def _place(key: int) -> Place:
    return Place("awaited_reply", "sealed", key)


def _next_key(connection: Connection, now_us: int) -> int:
    """Give the first free key: microseconds of now, or one more than the last."""
    if connection.dialect.name == "postgresql":
        execute(connection, f"SELECT pg_advisory_xact_lock({_LOCK})")  # SQLite has one writer anyway
    last = execute(connection, "SELECT max(key) FROM awaited_reply").fetchone()[0]
    return max(now_us, (last or 0) + 1)
