"""Brings a database to the schema this code speaks."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.schema import CreateIndex, CreateTable

from telephony.domain.errors import Unavailable
from telephony.store.crypto import KeyFile, KeysUnavailable
from telephony.store.keys.proof import prove_and_renew
from telephony.store.schema import metadata

log = structlog.get_logger()

HEAD = "0013"
"""The newest step in ``migrations/versions``; a test holds it to Alembic's own answer."""

_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(112)"}
"""Makes one transaction of all steps, and lets daemons that start together take turns: the second finds all done.
Without it SQLite commits every table on its own, and a start killed half-way would leave a store that cannot be used."""


_OWES_A_CLEARING = 5
"""SQLite's ``user_version`` while pages that were given up may hold what stood there before it was sealed."""

_SEALED = (
    ("key_proof", "sealed"),
    ("incident", "sealed"),
    ("person", "sealed"),
    ("audit", "sealed"),
    ("awaited_reply", "sealed"),
    ("press_history", "subject"),
    ("locating", "sealed"),
    ("recording", "sealed"),
)
"""Where a first row is: without one of these there is nothing that an old key is needed for."""


class LaterSchema(Unavailable):
    """The store was upgraded by a version of the code later than this one, which must leave it as it is."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"a later version has upgraded the store to schema {version}, this one speaks {HEAD}: "
            "start that version again, or restore the backup from before the upgrade"
        )


def refuse_later(version: str | None) -> None:
    """Raise `LaterSchema` for the version of a schema that this code does not know yet."""
    if version is not None and version > HEAD:
        raise LaterSchema(version)


def version_of(engine: Engine) -> str | None:
    """Return the version of the database's schema; None for an empty database."""
    with engine.connect() as connection:
        return version_in(connection)


def version_in(connection: Connection) -> str | None:
    """Return the same over an open connection."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def take_up(engine: Engine, key_file: KeyFile) -> bool:
    """Make a store usable: its keys first, then its schema; gives whether anything was done to the schema.

    A key file is made where nothing was ever sealed. Where something is and the file is gone, it is not, and another
    store's file is refused: the store would be half readable for good. So is the file that a second machine made for
    itself. Raises `KeysUnavailable`, whose sentence says what to bring back.
    """
    if not key_file.path.exists() and holds_sealed(engine):
        raise KeysUnavailable(
            f"the store holds what was sealed under a key file, and {key_file.path} is not there: "
            "bring it back from its backup"
        )
    try:
        key_file.make()
    except OSError as error:
        raise KeysUnavailable(f"the key file {key_file.path} cannot be made: {error.strerror}") from error
    ring = key_file.first_ring()
    is_changed = upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(_ALONE[engine.dialect.name])
        prove_and_renew(connection, key_file.path, ring)
    return is_changed


def holds_sealed(engine: Engine) -> bool:
    """Whether the database holds anything that an existing key is needed for."""
    with engine.connect() as connection:
        found = inspect(connection)
        return any(
            found.has_table(table)
            and column in {each["name"] for each in found.get_columns(table)}
            and connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() is not None
            for table, column in _SEALED
        )


def upgrade(engine: Engine) -> bool:
    """Bring the schema to the newest version where it is not; gives whether anything was done.

    Raises `KeysUnavailable` where rows have to be sealed and there is no key, `LaterSchema` where it is newer.
    """
    version = version_of(engine)
    refuse_later(version)
    if version == HEAD:
        clear(engine)
        return False
    with engine.begin() as connection, _in_its_own_time(connection):
        connection.exec_driver_sql(_ALONE[engine.dialect.name])
        if version is None and not inspect(connection).has_table("alembic_version"):
            make_anew(connection)
        else:
            climb(connection)
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(f"PRAGMA user_version = {_OWES_A_CLEARING}")
    clear(engine)
    return True


def _in_its_own_time(connection: Connection) -> AbstractContextManager[None]:
    """Return a context in which a step may take as long as it needs: the bounds of a server are made for presses."""
    if connection.dialect.name == "sqlite":
        return nullcontext()
    from telephony.store.postgresql import unhurried  # noqa: PLC0415 - psycopg is an extra

    return unhurried(connection)


def clear(engine: Engine) -> None:
    """Rewrite SQLite's file after a climb, so that nothing is left of rows that were plain; also after a kill.

    The log is cut to nothing too. Where another process is in the way, the next start does it. On PostgreSQL the files
    of the plain tables went with the transaction; what its own log still holds goes as that is recycled.
    """
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as connection:
        driver = connection.connection.cursor()
        if driver.execute("PRAGMA user_version").fetchone()[0] != _OWES_A_CLEARING:
            return
        try:
            driver.execute("VACUUM")
        except sqlite3.OperationalError as error:
            log.warning("store not cleared yet", error=str(error))
            return
        is_busy, _, _ = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            log.warning("store not cleared yet", error="another process reads it")
            return
        driver.execute("PRAGMA user_version = 0")


def make_anew(connection: Connection) -> None:
    """Make the newest schema in an empty database, without Alembic: it costs a daemon 10 MiB and half a second."""
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))
        # SQLAlchemy keeps a table's indexes in a set, whose order differs from process to process; SQLite weighs equal
        # indexes in the order they were made in, so two stores of one release would read by different ones.
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            connection.execute(CreateIndex(index))
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def climb(connection: Connection) -> None:
    """Take every step from the database's version to the newest."""
    from alembic import command  # noqa: PLC0415 - only where there is a step to take
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
