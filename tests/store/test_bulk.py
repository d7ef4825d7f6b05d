"""Many rows in few statements, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, insert

from telephony.store.bulk import (
    BulkInsert,
    execute,
    execute_many,
    placeholder,
    select_among,
    select_in,
    select_pairs,
)
from telephony.store.schema import incident, last_position
from tests.store.ledger import Ledger

INSERT = BulkInsert(last_position, ("caller", "incident_key", "number"))
CALLERS = "SELECT caller FROM last_position WHERE caller {} ORDER BY caller"
KEYS = "SELECT caller FROM last_position WHERE incident_key {} ORDER BY caller"
NAMES = "SELECT id FROM incident WHERE id {} ORDER BY id"
PAIRS = (
    "SELECT caller FROM {} JOIN last_position ON last_position.incident_key = wanted.a"
    " AND last_position.caller = wanted.b ORDER BY caller"
)
STRANGE = ["", "'", '"', "\\", "%s", "?", "{}", "␀", "안전 🆘", "a\nb", "NULL"]
OCTETS = [b"", b"\x00", b"\xff\x00'", *(text.encode() for text in STRANGE[1:])]


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    return Ledger(engines[0])


def test_batches_of_every_size_arrive_whole(ledger: Ledger):
    sizes = [0, 1, 2, 31, 32, 33, 63, 64, 65, 255, 256, 257, 600]
    for size in sizes:
        rows = [(f"{size}-{number}".encode(), size, number) for number in range(size)]
        ledger.transact(INSERT.run, rows)

    found = [(row["caller"], row["incident_key"], row["number"]) for row in ledger.rows("last_position")]
    assert sorted(found) == sorted((f"{size}-{n}".encode(), size, n) for size in sizes for n in range(size))


def test_an_unhurried_and_a_hurried_day_need_few_prepared_statements():
    fresh = BulkInsert(last_position, ("caller", "incident_key", "number"))
    statements: list[str] = []

    class Recording:
        dialect = type("Dialect", (), {"name": "sqlite"})()

        def __init__(self) -> None:
            self.connection = self

        def cursor(self) -> Recording:
            return self

        def execute(self, statement: str, values: tuple[Any, ...]) -> None:
            assert statement.count("?") == len(values)
            statements.append(statement)

    for size in range(3_000):
        fresh.run(Recording(), [("x", 1, 1)] * size)  # type: ignore[arg-type]

    assert len(set(statements)) <= 32 + 4
    assert max(statement.count("?") for statement in statements) == 256 * 3


def test_an_unknown_column_is_a_defect_found_at_the_start():
    with pytest.raises(ValueError, match="nonsense"):
        BulkInsert(last_position, ("caller", "nonsense"))


def test_texts_are_never_read_as_sql(ledger: Ledger):
    columns = {"caller": b"", "sealed": b"", "carrier": "", "connector": "", "source": "", "state": "closed"}
    counts = {"test": False, "opened_at": 1, "press_count": 1, "last_press_at": 1, "last_sequence": 1}
    rows = [{"key": key, "id": each, **columns, **counts} for key, each in enumerate(STRANGE)]
    ledger.transact(lambda connection: connection.execute(insert(incident), rows))

    assert sorted(row[0] for row in ledger.transact(select_in, NAMES, STRANGE)) == sorted(STRANGE)


def test_octets_are_never_read_as_sql(ledger: Ledger):
    ledger.transact(INSERT.run, [(caller, 7, number) for number, caller in enumerate(OCTETS)])

    found = [row[0] for row in ledger.transact(select_among, CALLERS, OCTETS)]
    in_pairs = [row[0] for row in ledger.transact(select_pairs, PAIRS, [(7, caller) for caller in OCTETS])]

    assert sorted(found) == sorted(OCTETS)
    assert sorted(in_pairs) == sorted(OCTETS)


def test_thousands_of_values_are_asked_for_in_few_statements(ledger: Ledger):
    callers = [f"{number:05d}".encode() for number in range(5_000)]
    ledger.transact(INSERT.run, [(caller, 2**62 + number, number) for number, caller in enumerate(callers)])

    assert len(ledger.transact(select_among, CALLERS, set(callers))) == 5_000
    assert len(ledger.transact(select_in, KEYS, range(2**62, 2**62 + 5_000))) == 5_000
    pairs = [(2**62 + number, caller) for number, caller in enumerate(callers)]
    assert len(ledger.transact(select_pairs, PAIRS, pairs)) == 5_000


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 4095, 4096, 4097])
def test_a_caller_who_is_asked_for_is_found_once(ledger: Ledger, count: int):
    """SQLite is asked for a power of two of octet strings, filled up with repeats; no repeat answers twice."""
    callers = [f"{number:05d}".encode() for number in range(count)]
    ledger.transact(INSERT.run, [(caller, 1, number) for number, caller in enumerate(callers)])

    assert len(ledger.transact(select_among, CALLERS, callers)) == count


def test_a_pair_is_found_only_as_a_pair(ledger: Ledger):
    ledger.transact(INSERT.run, [(b"kim", 1, 1), (b"lee", 2, 1)])

    assert [row[0] for row in ledger.transact(select_pairs, PAIRS, [(1, b"lee"), (2, b"lee")])] == [b"lee"]


def test_nothing_wanted_is_nothing_found_without_a_question(ledger: Ledger):
    assert ledger.transact(select_in, "no {} sql", []) == []
    assert ledger.transact(select_among, "no {} sql", []) == []
    assert ledger.transact(select_pairs, "no {} sql", []) == []


def test_statements_run_inside_the_transaction(ledger: Ledger):
    def half_done(connection: Any) -> None:
        mark = placeholder(connection.dialect.name)
        statement = (
            f"INSERT INTO last_position (caller, incident_key, number) VALUES ({mark}, {mark}, {mark})"
        )
        execute(connection, statement, (b"kim", 1, 1))
        execute_many(connection, statement, [(b"lee", 1, 1), (b"park", 1, 1)])
        assert len(select_among(connection, CALLERS, [b"kim", b"lee", b"park"])) == 3
        raise LookupError

    with pytest.raises(LookupError):
        ledger.transact(half_done)

    assert ledger.rows("last_position") == []
