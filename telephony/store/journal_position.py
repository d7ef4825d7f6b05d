"""How far the store has taken up each journal of presses: changed in the very transaction that records them.

So a press of the journal is recorded once, whenever a process or a commit is cut off. Each daemon has a journal, and a row, of
its own. The number is bound to the row (`telephony.store.bound` says why): set ahead by another hand, it would make us pass over
presses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection

from telephony.domain.errors import Unavailable
from telephony.store.bulk import execute, placeholder
from telephony.store.crypto import KeyRing
from telephony.store.sealing import keys_of

_ROW: Final = "SELECT number, bound FROM journal_position WHERE journal = {0}"
_MOVE: Final = "UPDATE journal_position SET number = {0}, bound = {0} WHERE journal = {0} AND number = {0}"
_BEGIN: Final = "INSERT INTO journal_position (journal, number, bound) VALUES ({0}, {0}, {0}) ON CONFLICT (journal) DO NOTHING"
_SET: Final = (
    "INSERT INTO journal_position (journal, number, bound) VALUES ({0}, {0}, {0})"
    " ON CONFLICT (journal) DO UPDATE SET number = excluded.number, bound = excluded.bound"
)

_ALL: Final = "SELECT journal, number, bound FROM journal_position ORDER BY journal"
_BIND: Final = "UPDATE journal_position SET bound = {0} WHERE journal = {0} AND number = {0} AND bound = {0}"


class JournalPlace(NamedTuple):
    """Where a press stands in a journal. ``after`` is the number that the store must have reached before it."""

    journal: bytes
    after: int
    number: int


class JournalPosition(NamedTuple):
    """What the store says; what another hand may have written is not ours."""

    number: int
    is_ours: bool


class PositionRow(NamedTuple):
    """A row as it stands."""

    journal: bytes
    number: int
    bound: bytes


class PositionMoved(Unavailable):
    """The store is not where this journal was believed to be: a commit was not heard of, or was lost again."""


def move(connection: Connection, ring: KeyRing, places: Sequence[JournalPlace]) -> None:
    """Move a journal's position over the presses that this transaction records, in their order. Raises `PositionMoved`."""
    journal, after, last = places[0].journal, places[0].after, places[-1].number
    mark = placeholder(connection.dialect.name)
    code = _code(ring, journal, last)
    moved = execute(connection, _MOVE.format(mark), (last, code, journal, after)).rowcount
    if not moved and not after:
        moved = execute(connection, _BEGIN.format(mark), (journal, last, code)).rowcount
    if not moved:
        raise PositionMoved(f"store: presses up to number {after} of the journal are not what it has")


def position_of(connection: Connection, journal: bytes) -> JournalPosition | None:
    """Return how far a journal is taken up; None where the store knows nothing of it."""
    mark = placeholder(connection.dialect.name)
    row = execute(connection, _ROW.format(mark), (journal,)).fetchone()
    if row is None:
        return None
    number, code = row
    is_ours = isinstance(number, int) and keys_of(connection).is_bound(_said(journal, number), code)
    return JournalPosition(number, is_ours) if is_ours else JournalPosition(0, is_ours=False)


def put(connection: Connection, journal: bytes, number: int) -> None:
    """Say how far a journal is taken up, whatever stood there."""
    mark = placeholder(connection.dialect.name)
    execute(connection, _SET.format(mark), (journal, number, _code(keys_of(connection), journal, number)))


def sound_rows(connection: Connection) -> list[PositionRow]:
    """Return the rows that are as they were written, in the order of their journals."""
    ring = keys_of(connection)
    rows = execute(connection, _ALL).fetchall()
    return [
        PositionRow(bytes(journal), number, bytes(code))
        for journal, number, code in rows
        if isinstance(number, int) and ring.is_bound(_said(bytes(journal), number), code)
    ]


def bind_anew(connection: Connection, row: PositionRow) -> int:
    """Bind a row of `sound_rows` under the current key, where it still stands so; return how many rows that changed."""
    mark = placeholder(connection.dialect.name)
    code = _code(keys_of(connection), row.journal, row.number)
    return int(execute(connection, _BIND.format(mark), (code, row.journal, row.number, row.bound)).rowcount)


def _code(ring: KeyRing, journal: bytes, number: int) -> bytes:
    return ring.bind(_said(journal, number))


def _said(journal: bytes, number: int) -> bytes:
    return b"journal_position %b %d" % (journal, number)
