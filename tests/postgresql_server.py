"""Real PostgreSQL servers of a test's own, on loopback ports, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from telephony.lab.ports import free_port


class PostgresqlServer:
    """A server in a folder of its own; ``port`` is where it listens."""

    def __init__(self, folder: Path, as_user: list[str]) -> None:
        self._folder = folder
        self._as_user = as_user
        self._programs = _programs()
        self.data = folder / "data"
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://onetouch@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run a program of PostgreSQL's, as the user that it insists on; its output is of no interest."""
        command = [*self._as_user, self._programs / program, *arguments]
        with (self._folder / "output").open("ab") as output:
            subprocess.run(command, check=True, stdout=output, stderr=output, cwd=self._folder)

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._folder} -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-w", "-o", options, "-l", self._folder / "log", "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")

    def promote(self) -> None:
        """Make a primary of a standby."""
        self.run("pg_ctl", "-D", self.data, "-w", "promote")


@contextmanager
def fresh_server() -> Iterator[PostgresqlServer]:
    """A primary with nothing in it."""
    with _in_folder() as server:
        server.run(
            "initdb", "-D", server.data, "-U", "onetouch", "--auth=trust", "-E", "UTF8", "--no-sync"
        )  # fmt: skip
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def standby_of(port: int) -> Iterator[PostgresqlServer]:
    """A hot standby of the server on this port, which streams from it."""
    with _in_folder() as server:
        source = f"host=127.0.0.1 port={port} user=onetouch"
        server.run(
            "pg_basebackup", "-d", source, "-D", server.data, "-R", "-c", "fast", "-X", "stream", "--no-sync"
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _in_folder() -> Iterator[PostgresqlServer]:
    folder = Path(tempfile.mkdtemp(prefix="onetouch-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    try:
        yield PostgresqlServer(folder, as_user)
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """Ask a database, on a connection of its own."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found
