"""What all tests share: a store on SQLite and, where it says so, the same on a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import Engine, text

from telephony.lab.ports import free_port
from telephony.store.engines import open_engines
from telephony.store.schema import metadata
from tests.doubles import keys, without_fsync

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


def _postgresql_programs() -> Path:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A real PostgreSQL of this test run's own, on a loopback port, gone afterwards."""
    programs = _postgresql_programs()
    folder = Path(tempfile.mkdtemp(prefix="onetouch-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    port = free_port()
    data = folder / "data"
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-U", "onetouch", "--auth=trust", "-E", "UTF8", "--no-sync"],
        check=True, capture_output=True, cwd=folder,
    )  # fmt: skip
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off"
    control = [*as_user, programs / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*control, "-o", options, "-l", folder / "log", "start"], check=True, cwd=folder)
    try:
        yield f"postgresql+psycopg://onetouch@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, cwd=folder)
        shutil.rmtree(folder)


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
