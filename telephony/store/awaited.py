"""Awaited replies: the phone that is to reply, what it has to say, and what its reply will bring about.

A row does not show whose phone it is: the phone is known by its keyed hash, and what the reply will do is sealed, with
the number in it, so that a rotation of keys can compute the hash again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from telephony.domain.values import Msisdn
from telephony.store.bound import bind, bind_row, bound_anew, is_sound
from telephony.store.bulk import BulkInsert, execute, placeholder
from telephony.store.crypto import Damaged, KeyRing, Place
from telephony.store.locks import has_other_writers
from telephony.store.schema import awaited_reply
from telephony.store.sealing import key_id_of, keys_of, padded, seal, unseal
from telephony.store.times import from_us, to_us

AWAITED: Final = "awaited"
"""Kind of the look-up hash."""
FAILED: Final = "failed"
"""A row of this kind awaits nothing: it counts a phone's wrong codes, and expires a day after the first."""
FAILED_FOR: Final = timedelta(days=1)
CONCERNED: Final = "enrol-concerned"
"""A row of this kind awaits nothing: its phone is the one for whose sake another is asked."""
REMINDER: Final = "enrol-reminder"
"""A row of this kind awaits nothing: its phone is to be reminded of a question, once."""
UNDO: Final = "undo:"
"""Rows of kinds that begin so await nothing: they are what an import changed, and hang on a row of a person, not on a phone."""
_NOTES: Final = (CONCERNED, REMINDER, UNDO)
MOST_OF_A_KIND: Final = 4
"""Replies of one kind that one phone may owe us: a grandmother of four children, and no flood. The oldest gives way."""
PADDED_TO: Final = 256
"""Octets: a question and what it is about, so that their length does not tell which one it is."""
PAGE: Final = 500
_LOCK: Final = 114
"""Advisory lock of PostgreSQL under which a key is drawn."""

_INSERT = BulkInsert(
    awaited_reply,
    ("key", "hash", "kind", "sealed", "made_at", "expires_at", "sent_at", "bound"),
    {"failures": "0"},
)
_COLUMNS: Final = "key, hash, kind, sealed, made_at, expires_at, failures, sent_at, bound"
MOST_FAILURES: Final = 1_000_000
"""Of a phone whose count another hand changed: no code is taken from it any more that day."""


class _Row(NamedTuple):
    """The columns that are read of an awaited reply."""

    key: int
    hash: bytes
    kind: str
    sealed: bytes
    made_at: int
    expires_at: int
    failures: int
    sent_at: int | None
    bound: bytes | None


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
        settle(connection, row.key)
    key = _next_key(connection, to_us(now))
    sealed = _seal(ring, key, phone, payload)
    sent_at = to_us(now) if is_sent else None
    hashed, at, until = ring.hash(AWAITED, phone.number), to_us(now), to_us(expires_at)
    code = bind(ring, awaited_reply.name, (key, hashed, kind, at, until, 0, sent_at))
    _INSERT.run(connection, [(key, hashed, kind, sealed, at, until, sent_at, code)])
    return key


def expect_all(
    connection: Connection,
    kind: str,
    rows: Sequence[tuple[Msisdn, Mapping[str, Any]]],
    now: datetime,
    expires_at: datetime,
) -> None:
    """Keep many rows of one kind, each with its payload, which must be JSON. Raises `KeysUnavailable`."""
    if not rows:
        return
    ring, at, until = keys_of(connection), to_us(now), to_us(expires_at)
    first = _next_key(connection, at)
    written = []
    for key, (phone, payload) in enumerate(rows, first):
        hashed = ring.hash(AWAITED, phone.number)
        code = bind(ring, awaited_reply.name, (key, hashed, kind, at, until, 0, at))
        written.append((key, hashed, kind, _seal(ring, key, phone, payload), at, until, at, code))
    _INSERT.run(connection, written)


def awaited_from(
    connection: Connection,
    phone: Msisdn,
    kind: str | None = None,
    *,
    now: datetime,
    is_unsent_too: bool = False,
) -> list[Awaited]:
    """Return what this phone may reply to, oldest first, without what has expired or was never asked.

    A damaged row is left out: the question would have to be asked again. Raises `KeysUnavailable`.
    """
    ring = keys_of(connection)
    found = []
    for row in _rows(connection, ring, phone, kind, to_us(now)):
        if row.kind == FAILED or (row.sent_at is None and not is_unsent_too):
            continue
        if kind is None and row.kind.startswith(_NOTES):
            continue
        if (awaited := _sound(ring, row, phone)) is not None:
            found.append(awaited[1])
    return found


def awaited_by(connection: Connection, key: int, now: datetime) -> tuple[Msisdn, Awaited] | None:
    """Return the phone that was asked, and what it may reply to, by key; ``None`` where it has replied, or never was asked.

    Raises `KeysUnavailable`.
    """
    mark = placeholder(connection.dialect.name)
    statement = (
        f"SELECT {_COLUMNS} FROM awaited_reply"
        f" WHERE key = {mark} AND expires_at > {mark} AND sent_at IS NOT NULL"
    )
    found = execute(connection, statement, (key, to_us(now))).fetchone()
    return None if found is None else _sound(keys_of(connection), _Row(*found))


def ending_until(
    connection: Connection, kind: str, until: datetime, now: datetime, limit: int = PAGE
) -> list[tuple[Msisdn, Awaited]]:
    """Return the phones and rows of a kind that end until then, the first to end first. Raises `KeysUnavailable`."""
    ring = keys_of(connection)
    mark = placeholder(connection.dialect.name)
    rows = execute(
        connection,
        f"SELECT {_COLUMNS} FROM awaited_reply WHERE kind = {mark} AND expires_at > {mark}"
        f" AND expires_at <= {mark} ORDER BY expires_at LIMIT {limit}",
        (kind, to_us(now), to_us(until)),
    ).fetchall()
    opened = [_sound(ring, _Row(*row)) for row in rows]
    return [each for each in opened if each is not None]


def of_kind(
    connection: Connection, kind: str, after: int, now: datetime, limit: int
) -> tuple[list[tuple[Msisdn, Awaited]], int | None]:
    """Return the next rows of a kind behind a key, and the last key gone through; a damaged one is left out.

    Raises `KeysUnavailable`.
    """
    ring, mark = keys_of(connection), placeholder(connection.dialect.name)
    rows = execute(
        connection,
        f"SELECT {_COLUMNS} FROM awaited_reply WHERE kind = {mark} AND key > {mark} AND expires_at > {mark}"
        f" ORDER BY key LIMIT {limit}",
        (kind, after, to_us(now)),
    ).fetchall()
    opened = [_sound(ring, _Row(*row)) for row in rows]
    return [each for each in opened if each is not None], rows[-1][0] if rows else None


def undo_kinds(connection: Connection, now: datetime) -> list[tuple[str, datetime, int]]:
    """Return the kinds that begin with `UNDO`, when the first row of each was made, and how many there are."""
    mark = placeholder(connection.dialect.name)
    rows = execute(
        connection,
        "SELECT kind, min(made_at), count(*) FROM awaited_reply"
        f" WHERE substr(kind, 1, {len(UNDO)}) = {mark} AND expires_at > {mark} GROUP BY kind ORDER BY min(made_at)",
        (UNDO, to_us(now)),
    ).fetchall()
    return [(kind, from_us(at), int(count)) for kind, at, count in rows]


def _sound(ring: KeyRing, row: _Row, of: Msisdn | None = None) -> tuple[Msisdn, Awaited] | None:
    """Return the phone and the content of a row; ``None`` where it is damaged, another hand changed it, or it is not ``of`` it."""
    try:
        phone, payload = _opened(ring, row.key, row.sealed)
    except Damaged:
        return None
    if of is not None and phone.number != of.number:
        ring.noticed.note(awaited_reply.name, row.key, "hash")
        return None
    if not is_sound(ring, awaited_reply.name, row):
        return None
    return phone, Awaited(row.key, row.kind, payload, from_us(row.made_at), from_us(row.expires_at))


def text_left(connection: Connection, key: int, now: datetime) -> None:
    """Note that a message centre has taken the question: from now on it may be replied to."""
    ring = keys_of(connection)
    row = _locked(connection, key)
    if row is not None and row.sent_at is None and is_sound(ring, awaited_reply.name, row):
        _change(connection, ring, row._replace(sent_at=to_us(now)))


def failures_of(connection: Connection, phone: Msisdn, now: datetime) -> int:
    """Return how many wrong codes came from this phone within the day since the first."""
    ring = keys_of(connection)
    rows = _rows(connection, ring, phone, FAILED, to_us(now))
    return _failures(ring, rows[-1]) if rows else 0


def failed(connection: Connection, phone: Msisdn, now: datetime) -> int:
    """Count a reply with a wrong code, whatever was asked; return how many there were within the day since the first."""
    ring = keys_of(connection)
    rows = _rows(connection, ring, phone, FAILED, to_us(now))
    key = rows[-1].key if rows else expect(connection, phone, FAILED, {}, now, now + FAILED_FOR)
    row = _locked(connection, key)
    if row is None:
        return 0  # it has expired meanwhile
    failures = _failures(ring, row)
    if failures < MOST_FAILURES:
        failures += 1
        _change(connection, ring, row._replace(failures=failures))
    return failures


def _failures(ring: KeyRing, row: _Row) -> int:
    return int(row.failures) if is_sound(ring, awaited_reply.name, row) else MOST_FAILURES


def _locked(connection: Connection, key: int) -> _Row | None:
    mark = placeholder(connection.dialect.name)
    lock = " FOR UPDATE" if has_other_writers(connection) else ""
    statement = f"SELECT {_COLUMNS} FROM awaited_reply WHERE key = {mark}{lock}"
    found = execute(connection, statement, (key,)).fetchone()
    return None if found is None else _Row(*found)


def _change(connection: Connection, ring: KeyRing, row: _Row) -> None:
    mark = placeholder(connection.dialect.name)
    code = bind_row(ring, awaited_reply.name, row._asdict())
    execute(
        connection,
        f"UPDATE awaited_reply SET failures = {mark}, sent_at = {mark}, bound = {mark} WHERE key = {mark}",
        (row.failures, row.sent_at, code, row.key),
    )


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


def forget_all_of(connection: Connection, phone: Msisdn) -> list[int]:
    """Delete all rows of this phone, whatever they are; return their keys, for what is left of them in the file."""
    mark = placeholder(connection.dialect.name)
    keys: list[int] = []
    for each in keys_of(connection).hashes(AWAITED, phone.number):
        rows = execute(connection, f"SELECT key FROM awaited_reply WHERE hash = {mark}", (each,)).fetchall()
        keys += [int(row[0]) for row in rows]
    for key in keys:
        settle(connection, key)
    return keys


def settle_kind(connection: Connection, kind: str) -> None:
    """Delete all rows of a kind."""
    execute(
        connection, f"DELETE FROM awaited_reply WHERE kind = {placeholder(connection.dialect.name)}", (kind,)
    )


def reseal(connection: Connection, after: int, limit: int = PAGE) -> tuple[int, int] | None:
    """Bring the next rows under the current key; gives (last key gone through, rows rewritten).

    None when there is no row after ``after``. A damaged row is left to expire.
    """
    ring = keys_of(connection)
    mark = placeholder(connection.dialect.name)
    rows = execute(
        connection,
        f"SELECT {_COLUMNS} FROM awaited_reply WHERE key > {mark} ORDER BY key LIMIT {limit}",
        (after,),
    ).fetchall()
    if not rows:
        return None
    rewritten = 0
    for row in map(_Row._make, rows):
        key, sealed = row.key, row.sealed
        if key_id_of(bytes(sealed)) == ring.current.id:
            continue
        try:
            phone, _ = _opened(ring, key, sealed)
        except Damaged:
            continue
        resealed = seal(ring, _place(key), unseal(ring, _place(key), sealed))
        hashed = ring.hash(AWAITED, phone.number)
        code = bound_anew(ring, awaited_reply.name, row._asdict(), hash=hashed)
        execute(
            connection,
            f"UPDATE awaited_reply SET hash = {mark}, sealed = {mark}, bound = {mark} WHERE key = {mark}",
            (hashed, resealed, code, key),
        )
        rewritten += 1
    return rows[-1][0], rewritten


def _rows(connection: Connection, ring: KeyRing, phone: Msisdn, kind: str | None, now_us: int) -> list[_Row]:
    """Return the phone's rows under whatever key, oldest first."""
    mark = placeholder(connection.dialect.name)
    hashes = ring.hashes(AWAITED, phone.number)
    and_kind = "" if kind is None else f" AND kind = {mark}"
    rows = execute(
        connection,
        f"SELECT {_COLUMNS} FROM awaited_reply WHERE hash IN ({', '.join([mark] * len(hashes))})"
        f" AND expires_at > {mark}{and_kind} ORDER BY key",
        (*hashes, now_us) if kind is None else (*hashes, now_us, kind),
    ).fetchall()
    return [_Row(*row) for row in rows]


def _seal(ring: KeyRing, key: int, phone: Msisdn, payload: Mapping[str, Any]) -> bytes:
    plain = json.dumps({"phone": [phone.number, phone.is_e164], "payload": dict(payload)}, ensure_ascii=False)
    return seal(ring, _place(key), padded(plain.encode(), PADDED_TO, b" "))


def _opened(ring: KeyRing, key: int, sealed: bytes) -> tuple[Msisdn, Mapping[str, Any]]:
    plain = json.loads(unseal(ring, _place(key), sealed))
    number, is_e164 = plain["phone"]
    return Msisdn(number, is_e164=is_e164), plain["payload"]


def _place(key: int) -> Place:
    return Place("awaited_reply", "sealed", key)


def _next_key(connection: Connection, now_us: int) -> int:
    """Return the first free key: microseconds of now, or one more than the last."""
    if connection.dialect.name == "postgresql":
        execute(connection, f"SELECT pg_advisory_xact_lock({_LOCK})")  # SQLite has one writer anyway
    last = execute(connection, "SELECT max(key) FROM awaited_reply").fetchone()[0]
    return max(now_us, (last or 0) + 1)
