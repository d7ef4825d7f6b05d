"""Statements of SQLAlchemy Core that are written out once and then run on the driver's own cursor.

SQLAlchemy builds a statement, finds its text and wraps its rows anew each time, which costs ten times what the database does for
a look-up by key. What runs with every press is prepared here: the tables' names and types are still checked when the module
is imported, and every database gets a text of its own.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.sql import ClauseElement

from telephony.store.bulk import execute

Values = Mapping[str, Any]


_row_of: Any = namedtuple  # noqa: PYI024 - the names of a statement's columns are known here alone


class Prepared:
    """A statement whose values are named by ``bindparam``; a SELECT may have an ``expanding`` one, for which a list is given.

    What it gives of a SELECT are tuples with the names of its columns, their values as the driver has them: truth is 0 or 1 in
    SQLite. Errors are the driver's own, which `Database` knows.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._texts: dict[tuple[Any, ...], _Text] = {}
        names = statement.selected_columns.keys() if isinstance(statement, Select) else ()
        self._row: Any = _row_of("Row", names)._make

    def run(self, connection: Connection, **values: Any) -> int:
        """Run it inside the transaction that is open; return how many rows were changed."""
        return int(self._execute(connection, values).rowcount)

    def one(self, connection: Connection, **values: Any) -> Any:
        """Return its first row, or ``None``."""
        row = self._execute(connection, values).fetchone()
        return None if row is None else self._row(row)

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        """Return all its rows."""
        return list(map(self._row, self._execute(connection, values).fetchall()))

    def _execute(self, connection: Connection, values: dict[str, Any]) -> Any:
        listed = {name: value for name, value in values.items() if isinstance(value, list | tuple)}
        written_for = (connection.dialect.name, *((name, len(value)) for name, value in listed.items()))
        text = self._texts.get(written_for)
        if text is None:
            text = self._texts[written_for] = _Text.of(self._statement, connection.dialect, values)
        if listed:
            values |= _one_by_one(listed)
        return execute(connection, text.text, text.ordered(values))


@dataclass(frozen=True, slots=True)
class _Text:
    """A statement as a driver takes it, and its values: those that are part of the statement, and the order where it counts."""

    text: str
    own: Values
    order: Sequence[str] | None

    @classmethod
    def of(cls, statement: Any, dialect: Any, values: Values) -> _Text:
        """Write a statement out for a database, and for lists as long as those among these values."""
        written = statement.compile(dialect=dialect).construct_expanded_state(values)
        of_lists = {name for names in written.parameter_expansion.values() for name in names}
        own = {
            name: value
            for name, value in written.parameters.items()
            if name not in values and name not in of_lists
        }
        return cls(written.statement, own, written.positiontup)

    def ordered(self, values: Values) -> Any:
        """Return the values as the driver takes them."""
        if self.own:
            values = {**self.own, **values}
        return values if self.order is None else [values[name] for name in self.order]


def _one_by_one(listed: Values) -> dict[str, Any]:
    """Return the values of lists by the names that SQLAlchemy gives each."""
    return {
        f"{name}_{number}": value for name, values in listed.items() for number, value in enumerate(values, 1)
    }
