"""Reads a damaged store table by table: by SQLite where it finds a table sound, from the bare pages where it does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from telephony.store.damage import is_damage
from telephony.store.salvage.shapes import SHAPES, Row, Shape
from telephony.store.salvage.sqlite_pages import Pages
from telephony.store.salvage.sqlite_trees import Loss, Trees

BUSY_S: Final = 2.0
FIRST_BOUND: Final = "0010"
"""The first schema whose rows are bound: see `telephony.store.bound`."""
FETCHED: Final = 500
"""Rows fetched at once."""
ONE_BY_ONE: Final = 50_000
"""Values that rows are looked up by one after the other; for more the whole table is read."""

NOT_READ: Final = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file raises. SQLite quotes the schema in its errors, and what stands there may be no UTF-8."""
NO_TEXT: Final = "its schema is not text any more"


@dataclass(slots=True)
class Reading:
    """How a table was read: ``rows`` of it, whether by SQLite itself, and what is lost."""

    table: str
    is_sound: bool
    rows: int = 0
    loss: Loss = field(default_factory=Loss)


class DamagedStore:
    """A store that is only read. Closed after SQLite's own connections to the same file: see `Pages`.

    No method raises for what stands in the file; the disk's own errors are pages that cannot be read.
    """

    def __init__(self, file: Path) -> None:
        """Open it; raises `OSError` for a file that is not there."""
        self.file = file
        self._pages = Pages(file)
        self._trees: Trees | None = None
        self._connection: sqlite3.Connection | None = None
        self._sound: dict[str, bool] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        with suppress(*NOT_READ):
            self._connection = _open(file)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._pages.close()

    @property
    def version(self) -> str | None:
        """The version of the schema; None where it cannot be read."""
        try:
            if self._connection is None:
                return None
            row = self._connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except NOT_READ:
            return None
        return None if row is None else str(row[0])

    @property
    def is_of_before_binding(self) -> bool:
        """Whether its rows have no code, as its schema has no place for one: what stands there is believed, as at an upgrade."""
        return self.version is not None and self.version < FIRST_BOUND

    @property
    def unplaced(self) -> int:
        """Pages with rows of which none can say whose they are."""
        return 0 if self._trees is None else self._trees.unplaced

    def rows_about(self, tables: Iterable[str]) -> int:
        """Return how many rows there are, of tables that SQLite can count."""
        counted = 0
        for table in tables:
            if self._connection is not None and self.is_sound(table):
                with suppress(*NOT_READ):
                    counted += self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return counted

    def losses(self, tables: Iterable[str]) -> bool:
        """Whether SQLite found anything wrong with one of these, which may have lost rows then."""
        return not all(self.is_sound(table) for table in tables)

    def is_sound(self, table: str) -> bool:
        """Whether SQLite finds nothing wrong with a table and its log."""
        if table not in self._sound:
            self._sound[table] = self._pages.log.broken == 0 and self._look(table)
        return self._sound[table]

    def rows(self, table: str, reading: Reading) -> Iterator[Row]:
        """Return all rows of a table. One may come twice, where SQLite found the damage half-way."""
        shape = SHAPES[table]
        if reading.is_sound:
            try:
                for row in self._select(shape, "", ()):
                    reading.rows += 1
                    yield row
            except NOT_READ:
                self._sound[table] = reading.is_sound = False
                reading.rows = 0
            else:
                return
        for row in self.trees.rows(shape, reading.loss):
            reading.rows += 1
            yield row

    def where(self, table: str, condition: str, holds: Callable[[Row], bool]) -> Iterator[Row]:
        """Return the rows of which a condition holds, said as SQL and as a function."""
        shape = SHAPES[table]
        if self.is_sound(table):
            try:
                yield from self._select(shape, f" NOT INDEXED WHERE {condition}", ())
            except NOT_READ:
                self._sound[table] = False
            else:
                return
        yield from (row for row in self.trees.rows(shape, Loss()) if holds(row))

    def of(self, table: str, column: str, values: Collection[Any]) -> Iterator[Row]:
        """Return the rows that have one of these values in a column which their key begins with."""
        shape, at = SHAPES[table], SHAPES[table].index(column)
        if len(values) <= ONE_BY_ONE and self.is_sound(table):
            try:
                for value in values:
                    yield from self._select(shape, f" WHERE {column} = ?", (value,))
            except NOT_READ:
                self._sound[table] = False
            else:
                return
        wanted = frozenset(values)
        yield from (
            row for row in self.rows(table, Reading(table, self.is_sound(table))) if row[at] in wanted
        )

    @property
    def trees(self) -> Trees:
        """The bare pages; looked through at the first use."""
        if self._trees is None:
            self._trees = Trees(self._pages)
        return self._trees

    def _look(self, table: str) -> bool:
        if self._connection is None:
            return False
        try:
            self._columns[table] = tuple(
                row[1] for row in self._connection.execute(f"PRAGMA table_info('{table}')")
            )
            found = self._connection.execute(f"PRAGMA quick_check('{table}')").fetchone()
        except NOT_READ:
            return False
        return bool(self._columns[table]) and found is not None and found[0] == "ok"

    def _select(self, shape: Shape, where: str, values: tuple[Any, ...]) -> Iterator[Row]:
        assert self._connection is not None
        here = self._columns[shape.table]
        columns = ", ".join(
            f'"{column.name}"'
            if column.name in here
            else ("NULL" if column.default is None else str(column.default))
            for column in shape.columns
        )
        found = self._connection.execute(f"SELECT {columns} FROM {shape.table}{where}", values)
        while rows := found.fetchmany(FETCHED):
            yield from rows


def damage_of(file: Path, give_way: Callable[[], None] = lambda: None) -> str | None:
    """Return the first of `damages` in words; None where SQLite finds nothing wrong."""
    first = next(damages(file, give_way), None)
    return None if first is None else ": ".join(filter(None, first))


def damages(file: Path, give_way: Callable[[], None] = lambda: None) -> Iterator[tuple[str, str]]:
    """Return the tables that SQLite finds damaged, each with its own words; "" for the file as a whole.

    Table by table, so that no look keeps the log from being folded back for long; ``give_way`` is called between two and
    may raise. Raises what is no damage: a file that is locked or not there.
    """
    try:
        with closing(_open(file)) as connection:
            names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for (name,) in names:
                give_way()
                found = _looked_through(connection, name)
                if found != "ok":
                    yield name, " ".join(found.removeprefix("*** in database main ***").split())
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        yield "", str(error)
    except UnicodeDecodeError:
        yield "", NO_TEXT


def _looked_through(connection: sqlite3.Connection, table: str) -> str:
    try:
        (found,) = connection.execute(f"PRAGMA quick_check('{table}')").fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return str(error)
    except UnicodeDecodeError:
        return NO_TEXT
    return str(found)


def _open(file: Path) -> sqlite3.Connection:
    """Open for reading alone: the last reader of what was set aside must not fold its log back."""
    connection = sqlite3.connect(
        f"file:{quote(str(file))}?mode=ro",
        uri=True,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.text_factory = lambda octets: octets.decode("utf-8", "replace")
    return connection
