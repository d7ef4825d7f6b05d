"""A real PostgreSQL that hangs, turns read-only, is a standby or loses its own: no wait without an end, nothing believed."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from telephony.store.bounds import Access, prove_commit, reader, writer
from telephony.store.engines import one_transaction, open_engines
from telephony.store.postgresql import BoundedConnection, unhurried
from tests.doubles import keys
from tests.postgresql_server import standby_of
from tests.scenarios.certificates import make_certificates

PATIENCE_S = 60.0
LONG_S = 60


@pytest.fixture
def admin(postgresql_url: str) -> Iterator[Connection]:
    """A connection of an operator's, which sees all others and sets what the server is to do."""
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@contextmanager
def daemons(url: str, access: Access) -> Iterator[tuple[Engine, Engine]]:
    engines = open_engines(url, keys, access=access)
    try:
        yield engines
    finally:
        for engine in engines:
            engine.dispose()


def of_daemon(budget_s: float = 2.0) -> Access:
    return Access(writer(budget_s), reader(budget_s))


def show(connection: Connection, setting: str) -> str:
    return str(connection.exec_driver_sql(f"SHOW {setting}").scalar_one())


def driver_of(connection: Connection) -> BoundedConnection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, BoundedConnection)
    return driver


def until(claim: Callable[[], Any]) -> None:
    """Wait for what another process does without telling us."""
    looked = threading.Event()
    end = monotonic() + PATIENCE_S
    while not claim():
        assert monotonic() < end
        looked.wait(0.02)


@contextmanager
def running(work: Callable[[], Any]) -> Iterator[Future[Any]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)


# -- bounds ---------------------------------------------------------------------------------------------------------


def test_each_use_has_its_bounds_on_the_server_and_on_the_socket(postgresql_url: str):
    with daemons(postgresql_url, of_daemon()) as engines:
        bounds = []
        for engine in engines:
            with engine.connect() as connection:
                bounds.append([show(connection, each) for each in ("statement_timeout", "lock_timeout")])
                with socket.fromfd(
                    driver_of(connection).fileno(), socket.AF_INET, socket.SOCK_STREAM
                ) as wire:
                    assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2000
                    assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                    assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 2

    assert bounds == [["2s", "1s"], ["30s", "1s"]]


def test_a_step_of_the_schema_takes_its_time_and_the_next_statement_is_bounded_again(postgresql_url: str):
    with daemons(postgresql_url, of_daemon()) as (writing, _), writing.connect() as connection:
        with connection.begin(), unhurried(connection):
            assert show(connection, "statement_timeout") == "0"
            assert driver_of(connection).patience_s is None

        assert show(connection, "statement_timeout") == "2s"
        assert driver_of(connection).patience_s == writer(2.0).patience_s


def test_a_server_that_accepts_and_never_answers_is_given_up():
    """As one whose machine hangs: the kernel accepts and acknowledges, and no process reads."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql+psycopg://onetouch@127.0.0.1:{mute.getsockname()[1]}/onetouch"
        with daemons(url, of_daemon()) as (writing, _), pytest.raises(OperationalError, match="timeout"):
            writing.connect()


def test_an_answer_that_does_not_come_is_not_waited_for_beyond_our_own_patience(
    postgresql_url: str, admin: Connection
):
    with daemons(postgresql_url, of_daemon()) as (writing, _), writing.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        connection.exec_driver_sql("SET statement_timeout = 0")
        driver = driver_of(connection)
        driver.patience_s = 0.5

        with pytest.raises(OperationalError, match="no answer for"):
            connection.exec_driver_sql(f"SELECT pg_sleep({LONG_S})")

        assert driver.closed
        until(lambda: not is_there(admin, pid))


def is_there(admin: Connection, pid: int) -> bool:
    found = admin.exec_driver_sql(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}").first()
    return found is not None


def test_a_cut_ends_what_is_under_way_and_the_server_stops_too(postgresql_url: str, admin: Connection):
    access, begun = of_daemon(), threading.Event()
    pids: list[int] = []

    def hang(engine: Engine) -> None:
        with engine.connect() as connection:
            pids.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
            connection.exec_driver_sql("SET statement_timeout = 0")
            begun.set()
            connection.exec_driver_sql(f"SELECT pg_sleep({LONG_S})")

    with daemons(postgresql_url, access) as (_, reading), running(lambda: hang(reading)) as hanging:
        assert begun.wait(PATIENCE_S)
        access.cut()

        with pytest.raises(OperationalError, match="given up with the store"):
            hanging.result(PATIENCE_S)
        until(lambda: not is_there(admin, pids[0]))
        with reading.connect() as connection:  # opened after the cut, it is well
            assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1


# -- which server is believed ----------------------------------------------------------------------------------------


@contextmanager
def setting(admin: Connection, name: str, value: str) -> Iterator[None]:
    admin.exec_driver_sql(f"ALTER SYSTEM SET {name} = {value}")
    admin.exec_driver_sql("SELECT pg_reload_conf()")
    try:
        yield
    finally:
        # The operator's own connections must be able to write again.
        admin.exec_driver_sql("SET default_transaction_read_only = off")
        admin.exec_driver_sql(f"ALTER SYSTEM RESET {name}")
        admin.exec_driver_sql("SELECT pg_reload_conf()")


def test_a_server_that_turns_read_only_is_not_believed_any_more_by_readers_either(
    postgresql_url: str, admin: Connection
):
    with daemons(postgresql_url, of_daemon()) as engines:
        open_ones = [engine.connect() for engine in engines]
        for connection in open_ones:
            connection.exec_driver_sql("SELECT 1")
            connection.commit()

        with setting(admin, "default_transaction_read_only", "on"):
            for connection in open_ones:
                driver, said = driver_of(connection), []
                until(lambda connection=connection, said=said: said.append(refusal(connection)) or said[-1])
                assert "no primary any more: default_transaction_read_only" in said[-1]
                assert driver.closed
            for engine in engines:
                with pytest.raises(OperationalError, match="read-only"):
                    engine.connect()


def refusal(connection: Connection) -> str | None:
    """Return why a look at the server was refused; None where it was not."""
    try:
        connection.exec_driver_sql("SELECT 1")
        connection.commit()
    except DBAPIError as error:
        return str(error.orig)
    return None


def test_of_two_servers_the_primary_is_taken_and_of_a_standby_nothing_is_read(postgresql_url: str):
    primary = make_url(postgresql_url).port
    assert primary is not None
    with standby_of(primary) as standby:
        both = (
            f"postgresql+psycopg://onetouch@/postgres?host=127.0.0.1:{standby.port}&host=127.0.0.1:{primary}"
        )
        with daemons(both, of_daemon()) as engines:
            for engine in engines:
                with engine.connect() as connection:
                    assert show(connection, "port") == str(primary)

        with daemons(standby.url, of_daemon()) as engines:
            for engine in engines:
                with pytest.raises(OperationalError, match="read-only"):
                    engine.connect()

        # An address that moves between servers, with settings that ask for none in particular.
        anywhere = f"{standby.url}?target_session_attrs=any"
        refused = pytest.raises(OperationalError, match="no primary any more: in_hot_standby")
        with daemons(anywhere, of_daemon()) as (_, reading), refused:
            reading.connect()

        # A command of the operator's may read there.
        with daemons(standby.url, Access()) as (_, reading), reading.connect() as connection:
            assert show(connection, "in_hot_standby") == "on"


def test_an_address_that_was_looked_up_ahead_must_still_prove_the_name(
    postgresql_url: str, admin: Connection, tmp_path: Path
):
    """An address that leads to somebody else's server by now gets nothing."""
    certificates = make_certificates(tmp_path / "certificates")
    data = Path(show(admin, "data_directory"))
    for source, name in ((certificates.certificate, "server.crt"), (certificates.key, "server.key")):
        shutil.copy(source, data / name)
        shutil.chown(data / name, data.stat().st_uid)
        (data / name).chmod(0o600)
    verified = f"sslmode=verify-full&sslrootcert={certificates.authority}"
    access = Access(writer(2.0), reader(2.0), lambda _: ("127.0.0.1",))

    def dialled(host: str) -> str:
        url = make_url(postgresql_url).set(host=host).render_as_string(hide_password=False)
        return f"{url}?{verified}"

    with setting(admin, "ssl", "on"):
        with daemons(dialled("127.0.0.1"), access) as (writing, _):
            until(lambda: speaks_tls(writing))
        refused = pytest.raises(OperationalError, match="does not match host name")
        with daemons(dialled("db.example"), access) as (writing, _), refused:
            writing.connect()


def speaks_tls(engine: Engine) -> bool:
    """Whether the server has taken over its settings; until then it refuses."""
    try:
        with engine.connect() as connection:
            return bool(driver_of(connection).pgconn.ssl_in_use)
    except OperationalError as error:
        if "server does not support SSL" not in str(error):
            raise
        return False


# -- commits that are none -------------------------------------------------------------------------------------------


def test_a_commit_whose_wait_for_a_standby_was_cancelled_is_none(postgresql_url: str, admin: Connection):
    with daemons(postgresql_url, of_daemon()) as (writing, _), writing.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        connection.commit()

        def commit() -> None:
            with one_transaction(connection):
                prove_commit(connection, [])

        with (
            setting(admin, "synchronous_standby_names", "'nobody'"),
            running(lambda: until_it_fails(commit)) as committing,
        ):
            until(lambda: waits_for_a_standby(admin) == [pid])
            admin.exec_driver_sql(f"SELECT pg_cancel_backend({pid})")

            with pytest.raises(Exception, match=r"committed on one server alone: .*synchronous replication"):
                committing.result(PATIENCE_S)


def test_a_commit_that_waits_for_a_standby_in_vain_keeps_no_place_on_the_server(
    postgresql_url: str, admin: Connection
):
    """Else every attempt of an outage would leave one more process there, with its locks."""
    access = of_daemon()
    with daemons(postgresql_url, access) as (writing, _):

        def commit() -> None:
            with writing.begin() as connection:
                prove_commit(connection, [])

        with (
            setting(admin, "synchronous_standby_names", "'nobody'"),
            running(lambda: until_it_fails(commit)) as committing,
        ):
            until(lambda: waits_for_a_standby(admin))
            access.cut()

            with pytest.raises(OperationalError, match="given up with the store"):
                committing.result(PATIENCE_S)
            until(lambda: not waits_for_a_standby(admin))


def until_it_fails(commit: Callable[[], None]) -> None:
    """Commit until one has to wait: the server takes over its settings when it pleases."""
    end = monotonic() + PATIENCE_S
    while monotonic() < end:
        commit()


def waits_for_a_standby(admin: Connection) -> list[int]:
    rows = admin.exec_driver_sql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    return [row[0] for row in rows]


def test_an_account_that_may_write_rows_may_prove_a_commit(postgresql_url: str, admin: Connection):
    """No right is needed beyond those of the owner of a database."""
    admin.exec_driver_sql("DROP ROLE IF EXISTS ordinary")
    admin.exec_driver_sql("CREATE ROLE ordinary LOGIN")
    url = make_url(postgresql_url).set(username="ordinary").render_as_string(hide_password=False)
    with daemons(url, of_daemon()) as (writing, _), writing.begin() as connection:
        assert list(prove_commit(connection, [None])) == [None]
