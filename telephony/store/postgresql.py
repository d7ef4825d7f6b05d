"""Connections to PostgreSQL whose every wait is bounded: see `telephony.store.bounds`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, create_engine, event

from telephony.store.bounds import Access, Bounds, parameters, with_addresses

T = TypeVar("T")

CANCEL_S = 1.0
"""How long we try to tell the server that we have given up. One that hears it stops waiting for a standby or a lock."""
NOT_REPLICATED = "SyncRepWaitForLSN"
"""The function of the server's that warns of a commit which no standby has confirmed; its words depend on its language."""
STANDBY_SIGNS = (b"in_hot_standby", b"default_transaction_read_only")
"""What a server tells by itself when it changes (``GUC_REPORT``), since version 14."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose every wait has an end, and which closes when its server is no primary."""

    bounds: Bounds | None = None
    access: Access | None = None
    patience_s: float | None = None
    cuts_before = 0
    not_replicated: str | None = None

    def obey(self, bounds: Bounds, access: Access) -> None:
        """Be bound from now on."""
        self.bounds, self.access = bounds, access
        self.patience_s = bounds.patience_s
        self.cuts_before = access.cuts
        self.add_notice_handler(self._noticed)

    def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
        """Wait as psycopg does for the answer; close and raise `OperationalError` where it cannot.

        So it does with what a standby has answered, and with a commit that no standby was seen to have.
        """
        answer = super().wait(self._watched(gen), *arguments, **options)
        if self.not_replicated is not None:
            self._give_up(f"committed on one server alone: {self.not_replicated}")
        if self.bounds is not None and self.bounds.writes:
            for sign in STANDBY_SIGNS:
                if self.pgconn.parameter_status(sign) == b"on":
                    self._give_up(f"the server is no primary any more: {sign.decode()} is on")
        return answer

    def _watched(self, gen: PQGen[T]) -> Generator[Any, Any, T]:
        """Pass a generator of psycopg's on, which is told every 0.1 s that nothing has come."""
        began = monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready:
                    self._see_whether_over(monotonic() - began)
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: T = end.value
            return answer

    def _see_whether_over(self, waited_s: float) -> None:
        if self.access is not None and self.access.cuts != self.cuts_before:
            self._give_up("given up with the store")
        if self.patience_s is not None and waited_s >= self.patience_s:
            self._give_up(f"no answer for {waited_s:.1f} s")

    def _give_up(self, why: str) -> None:
        """Close, and raise why. A server that is alive is told: its process would keep its locks and its place."""
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
            with suppress(psycopg.Error):  # it is as gone as we have found it
                self.cancel_safe(timeout=CANCEL_S)
        self.pgconn.finish()
        raise psycopg.OperationalError(why)

    def _noticed(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_function == NOT_REPLICATED:
            self.not_replicated = notice.message_primary or "no standby has confirmed it"


def bounded_engine(url: URL, bounds: Bounds, access: Access) -> Engine:
    """Return an engine all of whose connections are bounded."""
    engine = create_engine(url, connect_args=parameters(bounds, url.query))

    def connect(_: Any, __: object, arguments: Any, options: Any) -> BoundedConnection:
        if access.addresses_of is not None:
            try:
                options = with_addresses(options, access.addresses_of)
            except LookupError as error:
                raise psycopg.OperationalError(str(error)) from error
        connection = BoundedConnection.connect(*arguments, **options)
        connection.obey(bounds, access)
        return connection

    event.listen(engine, "do_connect", connect)
    return engine


@contextmanager
def unhurried(connection: Connection) -> Iterator[None]:
    """Let the statements of the transaction under way take as long as they need: steps of a schema, which no press waits for."""
    driver = connection.connection.driver_connection
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.exec_driver_sql(f"SET LOCAL {setting} = 0")
    if not isinstance(driver, BoundedConnection):
        yield
        return
    patience_s, driver.patience_s = driver.patience_s, None
    try:
        yield
    finally:
        driver.patience_s = patience_s
