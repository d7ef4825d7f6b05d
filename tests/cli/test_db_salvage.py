"""``onetouch db salvage`` and ``db check``: a damaged store is named as such, and what can be read of it is brought over."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telephony.domain.audit import SAW_PERSON, Looked
from telephony.store.audit import append
from telephony.store.bound import UNSETTLED, bind
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from tests.store.garbage import overwrite, pages_of, root_of
from tests.store.people_drafts import Office, number, pupil

PEOPLE = 120


def office_of(file: Path) -> Office:
    writing, _ = open_engines(f"sqlite:///{file}", KeyFile(file.parent / "data.keys").ring)
    return Office(writing, file.parent)


@pytest.fixture
def store(config: Path, run) -> Path:
    """A store with people and an audit chain, in good order and closed."""
    assert run("db", "upgrade", "--config", config).exit_code == 0
    file = config.parent / "onetouch.sqlite"
    office = office_of(file)
    office.enrol([pupil(index) for index in range(PEOPLE)])
    for index in range(60):
        looked = Looked("kim", SAW_PERSON, f"8210{index}", "asked", datetime(2026, 11, 30, tzinfo=UTC))
        office.run(append, looked)
    office.writing.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def report_of(run, config: Path, *more: object) -> tuple[int, dict]:
    result = run("db", "salvage", "--config", config, "--json", *more)
    return result.exit_code, json.loads(result.stdout)


def test_a_sound_store_is_salvaged_whole_into_a_new_file(config: Path, store: Path, run):
    code, report = report_of(run, config)

    target = Path(report["to"])
    assert (code, report["outcome"]) == (0, "whole")
    assert target.name.startswith("onetouch.sqlite.salvaged-")
    assert target.stat().st_mode & 0o777 == 0o600
    assert report["audit_chain"] == {"whole": True, "said": "whole, 60 entries"}
    office = office_of(target)
    assert office.find(number(7)).name == "김하늘7"
    office.writing.dispose()
    assert store.exists()


def test_lost_people_are_counted_and_the_rest_is_found_by_number_again(config: Path, store: Path, run):
    overwrite(store, [pages_of(store, "person")[1], root_of(store, "person_number")], seed=1)

    checked = run("db", "check", "--config", config)
    code, report = report_of(run, config)

    assert checked.exit_code == 1
    assert "person_number        DAMAGED" in checked.stdout
    assert "onetouch db salvage" in checked.stderr
    tables = {each["table"]: each for each in report["tables"]}
    lost = PEOPLE - tables["person"]["read"]
    assert (code, report["outcome"]) == (3, "partial")
    assert lost > 0
    assert (tables["person"]["lost_pages"], len(tables["person"]["lost_between"])) == (1, 1)
    assert tables["person_number"]["read"] < PEOPLE
    office = office_of(Path(report["to"]))
    found = [office.find(number(index)) is not None for index in range(PEOPLE)]
    office.writing.dispose()
    assert found.count(False) == lost


def test_when_lost_rows_were_made_is_told_by_the_services_clock_and_to_programs_in_utc(
    config: Path, store: Path, run, tmp_path: Path
):
    overwrite(store, [pages_of(store, "person")[1]], seed=1)

    told = run("db", "salvage", "--config", config, "--to", tmp_path / "one.sqlite").stdout
    in_utc = run("db", "salvage", "--config", config, "--to", tmp_path / "two.sqlite", "--utc").stdout
    _, report = report_of(run, config, "--to", tmp_path / "three.sqlite")

    day = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.search(rf"lost between {day} KST and {day} KST", told)
    assert re.search(rf"lost between {day} UTC and {day} UTC", in_utc)
    [[after, upto]] = next(each["lost_between"] for each in report["tables"] if each["table"] == "person")
    assert datetime.fromisoformat(after) < datetime.fromisoformat(upto)
    assert after.endswith("+00:00")


def test_into_the_store_in_use_comes_what_it_lacks_and_nothing_that_is_owed(config: Path, store: Path, run):
    kept = store.with_name("onetouch.sqlite.damaged-20261130T000000Z")
    with closing(sqlite3.connect(store)) as connection:
        ring = KeyFile(store.with_name("data.keys")).ring()
        for key, state in ((5, "pending"), (6, "delivered")):
            said = (key, "centre-a", 1, "alert", "{}", UNSETTLED if state == "pending" else state)
            connection.execute(
                "INSERT INTO delivery VALUES (?, ?, ?, ?, ?, NULL, ?, 0, 1, 1, NULL, 0, 2, NULL, 1, ?)",
                (*said[:5], state, bind(ring, "delivery", said)),
            )
        connection.commit()
    store.rename(kept)
    assert run("db", "upgrade", "--config", config).exit_code == 0

    result = run("db", "salvage", "--config", config)
    again, report = report_of(run, config)

    assert result.exit_code == again == 0
    assert f"from {kept}" in result.stdout
    assert "everything was read" in result.stdout
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT incident_key FROM delivery").fetchall() == [(6,)]
        assert connection.execute("SELECT count(*) FROM person").fetchone() == (PEOPLE,)
    assert {each["written"] for each in report["tables"]} == {0}
    assert str(kept) in run("db", "check", "--config", config).stdout


def test_of_a_file_of_garbage_nothing_can_be_read_and_the_code_says_so(config: Path, store: Path, run):
    store.write_bytes(b"\xa5" * 100_000)

    checked = run("db", "check", "--config", config)
    code, report = report_of(run, config)

    assert checked.exit_code == 1
    assert "the whole file" in checked.stdout
    assert (code, report["outcome"]) == (4, "nothing")


def test_octets_that_changed_within_a_row_show_when_it_is_opened(config: Path, store: Path, run):
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(
            "UPDATE person SET sealed = zeroblob(length(sealed)) WHERE key IN (SELECT key FROM person LIMIT 3)"
        )
        connection.commit()

    code, report = report_of(run, config)

    tables = {each["table"]: each for each in report["tables"]}
    assert (code, tables["person"]["read"], tables["person"]["not_opened"]) == (3, PEOPLE, 3)


def test_what_cannot_be_done_is_said_in_a_line(config: Path, store: Path, run):
    same = run("db", "salvage", "--config", config, "--from", store, "--to", store)
    other = store.with_name("notes.txt")
    other.write_bytes(b"")
    no_store = run("db", "salvage", "--config", config, "--to", other)

    assert (same.exit_code, no_store.exit_code) == (2, 1)
    assert "are the same file" in same.stderr
    assert "is no store of this version" in no_store.stderr
