"""The shape that a row of each table must have, by which rows are told apart where nothing else says what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Float, LargeBinary, String, Table
from sqlalchemy.types import TypeEngine

from telephony.store.salvage.sqlite_format import Value
from telephony.store.schema import journal_position, metadata

Row = tuple[Value, ...]
"""Values in the order of the table's columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the values that it may hold. ``octets`` is the length of values that are always as long, 0 for others."""

    name: str
    types: tuple[type, ...]
    octets: int
    is_nullable: bool
    is_key: bool
    default: Value

    def takes(self, value: Value) -> bool:
        """Whether this may stand in it."""
        if value is None:
            return self.is_nullable
        return type(value) in self.types and (
            not self.octets or (isinstance(value, bytes) and len(value) == self.octets)
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its columns, and whether its first is the row's own number in the file (an INTEGER PRIMARY KEY)."""

    table: str
    columns: tuple[Column, ...]
    has_rowid: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    def index(self, name: str) -> int:
        """Return the place of a column."""
        return self.names.index(name)

    def row_of(self, rowid: int, record: Sequence[Value]) -> Row | None:
        """Return the row that a record of this table's own pages holds; None for what has no key, or too many columns.

        Columns that were added after a row was written are not in its record.
        """
        if len(record) > len(self.columns):
            return None
        row = (*record, *(column.default for column in self.columns[len(record) :]))
        if self.has_rowid:
            row = (rowid, *row[1:])
        if any(
            column.is_key and not column.takes(value) for column, value in zip(self.columns, row, strict=True)
        ):
            return None
        return row

    def is_sound(self, row: Row) -> bool:
        """Whether each value may stand in its column."""
        return all(column.takes(value) for column, value in zip(self.columns, row, strict=True))

    def can_be_kept(self, row: Row) -> bool:
        """Whether a store takes the row: it refuses nothing but a missing value."""
        return all(
            value is not None or column.is_nullable for column, value in zip(self.columns, row, strict=True)
        )


def _shape(table: Table) -> Shape:
    has_rowid = table.dialect_options["sqlite"]["with_rowid"]
    return Shape(table.name, tuple(_column(each) for each in table.columns), has_rowid)


def _column(column: Any) -> Column:
    kind: TypeEngine[Any] = column.type
    octets = (kind.length or 0) if isinstance(kind, LargeBinary) else 0
    types: tuple[type, ...] = (int,)
    if isinstance(kind, LargeBinary):
        types = (bytes,)
    elif isinstance(kind, String):
        types = (str,)
    elif isinstance(kind, Float):
        types = (float, int)
    default = None if column.server_default is None else int(str(column.server_default.arg))
    return Column(column.name, types, octets, bool(column.nullable), bool(column.primary_key), default)


SHAPES: Final = {
    table.name: _shape(table) for table in metadata.sorted_tables if table is not journal_position
}
"""All tables of the present schema but one: how far a journal is taken up is told by the journal. A position of before, found on
a page that is free by now, would have presses recorded again."""
ALIKE: Final = {
    "person_number": ("guardian_number", "one_open_incident_per_caller", "awaited_from_a_phone"),
    "guardian_number": ("person_number", "one_open_incident_per_caller", "awaited_from_a_phone"),
}
"""Tables whose rows look like those of another table, or of an index: a hash and a number."""
