"""Reading a damaged store: never an error, and what stands on pages that are sound is always found."""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from telephony.domain.errors import Malformed
from telephony.store.salvage.reading import DamagedStore, Reading, damage_of
from telephony.store.salvage.shapes import SHAPES, Row
from telephony.store.salvage.sqlite_format import node_of, record_of, varint
from telephony.store.salvage.sqlite_log import log_of
from telephony.store.upgrade import make_anew
from tests.store.garbage import PAGE, pages_of, root_of

INCIDENTS = 150
FIRST_KEY = 1_790_000_000_000_000 << 8


def row_of(table: str, number: int, rng: random.Random) -> Row:
    """Return a row as the service writes it: keys that grow, octets of chance in the place of what is sealed."""
    values: list[object] = []
    for column in SHAPES[table].columns:
        if column.types == (bytes,):
            long = rng.randrange(2000, 9000) if rng.random() < 0.03 else rng.randrange(20, 200)
            values.append(rng.randbytes(column.octets or long))
        elif column.types == (str,):
            values.append(
                f"{column.name}-{number}" if column.is_key or column.name in {"id", "name"} else column.name
            )
        elif "key" in column.name and column.name != "key_id":
            values.append(FIRST_KEY + number * 1000)
        else:
            values.append(number if column.is_key else rng.choice([0, 1, 70_000, 1_790_000_000_000_000]))
    return tuple(values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, set[Row]]]:
    """A whole store of some hundred pages, and all its rows."""
    file = tmp_path_factory.mktemp("sound") / "store.sqlite"
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        make_anew(connection)
    engine.dispose()
    rng = random.Random(1)
    rows: dict[str, set[Row]] = {}
    with closing(sqlite3.connect(file)) as connection:
        for table, shape in SHAPES.items():
            many = 1 if table == "key_proof" else INCIDENTS
            made = [row_of(table, number, rng) for number in range(1, many + 1)]
            marks = ", ".join("?" * len(shape.columns))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", made)
            rows[table] = set(made)
        connection.commit()
    return file, rows


def read(file: Path) -> tuple[dict[str, list[Row]], dict[str, Reading], int]:
    """Read everything that can be read."""
    store = DamagedStore(file)
    try:
        readings = {table: Reading(table, store.is_sound(table)) for table in SHAPES}
        found = {table: list(store.rows(table, readings[table])) for table in SHAPES}
        return found, readings, store.unplaced
    finally:
        store.close()


def cells(file: Path) -> dict[int, int]:
    """Return how many rows stand in each page; an overflow page holds a part of one."""
    with closing(sqlite3.connect(file)) as connection:
        return {page: max(1, count) for page, count in connection.execute("SELECT pageno, ncell FROM dbstat")}


def test_a_sound_store_is_read_whole_by_sqlite_and_from_its_bare_pages(
    sound: tuple[Path, dict[str, set[Row]]],
):
    file, rows = sound

    by_sqlite, readings, _ = read(file)
    store = DamagedStore(file)
    by_pages = {
        table: set(store.trees.rows(shape, Reading(table, is_sound=False).loss))
        for table, shape in SHAPES.items()
    }
    store.close()

    assert {table: set(found) for table, found in by_sqlite.items()} == rows
    assert all(reading.is_sound for reading in readings.values())
    assert by_pages == rows
    assert damage_of(file) is None


Spoil = Callable[[bytes, random.Random], bytes]
GARBAGE: dict[str, Spoil] = {
    "chance": lambda page, rng: rng.randbytes(len(page)),
    "zeros": lambda page, _: bytes(len(page)),
    "one octet": lambda page, rng: _with(page, rng.randrange(len(page)), rng.randbytes(1)),
    "a sector": lambda page, rng: _with(page, rng.randrange(8) * 512, rng.randbytes(512)),
    "the first octets": lambda page, rng: _with(page, 0, rng.randbytes(12)),
    "moved octets": lambda page, rng: page[(cut := rng.randrange(1, 64)) :] + page[:cut],
    "ones": lambda page, _: b"\xff" * len(page),
}


def _with(page: bytes, at: int, octets: bytes) -> bytes:
    return page[:at] + octets + page[at + len(octets) :]


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("seed", range(4))
def test_what_stands_on_sound_pages_is_found_whatever_stands_on_others(
    sound: tuple[Path, dict[str, set[Row]]], tmp_path: Path, kind: str, seed: int
):
    file, rows = sound
    damaged = tmp_path / "store.sqlite"
    octets = bytearray(file.read_bytes())
    rng = random.Random(f"{kind} {seed}")
    many = len(octets) // PAGE
    spoilt = rng.sample(range(1, many + 1), (1, 5, many // 4, 2 * many // 3)[seed])
    for page in spoilt:
        place = slice((page - 1) * PAGE, page * PAGE)
        octets[place] = GARBAGE[kind](bytes(octets[place]), rng)
    damaged.write_bytes(octets)

    found, readings, unplaced = read(damaged)

    lost = sum(len(rows[table] - set(found[table])) for table in SHAPES)
    by_page = cells(file)
    # Rows that look like those of another table are not placed where both have lost their trees.
    bound = sum(by_page.get(page, 0) for page in spoilt) + unplaced * 200
    assert lost <= bound
    # Octets within what is sealed, which may have a page of its own, are changed without a trace: that such a row does not
    # open shows when it is opened.
    gone = sum(max(0, len(rows[table]) - len(found[table])) for table in SHAPES)
    if gone and kind in {"chance", "zeros", "ones"}:
        assert any(reading.loss.estimate for reading in readings.values()) or unplaced


@pytest.mark.parametrize("table", ["delivery", "incident", "press", "person"])
def test_a_root_page_costs_no_row_of_its_table_but_its_own(
    sound: tuple[Path, dict[str, set[Row]]], tmp_path: Path, table: str
):
    """Rows of a table WITHOUT ROWID stand in the pages that lead to others too."""
    file, rows = sound
    root = root_of(file, table)
    damaged = tmp_path / "store.sqlite"
    octets = bytearray(file.read_bytes())
    octets[(root - 1) * PAGE : root * PAGE] = random.Random(table).randbytes(PAGE)
    damaged.write_bytes(octets)

    found, readings, _ = read(damaged)

    own = 0 if SHAPES[table].has_rowid else cells(file)[root]
    assert set(found[table]) <= rows[table]
    assert len(rows[table] - set(found[table])) == own
    assert not readings[table].is_sound
    assert damage_of(damaged) is not None


def test_a_leaf_that_is_lost_is_told_with_the_keys_that_stood_in_it(
    sound: tuple[Path, dict[str, set[Row]]], tmp_path: Path
):
    file, rows = sound
    many = cells(file)
    leaf = max(pages_of(file, "incident")[1:-1], key=lambda page: many[page])
    damaged = tmp_path / "store.sqlite"
    octets = bytearray(file.read_bytes())
    octets[(leaf - 1) * PAGE : leaf * PAGE] = bytes(PAGE)
    damaged.write_bytes(octets)

    found, readings, _ = read(damaged)

    lost = sorted(row[0] for row in rows["incident"] - set(found["incident"]))  # type: ignore[type-var]
    loss = readings["incident"].loss
    (gap,) = loss.ranges
    assert loss.pages == 1
    assert len(lost) == many[leaf]
    assert len(lost) / 3 < loss.estimate < len(lost) * 3
    assert gap.after < lost[0] <= lost[-1] <= gap.upto  # type: ignore[operator]


@pytest.mark.parametrize(
    "octets", [b"", b"x", b"\x00" * 5000, b"SQLite format 3\x00" + bytes(84), b"\x0d" * 9000]
)
def test_what_is_no_store_at_all_is_read_as_an_empty_one(tmp_path: Path, octets: bytes):
    file = tmp_path / "store.sqlite"
    file.write_bytes(octets)

    found, _, _ = read(file)

    assert not any(found.values())


def test_a_file_that_was_cut_gives_what_is_left(sound: tuple[Path, dict[str, set[Row]]], tmp_path: Path):
    file, rows = sound
    damaged = tmp_path / "store.sqlite"
    damaged.write_bytes(file.read_bytes()[: file.stat().st_size // 2 + 100])

    found, _, _ = read(damaged)

    assert sum(map(len, found.values())) > sum(map(len, rows.values())) // 4
    assert all(set(found[table]) <= rows[table] for table in SHAPES)


# -- the log --------------------------------------------------------------------------------------------------------


@pytest.fixture
def with_log(sound: tuple[Path, dict[str, set[Row]]], tmp_path: Path) -> Path:
    """A store whose newest rows, one for each of twenty commits, stand in its log."""
    file = tmp_path / "live.sqlite"
    shutil.copy(sound[0], file)
    rng = random.Random(2)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        marks = ", ".join("?" * len(SHAPES["person"].columns))
        for number in range(1001, 1021):
            connection.execute(f"INSERT INTO person VALUES ({marks})", row_of("person", number, rng))
        copy = tmp_path / "copy.sqlite"
        shutil.copy(file, copy)
        shutil.copy(f"{file}-wal", f"{copy}-wal")
    return copy


def new_ones(found: dict[str, list[Row]]) -> int:
    return sum(row[0] > FIRST_KEY + 1000 * 1000 for row in found["person"])  # type: ignore[operator]


def test_rows_of_the_log_are_read(with_log: Path):
    assert new_ones(read(with_log)[0]) == 20


def test_what_was_committed_behind_a_damaged_page_of_the_log_is_read_too(with_log: Path):
    """SQLite itself forgets it."""
    log = Path(f"{with_log}-wal")
    octets = bytearray(log.read_bytes())
    frame = 32 + 5 * (PAGE + 24)
    octets[frame + 24 + 100 : frame + 24 + 600] = random.Random(3).randbytes(500)
    log.write_bytes(octets)
    other = with_log.with_name("other.sqlite")
    shutil.copy(with_log, other)
    shutil.copy(log, f"{other}-wal")

    found, readings, _ = read(with_log)

    with closing(sqlite3.connect(other)) as connection:
        (kept,) = connection.execute(
            "SELECT count(*) FROM person WHERE key > ?", (FIRST_KEY + 1000 * 1000,)
        ).fetchone()
    assert kept < 10
    assert new_ones(found) >= 19
    assert not readings["person"].is_sound


# -- any octets -----------------------------------------------------------------------------------------------------


@given(st.binary(min_size=400, max_size=600), st.integers(min_value=0, max_value=600))
def test_no_octets_make_the_codecs_raise_anything_but_malformed(octets: bytes, at: int):
    for kind in (2, 5, 10, 13):
        with suppress(Malformed):
            node_of(bytes([kind]) + octets, 512)
    with suppress(Malformed):
        record_of(octets)
    with suppress(Malformed):
        varint(octets, at)
    head = struct.pack(">8I", 0x377F0682, 3007000, 512, 0, 1, 2, 3, 4)
    for log in (octets, head + octets):
        assert Counter(log_of(lambda start, size, log=log: log[start : start + size]).pages).total() >= 0  # type: ignore[misc]


@given(st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1))
def test_a_number_is_read_as_sqlite_writes_it(number: int):
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, number))
        page = connection.serialize()[PAGE : 2 * PAGE]

    (cell,) = node_of(page, PAGE).cells

    assert (cell.rowid, record_of(cell.local)) == (number, (None, number))
