"""SQLite's log is folded back beside the writer, and no press waits for it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs
from twisted.internet import task

from telephony.store import checkpoint
from telephony.store.checkpoint import EVERY_S, Checkpointer
from telephony.store.database import Database
from telephony.store.engines import open_engines, sqlite_checkpoint_engine
from telephony.store.schema import metadata
from tests.awaiting import result_of
from tests.doubles import Inline, database, keys, without_fsync

WORTH_IT = 64 * 1024
TOO_LARGE = 512 * 1024


class Shelf:
    """A store in a file, its checkpointer, and a clock."""

    def __init__(self, file: Path) -> None:
        url = f"sqlite:///{file}"
        self.file = file
        self.log_file = Path(f"{file}-wal")
        self.engines: tuple[Engine, Engine] = open_engines(url, keys)
        without_fsync(self.engines[0])
        metadata.create_all(self.engines[0])
        with self.engines[0].connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        self.writer, self.runner, self.clock = Inline(), Inline(), task.Clock()
        self.database: Database = database(*self.engines, self.writer)
        self.checkpointer = Checkpointer(
            url, sqlite_checkpoint_engine(url), self.database, runner=self.runner, clock=self.clock
        )

    @property
    def log_octets(self) -> int:
        return self.log_file.stat().st_size

    def write(self, octets: int, caller: str = "kim") -> None:
        statement = f"INSERT INTO last_position VALUES (CAST('{caller}' || hex(zeroblob({octets // 2})) AS BLOB), 1, 1)"
        result_of(self.database.transact(lambda connection: connection.exec_driver_sql(statement).rowcount))

    def copied_back(self) -> bool:
        """Whether the file alone, without its log, holds everything."""
        alone = self.file.with_suffix(".copy")
        alone.write_bytes(self.file.read_bytes())
        with sqlite3.connect(alone) as connection:
            (count,) = connection.execute("SELECT count(*) FROM last_position").fetchone()
        return bool(count)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setattr(checkpoint, "WORTH_IT", WORTH_IT)
    monkeypatch.setattr(checkpoint, "TOO_LARGE", TOO_LARGE)
    shelf = Shelf(tmp_path / "store.sqlite")
    yield shelf
    result_of(shelf.checkpointer.stop())
    result_of(shelf.database.stop())


def test_no_commit_folds_the_log_back_by_itself(shelf: Shelf):
    shelf.write(8_000_000)

    assert not shelf.copied_back()


def test_a_small_log_is_left_alone(shelf: Shelf):
    shelf.write(100)
    assert shelf.log_octets < WORTH_IT
    shelf.checkpointer.start()

    shelf.clock.advance(EVERY_S)

    assert not shelf.copied_back()


def test_a_large_log_is_folded_back_and_looked_at_again(shelf: Shelf):
    shelf.checkpointer.start()
    shelf.clock.advance(EVERY_S)
    shelf.write(WORTH_IT)

    shelf.clock.advance(EVERY_S)

    assert shelf.copied_back()
    assert len(shelf.clock.getDelayedCalls()) == 1


def test_folding_back_happens_on_a_thread_of_its_own(shelf: Shelf):
    shelf.write(WORTH_IT)
    shelf.checkpointer.start()
    shelf.runner.hold()
    shelf.writer.hold()

    shelf.clock.advance(EVERY_S)

    assert (len(shelf.runner.held or []), len(shelf.writer.held or [])) == (1, 0)
    shelf.writer.release()
    shelf.runner.release()


def test_a_log_that_is_too_large_is_restarted_between_two_groups(shelf: Shelf):
    shelf.write(TOO_LARGE)
    shelf.checkpointer.start()

    shelf.clock.advance(EVERY_S)

    assert shelf.log_octets == 0
    shelf.write(100, "lee")


def test_a_reader_that_dawdles_holds_up_no_press(shelf: Shelf):
    """An operator who looks at the store with a tool of his own must not cost the writer more than a moment."""
    shelf.write(100)
    dawdler = sqlite3.connect(shelf.file, isolation_level=None)
    dawdler.execute("BEGIN")
    dawdler.execute("SELECT * FROM last_position").fetchall()
    shelf.write(TOO_LARGE, "lee")
    shelf.checkpointer.start()

    began = time.monotonic()
    shelf.clock.advance(EVERY_S)
    took_s = time.monotonic() - began

    assert took_s < 1.0
    dawdler.close()
    shelf.clock.advance(EVERY_S)
    assert shelf.log_octets == 0


def test_a_store_without_a_log_is_no_trouble(shelf: Shelf):
    result_of(shelf.database.stop())
    shelf.log_file.unlink(missing_ok=True)
    shelf.checkpointer.start()

    shelf.clock.advance(EVERY_S)

    assert len(shelf.clock.getDelayedCalls()) == 1


def test_a_log_that_cannot_be_folded_back_is_said_and_tried_again(shelf: Shelf):
    shelf.write(WORTH_IT)
    shelf.checkpointer._engine = sqlite_checkpoint_engine("sqlite:////nowhere/store.sqlite")
    shelf.checkpointer.start()

    with capture_logs() as said:
        shelf.clock.advance(EVERY_S)

    assert [line["event"] for line in said] == ["log not folded back"]
    assert len(shelf.clock.getDelayedCalls()) == 1


def test_stopping_while_the_log_is_folded_back_is_the_end_of_it(shelf: Shelf):
    shelf.write(WORTH_IT)
    shelf.checkpointer.start()
    shelf.runner.hold()
    shelf.clock.advance(EVERY_S)
    result_of(shelf.checkpointer.stop())

    shelf.runner.release()

    assert shelf.clock.getDelayedCalls() == []


def test_after_stopping_nothing_is_looked_at(shelf: Shelf):
    shelf.checkpointer.start()

    result_of(shelf.checkpointer.stop())

    assert shelf.clock.getDelayedCalls() == []
