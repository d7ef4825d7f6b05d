"""Deletes people so that nothing is left of them in SQLite's file.

SQLite's ``secure_delete`` (`engines`) fills deleted rows with zeros. It does not reach copies that stay in the unused
part of a page when the page was split and its rows moved to another: of 10,000 hashes deleted from a table of 200,000
four could still be found. So the rows around a deleted one are rewritten: pages that such a copy can be in are
filled afresh or given up, and a page that is given up is filled with zeros. After that none was found.

On PostgreSQL a deleted row stays in its page until VACUUM, and in the server's log until that is recycled; it is
encrypted there, and unreadable for good once its key is forgotten (`onetouch keys rotate --forget-old`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from telephony.store.bulk import execute, execute_many, placeholder
from telephony.store.schema import metadata

AROUND = {
    "person_number": 200, "guardian_number": 200, "person": 16, "incident": 16, "press": 20, "position": 40,
    "fact": 30, "call": 30, "delivery": 60, "press_history": 60, "awaited_reply": 30, "audit": 20,
    "locating": 30, "withdrawn": 30, "recording": 30,
}  # fmt: skip
"""Rows to either side: more than a page, which holds about 130 hashes or ten people."""


def delete_hashes(connection: Connection, table: str, key: int, hashes: Iterable[bytes]) -> None:
    """Delete these hashes of one person; missing ones do not matter."""
    mark = placeholder(connection.dialect.name)
    statement = f"DELETE FROM {table} WHERE hash = {mark} AND person_key = {mark}"
    execute_many(connection, statement, [(each, key) for each in hashes])


def forget_rows(
    connection: Connection, key: int, numbers: Sequence[bytes], guardians: Sequence[bytes]
) -> None:
    """Delete a person's row and these hashes of theirs, and on SQLite every trace of them in the file.

    The log (``-wal``) still holds earlier pages until it is folded back: see `fold_back`.
    """
    delete_hashes(connection, "person_number", key, numbers)
    delete_hashes(connection, "guardian_number", key, guardians)
    execute(connection, f"DELETE FROM person WHERE key = {placeholder(connection.dialect.name)}", (key,))
    clear_around(connection, "person_number", numbers)
    clear_around(connection, "guardian_number", guardians)
    clear_around(connection, "person", [key])


def clear_around(connection: Connection, table: str, places: Iterable[Any]) -> None:
    """Rewrite the rows around places in a table's key where a row has just been deleted."""
    if connection.dialect.name != "sqlite":
        return
    for place in places:
        _rewrite(connection, table, place)


def fold_back(connection: Connection) -> bool:
    """Fold SQLite's log back and cut it to nothing; False where readers or a writer were in the way.

    Outside of any transaction. A running daemon folds its log back by itself, a little later.
    """
    if connection.dialect.name != "sqlite":
        return True
    is_busy, _, _ = execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy


def _rewrite(connection: Connection, table: str, place: Any) -> None:
    columns = metadata.tables[table].columns.keys()
    key, listed = columns[0], ", ".join(columns)
    bounds = (
        _bound(connection, table, f"{key} <= ? ORDER BY {key} DESC", place),
        _bound(connection, table, f"{key} >= ? ORDER BY {key}", place),
    )
    rows = execute(
        connection, f"SELECT {listed} FROM {table} WHERE {key} BETWEEN ? AND ? ORDER BY {key}", bounds
    ).fetchall()
    execute(connection, f"DELETE FROM {table} WHERE {key} BETWEEN ? AND ?", bounds)
    marks = ", ".join("?" * len(columns))
    execute_many(connection, f"INSERT INTO {table} ({listed}) VALUES ({marks})", rows)


def _bound(connection: Connection, table: str, where: str, place: Any) -> Any:
    """Return the key that is so many rows away, or that of the last row, or the place itself where there is none."""
    key = metadata.tables[table].columns.keys()[0]
    rows = execute(connection, f"SELECT {key} FROM {table} WHERE {where} LIMIT {AROUND[table]}", (place,))
    return ([place] + [row[0] for row in rows.fetchall()])[-1]
