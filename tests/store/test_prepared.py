"""Statements that are written out once say the same as SQLAlchemy's own, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from telephony.store.engines import one_transaction
from telephony.store.prepared import Prepared
from telephony.store.schema import last_position

KEEP = Prepared(insert(last_position))
AMONG = Prepared(
    select(last_position)
    .where(last_position.c.caller.in_(bindparam("callers", expanding=True)), last_position.c.number < 100)
    .order_by(last_position.c.number)
    .limit(2)
)
MOVE = Prepared(
    update(last_position)
    .where(last_position.c.incident_key == bindparam("at"))
    .values(number=bindparam("number"))
)
CALLERS = [bytes([n]) * 16 for n in range(4)]


@pytest.fixture
def connection(engines: tuple[Engine, Engine]) -> Iterator[Connection]:
    with engines[0].connect() as connection, one_transaction(connection):
        for number, caller in enumerate(CALLERS, 1):
            KEEP.run(connection, caller=caller, incident_key=number, number=number * 10)
        yield connection


def numbers(rows: list[Any]) -> list[int]:
    return [row.number for row in rows]


def test_rows_come_with_the_names_of_their_columns_and_their_octets(connection: Connection):
    (row,) = AMONG.all(connection, callers=[CALLERS[1]])

    assert (bytes(row.caller), row.incident_key, row.number) == (CALLERS[1], 2, 20)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_list_may_have_any_length_and_the_bounds_of_the_statement_itself_hold(
    connection: Connection, count: int
):
    assert numbers(AMONG.all(connection, callers=CALLERS[:count])) == [10, 20][:count]


def test_of_an_empty_list_nothing_is_found(connection: Connection):
    assert AMONG.all(connection, callers=[]) == []


def test_one_is_the_first_row_or_none(connection: Connection):
    assert AMONG.one(connection, callers=CALLERS[2:]).number == 30
    assert AMONG.one(connection, callers=[b"nobody's"]) is None


def test_a_change_says_how_many_rows_it_met(connection: Connection):
    assert MOVE.run(connection, at=3, number=35) == 1
    assert MOVE.run(connection, at=99, number=1) == 0

    assert numbers(AMONG.all(connection, callers=[CALLERS[2]])) == [35]


def test_a_value_that_is_missing_is_a_fault_of_ours(connection: Connection):
    with pytest.raises(Exception, match="number"):
        MOVE.run(connection, at=3)
