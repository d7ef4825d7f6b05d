"""What is taken for damage, when the file is looked through, and what is left when no fresh store can be made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from twisted.internet.task import Clock

from telephony.domain.errors import Unavailable
from telephony.services.keeping import damaged_store
from telephony.services.keeping.damaged_store import AGAIN_S, FIRST_LOOK_S, DamagedStoreWatch
from telephony.store.own_files import StoreAway
from telephony.store.salvage.setting_aside import damaged_ones
from telephony.store.upgrade import make_anew
from tests.doubles import keys
from tests.store.garbage import overwrite, root_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    store = tmp_path / "store.sqlite"
    engine = create_engine(f"sqlite:///{store}")
    with engine.begin() as connection:
        make_anew(connection)
    engine.dispose()
    return store


class Presses:
    """Whether presses come fast."""

    is_pressed = False


def watch_of(file: Path, clock: Clock, presses: Presses | None = None) -> DamagedStoreWatch:
    pressing = presses or Presses()
    return DamagedStoreWatch(
        file,
        every_s=3600.0,
        clock=clock,
        is_pressed=lambda: pressing.is_pressed,
        journal=file.parent / "journal",
        keys=keys,
    )


def error(code: int) -> sqlite3.Error:
    told = sqlite3.DatabaseError("as SQLite says it")
    told.sqlite_errorcode = code
    return told


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_SHORT_READ]
)
def test_an_error_that_says_damage_puts_the_store_away_at_once(file: Path, code: int):
    watch = watch_of(file, Clock())

    assert watch.see(error(code)) == "as SQLite says it"
    assert watch.damage is not None


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY])
def test_a_locked_or_full_store_is_not_damaged(file: Path, code: int):
    watch = watch_of(file, Clock())

    assert watch.see(error(code)) is None
    assert watch.look() is None


def test_trouble_of_the_disk_has_the_file_looked_through_at_once(file: Path):
    overwrite(file, [root_of(file, "person")], seed=1)
    watch = watch_of(file, Clock())

    assert watch.look() is None  # it is not time yet
    assert watch.see(error(sqlite3.SQLITE_IOERR_WRITE)) is None

    assert "malformed" in str(watch.look()) or "person" in str(watch.look())


def test_the_file_is_looked_through_soon_after_the_start_and_not_while_presses_come_fast(file: Path):
    overwrite(file, [root_of(file, "person")], seed=1)
    clock, presses = Clock(), Presses()
    watch = watch_of(file, clock, presses)
    presses.is_pressed = True
    clock.advance(FIRST_LOOK_S)
    assert watch.look() is None

    presses.is_pressed = False
    assert watch.look() is None
    clock.advance(AGAIN_S)

    assert watch.look() is not None


def test_a_file_that_is_sound_is_trusted_once_and_not_again_within_a_minute(file: Path):
    watch = watch_of(file, Clock())
    watch.see(error(sqlite3.SQLITE_CORRUPT))
    assert watch.is_sound_after_all()
    assert watch.damage is None

    watch.see(error(sqlite3.SQLITE_CORRUPT))

    assert not watch.is_sound_after_all()


def test_where_no_fresh_store_can_be_made_nothing_has_changed_and_the_reason_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    overwrite(file, [root_of(file, "delivery")], seed=1)
    before = file.read_bytes()
    watch = watch_of(file, Clock())
    watch.see(error(sqlite3.SQLITE_CORRUPT))

    def no_room(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(damaged_store, "carry_over", no_room)
    with pytest.raises(StoreAway, match=r"no fresh store could be made: .*full"):
        watch.replace(None)

    assert (file.read_bytes(), damaged_ones(file)) == (before, [])
    assert [each.name for each in file.parent.glob("*.fresh*")] == []
    assert watch.damage is not None


def test_people_are_not_said_to_be_unregistered_while_they_are_in_the_damaged_store(file: Path):
    overwrite(file, [root_of(file, "delivery")], seed=1)
    watch = watch_of(file, Clock())
    watch.see(error(sqlite3.SQLITE_CORRUPT))
    watch.require_people()

    watch.replace(None).close()

    with pytest.raises(Unavailable):
        watch.require_people()
    with pytest.raises(Unavailable):
        watch_of(file, Clock()).require_people()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert len(damaged_ones(file)) == 1
