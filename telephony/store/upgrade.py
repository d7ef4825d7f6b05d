"""Brings a database to the schema this code speaks."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

HEAD = "0001"
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
    """Upgrade the schema where it is not the newest; gives whether anything was done."""
    if version_of(engine) == HEAD:
        return False
    # Imported only when there is work: Alembic costs a running daemon 10 MiB that it never needs again.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.exec_driver_sql(_ALONE[engine.dialect.name])
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return True
