"""The files of a store are watched, and what only the watcher still holds is brought back or kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from telephony.store.own_files import OwnFiles, StoreAway


class Shelf:
    """A store with a row that stands in its log alone, and the files as they were taken up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "store.sqlite"
        self.log, self.index = (folder / f"store.sqlite{part}" for part in ("-wal", "-shm"))
        self.files = OwnFiles(self.file)
        self.files.moor()
        connection = sqlite3.connect(self.file)
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        connection.close()

    def rows(self, file: Path | None = None) -> list[tuple[int]]:
        connection = sqlite3.connect(file or self.file)
        try:
            return connection.execute("SELECT a FROM t").fetchall()
        finally:
            connection.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    (tmp_path / "state").mkdir()
    shelf = Shelf(tmp_path / "state")
    yield shelf
    shelf.files.cast_off()


def test_files_in_their_places_are_no_trouble(shelf: Shelf):
    assert shelf.files.trouble() is None
    shelf.files.require()


@pytest.mark.parametrize("gone", ["file", "log", "index"])
def test_a_file_that_was_removed_is_written_again(shelf: Shelf, gone: str):
    getattr(shelf, gone).unlink()
    assert str(shelf.files.trouble()).endswith("is not there: it was removed")

    shelf.files.recover()

    assert shelf.rows() == [(1,)]
    assert shelf.file.stat().st_mode & 0o777 == 0o600
    shelf.files.moor()
    assert shelf.files.trouble() is None


def test_a_folder_that_was_removed_is_made_again(shelf: Shelf):
    shutil.rmtree(shelf.folder)

    shelf.files.recover()

    assert shelf.rows() == [(1,)]


def test_an_empty_file_in_the_place_of_one_that_was_removed_is_as_good_as_none(shelf: Shelf):
    shelf.file.unlink()
    shelf.file.touch()

    shelf.files.recover()

    assert shelf.rows() == [(1,)]


def test_a_file_that_was_moved_is_waited_for_and_named(shelf: Shelf, tmp_path: Path):
    aside = shelf.file.rename(tmp_path / "aside.sqlite")

    with pytest.raises(StoreAway, match=f"it is {aside} now, move it back"):
        shelf.files.recover()

    # It holds everything by itself, also what stood in the log.
    assert shelf.rows(aside) == [(1,)]
    aside.rename(shelf.file)
    assert shelf.files.trouble() is None


def test_a_file_that_was_moved_and_then_removed_is_written_again(shelf: Shelf, tmp_path: Path):
    aside = shelf.file.rename(tmp_path / "aside.sqlite")
    with pytest.raises(StoreAway):
        shelf.files.recover()
    aside.unlink()

    shelf.files.recover()

    assert shelf.rows() == [(1,)]


def another_store(file: Path) -> Path:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (2)")
    connection.commit()
    connection.close()
    return file


def test_another_store_in_the_place_is_left_alone_and_ours_is_kept(shelf: Shelf, tmp_path: Path):
    another_store(tmp_path / "other").replace(shelf.file)

    with pytest.raises(StoreAway, match="all that was committed is in"):
        shelf.files.recover()
    with pytest.raises(StoreAway):
        shelf.files.recover()

    (kept,) = shelf.folder.glob("store.sqlite.kept-*")
    assert shelf.rows(kept) == [(1,)]
    # Our log is not beside it: SQLite would apply it to whatever stands there.
    assert shelf.rows() == [(2,)]
    kept.replace(shelf.file)
    shelf.files.recover()
    assert shelf.rows() == [(1,)]


def test_another_store_that_is_taken_away_again_makes_room_for_ours(shelf: Shelf, tmp_path: Path):
    another_store(tmp_path / "other").replace(shelf.file)
    with pytest.raises(StoreAway):
        shelf.files.recover()
    shelf.file.unlink()

    shelf.files.recover()

    assert shelf.rows() == [(1,)]


def test_a_log_of_another_is_set_aside_and_not_applied(shelf: Shelf):
    shelf.log.unlink()
    shelf.log.write_bytes(b"a log of somebody else's")

    shelf.files.recover()

    assert shelf.rows() == [(1,)]
    assert Path(f"{shelf.log}.found").read_bytes() == b"a log of somebody else's"


def test_a_place_that_cannot_be_written_leaves_everything_as_it_is(shelf: Shelf):
    shelf.file.unlink()
    Path(f"{shelf.file}.copy").mkdir()

    with pytest.raises(OSError, match="directory"):
        shelf.files.recover()

    Path(f"{shelf.file}.copy").rmdir()
    shelf.files.recover()
    assert shelf.rows() == [(1,)]


def test_a_store_behind_a_link_is_watched_where_it_lies(tmp_path: Path):
    (tmp_path / "real").mkdir()
    link = tmp_path / "store.sqlite"
    link.symlink_to(tmp_path / "real" / "store.sqlite")
    files = OwnFiles(link)
    files.moor()
    assert files.trouble() is None

    (tmp_path / "real" / "store.sqlite-wal").unlink()
    assert files.trouble() is not None
    files.recover()
    files.moor()

    assert files.trouble() is None
    assert link.is_symlink()
    files.cast_off()


def test_no_descriptor_is_left_open(tmp_path: Path):
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    files = OwnFiles(tmp_path / "store.sqlite")
    for _ in range(5):
        files.moor()
    files.cast_off()

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
