"""The audit chain: an entry for every look at personal data, each signed together with the one before.

An entry's digest is HMAC-SHA-256, under the audit key of the key file, over the digest of the entry before and the
plain content. So a changed, moved or copied entry no longer fits its own digest, and one that was taken out leaves a
gap in the numbers. The content itself is sealed for its row; resealing it under another key leaves the digests as
they are. What the table alone cannot show is that its end was cut off: the daemon's log and the anchors of commands name
each entry with the beginning of its digest, and `audit verify` compares them (`telephony.store.audit_verifying`).

The content of an entry is JSON: ``[2, who, what, subject, why, seat]``, and ``[who, what, subject, why]`` in entries of
earlier versions. The digest is over the text as it stands, so both verify.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from telephony.domain.audit import FORGOTTEN, Looked, Seat
from telephony.store.bulk import BulkInsert, execute, placeholder, select_in
from telephony.store.crypto import Damaged, KeyRing, Place
from telephony.store.schema import audit
from telephony.store.sealing import keys_of, seal, unseal
from telephony.store.times import from_us, to_us

BEFORE_THE_FIRST: Final = bytes(32)
"""Stands in entry 1 in the place of the digest before."""

PAGE: Final = 500
"""Entries read at once where all are gone through."""

_ALONE: Final = "SELECT pg_advisory_xact_lock(114)"
AUDIT: Final = "audit"
"""The subject of an entry which says that the chain itself was cut at the front."""

_COLUMNS: Final = {
    "sqlite": ", ".join(
        (
            "number",
            "CASE typeof(at) WHEN 'integer' THEN at END",
            *(
                f"CASE typeof({name}) WHEN 'blob' THEN {name} END"
                for name in ("sealed", "previous", "digest")
            ),
        )
    ),
    "postgresql": "number, at, sealed, previous, digest",
}
"""An entry as it stands. SQLite keeps any type in any column, so tampering may have put a value there that cannot even be
fetched."""
_VERSION: Final = 2
"""How the content of an entry is written; version 1 has none."""
_GROUP: Final = 4
_GROUPS: Final = 4
_CUT = re.compile(r"through entry (\d{1,18}) with digest ([0-9a-f]{64})\Z")
_INSERT = BulkInsert(audit, ("number", "at", "sealed", "previous", "digest"))


@dataclass(frozen=True, slots=True)
class Entry:
    """What the writer of an entry may tell of it: the number, and the digest that stands for all entries up to it."""

    number: int
    digest: bytes

    @property
    def short(self) -> str:
        """The first 64 bits of the digest as a log has them; colons keep them from being taken for a number."""
        return short_form(self.digest)

    @property
    def as_cut(self) -> str:
        """Say that the chain was cut at the front through this entry: the end of a FORGOTTEN entry's ``why``."""
        return f"through entry {self.number} with digest {self.digest.hex()}"


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as it stands in the table; nothing of it has been checked."""

    number: int
    at: int
    sealed: bytes
    previous: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry that was read: its number, and what it says."""

    number: int
    looked: Looked


def short_form(digest: bytes) -> str:
    """Write the beginning of a digest as ``3f9a:12b0:77c4:0e19``."""
    text = digest.hex()
    return ":".join(text[at : at + _GROUP] for at in range(0, _GROUP * _GROUPS, _GROUP))


def alone(connection: Connection) -> None:
    """Let no other transaction add an entry before this one ends; on SQLite the caller holds the write lock already."""
    if connection.dialect.name == "postgresql":
        execute(connection, _ALONE)


def append(connection: Connection, looked: Looked) -> Entry:
    """Add an entry, inside the caller's write transaction: where that fails, there is no entry.

    On SQLite the caller holds the write lock (`one_transaction`), on PostgreSQL a lock of the chain is taken until the
    transaction ends. Raises `KeysUnavailable`.
    """
    ring = keys_of(connection)
    key = ring.audit_key
    alone(connection)
    last = head(connection)
    number, previous = (1, BEFORE_THE_FIRST) if last is None else (last.number + 1, last.digest)
    at = to_us(looked.at)
    content = _content(looked)
    digest = digest_of(key, number, at, content, previous)
    _INSERT.run(
        connection, [(number, at, seal(ring, _place(number), content.encode("ascii")), previous, digest)]
    )
    return Entry(number, digest)


def head(connection: Connection) -> Entry | None:
    """Return the last entry; None for an empty chain."""
    columns = _COLUMNS[connection.dialect.name]
    row = execute(connection, f"SELECT {columns} FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else Entry(int(row[0]), _octets(row[4]))


def rows_after(connection: Connection, number: int, limit: int = PAGE) -> list[Row]:
    """Return the next entries as they stand, in the order of their numbers."""
    mark = placeholder(connection.dialect.name)
    found = execute(
        connection,
        f"SELECT {_COLUMNS[connection.dialect.name]} FROM audit WHERE number > {mark} ORDER BY number LIMIT {limit:d}",
        (number,),
    ).fetchall()
    return [_row(each) for each in found]


def rows_of(connection: Connection, numbers: Iterable[int]) -> list[Row]:
    """Return these entries as they stand, those that are there."""
    columns = _COLUMNS[connection.dialect.name]
    found = select_in(connection, f"SELECT {columns} FROM audit WHERE number {{}}", numbers)
    return [_row(each) for each in found]


def entries(connection: Connection, after: int = 0) -> Iterator[Kept]:
    """Return what the entries say, page by page, in order; one that cannot be read raises `Damaged`."""
    ring = keys_of(connection)
    while rows := rows_after(connection, after):
        for row in rows:
            yield Kept(row.number, read(ring, row)[1])
        after = rows[-1].number


def newest(connection: Connection, since: datetime) -> Iterator[Kept]:
    """Return entries not older than this, the newest first; one that is not as it was written ends it with `Damaged`."""
    ring = keys_of(connection)
    last = head(connection)
    upper = 0 if last is None else last.number
    while upper > 0:
        numbers = range(max(1, upper - PAGE + 1), upper + 1)
        for row in sorted(rows_of(connection, numbers), key=lambda each: -each.number):
            content, looked = read(ring, row)
            if not hmac.compare_digest(
                digest_of(ring.audit_key, row.number, row.at, content, row.previous), row.digest
            ):
                raise Damaged(f"audit {row.number}: it was changed")
            if looked.at < since:
                return
            yield Kept(row.number, looked)
        upper = numbers[0] - 1


def count(connection: Connection) -> int:
    """Return how many entries there are."""
    return int(execute(connection, "SELECT count(*) FROM audit").fetchone()[0])


def read(ring: KeyRing, row: Row) -> tuple[str, Looked]:
    """Open an entry: gives its plain content, which the digest is over, and what that says.

    Raises `Damaged`, or `KeysUnavailable` for a key that is not here.
    """
    octets = unseal(ring, _place(row.number), row.sealed)
    try:
        content = octets.decode("ascii")
        version, *said = json.loads(content)
        if version != _VERSION:
            said = [version, *said, None]
        who, what, subject, why, seat = said
        return content, Looked(
            str(who),
            str(what),
            str(subject),
            str(why),
            from_us(row.at),
            None if seat is None else _seat(seat),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise Damaged(f"audit {row.number}: what it says cannot be read") from error


def cut_of(looked: Looked) -> Entry | None:
    """Return through which entry this one says that the chain was cut; None for an entry that says nothing of it."""
    if looked.what != FORGOTTEN or looked.subject != AUDIT:
        return None
    found = _CUT.search(looked.why)
    return None if found is None else Entry(int(found[1]), bytes.fromhex(found[2]))


def digest_of(key: bytes, number: int, at: int, content: str, previous: bytes) -> bytes:
    """Return the digest of an entry: the one before (32 octets), then number, time and content as JSON."""
    signed = json.dumps([number, at, content], ensure_ascii=True, separators=(",", ":"))
    return hmac.digest(key, previous + signed.encode("ascii"), "sha256")


def about_number(international: str, subject: str) -> bool:
    """Whether an entry's subject is this number, with its plus sign or without."""
    return subject.removeprefix("+") == international.removeprefix("+") != ""


def _content(looked: Looked) -> str:
    seat = None if looked.seat is None else asdict(looked.seat)
    parts = [_VERSION, looked.who, looked.what, looked.subject, looked.why, seat]
    return json.dumps(parts, ensure_ascii=True, separators=(",", ":"))


def _seat(plain: Any) -> Seat:
    """Read where a command was run; raises `TypeError` for anything else."""
    return Seat(**{**plain, "claims": tuple(plain["claims"])})


def _place(number: int) -> Place:
    return Place("audit", "sealed", number)


def _row(found: Any) -> Row:
    number, at, sealed, previous, digest = found
    return Row(
        int(number), -1 if at is None else int(at), _octets(sealed), _octets(previous), _octets(digest)
    )


def _octets(value: Any) -> bytes:
    return b"" if value is None else bytes(value)
