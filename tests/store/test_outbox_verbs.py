"""The outbox is one room: what is written to ``delivery``, and the codes of its rows, come from there alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import telephony

ROOT = Path(telephony.__file__).parent
THE_ROOM = ROOT / "store" / "outbox"
OF_THEIR_TIME = ROOT / "store" / "migrations"
"""Migrations work on the tables as these once were."""
WRITTEN = re.compile(r"\b(UPDATE|INSERT INTO|REPLACE INTO|DELETE FROM)\s+delivery\b", re.IGNORECASE)
MADE = {"insert", "update", "delete", "BulkInsert", "upsert"}


def statements_in(source: str) -> list[int]:
    """Return the lines at which Python writes to the table, by SQLAlchemy or by SQL."""
    return sorted({node.lineno for node in ast.walk(ast.parse(source)) if _writes(node)})


def codes_in(source: str) -> list[int]:
    """Return the lines at which a code is made for a row of the table."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and _name(node.func) in {"bind", "bind_row"}
        and any(_is_the_table(each) or _is_its_name(each) for each in node.args)
    ]


def _writes(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return WRITTEN.search(_text(node)) is not None
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and _is_the_table(node.func.value):
        return node.func.attr in MADE
    return _name(node.func) in MADE and any(_is_the_table(each) for each in node.args)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(each) for each in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_the_table(node: ast.expr) -> bool:
    return _name(node) == "delivery"


def _is_its_name(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "name":
        return _is_the_table(node.value)
    return isinstance(node, ast.Constant) and node.value == "delivery"


def _rooms() -> Iterator[Path]:
    for path in sorted(ROOT.rglob("*.py")):
        if not path.is_relative_to(OF_THEIR_TIME):
            yield path


def _found(look: Callable[[str], list[int]]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}"
        for path in _rooms()
        if not path.is_relative_to(THE_ROOM)
        for line in look(path.read_text())
    ]


def test_no_statement_on_deliveries_stands_outside_of_the_outbox():
    assert _found(statements_in) == []


def test_no_code_of_a_delivery_is_made_outside_of_the_outbox():
    assert _found(codes_in) == []


def test_the_outbox_itself_is_seen_to_write():
    """Where the room was moved, the rule would hold for nothing."""
    written = {path.stem for path in THE_ROOM.glob("*.py") if statements_in(path.read_text())}
    assert written == {"writing", "claiming", "settling", "starting", "repairing"}


@pytest.mark.parametrize(
    "source",
    [
        "update(delivery).where(True)",
        "connection.execute(insert(schema.delivery).values(a=1))",
        "delivery.delete()",
        "ROWS = BulkInsert(delivery, ())",
        "'DELETE FROM delivery'",
        "f'UPDATE delivery SET {to} WHERE {where}'",
        "f'{head} INSERT INTO delivery ({columns})'",
    ],
)
def test_each_way_to_write_is_seen(source):
    assert statements_in(source) == [1]


@pytest.mark.parametrize(
    "source",
    ["select(delivery)", "'SELECT 1 FROM delivery'", "update(incident)", "'UPDATE delivery_note SET a = 1'"],
)
def test_reading_and_other_tables_are_free(source):
    assert statements_in(source) == []


@pytest.mark.parametrize(
    "source",
    ["bind(ring, 'delivery', said)", "bind(ring, delivery.name, said)", "bind_row(r, 'delivery', x)"],
)
def test_each_way_to_make_a_code_is_seen(source):
    assert codes_in(source) == [1]
