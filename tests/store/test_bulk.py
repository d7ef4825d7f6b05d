"""Many rows in few statements, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from telephony.store.bulk import BulkInsert, execute, execute_many, placeholder, select_in, select_pairs
from telephony.store.schema import last_position
from tests.store.ledger import Ledger

INSERT = BulkInsert(last_position, ("caller", "incident_key", "number"))
CALLERS = "SELECT caller FROM last_position WHERE caller {} ORDER BY caller"
KEYS = "SELECT caller FROM last_position WHERE incident_key {} ORDER BY caller"
PAIRS = (
    "SELECT caller FROM {} JOIN last_position ON last_position.incident_key = wanted.a"
    " AND last_position.caller = wanted.b ORDER BY caller"
)
STRANGE = ["", "'", '"', "\\", "%s", "?", "{}", "\u0000".replace("\u0000", "␀"), "안전 🆘", "a\nb", "NULL"]


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    return Ledger(engines[0])


def test_batches_of_every_size_arrive_whole(ledger: Ledger):
    sizes = [0, 1, 2, 31, 32, 33, 63, 64, 65, 255, 256, 257, 600]
    for size in sizes:
        rows = [(f"{size}-{number}", size, number) for number in range(size)]
        ledger.transact(INSERT.run, rows)

    found = [(row["caller"], row["incident_key"], row["number"]) for row in ledger.rows("last_position")]
    assert sorted(found) == sorted((f"{size}-{n}", size, n) for size in sizes for n in range(size))


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


def test_values_are_never_read_as_sql(ledger: Ledger):
    ledger.transact(INSERT.run, [(caller, 7, number) for number, caller in enumerate(STRANGE)])

    found = [row[0] for row in ledger.transact(select_in, CALLERS, STRANGE)]
    in_pairs = [row[0] for row in ledger.transact(select_pairs, PAIRS, [(7, caller) for caller in STRANGE])]

    assert sorted(found) == sorted(STRANGE)
    assert sorted(in_pairs) == sorted(STRANGE)


def test_thousands_of_values_fit_one_select(ledger: Ledger):
    callers = [f"{number:05d}" for number in range(5_000)]
    ledger.transact(INSERT.run, [(caller, 2**62 + number, number) for number, caller in enumerate(callers)])

    assert len(ledger.transact(select_in, CALLERS, set(callers))) == 5_000
    assert len(ledger.transact(select_in, KEYS, range(2**62, 2**62 + 5_000))) == 5_000
    pairs = [(2**62 + number, caller) for number, caller in enumerate(callers)]
    assert len(ledger.transact(select_pairs, PAIRS, pairs)) == 5_000


def test_a_pair_is_found_only_as_a_pair(ledger: Ledger):
    ledger.transact(INSERT.run, [("kim", 1, 1), ("lee", 2, 1)])

    assert [row[0] for row in ledger.transact(select_pairs, PAIRS, [(1, "lee"), (2, "lee")])] == ["lee"]


def test_nothing_wanted_is_nothing_found_without_a_question(ledger: Ledger):
    assert ledger.transact(select_in, "no {} sql", []) == []
    assert ledger.transact(select_pairs, "no {} sql", []) == []


def test_statements_run_inside_the_transaction(ledger: Ledger):
    def half_done(connection: Any) -> None:
        mark = placeholder(connection.dialect.name)
        statement = (
            f"INSERT INTO last_position (caller, incident_key, number) VALUES ({mark}, {mark}, {mark})"
        )
        execute(connection, statement, ("kim", 1, 1))
        execute_many(connection, statement, [("lee", 1, 1), ("park", 1, 1)])
        assert len(select_in(connection, CALLERS, ["kim", "lee", "park"])) == 3
        raise LookupError

    with pytest.raises(LookupError):
        ledger.transact(half_done)

    assert ledger.rows("last_position") == []
