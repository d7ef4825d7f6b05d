"""A store in a file, without threads, for the services' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from telephony.store.engines import open_engines
from telephony.store.schema import metadata
from tests.doubles import keys, without_fsync


@pytest.fixture
def engines(tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """(writing, reading) engines of an empty store on SQLite; the store's own tests know the other database."""
    writing, reading = open_engines(f"sqlite:///{tmp_path}/store.sqlite", keys)
    without_fsync(writing)
    metadata.create_all(writing)
    yield writing, reading
    writing.dispose()
    reading.dispose()
