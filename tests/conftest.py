"""What all tests share: a store on SQLite and, where it says so, the same on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine, text

from telephony.store.engines import open_engines
from telephony.store.schema import metadata
from tests.doubles import keys, without_fsync
from tests.postgresql_server import fresh_server

settings.register_profile("anywhere", deadline=None)
"""How long an example takes says more of the machine than of the code."""
settings.load_profile("anywhere")

FRESH_SEED = "fresh seed of the simulation"
"""A property of a test that ran one."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the seeds that this run has drawn, whether they passed or not."""
    seeds = {
        str(value): None
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == FRESH_SEED
    }
    if seeds:
        again = f'ONETOUCH_SIM_SEED="{" ".join(seeds)}"'
        terminalreporter.write_line(f"fresh seeds of the simulation, again with {again}")


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A real PostgreSQL of this test run's own, on a loopback port, gone afterwards."""
    with fresh_server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """(writing, reading) engines of an empty store, on both databases in turn."""
    if request.param == "sqlite":
        writing, reading = open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys)
        without_fsync(writing)
        metadata.create_all(writing)
    else:
        writing, reading = open_engines(request.getfixturevalue("postgresql_url"), keys)
        with writing.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
            metadata.create_all(connection)
    yield writing, reading
    writing.dispose()
    reading.dispose()
