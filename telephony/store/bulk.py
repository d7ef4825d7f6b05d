"""Writes and reads many rows in few statements.

Python's sqlite3 gives up the interpreter lock around every step of a statement. A row-by-row ``executemany``
beside a busy reactor therefore waits for the lock once per row; one statement of many rows waits once. Chunks
are powers of two, so that a handful of prepared statements serves every batch size.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from sqlalchemy import Connection, Table

T = TypeVar("T")

_LARGEST_CHUNK = 256
"""Times 20 columns stays far below SQLite's 32,766 and PostgreSQL's 65,535 parameters a statement."""

_ASKED_AT_ONCE = 4096
"""Octet strings or pairs in one question: within SQLite's 32,766 parameters, and more than a usual group of presses."""

_NO_PAIR: Any = (None, None)

_EVERY_SIZE_UP_TO = 32
"""Batches of an unhurried day fit one statement of exactly their size; larger ones are cut into powers of two."""


def execute(connection: Connection, statement: str, parameters: Sequence[Any] = ()) -> Any:
    """Run a statement on the driver's own cursor, inside SQLAlchemy's transaction, and give the cursor.

    Only for the few statements that every press runs: a tenth of the cost of SQLAlchemy's result machinery.
    """
    cursor = connection.connection.cursor()
    cursor.execute(statement, parameters)
    return cursor


def execute_many(connection: Connection, statement: str, rows: Sequence[Sequence[Any]]) -> int:
    """Run a statement once per row, likewise; return how many rows of the table were changed."""
    cursor = connection.connection.cursor()
    cursor.executemany(statement, rows)
    return int(cursor.rowcount)


class BulkInsert:
    """A prepared multi-row INSERT into one table, for a fixed list of columns.

    ``constants`` are columns that have the same value in every row, as SQL: a number, NULL or a quoted text.
    """

    def __init__(
        self, table: Table, columns: Sequence[str], constants: Mapping[str, str] | None = None
    ) -> None:
        constants = constants or {}
        unknown = (set(columns) | set(constants)) - set(table.columns.keys())
        if unknown:
            raise ValueError(f"{table.name} has no column {sorted(unknown)}")
        self._head = f"INSERT INTO {table.name} ({', '.join((*columns, *constants))}) VALUES "
        self._width = len(columns)
        self._constants = tuple(constants.values())
        self._statements: dict[tuple[str, int], str] = {}

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert the rows, each a tuple in the order of the columns."""
        start, left = 0, len(rows)
        while left:
            size = left if left <= _EVERY_SIZE_UP_TO else min(_LARGEST_CHUNK, 1 << (left.bit_length() - 1))
            values = tuple(chain.from_iterable(rows[start : start + size]))
            execute(connection, self._statement(connection.dialect.name, size), values)
            start, left = start + size, left - size

    def _statement(self, dialect: str, size: int) -> str:
        statement = self._statements.get((dialect, size))
        if statement is None:
            mark = placeholder(dialect)
            row = f"({', '.join([*[mark] * self._width, *self._constants])})"
            statement = self._statements[dialect, size] = self._head + ", ".join([row] * size)
        return statement


def placeholder(dialect: str) -> str:
    """Parameter mark of the dialect's driver: sqlite3's ``?``, psycopg's ``%s``."""
    return "?" if dialect == "sqlite" else "%s"


def select_pairs(connection: Connection, select: str, pairs: Sequence[tuple[int, bytes]]) -> list[Any]:
    """Run a SELECT whose ``{}`` stands for a table ``wanted(a, b)`` of the given pairs: a primary-key look-up each."""
    if not pairs:
        return []
    if connection.dialect.name == "sqlite":
        rows: list[Any] = []
        for asked in _filled_up(pairs, _NO_PAIR):
            values = ", ".join(["(?, ?)"] * len(asked))
            wanted = f"(SELECT column1 AS a, column2 AS b FROM (VALUES {values})) AS wanted"
            rows += _all(connection, select.format(wanted), tuple(chain.from_iterable(asked)))
        return rows
    wanted = "unnest(%s::bigint[], %s::bytea[]) AS wanted(a, b)"
    return _all(connection, select.format(wanted), ([a for a, _ in pairs], [b for _, b in pairs]))


def select_numbered(connection: Connection, select: str, pairs: Iterable[tuple[int, int]]) -> list[Any]:
    """Do as `select_pairs`, for pairs of numbers: one parameter, one statement."""
    listed = list(pairs)
    if not listed:
        return []
    if connection.dialect.name == "sqlite":
        parts = "json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b"
        wanted = f"(SELECT {parts} FROM json_each(?)) AS wanted"
        return _all(connection, select.format(wanted), (json.dumps(listed),))
    wanted = "unnest(%s::bigint[], %s::bigint[]) AS wanted(a, b)"
    return _all(connection, select.format(wanted), ([a for a, _ in listed], [b for _, b in listed]))


def select_in(connection: Connection, select: str, values: Iterable[str] | Iterable[int]) -> list[Any]:
    """Run a SELECT whose ``{}`` stands for "is one of the values", however many: one parameter, one statement."""
    listed = list(values)
    if not listed:
        return []
    if connection.dialect.name == "sqlite":
        return _all(connection, select.format("IN (SELECT value FROM json_each(?))"), (json.dumps(listed),))
    return _all(connection, select.format("= ANY(%s)"), (listed,))


def select_among(connection: Connection, select: str, values: Iterable[bytes]) -> list[Any]:
    """Run a SELECT whose ``{}`` stands for "is one of these octet strings", however many: one statement."""
    listed = list(values)
    if not listed:
        return []
    if connection.dialect.name == "sqlite":
        rows: list[Any] = []
        for asked in _filled_up(listed, listed[-1]):
            rows += _all(connection, select.format(f"IN ({', '.join('?' * len(asked))})"), asked)
        return rows
    return _all(connection, select.format("= ANY(%s)"), (listed,))


def _filled_up(values: Sequence[T], filler: T) -> Iterator[Sequence[T]]:
    """Return the values in pieces whose lengths are powers of two, filled up with what changes no answer.

    So a few prepared statements serve every number of values. SQLite could take them all in one JSON, but JSON has no
    octets.
    """
    for start in range(0, len(values), _ASKED_AT_ONCE):
        piece = values[start : start + _ASKED_AT_ONCE]
        missing = (1 << (len(piece) - 1).bit_length()) - len(piece)
        yield [*piece, *[filler] * missing]


def _all(connection: Connection, statement: str, parameters: Sequence[Any]) -> list[Any]:
    rows: list[Any] = execute(connection, statement, parameters).fetchall()
    return rows
