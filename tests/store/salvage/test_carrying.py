"""A fresh store holds what a damaged one owes, and a kill between any two steps of the switch loses nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine

from telephony.store.bound import is_sound_quietly
from telephony.store.salvage import setting_aside
from telephony.store.salvage.carrying import LOST_SEALED, Carried, OtherSchema, carry_over
from telephony.store.salvage.reading import DamagedStore
from telephony.store.salvage.runs import TableSalvage
from telephony.store.salvage.setting_aside import damaged_ones, finish, fresh_place, set_aside
from telephony.store.salvage.shapes import SHAPES
from telephony.store.unfinished import UnfinishedNote
from telephony.store.upgrade import make_anew
from tests.doubles import keys
from tests.store.garbage import PAGE, overwrite, pages_of, root_of

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1_000_000)
HOUR_US = 3_600_000_000
OLD, RECENT, OPEN = range(3)
EACH = 60


def key_of(kind: int, number: int) -> int:
    """Return keys in the order of time: closed long ago, closed within the last days, open."""
    return (NOW_US - (200, 20, 1)[kind] * HOUR_US + number * 1_000_000) << 8


def add(connection: sqlite3.Connection, kind: int, number: int) -> None:
    key, name = key_of(kind, number), f"sos-{kind}-{number}"
    at, state = key >> 8, "open" if kind == OPEN else "closed"
    connection.execute(
        "INSERT INTO incident (key, id, caller, sealed, carrier, connector, source, state, test, opened_at, press_count,"
        " last_press_at, last_sequence) VALUES (?, ?, ?, ?, 'skt', 'skt-1', 'sms', ?, 0, ?, 1, ?, 1)",
        (key, name, os.urandom(16), os.urandom(90), state, at, at),
    )
    connection.execute(
        "INSERT INTO press VALUES (?, ?, 1, ?, 'sms', 'skt-1', 'skt', 'ucs2', NULL, NULL, NULL, NULL, ?, 'first', 1, ?, NULL)",
        (key, os.urandom(16), os.urandom(120), at, at),
    )
    owed = "pending" if kind == OPEN else "delivered"
    connection.execute(
        "INSERT INTO delivery VALUES (?, 'seoul', 1, 'alert', '{\"presses\":1}', NULL, ?, 0, ?, ?, NULL, 0, NULL, NULL, 1, NULL)",
        (key, owed, at, at),
    )


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store in its one file, with incidents of three kinds, awaited replies and an audit chain."""
    file = tmp_path / "store.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        make_anew(connection)
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        for kind in (OLD, RECENT, OPEN):
            for number in range(EACH):
                add(connection, kind, number)
        connection.execute("INSERT INTO awaited_reply VALUES (1, x'00', 'join', x'01', 1, 2, 0, 1, NULL)")
        for number in range(1, 100):
            connection.execute("INSERT INTO audit VALUES (?, 1, x'00', x'01', x'02')", (number,))
        # One that is owed of an incident of long ago: nothing to 112 expires.
        connection.execute("UPDATE delivery SET state = 'pending' WHERE incident_key = ?", (key_of(OLD, 3),))
        connection.commit()
    return file


def carried_from(store: Path, fresh: Path, memory: sqlite3.Connection | None = None) -> Carried:
    damaged = DamagedStore(store)
    try:
        return carry_over(damaged, fresh, NOW.timestamp(), memory)
    finally:
        damaged.close()


def rows(file: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def test_what_is_owed_or_open_or_recent_is_brought_over_and_nothing_else(store: Path, tmp_path: Path):
    fresh = tmp_path / "fresh"

    carried = carried_from(store, fresh)

    assert (carried.incidents, carried.open, carried.owed) == (2 * EACH + 1, EACH, EACH + 1)
    assert carried.stand_ins == carried.damaged_tables == ()
    for table, first in (("incident", RECENT), ("delivery", RECENT), ("press", OPEN)):
        key = "key" if table == "incident" else "incident_key"
        assert rows(fresh, f"SELECT * FROM {table} ORDER BY {key}") == rows(
            store,
            f"SELECT * FROM {table} WHERE {key} > {key_of(first, -1)} OR {key} = {key_of(OLD, 3)} ORDER BY {key}",
        )
    assert rows(fresh, "SELECT number FROM audit") == [(99,)]
    assert rows(fresh, "SELECT count(*) FROM awaited_reply") == [(1,)]


DAMAGES = {
    "deliveries": lambda file: pages_of(file, "delivery")[:2],
    "presses": lambda file: [root_of(file, "press")],
    "the index of what is due": lambda file: [root_of(file, "delivery_due")],
    "the header": lambda file: [1],
}


@pytest.mark.parametrize("what", DAMAGES)
def test_of_other_damage_every_open_incident_comes_with_its_own_row(store: Path, tmp_path: Path, what: str):
    overwrite(store, DAMAGES[what](store), seed=1)

    carried = carried_from(store, tmp_path / "fresh")

    assert carried.open == EACH
    assert carried.stand_ins == ()
    assert carried.damaged_tables
    sealed = rows(tmp_path / "fresh", "SELECT length(sealed) FROM incident WHERE state = 'open'")
    assert sealed == [(90,)] * EACH


def test_an_incident_whose_row_is_lost_keeps_its_name(store: Path, tmp_path: Path):
    overwrite(store, pages_of(store, "incident")[-2:], seed=1)

    carried = carried_from(store, tmp_path / "fresh")

    assert len(carried.stand_ins) > 10
    assert carried.open == EACH
    found = rows(tmp_path / "fresh", "SELECT id, sealed, state FROM incident WHERE state = 'open'")
    assert {row[0] for row in found} == {f"sos-{OPEN}-{number}" for number in range(EACH)}
    assert {row[0] for row in found if row[1] == LOST_SEALED} == set(carried.stand_ins)


@pytest.fixture
def memory(store: Path) -> Iterator[sqlite3.Connection]:
    """A connection that has read all, as the writer has what it wrote last."""
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA cache_size=-8192")
        for table in ("incident", "press", "delivery"):
            connection.execute(f"SELECT * FROM {table}").fetchall()
        yield connection


def test_what_the_writer_remembers_makes_good_for_the_disk(
    store: Path, tmp_path: Path, memory: sqlite3.Connection
):
    overwrite(store, [*pages_of(store, "incident"), *pages_of(store, "press")], seed=1)

    without = carried_from(store, tmp_path / "without")
    carried = carried_from(store, tmp_path / "fresh", memory)

    assert without.stand_ins
    assert (carried.open, carried.stand_ins) == (EACH, ())
    assert rows(tmp_path / "fresh", "SELECT count(*) FROM press") == [(2 * EACH,)]
    ((left,),) = rows(tmp_path / "without", "SELECT count(*) FROM press")
    assert left < EACH / 4  # type: ignore[operator]


def test_a_store_of_an_older_schema_is_left_alone(store: Path, tmp_path: Path):
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0005'")
        connection.commit()

    with pytest.raises(OtherSchema, match="0005"):
        carried_from(store, tmp_path / "fresh")


# -- the switch -----------------------------------------------------------------------------------------------------

STEPS = ("link", "unlink", "replace")


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("steps", range(9))
def test_killed_between_any_two_steps_the_next_start_has_all(
    store: Path, monkeypatch: pytest.MonkeyPatch, steps: int
):
    """The damaged store's log holds a commit; whole it is under one name or the other, and the place is never empty."""
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        add(connection, OPEN, 999)
        log = Path(f"{store}-wal").read_bytes()
    Path(f"{store}-wal").write_bytes(log)
    fresh_place(store).write_bytes(b"fresh")
    left = [steps]

    def killing(work):
        def step(*arguments, **options):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return work(*arguments, **options)

        return step

    monkeypatch.setattr(setting_aside.os, "link", killing(os.link))
    for name in ("unlink", "replace"):
        monkeypatch.setattr(setting_aside.Path, name, killing(getattr(Path, name)))
    try:
        set_aside(store, NOW)
        is_killed = False
    except Killed:
        is_killed = True
    monkeypatch.undo()

    finish(store)

    assert is_killed == (steps < 5)
    kept = damaged_ones(store)
    if store.read_bytes() == b"fresh":
        assert len(kept) == 1
        assert not Path(f"{store}-wal").exists()
        whole = kept[0]
    else:
        whole = store
    assert Path(f"{whole}-wal").read_bytes() == log
    assert ("sos-2-999",) in rows(whole, "SELECT id FROM incident")


def test_where_the_second_name_cannot_be_made_nothing_has_moved(store: Path, monkeypatch: pytest.MonkeyPatch):
    fresh_place(store).write_bytes(b"fresh")
    before = store.read_bytes()

    def no_links(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(setting_aside.os, "link", no_links)
    with pytest.raises(OSError, match="No space"):
        set_aside(store, NOW)

    assert store.read_bytes() == before
    assert damaged_ones(store) == []


def test_what_is_left_to_bring_over_is_remembered_for_the_next_start(store: Path):
    note = UnfinishedNote(store)
    kept = setting_aside.kept_place(store, NOW)
    note.add(kept)
    assert note.read() == []  # it was not set aside
    kept.write_bytes(bytes(PAGE))

    note.finished(kept.name, "person")

    (unfinished,) = UnfinishedNote(store).read()
    assert (note.place(unfinished), unfinished.done) == (kept, ("person",))
    assert note.lacks_people()
    for table in unfinished.left:
        note.finished(kept.name, table)
    assert (note.read(), note.lacks_people()) == ([], False)
    assert list(store.parent.glob("*.salvage*")) == []


def test_rows_of_a_damaged_store_of_an_earlier_release_are_bound_as_by_an_upgrade(store: Path):
    """Such a store has no place for a code: without one nothing of it would be believed."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0009'")
        connection.execute("ALTER TABLE press DROP COLUMN bound")
        connection.commit()
    damaged = DamagedStore(store)

    bound, bare = (
        [row for rows in TableSalvage(damaged, "press", is_merged=True, keys=each).slices() for row in rows]
        for each in (keys, None)
    )

    damaged.close()
    named = [SimpleNamespace(**dict(zip(SHAPES["press"].names, row, strict=True))) for row in bound]
    assert len(named) == len(bare) == 3 * EACH
    assert all(is_sound_quietly(keys(), "press", row) for row in named)
    assert {row[-1] for row in bare} == {None}
