"""One writer, natural group commit: what arrives during a commit shares the next, and no item pays for another."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.domain.errors import Unavailable
from telephony.store.database import LARGEST_GROUP, LINGER_S, MOST_WAITING, Database
from telephony.store.engines import open_engines
from telephony.store.own_files import StoreAway
from telephony.store.presses import NewPress, PressRecorder, Recorded, Rules
from telephony.store.schema import metadata
from tests.awaiting import failure_of, is_waiting, result_of
from tests.doubles import ONE_CENTRE, Inline, database, keys, press, without_fsync

INSERT = "INSERT INTO last_position (caller, incident_key, number) VALUES (CAST('{}' AS {}), 1, 1)"
"""A row of the smallest of our tables; a second one of the same caller is refused."""


class Counter:
    """A batch function that keeps what it was given, and what each transaction held."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []

    def __call__(self, _: Connection, items: Sequence[Any]) -> list[Any]:
        self.groups.append(list(items))
        for item in items:
            if isinstance(item, Exception):
                raise item
        return [f"{item}!" for item in items]


def insert(connection: Connection, caller: str) -> str:
    return INSERT.format(caller, "BLOB" if connection.dialect.name == "sqlite" else "bytea")


def remember(connection: Connection, callers: Sequence[str]) -> list[str]:
    for caller in callers:
        connection.exec_driver_sql(insert(connection, caller))
    return list(callers)


def remembered(connection: Connection) -> list[str]:
    rows = connection.exec_driver_sql("SELECT caller FROM last_position ORDER BY caller").fetchall()
    return [bytes(row[0]).decode() for row in rows]


@pytest.fixture
def runner() -> Inline:
    return Inline()


@pytest.fixture
def store(engines: tuple[Engine, Engine], runner: Inline) -> Iterator[Database]:
    store = database(*engines, runner)
    yield store
    runner.release()
    result_of(store.stop())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def sqlite(file: Path) -> Iterator[tuple[Engine, Engine]]:
    """Engines of an empty store in a file that a test may spoil."""
    writing, reading = open_engines(f"sqlite:///{file}", keys)
    without_fsync(writing)
    metadata.create_all(writing)
    yield writing, reading
    writing.dispose()
    reading.dispose()


# -- groups ----------------------------------------------------------------------------------------------------


def test_what_is_written_can_be_read_at_once(store: Database):
    result_of(store.batch(remember, ["kim", "lee"]))

    assert result_of(store.read(remembered)) == ["kim", "lee"]


def test_a_lone_piece_of_work_is_not_delayed(store: Database, runner: Inline):
    runner.hold()
    store.batch(remember, ["kim"])

    assert runner.held is not None
    assert len(runner.held) == 1


def test_what_arrives_during_a_commit_shares_the_next(sqlite: tuple[Engine, Engine], runner: Inline):
    store, counter = database(*sqlite, runner), Counter()
    runner.hold()
    first = store.batch(counter, ["a"])
    others = [store.batch(counter, ["b", "c"]), store.batch(counter, ["d"]), store.batch(counter, [])]

    runner.release()

    assert counter.groups == [["a"], ["b", "c", "d"]]
    assert result_of(first) == ["a!"]
    assert [result_of(one) for one in others] == [["b!", "c!"], ["d!"], []]


def test_different_work_shares_a_commit_too(sqlite: tuple[Engine, Engine], runner: Inline):
    store, one, other = database(*sqlite, runner), Counter(), Counter()
    runner.hold()
    store.batch(one, ["first"])
    waiting = [store.batch(one, ["a"]), store.batch(other, ["b"]), store.batch(one, ["c"])]
    writes: list[int] = []
    original = runner.run
    runner.run = lambda work, done: (writes.append(1), original(work, done))  # type: ignore[method-assign]

    runner.release()

    assert len(writes) == 1
    assert one.groups == [["first"], ["a", "c"]]
    assert other.groups == [["b"]]
    assert [result_of(done) for done in waiting] == [["a!"], ["b!"], ["c!"]]


def test_nobody_is_told_before_the_commit(store: Database, runner: Inline):
    runner.hold()
    done = store.batch(remember, ["kim"])
    assert is_waiting(done)

    runner.release()

    assert result_of(done) == ["kim"]


def test_a_group_has_a_largest_size_and_the_rest_goes_next(sqlite: tuple[Engine, Engine], runner: Inline):
    store, counter = database(*sqlite, runner), Counter()
    runner.hold()
    store.batch(counter, ["first"])
    for _ in range(3):
        store.batch(counter, ["x"] * (LARGEST_GROUP - 1))

    runner.release()

    assert [len(group) for group in counter.groups] == [1, 2 * (LARGEST_GROUP - 1), LARGEST_GROUP - 1]


def test_what_is_not_urgent_waits_a_moment_for_company(sqlite: tuple[Engine, Engine], runner: Inline):
    clock, counter = task.Clock(), Counter()
    store = Database(*sqlite, writer=runner, reader=Inline(), clock=clock)
    settled = store.batch(counter, ["settled"], is_urgent=False)
    also = store.batch(counter, ["also settled"], is_urgent=False)
    assert is_waiting(settled)

    clock.advance(LINGER_S)

    assert counter.groups == [["settled", "also settled"]]
    assert (result_of(settled), result_of(also)) == (["settled!"], ["also settled!"])


def test_what_is_not_urgent_travels_with_the_next_press(sqlite: tuple[Engine, Engine], runner: Inline):
    clock, counter = task.Clock(), Counter()
    store = Database(*sqlite, writer=runner, reader=Inline(), clock=clock)
    settled = store.batch(counter, ["settled"], is_urgent=False)

    pressed = store.batch(counter, ["pressed"])

    assert (result_of(settled), result_of(pressed)) == (["settled!"], ["pressed!"])
    assert clock.getDelayedCalls() == []


def test_what_is_not_urgent_is_not_forgotten_behind_a_commit(sqlite: tuple[Engine, Engine], runner: Inline):
    clock, counter = task.Clock(), Counter()
    store = Database(*sqlite, writer=runner, reader=Inline(), clock=clock)
    runner.hold()
    store.batch(counter, ["pressed"])
    settled = store.batch(counter, ["settled"], is_urgent=False)
    runner.release()

    clock.advance(LINGER_S)

    assert result_of(settled) == ["settled!"]


# -- trouble with one item ---------------------------------------------------------------------------------------


def test_one_poisonous_item_of_one_read_fails_alone(store: Database):
    """One message never costs the messages that came beside it."""
    result_of(store.batch(remember, ["kim"]))

    lee, kim, park = result_of(store.batch(remember, ["lee", "kim", "park"]))

    assert (lee, park) == ("lee", "park")
    assert isinstance(kim, Exception)
    assert result_of(store.read(remembered)) == ["kim", "lee", "park"]


def test_one_poisonous_item_of_a_group_fails_alone(store: Database, runner: Inline):
    runner.hold()
    result = [
        store.batch(remember, ["kim"]),
        store.batch(remember, ["lee", "kim"]),
        store.batch(remember, ["park"]),
    ]
    runner.release()

    lee, again = result_of(result[1])

    assert result_of(result[0]) == ["kim"]
    assert lee == "lee"
    assert isinstance(again, Exception)
    assert result_of(result[2]) == ["park"]
    assert result_of(store.read(remembered)) == ["kim", "lee", "park"]


def test_a_batch_of_one_fails_with_its_own_error(store: Database):
    result_of(store.batch(remember, ["kim"]))

    error = failure_of(store.batch(remember, ["kim"]))

    assert isinstance(error, IntegrityError)
    assert not isinstance(error, Unavailable)


def test_a_failed_transaction_leaves_nothing_behind(store: Database):
    def half_done(connection: Connection) -> None:
        connection.exec_driver_sql(insert(connection, "kim"))
        raise LookupError("a defect")

    assert isinstance(failure_of(store.transact(half_done)), LookupError)

    assert result_of(store.read(remembered)) == []
    assert result_of(store.batch(remember, ["kim"])) == ["kim"]


def test_other_work_in_the_same_commit_does_not_pay_for_a_defect(store: Database, runner: Inline):
    def defect(_: Connection) -> None:
        raise LookupError("a defect")

    runner.hold()
    store.batch(remember, ["first"])
    pressed, broken = store.batch(remember, ["kim"]), store.transact(defect)
    runner.release()

    assert result_of(pressed) == ["kim"]
    assert isinstance(failure_of(broken), LookupError)


def test_a_race_lost_against_another_daemon_is_run_again(store: Database):
    """Both daemons opened an incident of one caller: the second to commit then joins what it has lost to."""
    recorder, raced = PressRecorder(Rules(ONE_CENTRE, "me", {})), []

    def just_too_late(connection: Connection, items: Sequence[NewPress]) -> list[Recorded]:
        if raced:
            return recorder(connection, items)
        raced.append(items)
        raise IntegrityError("INSERT", (), Exception("one_open_incident_per_caller"))

    (recorded,) = result_of(store.batch(just_too_late, [NewPress(press(), "sos-1")]))

    assert recorded.receipt.incident_id == "sos-1"


# -- trouble with the store --------------------------------------------------------------------------------------


def record_one(store: Database) -> Deferred[Any]:
    return store.batch(PressRecorder(Rules(ONE_CENTRE, "me", {})), [NewPress(press(), "sos-1")])


def test_a_locked_store_is_unavailable_and_then_well_again(file: Path, sqlite: tuple[Engine, Engine]):
    store = database(*sqlite)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    assert isinstance(failure_of(record_one(store)), Unavailable)
    assert isinstance(failure_of(store.transact(remembered)), Unavailable)
    other.execute("ROLLBACK")
    other.close()

    (recorded,) = result_of(record_one(store))
    assert recorded.receipt.incident_id


def test_a_store_failure_reaches_everybody_in_the_group_at_once(
    file: Path, sqlite: tuple[Engine, Engine], runner: Inline
):
    """Trying them one by one would hold each up for the time that a lock is waited for."""
    store, tried = database(*sqlite, runner), []

    def full(_: Connection, items: Sequence[Any]) -> list[Any]:
        tried.append(items)
        raise sqlite3.OperationalError("database or disk is full")

    runner.hold()
    store.batch(remember, ["first"])
    waiting = [store.batch(full, [number]) for number in range(10)] + [store.batch(remember, ["kim"])]
    runner.release()

    assert all(isinstance(failure_of(one), Unavailable) for one in waiting)
    assert len(tried) == 1
    assert result_of(store.batch(remember, ["kim"])) == ["kim"]


def test_a_disk_that_is_full_is_unavailable(sqlite: tuple[Engine, Engine]):
    store = database(*sqlite)

    def limit(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    result_of(store.transact(limit))

    assert isinstance(failure_of(store.batch(remember, ["x" * 100_000])), Unavailable)
    result_of(store.stop())


def test_a_file_that_is_no_database_is_unavailable(file: Path, sqlite: tuple[Engine, Engine]):
    for engine in sqlite:
        engine.dispose()
    file.write_bytes(b"rubbish" * 4096)
    store = database(*sqlite)

    assert isinstance(failure_of(record_one(store)), Unavailable)
    assert isinstance(failure_of(store.read(remembered)), Unavailable)


def test_a_postgresql_that_went_away_is_unavailable_and_then_found_again(
    store: Database, engines: tuple[Engine, Engine]
):
    if engines[0].dialect.name == "sqlite":
        return  # it has no server that could go away
    server_process = "SELECT pg_backend_pid()"
    pid = result_of(
        store.transact(lambda connection: connection.exec_driver_sql(server_process).scalar_one())
    )
    with engines[1].connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")

    lost = record_one(store)

    assert isinstance(failure_of(lost), Unavailable)
    (recorded,) = result_of(record_one(store))
    assert recorded.receipt.incident_id


def test_a_read_that_fails_on_the_drivers_own_cursor_is_unavailable(sqlite: tuple[Engine, Engine]):
    def broken(_: Connection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    assert isinstance(failure_of(database(*sqlite).read(broken)), Unavailable)


# -- a store that was put away ---------------------------------------------------------------------------------


def test_what_is_put_away_refuses_at_once_what_comes_and_what_waits(engines, runner: Inline):
    store, told = database(*engines, runner), []
    store.on_away = told.append
    runner.hold()
    begun, waiting = store.batch(remember, ["kim"]), store.batch(remember, ["lee"])

    store.put_away("another file stands in its place")

    assert told == ["another file stands in its place"]
    for refused in (waiting, store.batch(remember, ["park"]), store.read(remembered)):
        assert str(failure_of(refused)) == "store: another file stands in its place"
    runner.release()
    assert result_of(begun) == ["kim"]
    store.bring_back()
    assert result_of(store.batch(remember, ["lee"])) == ["lee"]
    result_of(store.stop())


def test_what_waits_for_company_is_refused_too(sqlite: tuple[Engine, Engine]):
    clock = task.Clock()
    store = Database(*sqlite, writer=Inline(), reader=Inline(), clock=clock)
    settled = store.batch(remember, ["kim"], is_urgent=False)

    store.put_away("gone")

    assert isinstance(failure_of(settled), Unavailable)
    assert clock.getDelayedCalls() == []
    result_of(store.stop())


def test_work_between_groups_is_done_while_the_store_is_away(store: Database):
    store.put_away("gone")

    assert result_of(store.between_groups(lambda: "brought back")) == "brought back"


def test_a_commit_that_cannot_be_proven_is_none_and_puts_the_store_away(engines):
    faults: list[StoreAway] = []

    def prove() -> None:
        if faults:
            raise faults[0]

    told: list[str] = []
    store = Database(
        *engines, writer=Inline(), reader=Inline(), clock=task.Clock(), linger_s=0.0, prove=prove
    )
    store.on_away = told.append
    assert result_of(store.batch(remember, ["kim"])) == ["kim"]

    faults.append(StoreAway("the file was removed"))
    assert isinstance(failure_of(store.batch(remember, ["lee"])), StoreAway)

    assert told == ["the file was removed"]
    assert store.is_away
    result_of(store.stop())


def test_a_transaction_that_stalls_puts_the_store_away_and_a_slow_queue_does_not(
    sqlite: tuple[Engine, Engine],
):
    clock, away = task.Clock(), []
    store = Database(*sqlite, writer=Inline(), reader=Inline(), clock=clock, linger_s=0.0)

    def takes(_: Connection, seconds: Sequence[float]) -> Sequence[float]:
        for each in seconds:
            clock.advance(each)
            away.append(store.give_up_on_a_stall(1.0))
        return seconds

    assert not store.give_up_on_a_stall(1.0)
    result_of(store.batch(takes, [0.9]))
    result_of(store.batch(takes, [0.9]))
    assert not store.give_up_on_a_stall(0.0)  # it waits for nothing now
    result_of(store.batch(takes, [0.9, 0.1]))

    assert away == [False, False, False, True]
    assert isinstance(failure_of(store.batch(takes, [0.0])), StoreAway)
    result_of(store.stop())


# -- the rest ----------------------------------------------------------------------------------------------------


def test_work_between_groups_finds_no_transaction_open(
    sqlite: tuple[Engine, Engine], file: Path, runner: Inline
):
    store = database(*sqlite, runner)
    runner.hold()
    store.batch(remember, ["kim"])

    def alone() -> str:
        with sqlite3.connect(file, timeout=0) as other:
            other.execute("BEGIN EXCLUSIVE")
        return "had it"

    folded, pressed = store.between_groups(alone), store.batch(remember, ["lee"])
    runner.release()

    assert result_of(folded) == "had it"
    assert result_of(pressed) == ["lee"]


def test_work_between_groups_that_fails_costs_nobody_else(store: Database):
    def defect() -> None:
        raise LookupError("a defect")

    assert isinstance(failure_of(store.between_groups(defect)), LookupError)
    assert result_of(store.batch(remember, ["kim"])) == ["kim"]


def test_a_waiter_that_gave_up_does_not_disturb_the_others(store: Database, runner: Inline):
    runner.hold()
    store.batch(remember, ["first"])
    impatient, patient = store.batch(remember, ["kim"]), store.batch(remember, ["lee"])
    impatient.addErrback(lambda _: None)
    impatient.cancel()

    runner.release()

    assert result_of(patient) == ["lee"]


def test_stopping_commits_what_waits(sqlite: tuple[Engine, Engine], runner: Inline):
    store = Database(*sqlite, writer=runner, reader=Inline(), clock=task.Clock())
    runner.hold()
    store.batch(remember, ["kim"])
    pressed, settled = store.batch(remember, ["lee"]), store.batch(remember, ["park"], is_urgent=False)

    stopped = store.stop()
    assert is_waiting(stopped)
    runner.release()

    assert (result_of(pressed), result_of(settled)) == (["lee"], ["park"])
    result_of(stopped)


def test_stopping_commits_what_was_waiting_for_company(sqlite: tuple[Engine, Engine], runner: Inline):
    clock = task.Clock()
    store = Database(*sqlite, writer=runner, reader=Inline(), clock=clock)
    settled = store.batch(remember, ["kim"], is_urgent=False)

    result_of(store.stop())

    assert result_of(settled) == ["kim"]
    assert clock.getDelayedCalls() == []


def test_a_store_in_trouble_still_stops(file: Path, sqlite: tuple[Engine, Engine], runner: Inline):
    store = database(*sqlite, runner)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    runner.hold()
    pressed = store.batch(remember, ["kim"])
    stopped = store.stop()
    runner.release()

    assert isinstance(failure_of(pressed), Unavailable)
    result_of(stopped)
    other.close()


def test_when_too_much_waits_for_a_store_that_hangs_more_is_refused_at_once(engines):
    writing, reading = engines
    runner = Inline()
    store = database(writing, reading, runner)
    runner.hold()
    first = store.batch(_one_each, ["begun"])
    waiting = store.batch(_one_each, ["x"] * MOST_WAITING)

    assert isinstance(failure_of(store.batch(_one_each, ["one too many"])), Unavailable)

    runner.release()
    assert result_of(first) == [1]
    assert is_waiting(waiting) or len(result_of(waiting)) == MOST_WAITING


def _one_each(_connection, items):
    return [1] * len(items)
