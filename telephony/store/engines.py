"""SQLAlchemy engines for the two databases we keep, with what durability asks of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT_MS = 500
"""How long SQLite waits for another process's lock; must stay well below the commit budget."""


def open_engines(url: str) -> tuple[Engine, Engine]:
    """Give (writing, reading) engines for ``sqlite:///…`` or ``postgresql+psycopg://…``.

    SQLite: write-ahead log, ``synchronous=FULL`` (the log is synced at every commit), and a writer that takes
    the write lock at BEGIN, so that a transaction never fails half-way for a lock. PostgreSQL: as the server is set;
    ``synchronous_commit`` must be on, which is its default.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=False), create_engine(url)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _sqlite(url, "BEGIN IMMEDIATE"), _sqlite(url, "BEGIN")


def _sqlite(url: str, begin: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={
            "check_same_thread": False,
            "timeout": BUSY_TIMEOUT_MS / 1000,
            "cached_statements": 512,  # one per size of a bulk insert stays prepared
        },
    )

    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; the driver's own rules are in the way
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        # The log is folded back by `Checkpointer`, beside the writer and not inside somebody's commit.
        cursor.execute("PRAGMA wal_autocheckpoint=0")
        cursor.execute("PRAGMA cache_size=-8192")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def sqlite_checkpoint_engine(url: str) -> Engine:
    """Give an engine without a pool and without BEGIN, for the one statement that folds back the log."""
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
