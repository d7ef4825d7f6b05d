"""What another writer is in the way of is run again: a bounded number of times, and never taken for a store that is away."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg.errors
import pytest
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from twisted.internet import task

from telephony.domain.errors import Unavailable
from telephony.store.bounds import Access, reader, writer
from telephony.store.contention import (
    LONE_WAIT_MS,
    MOST_RUNS,
    MOST_RUNS_OF_A_GROUP,
    SHARED_WAIT_MS,
    Contended,
    Contention,
    Repeats,
    contention_of,
)
from telephony.store.database import REPEATS_TOLD_EVERY_S, Database
from telephony.store.engines import open_engines
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.schema import metadata
from tests.awaiting import failure_of, result_of
from tests.doubles import ONE_CENTRE, Inline, keys, press
from tests.store.interleaving import open_transaction
from tests.store.ledger import Ledger

DEADLOCK, SERIALIZATION = psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure
LOCKED, WRITTEN = psycopg.errors.LockNotAvailable, psycopg.errors.UniqueViolation
KIM, LEE = "821012345678", "821022222222"


class Failing:
    """Work that another writer is in the way of so many times, and that remembers what each run was given."""

    def __init__(self, *errors: type[Exception]) -> None:
        self.errors = list(errors)
        self.runs: list[list[Any]] = []

    def __call__(self, _: Connection, items: Sequence[Any]) -> list[Any]:
        self.runs.append(list(items))
        if self.errors:
            raise self.errors.pop(0)("another writer")
        return [f"{item}!" for item in items]


class Time:
    """A clock that only rests advance."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rests: list[float] = []
        self.meanwhile: Callable[[], Any] = list

    def seconds(self) -> float:
        return self.now

    def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def repeats(time: Time) -> Repeats:
    return Repeats(1.0, now=time.seconds, rest=time.rest, rng=random.Random(1))


@pytest.fixture
def clock() -> task.Clock:
    return task.Clock()


@pytest.fixture
def runner() -> Inline:
    return Inline()


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[tuple[Engine, Engine]]:
    writing, reading = open_engines(postgresql_url, keys)
    with writing.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        metadata.create_all(connection)
    yield writing, reading
    writing.dispose()
    reading.dispose()


@pytest.fixture
def store(
    postgresql: tuple[Engine, Engine], runner: Inline, clock: task.Clock, repeats: Repeats
) -> Iterator[Database]:
    store = Database(*postgresql, writer=runner, reader=Inline(), clock=clock, linger_s=0.0, repeats=repeats)
    yield store
    runner.release()
    result_of(store.stop())


# -- which errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (DEADLOCK(), Contention.DEADLOCK),
        (SERIALIZATION(), Contention.SERIALIZATION),
        (LOCKED(), Contention.LOCKED),
        (WRITTEN(), Contention.WRITTEN),
        (OperationalError("UPDATE", (), DEADLOCK()), Contention.DEADLOCK),
        (psycopg.errors.AdminShutdown(), None),
        (psycopg.OperationalError("the connection is lost"), None),
        (psycopg.errors.CheckViolation(), None),
        (ValueError(), None),
    ],
    ids=["deadlock", "serialization", "locked", "written", "wrapped", "shut down", "lost", "check", "defect"],
)
def test_only_another_transaction_that_was_preferred_is_contention(error: Exception, why: Contention | None):
    assert contention_of(error) is why


# -- how often ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DEADLOCK, SERIALIZATION, LOCKED, WRITTEN])
def test_what_another_writer_was_in_the_way_of_once_is_run_again(repeats: Repeats, error: type[Exception]):
    work = Failing(error)
    repeats.begin()

    assert repeats.run(lambda: work(None, ["a"])) == ["a!"]  # type: ignore[arg-type]
    assert len(work.runs) == 2


def forever(error: type[Exception]) -> Callable[[], Any]:
    def work() -> Any:
        raise error("another writer")

    return work


def test_the_pauses_grow_up_to_a_bound_and_no_two_are_the_same(repeats: Repeats, time: Time):
    repeats.begin()

    with pytest.raises(Contended):
        repeats.run(forever(DEADLOCK))

    assert len(time.rests) == MOST_RUNS - 1
    assert time.rests[0] < 0.007
    assert max(time.rests) < 0.08
    assert len(set(time.rests)) == len(time.rests)


def test_a_turn_of_the_writer_waits_for_a_bounded_time_only(time: Time):
    repeats = Repeats(0.1, now=time.seconds, rest=time.rest, rng=random.Random(1))
    repeats.begin()

    with pytest.raises(Contended):
        repeats.run(forever(LOCKED))
    with pytest.raises(Contended):
        repeats.run(forever(LOCKED))

    assert 0.1 <= time.now < 0.2
    assert repeats.wait_ms(1) == SHARED_WAIT_MS


def test_a_group_gives_up_sooner_and_its_items_are_run_one_by_one(repeats: Repeats, time: Time):
    repeats.begin()

    with pytest.raises(Contended):
        repeats.run(forever(WRITTEN), is_group=True)

    assert len(time.rests) == MOST_RUNS_OF_A_GROUP - 1


def test_what_is_written_already_by_its_own_fault_is_told_as_it_is(repeats: Repeats):
    repeats.begin()

    with pytest.raises(WRITTEN):
        repeats.run(forever(WRITTEN))


# -- in the store ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DEADLOCK, SERIALIZATION, LOCKED, WRITTEN])
def test_contention_is_no_trouble_of_the_store(store: Database, error: type[Exception]):
    assert result_of(store.batch(Failing(error), ["a", "b"])) == ["a!", "b!"]


def test_after_contention_each_kind_of_work_has_a_transaction_of_its_own(store: Database, runner: Inline):
    """Alone, each takes its locks in the order that all keep to, and can wait for them."""
    errors = [LOCKED("another writer")]

    def one(connection: Connection, items: Sequence[Any]) -> list[Any]:
        if errors:
            raise errors.pop()
        return transaction_of(connection, items)

    runner.hold()
    store.batch(Failing(), ["first"])
    waiting = [store.batch(one, ["a"]), store.batch(transaction_of, ["b"]), store.batch(one, ["c"])]

    runner.release()

    (first,), (second,), (third,) = (result_of(done) for done in waiting)
    assert first == third != second


def transaction_of(connection: Connection, items: Sequence[Any]) -> list[Any]:
    number = connection.exec_driver_sql("SELECT txid_current()").scalar_one()
    return [number for _ in items]


def wait_for_rows(connection: Connection, items: Sequence[Any]) -> list[str]:
    return [connection.exec_driver_sql("SHOW lock_timeout").scalar_one() for _ in items]


def test_a_transaction_of_several_kinds_waits_for_a_row_only_a_moment(store: Database, runner: Inline):
    runner.hold()
    store.batch(Failing(), ["first"])
    several = [store.batch(wait_for_rows, ["a"]), store.batch(Failing(), ["b"])]
    runner.release()

    assert result_of(several[0]) == [f"{SHARED_WAIT_MS}ms"]
    assert result_of(store.batch(wait_for_rows, ["a"])) == [f"{LONE_WAIT_MS}ms"]


@pytest.mark.parametrize(
    ("given", "shown"), [({}, "2s"), ({"options": "-c idle_in_transaction_session_timeout=7000"}, "7s")]
)
def test_a_transaction_whose_process_is_stopped_is_ended_by_the_server_within_the_budget_or_as_the_url_says(
    postgresql_url: str, given: dict[str, str], shown: str
):
    url = make_url(postgresql_url).update_query_dict(given).render_as_string(hide_password=False)
    engines = open_engines(url, keys, access=Access(writer(2.0), reader(2.0)))
    store = Database(*engines, writer=Inline(), reader=Inline(), clock=task.Clock(), linger_s=0.0)

    def idle(connection: Connection) -> str:
        answer: str = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
        return answer

    assert result_of(store.transact(idle)) == shown
    result_of(store.stop())
    for engine in engines:
        engine.dispose()


def test_a_row_that_another_writer_keeps_costs_only_the_press_that_needs_it(
    store: Database, postgresql: tuple[Engine, Engine], time: Time
):
    """So a daemon that hangs in the middle of a transaction cannot keep another one from recording presses."""
    ledger = Ledger(postgresql[0])
    ledger.record(press(KIM))
    recorder = PressRecorder(Rules(ONE_CENTRE, "me", {}))
    more = [NewPress(press(caller, reference=f"again-{caller}"), f"sos-{caller}-2") for caller in (KIM, LEE)]

    with open_transaction(postgresql[0]) as hanging:
        hanging.execute(text("SELECT 1 FROM incident FOR UPDATE"))
        kim, lee = result_of(store.batch(recorder, more))

    assert isinstance(kim, Contended)
    assert lee.receipt.incident_id == f"sos-{LEE}-2"
    (again,) = result_of(store.batch(recorder, more[:1]))
    assert again.receipt.incident_id == f"sos-{KIM}"


def test_the_second_daemon_that_opens_a_callers_incident_waits_and_joins_it(
    store: Database, postgresql: tuple[Engine, Engine], time: Time
):
    first, second = (PressRecorder(Rules(ONE_CENTRE, "me", {}, node=node)) for node in (1, 2))
    with postgresql[0].connect() as other:
        first(other, [NewPress(press(KIM), "sos-1")])
        time.meanwhile = other.connection.commit

        (recorded,) = result_of(store.batch(second, [NewPress(press(KIM, reference="again"), "sos-2")]))

    assert recorded.receipt.incident_id == "sos-1"
    assert len(time.rests) == 1


def test_a_deadlock_of_a_reader_is_no_trouble_of_the_store_either(store: Database):
    def deadlocked(_: Connection) -> None:
        raise DEADLOCK("another writer")

    error = failure_of(store.read(deadlocked))

    assert isinstance(error, Contended)
    assert isinstance(error, Unavailable)


# -- what is told ------------------------------------------------------------------------------------------------


def test_repetitions_are_told_with_their_number_and_no_more_often_than_every_few_seconds(
    store: Database, clock: task.Clock
):
    with capture_logs() as lines:
        for error in (DEADLOCK, DEADLOCK, WRITTEN):
            result_of(store.batch(Failing(error), ["a"]))
        clock.advance(REPEATS_TOLD_EVERY_S)
        clock.advance(REPEATS_TOLD_EVERY_S)

    (line,) = [line for line in lines if line["event"] == "transactions repeated"]
    assert (line["deadlock"], line["written"], line["locked"]) == (2, 1, 0)


def test_repetitions_are_told_at_the_end_too(store: Database):
    result_of(store.batch(Failing(DEADLOCK), ["a"]))

    with capture_logs() as lines:
        result_of(store.stop())

    assert [line["deadlock"] for line in lines if line["event"] == "transactions repeated"] == [1]
