"""Brings a database to the schema this code speaks."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from telephony.store.schema import metadata

HEAD = "0004"
"""The newest step in ``migrations/versions``; a test holds it to Alembic's own answer."""

_ALONE = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(112)"}
"""Makes one transaction of all steps, and lets daemons that start together take turns: the second finds all done.
Without it SQLite commits every table on its own, and a start killed half-way would leave a store that nobody can use."""


def version_of(engine: Engine) -> str | None:
    """Give the version of the database's schema; None for an empty database."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(engine: Engine) -> bool:
    """Bring the schema to the newest version where it is not; gives whether anything was done."""
    version = version_of(engine)
    if version == HEAD:
        return False
    with engine.begin() as connection:
        connection.exec_driver_sql(_ALONE[engine.dialect.name])
        if version is None and not inspect(connection).has_table("alembic_version"):
            make_anew(connection)
        else:
            climb(connection)
    return True


def make_anew(connection: Connection) -> None:
    """Make the newest schema in an empty database, without Alembic: it costs a daemon 10 MiB and half a second."""
    metadata.create_all(connection, checkfirst=False)
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
