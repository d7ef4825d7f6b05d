"""All access to the store: one writer with natural group commit, and readers beside it.

Work that arrives while a commit is on its way to the disk waits, and then shares the next one: a lone press
waits for one fsync, a thousand at once for about two. Nothing urgent is delayed on purpose.

On PostgreSQL other daemons write too. A transaction that is rolled back for one of theirs is run again, kind by kind:
see `telephony.store.contention`, and `telephony.store.locks` for the order in which everybody takes locks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure

from telephony.background import Runner
from telephony.clock import Call, Clock
from telephony.domain.errors import Unavailable
from telephony.store.bulk import execute
from telephony.store.contention import Contended, Contention, Repeats, contention_of
from telephony.store.engines import one_transaction
from telephony.store.own_files import StoreAway

log = structlog.get_logger()

T = TypeVar("T")
Batch = Callable[[Connection, Sequence[Any]], Sequence[Any]]
"""Takes many items in one transaction and gives one result per item, in order."""

MOST_WAITING = 50_000
"""Items that may wait for the writer. Beyond it the store is as good as gone, and memory must not go with it."""

LINGER_S = 0.005
"""How long work that is not urgent waits for company: too short to be noticed, longer than a commit."""

REPEATS_TOLD_EVERY_S = 10.0
"""Transactions that were run again for another daemon's are told of with their number, no more often than this."""

Answers = list[tuple[Deferred[Any], Any]]

LARGEST_GROUP = 2_000
"""Items in one transaction: bounds how long the next press can wait behind the one before."""


@dataclass(slots=True)
class _Job:
    batch: Batch
    items: Sequence[Any]
    done: Deferred[Any]


@dataclass(slots=True)
class _Group:
    """Jobs of one kind, which share one call of their batch function."""

    batch: Batch
    jobs: list[_Job]


class Database:
    """All access to the store, from the reactor's side.

    Every failure of the store itself (locked, full, read-only, corrupt, gone) reaches the caller as
    `Unavailable`; anything else that a function raises reaches only the caller whose item caused it.
    """

    def __init__(
        self,
        writing: Engine,
        reading: Engine,
        *,
        writer: Runner,
        reader: Runner,
        clock: Clock,
        linger_s: float = LINGER_S,
        prove: Callable[[], None] | None = None,
        repeats: Repeats | None = None,
    ) -> None:
        """``prove`` is asked after every commit and raises `StoreAway` where what was committed may be lost."""
        self._repeats = repeats or Repeats()
        self._telling: Call | None = None
        self._clock = clock
        self._prove = prove or _no_proof_is_needed
        self._away: str | None = None
        self._found_away: str | None = None
        self.on_away: Callable[[str], None] = _unreported
        """Told once each time, in the reactor, before anybody is refused."""
        self.sees: Callable[[BaseException], str | None] = _nothing_is_seen
        """Told every error of the store on any thread; returns why the store is to be put away, if it is."""
        self._linger_s = linger_s
        self._lingering: Call | None = None
        self._is_urgent = False
        self._writing = writing
        self._driver = writing.dialect.loaded_dbapi
        self._reading = reading
        self._writer = writer
        self._reader = reader
        self._waiting: list[_Job] = []
        self._items_waiting = 0
        self._undisturbed: list[tuple[Callable[[], Any], Deferred[Any]]] = []
        self._is_busy = False
        self._began: float | None = None
        """When the transaction began that is under way."""
        self._connection: Connection | None = None
        self._wait_ms = 0
        """How long this connection waits for a row; 0 for a fresh one."""

    # -- the reactor's side ---------------------------------------------------------------------------

    @property
    def is_away(self) -> bool:
        """Whether the store was put away."""
        return self._away is not None

    def put_away(self, reason: str) -> None:
        """Refuse everything at once, also work that waits, until `bring_back`: nothing may be promised on this store.

        Work between groups is done all the same: it is how the store comes back.
        """
        self._away = reason
        self.on_away(reason)
        jobs, self._waiting = self._waiting, []
        self._items_waiting = 0
        self._is_urgent = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        for job in jobs:
            job.done.errback(StoreAway(f"store: {reason}"))

    def give_up_on_a_stall(self, after_s: float) -> bool:
        """Put the store away when the transaction under way has taken that long: the next one would wait in vain.

        Returns whether it is away.
        """
        began = self._began
        if self._away is None and began is not None and self._clock.seconds() - began >= after_s:
            self.put_away(f"a transaction has had no answer for {self._clock.seconds() - began:.1f} s")
        return self._away is not None

    def bring_back(self) -> None:
        """Take work again."""
        self._away = self._found_away = None

    def let_go(self) -> None:
        """Close idle connections. For the writer's thread, between groups."""
        self._drop_connection()
        self._writing.dispose()
        self._reading.dispose()

    @property
    def memory(self) -> Any:
        """The driver's connection that wrote last, with the pages it remembers; None without one. For the writer's thread."""
        return None if self._connection is None else self._connection.connection.driver_connection

    def batch(self, batch: Batch, items: Sequence[Any], *, is_urgent: bool = True) -> Deferred[list[Any]]:
        """Run ``batch(connection, items)`` in the next commit, together with all others that pass the same function.

        Fires after the commit is on disk, with one result per item. Where one of several items spoiled the
        transaction, that item's result is the exception it caused; a batch of one fails with it. What is not urgent
        waits a few milliseconds for company, so that a press does not find the writer busy with it.
        """
        if self._away is not None:
            return fail(StoreAway(f"store: {self._away}"))
        if self._items_waiting + len(items) > MOST_WAITING:
            return fail(Unavailable("store: too much waits for it"))
        done: Deferred[list[Any]] = Deferred()
        self._waiting.append(_Job(batch, items, done))
        self._items_waiting += len(items)
        self._is_urgent = self._is_urgent or is_urgent or self._linger_s == 0.0
        self._next_group()
        return done

    def transact(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Run ``function(connection, *arguments)`` in the next commit and give its result."""

        def alone(connection: Connection, items: Sequence[Any]) -> list[T]:
            return [function(connection, *item) for item in items]

        return self.batch(alone, [arguments]).addCallback(_first)

    def between_groups(self, work: Callable[[], T]) -> Deferred[T]:
        """Run work on the writer's thread while no transaction is open: for work that must have the file to itself."""
        done: Deferred[T] = Deferred()
        self._undisturbed.append((work, done))
        self._next_group()
        return done

    def read(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Run a function that only reads, beside the writer, and give its result."""
        return self.read_on(self._reader, function, *arguments)

    def read_on(self, reader: Runner, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Do so on other threads: a read that may hang must not hold up the others."""
        if self._away is not None:
            return fail(StoreAway(f"store: {self._away}"))
        done: Deferred[T] = Deferred()

        def work() -> T:
            try:
                with self._reading.connect() as connection:
                    try:
                        return function(connection, *arguments)
                    except (DBAPIError, self._driver.Error):
                        if not connection.invalidated:
                            connection.invalidate()  # it may be the cause: its server may be a standby by now
                        raise
            except Exception as error:
                self.sees(error)
                raise

        reader.run(lambda: _answer(work, self._driver), done.callback)
        return done

    def stop(self) -> Deferred[None]:
        """Commit the work that waits, then close the connections."""

        def writer_ended(_: object) -> Deferred[None]:
            return self._reader.stop()

        def close(_: object) -> None:
            if self._telling is not None:
                self._telling.cancel()
            self._tell_repeats()
            self.let_go()

        waiting: Deferred[Any] = self.transact(_nothing) if self._is_busy or self._waiting else succeed(None)
        return (
            waiting.addErrback(_ignore)
            .addCallback(lambda _: self._writer.stop())
            .addCallback(writer_ended)
            .addCallback(close)
        )

    def _next_group(self) -> None:
        if self._is_busy:
            return
        if self._undisturbed:
            work, done = self._undisturbed.pop(0)
            self._is_busy = True
            self._writer.run(lambda: [(done, _answer(work, self._driver))], self._committed)
            return
        if not self._waiting:
            return
        if not self._is_urgent:
            if self._lingering is None:
                self._lingering = self._clock.callLater(self._linger_s, self._lingered)
            return
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        count, taken = 0, 0
        for job in self._waiting:
            count += len(job.items)
            taken += 1
            if count >= LARGEST_GROUP:
                break
        jobs, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._items_waiting -= count
        self._is_urgent = bool(self._waiting)
        self._is_busy = True
        self._writer.run(lambda: self._commit(jobs), self._committed)

    def _lingered(self) -> None:
        self._lingering = None
        self._is_urgent = True
        self._next_group()

    def _committed(self, answers: Answers) -> None:
        self._is_busy = False
        if self._repeats.is_untold and self._telling is None:
            self._telling = self._clock.callLater(REPEATS_TOLD_EVERY_S, self._tell_repeats)
        if self._found_away is not None and self._away is None:
            self.put_away(self._found_away)
        self._next_group()
        for done, answer in answers:
            done.callback(answer)

    def _tell_repeats(self) -> None:
        self._telling = None
        self._repeats.tell()

    # -- the writer thread's side -----------------------------------------------------------------------

    def _commit(self, jobs: list[_Job]) -> Answers:
        groups: dict[int, _Group] = {}
        for job in jobs:
            groups.setdefault(id(job.batch), _Group(job.batch, [])).jobs.append(job)
        self._repeats.begin()
        try:
            return self._in_one_transaction(list(groups.values()))
        except Exception as error:  # noqa: BLE001 - each job gets its answer below
            why = contention_of(error)
            ours = _as_ours(error, self._driver)
            if why is None and isinstance(ours, Unavailable):
                return [(job.done, Failure(ours)) for job in jobs]
        if why is None:
            # One item spoiled the transaction for all: give each its own, so that only the culprit fails.
            return [(job.done, self._one_by_one(job)) for job in jobs]
        self._repeats.count(why)
        return [answer for group in groups.values() for answer in self._by_itself(group)]

    def _by_itself(self, group: _Group) -> Answers:
        """Run work of one kind again, which another daemon was in the way of: now it can wait for its turn."""
        try:
            return self._repeats.run(lambda: self._in_one_transaction([group]), is_group=True)
        except Exception as error:  # noqa: BLE001 - each job gets its answer below
            ours = _as_ours(error, self._driver)
            if isinstance(ours, Unavailable) and not isinstance(ours, Contended):
                return [(job.done, Failure(ours)) for job in group.jobs]
        return [(job.done, self._one_by_one(job)) for job in group.jobs]

    def _one_by_one(self, job: _Job) -> Any:
        results: list[Any] = []
        for item in job.items:
            alone = _Group(job.batch, [_Job(job.batch, [item], job.done)])
            try:
                ((_, answer),) = self._repeats.run(partial(self._in_one_transaction, [alone]))
                results.extend(answer)
            except Exception as error:  # noqa: BLE001 - the culprit's own answer
                ours = _as_ours(error, self._driver)
                if len(job.items) == 1:
                    return Failure(ours)
                results.append(ours)
        return results

    def _in_one_transaction(self, groups: list[_Group]) -> Answers:
        self._began = self._clock.seconds()
        try:
            if self._connection is None:
                self._connection, self._wait_ms = self._writing.connect(), 0
            answers: Answers = []
            with one_transaction(self._connection):
                self._wait_for_rows(self._connection, len(groups))
                for group in groups:
                    if len(group.jobs) == 1:
                        job = group.jobs[0]
                        answers.append((job.done, list(group.batch(self._connection, job.items))))
                        continue
                    items = [item for job in group.jobs for item in job.items]
                    results = group.batch(self._connection, items)
                    start = 0
                    for job in group.jobs:
                        answers.append((job.done, list(results[start : start + len(job.items)])))
                        start += len(job.items)
            self._prove()
        except Exception as error:
            if (reason := str(error) if isinstance(error, StoreAway) else self.sees(error)) is not None:
                self._found_away = reason
                if not isinstance(error, StoreAway):
                    raise  # a damaged store: the pages that this connection remembers may be wanted
            if contention_of(error) is None:
                # The connection may be the cause: the next group opens a fresh one.
                self._drop_connection()
            self._wait_ms = 0  # the bound that was set was rolled back with the rest
            raise
        finally:
            self._began = None
        return answers

    def _wait_for_rows(self, connection: Connection, kinds: int) -> None:
        """Bound how long PostgreSQL lets this transaction wait for others."""
        if connection.dialect.name != "postgresql":
            return
        wait_ms = self._repeats.wait_ms(kinds)
        if wait_ms != self._wait_ms:
            execute(connection, f"SET lock_timeout = {wait_ms}")
            self._wait_ms = wait_ms

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except DBAPIError as error:
            log.warning("store connection did not close", error=type(error.orig).__name__)


def _answer(work: Callable[[], T], driver: Any) -> T | Failure:
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - handed to the caller
        return Failure(_as_ours(error, driver))


def _as_ours(error: Exception, driver: Any) -> Exception:
    """Tell the store's own failures from those of a statement or an item.

    They come as SQLAlchemy's errors and, from statements on the driver's own cursor, as the driver's (PEP 249).
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    if contention_of(error) in (Contention.DEADLOCK, Contention.SERIALIZATION, Contention.LOCKED):
        return Contended(f"store: {original}")
    of_the_item = (driver.IntegrityError, driver.DataError, driver.ProgrammingError)
    if not isinstance(original, driver.Error) or isinstance(original, of_the_item):
        return error
    return Unavailable(f"store: {original}")


def _first(results: list[T]) -> T:
    return results[0]


def _no_proof_is_needed() -> None:
    """For a store that cannot be taken from under us."""


def _unreported(_: str) -> None:
    """Tell no one: there is no store keeper yet."""


def _nothing_is_seen(_: BaseException) -> str | None:
    """For a store whose files are not watched."""
    return None


def _nothing(_: Connection) -> None:
    """Wait for the group's turn, no more."""


def _ignore(_: Failure) -> None:
    """Go on stopping: the jobs themselves were told."""
