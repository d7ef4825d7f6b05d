"""SQLAlchemy engines for SQLite and PostgreSQL, set as durability needs each to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from telephony.store.bounds import Access
from telephony.store.own_files import OwnFiles
from telephony.store.sealing import Keys, one_look_at_the_keys, with_keys

BUSY_TIMEOUT_MS = 500
"""How long SQLite waits for another process's lock; must stay well below the commit budget."""


WRITER_CACHE_KIB, READER_CACHE_KIB = 8192, 1024
"""Pages kept in memory per connection: the writer comes back to the same ones, a reader hardly does."""


def own_files_of(url: str) -> OwnFiles | None:
    """Return what watches the files of a store; None for one that is a server's, or in memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return OwnFiles(Path(parsed.database))


def open_engines(
    url: str, keys: Keys, files: OwnFiles | None = None, access: Access | None = None
) -> tuple[Engine, Engine]:
    """Return (writing, reading) engines for ``sqlite:///…`` or ``postgresql+psycopg://…``.

    SQLite: write-ahead log, ``synchronous=FULL`` (the log is synced at every commit); transactions are begun by
    `one_transaction`, and a reader reads statement by statement. PostgreSQL: as the server is set;
    ``synchronous_commit`` must be on, which is its default; every wait is bounded as ``access`` says, else as for a command.
    What they write is sealed under ``keys``. No connection is opened to other files than ``files`` were moored to.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        from telephony.store.postgresql import bounded_engine  # noqa: PLC0415 - psycopg is an extra

        access = access or Access()
        writing, reading = (bounded_engine(parsed, each, access) for each in (access.writing, access.reading))
        return with_keys(writing, keys), with_keys(reading, keys)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    writing, reading = _sqlite(url, WRITER_CACHE_KIB, files), _sqlite(url, READER_CACHE_KIB, files)
    return with_keys(writing, keys), with_keys(reading, keys)


@contextmanager
def one_transaction(connection: Connection) -> Iterator[None]:
    """Run the block in one write transaction: committed at its end, rolled back when it raises.

    On SQLite the write lock is taken first, so that no transaction fails half-way for a lock. Begins and ends on the
    driver's own connection: SQLAlchemy's bookkeeping costs as much as the statements of a press.
    """
    driver = connection.connection
    if connection.dialect.name == "sqlite":
        driver.cursor().execute("BEGIN IMMEDIATE")
    try:
        with one_look_at_the_keys(connection):
            yield
        if connection.in_transaction():
            connection.commit()
        else:
            driver.commit()
    except BaseException:
        # Where the connection itself has failed there is nothing to roll back, and why it failed must be told.
        with suppress(connection.dialect.loaded_dbapi.Error, DBAPIError):
            if driver.is_valid:
                driver.rollback()
            if connection.in_transaction():
                connection.rollback()
        raise


def _sqlite(url: str, cache_kib: int, files: OwnFiles | None) -> Engine:
    engine = create_engine(
        url,
        connect_args={
            "check_same_thread": False,
            "timeout": BUSY_TIMEOUT_MS / 1000,
            "cached_statements": 512,  # one per size of a bulk insert stays prepared
        },
    )

    def on_connect(connection: Any, _: object) -> None:
        connection.text_factory = _text
        connection.isolation_level = None  # we say BEGIN ourselves; the driver's own rules are in the way
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        # From the first row on: a page that splits while nothing is filled with zeros keeps copies of rows where no later
        # deletion reaches them (the root of a table, once it has leaves). Most builds do so only when told.
        cursor.execute("PRAGMA secure_delete=ON")
        # The log is folded back by `Checkpointer`, beside the writer and not inside somebody's commit.
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.execute(f"PRAGMA cache_size=-{cache_kib}")
        cursor.close()

    event.listen(engine, "connect", on_connect)
    return _only_to(files, engine)


def _only_to(files: OwnFiles | None, engine: Engine) -> Engine:
    """Let an engine connect to these files alone: SQLite would open, or make, any file at their place."""
    if files is None:
        return engine

    def connect(dialect: Any, _: object, arguments: Any, options: Any) -> Any:
        files.require()
        connection = dialect.connect(*arguments, **options)
        try:
            files.require()
        except BaseException:
            connection.close()
            raise
        return connection

    event.listen(engine, "do_connect", connect)
    return engine


def _text(octets: bytes) -> str:
    """Read a text column. One damaged text must not fail the whole statement, with the rows beside it."""
    return octets.decode("utf-8", "replace")


CHECKPOINT_TIMEOUT_MS = 50
"""How long a checkpoint that restarts the log waits for readers: the writer, and every press, waits with it."""


def sqlite_checkpoint_engine(url: str, files: OwnFiles | None = None) -> Engine:
    """Return an engine without a pool and without BEGIN, for the one statement that folds back the log."""
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": CHECKPOINT_TIMEOUT_MS / 1000},
    )
    return _only_to(files, engine)
