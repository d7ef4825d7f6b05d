"""Two transactions on one PostgreSQL, step by step: one stands open while the other comes as far as it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, text

from telephony.store.contention import Contention, contention_of
from telephony.store.engines import one_transaction

PATIENCE_S = 60.0
LOOK_S = 0.01
Work = Callable[[Connection], Any]


@contextmanager
def open_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that is committed at the end of the block."""
    with engine.connect() as connection, one_transaction(connection):
        yield connection


class Other:
    """A transaction of another daemon, on a thread; it is blocked, or done and committed, when this is made."""

    def __init__(self, engine: Engine, work: Work) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(1)
        self._pid: Future[int] = Future()
        self._result: Future[Any] = self._threads.submit(self._run, work)
        pid = self._pid.result(PATIENCE_S)
        while not self._result.done() and not self._is_blocked(pid):
            wait_for([self._result], LOOK_S)

    @property
    def is_blocked(self) -> bool:
        return not self._result.done()

    def result(self) -> Any:
        """What the work returned, once nothing is in its way any more."""
        try:
            return self._result.result(PATIENCE_S)
        finally:
            self._threads.shutdown()

    def _run(self, work: Work) -> Any:
        with self._engine.connect() as connection:
            self._pid.set_result(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
            connection.rollback()
            with one_transaction(connection):
                return work(connection)

    def _is_blocked(self, pid: int) -> bool:
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid ="
        with self._engine.connect() as connection:
            return bool(connection.exec_driver_sql(f"{waits} {pid}").scalar_one())


def is_free(engine: Engine, work: Work) -> bool:
    """Whether a third transaction can do this now without waiting for anybody; it is rolled back."""
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 100"))
        try:
            work(connection)
        except Exception as error:
            if contention_of(error) is not Contention.LOCKED:
                raise
            return False
        finally:
            connection.rollback()
        return True
