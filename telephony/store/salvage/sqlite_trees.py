"""Reads the rows of a damaged SQLite file: down each tree as far as it goes, and then what hangs on no tree any more.

A page that was overwritten costs its contents. Where it was one that leads to others, those are still there: they
are pages that no tree and not the list of free pages knows, and each tells by its rows which table it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from telephony.domain.errors import Malformed
from telephony.store.salvage.shapes import ALIKE, SHAPES, Row, Shape
from telephony.store.salvage.sqlite_format import (
    INTERIOR,
    INTERIOR_INDEX,
    INTERIOR_TABLE,
    KINDS,
    LEAF_INDEX,
    LEAF_TABLE,
    Cell,
    Node,
    Value,
)
from telephony.store.salvage.sqlite_pages import Pages

OF_TABLE: Final = (INTERIOR_TABLE, LEAF_TABLE)
OF_INDEX: Final = (INTERIOR_INDEX, LEAF_INDEX)
MOST_RANGES: Final = 20
_SCHEMA_COLUMNS: Final = 5
_INDEX_COLUMNS: Final = 2
"""Of an index of one column: that, and the key of the row."""
_LOOKED_AT: Final = 8
"""Rows of a page by which its table is told."""


@dataclass(frozen=True, slots=True)
class Range:
    """Keys between which rows are lost; None for the beginning or the end of the table."""

    after: Value
    upto: Value


@dataclass(slots=True)
class Loss:
    """The losses of a table: ``pages`` that are no pages any more, ``rows`` that are known to be lost in others."""

    pages: int = 0
    rows: int = 0
    leaves_read: int = 0
    rows_read: int = 0
    ranges: list[Range] = field(default_factory=list)

    @property
    def estimate(self) -> int:
        """About how many rows are lost: a lost page held as many as one that was read."""
        a_page = max(1, round(self.rows_read / self.leaves_read)) if self.leaves_read else 1
        return self.rows + self.pages * a_page

    def lose_page(self, after: Value, upto: Value) -> None:
        """Count a page, and remember its contents."""
        self.pages += 1
        if len(self.ranges) < MOST_RANGES:
            self.ranges.append(Range(after, upto))


class Trees:
    """All trees of a file. Any file is read without an error; what it does not hold is not found."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._free = pages.free()
        self._claimed: set[int] = set()
        self._wounded: set[str] = set()
        """Tables and indexes of which a page is lost."""
        self.roots = self._schema()
        for name, root in self.roots.items():
            self._claim(name, root)
        self._loose = self._pages_of_none()

    @property
    def unplaced(self) -> int:
        """Pages with rows of which none can say whose they are."""
        return len(self._loose.get("", ()))

    def rows(self, shape: Shape, loss: Loss) -> Iterator[Row]:
        """Return the rows of a table; ``loss`` is filled meanwhile."""
        root = self.roots.get(shape.table)
        if root is not None:
            yield from self._walk(shape, root, loss)
        elif not self._loose.get(shape.table):
            loss.lose_page(None, None)
        for number in self._loose.get(shape.table, ()):
            rows = list(self._rows_of(shape, self._pages.node(number), loss))
            loss.rows_read += len(rows)
            loss.leaves_read += 1
            yield from rows

    def index_rows(self, name: str) -> Iterator[tuple[Value, Value]]:
        """Return the first column and the row's key of an index of one column, as far as it can be read."""
        waiting = [self.roots[name]] if name in self.roots else []
        seen: set[int] = set()
        while waiting:
            number = waiting.pop()
            node = None if number in seen else self._node(number, OF_INDEX)
            if node is None:
                continue
            seen.add(number)
            if node.kind in INTERIOR:
                waiting += [node.last_child, *(cell.child for cell in node.cells)]
            for record in self._records(node):
                if len(record) == _INDEX_COLUMNS:
                    yield record[0], record[1]

    def _walk(self, shape: Shape, root: int, loss: Loss) -> Iterator[Row]:
        kinds = OF_TABLE if shape.has_rowid else OF_INDEX
        waiting: list[tuple[int, Value, Value]] = [(root, None, None)]
        seen: set[int] = set()
        while waiting:
            number, after, upto = waiting.pop()
            node = self._node(number, kinds)
            if node is None or number in seen:
                loss.lose_page(after, upto)
                continue
            seen.add(number)
            rows = list(self._rows_of(shape, node, loss))
            loss.rows_read += len(rows)
            yield from rows
            if node.kind in INTERIOR:
                waiting.extend(self._children(shape, node, after, upto))
            else:
                loss.leaves_read += 1

    def _children(
        self, shape: Shape, node: Node, after: Value, upto: Value
    ) -> list[tuple[int, Value, Value]]:
        children = []
        for cell in node.cells:
            bound: Value = cell.rowid
            if not shape.has_rowid:
                try:
                    bound = self._pages.record(cell)[0]
                except (Malformed, IndexError):
                    bound = None
            children.append((cell.child, after, bound))
            after = bound
        children.append((node.last_child, after, upto))
        children.reverse()
        return children

    def _rows_of(self, shape: Shape, node: Node, loss: Loss) -> Iterator[Row]:
        if node.kind == INTERIOR_TABLE:
            return
        loss.rows += node.broken
        for cell in node.cells:
            try:
                row = shape.row_of(cell.rowid, self._pages.record(cell))
            except Malformed:
                row = None
            # Where octets of chance decode to a row at all, its values are hardly of the right kinds.
            if row is None or not shape.is_sound(row):
                loss.rows += 1
            else:
                yield row

    def _node(self, number: int, kinds: tuple[int, int]) -> Node | None:
        try:
            node = self._pages.node(number)
        except Malformed:
            return None
        return node if node.kind in kinds else None

    def _claim(self, name: str, root: int) -> None:
        """Learn which pages a tree leads to."""
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number in self._claimed:
                self._wounded.add(name)
                continue
            self._claimed.add(number)
            try:
                kind = self._pages.page(number)[0]
                if kind in INTERIOR:
                    node = self._pages.node(number)
                    waiting += [node.last_child, *(cell.child for cell in node.cells)]
                    if node.broken:
                        self._wounded.add(name)
                elif kind not in KINDS:
                    self._wounded.add(name)
            except (Malformed, IndexError):
                self._wounded.add(name)

    def _schema(self) -> dict[str, int]:
        """Return the first page of each tree by name; of those whose rows in the schema can be read."""
        roots: dict[str, int] = {"sqlite_schema": 1}
        waiting = [1]
        if self._node(1, OF_TABLE) is None:
            waiting = [n for n in range(2, self._pages.count + 1) if self._is_schema(n)]
        seen: set[int] = set()
        while waiting:
            number = waiting.pop()
            node = None if number in seen else self._node(number, OF_TABLE)
            if node is None:
                continue
            seen.add(number)
            if node.kind == INTERIOR_TABLE:
                waiting += [node.last_child, *(cell.child for cell in node.cells)]
            for record in self._records(node):
                if _is_schema_row(record) and isinstance(record[3], int) and record[3] > 1:
                    roots[str(record[1])] = record[3]
        self._claimed |= seen
        return roots

    def _is_schema(self, number: int) -> bool:
        node = self._node(number, (LEAF_TABLE, LEAF_TABLE)) if self._kind(number) == LEAF_TABLE else None
        if node is None:
            return False
        found = self._cells(node)
        return bool(found) and _is_schema_row(found[0][1])

    def _kind(self, number: int) -> int:
        page = self._pages.page(number)
        return page[0] if page else 0

    def _records(self, node: Node) -> list[tuple[Value, ...]]:
        found = []
        for cell in node.cells if node.kind != INTERIOR_TABLE else ():
            with suppress(Malformed):
                found.append(self._pages.record(cell))
        return found

    def _pages_of_none(self) -> dict[str, list[int]]:
        """Return the pages that no tree leads to by the table that they belong to, "" for those that nothing tells."""
        if len(self.roots) > 1 and not self._wounded:
            return {}
        found: dict[str, list[int]] = {}
        for number in range(2, self._pages.count + 1):
            if number in self._claimed or number in self._free or self._kind(number) not in KINDS:
                continue
            table = self._table_of(number)
            if table is not None:
                found.setdefault(table, []).append(number)
        return found

    def _table_of(self, number: int) -> str | None:
        """Return whose rows stand in a page; None for no rows of any table of ours."""
        try:
            node = self._pages.node(number)
        except Malformed:
            return None
        kind_has_rowid = node.kind == LEAF_TABLE
        rows = self._cells(node)
        if not rows:
            return None
        for shape in SHAPES.values():
            if shape.has_rowid != kind_has_rowid:
                continue
            found = [shape.row_of(cell.rowid, record) for cell, record in rows]
            if all(row is not None and shape.is_sound(row) for row in found) and all(
                len(record) == len(shape.columns) for _, record in rows
            ):
                return self._of_those_alike(shape.table)
        return None

    def _cells(self, node: Node) -> list[tuple[Cell, tuple[Value, ...]]]:
        """Return the first records of a page that can be read."""
        found = []
        for cell in node.cells[:_LOOKED_AT] if node.kind != INTERIOR_TABLE else ():
            with suppress(Malformed):
                found.append((cell, self._pages.record(cell)))
        return found

    def _of_those_alike(self, table: str) -> str:
        if table not in ALIKE:
            return table
        names = (table, *ALIKE[table])
        wounded = [name for name in names if name in self._wounded or name not in self.roots]
        return wounded[0] if len(wounded) == 1 else ""


def _is_schema_row(record: tuple[Value, ...]) -> bool:
    return (
        len(record) == _SCHEMA_COLUMNS
        and record[0] in ("table", "index")
        and isinstance(record[1], str)
        and isinstance(record[2], str)
        and isinstance(record[3], int)
    )
