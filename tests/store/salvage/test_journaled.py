"""An incident whose row is lost is made whole of the journal: one press has one name, whoever brings it first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from telephony.domain.incident import Join
from telephony.domain.trigger import Trigger
from telephony.store.bound import is_sound_quietly
from telephony.store.engines import open_engines
from telephony.store.salvage.carrying import Carried, carry_over
from telephony.store.salvage.journaled import JournaledPresses
from telephony.store.salvage.reading import DamagedStore
from telephony.store.schema import incident, press
from telephony.store.upgrade import make_anew
from tests.doubles import NOON, keys, without_fsync
from tests.doubles import press as press_of
from tests.store.garbage import overwrite, pages_of, root_of
from tests.store.ledger import Ledger, fix

CALLERS = [f"8210123400{number:02d}" for number in range(60)]
NAMES = {f"sos-{caller}" for caller in CALLERS}


def presses() -> list[Trigger]:
    return [
        press_of(caller, received_at=NOON + timedelta(seconds=number))
        for number, caller in enumerate(CALLERS)
    ]


JOURNAL = [(trigger, f"sos-{trigger.msisdn.number}") for trigger in presses()]
"""What the journal has: the same presses, under the same names."""


@contextmanager
def at_work(file: Path) -> Iterator[Ledger]:
    """A store in use; afterwards all of it is in its one file."""
    writing, reading = open_engines(f"sqlite:///{file}", keys)
    without_fsync(writing)
    yield Ledger(writing)
    writing.dispose()
    reading.dispose()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store in its one file, with an incident of each caller that 112 has not been told of."""
    file = tmp_path / "store.sqlite"
    with at_work(file) as ledger:
        with ledger.engine.begin() as connection:
            make_anew(connection)
        ledger.record(*presses())
    return file


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The fresh store in use."""
    with at_work(tmp_path / "fresh") as ledger:
        yield ledger


def carried_over(store: Path, journal: list[tuple[Trigger, str]] | None) -> Carried:
    damaged = DamagedStore(store)
    now_s = NOON.timestamp() + 3600
    try:
        return carry_over(
            damaged,
            store.parent / "fresh",
            now_s,
            journaled=lambda: None if journal is None else JournaledPresses(keys(), journal),
        )
    finally:
        damaged.close()


DAMAGES = {
    "its row": lambda file: pages_of(file, "incident"),
    "its row and the index of names": lambda file: [
        *pages_of(file, "incident"),
        root_of(file, "sqlite_autoindex_incident_1"),
    ],
    "its row and that of its press": lambda file: [*pages_of(file, "incident"), *pages_of(file, "press")],
}


@pytest.mark.parametrize("what", DAMAGES)
def test_an_incident_of_which_the_journal_has_the_press_is_whole(store: Path, ledger: Ledger, what: str):
    overwrite(store, DAMAGES[what](store), seed=1)

    carried = carried_over(store, JOURNAL)

    assert (carried.open, carried.stand_ins, set(carried.restored)) == (len(CALLERS), (), NAMES)
    found = ledger.rows("incident")
    assert {(row["id"], row["msisdn"]) for row in found} == {(f"sos-{each}", each) for each in CALLERS}
    assert {(row["reference"], row["number"]) for row in ledger.rows("press")} == {
        (f"ref-{each}", 1) for each in CALLERS
    }
    with ledger.engine.connect() as connection:
        for table in (incident, press):
            rows = connection.execute(table.select()).fetchall()
            assert all(is_sound_quietly(keys(), table.name, row) for row in rows)


def test_the_journal_taken_up_after_it_finds_each_press_under_its_name(store: Path, ledger: Ledger):
    overwrite(store, pages_of(store, "incident"), seed=1)
    carried_over(store, JOURNAL)

    recorded = ledger.record(*presses())

    assert {each.receipt.incident_id for each in recorded} == NAMES
    assert Join.FIRST not in {each.receipt.joined for each in recorded}


def test_without_the_press_in_the_journal_a_stand_in_keeps_the_name(store: Path):
    overwrite(store, pages_of(store, "incident"), seed=1)

    carried = carried_over(store, JOURNAL[:20])

    assert set(carried.restored) == {name for _, name in JOURNAL[:20]}
    assert set(carried.stand_ins) == {name for _, name in JOURNAL[20:]}


def test_what_cannot_be_read_of_the_journal_keeps_no_store_from_being_made(store: Path):
    overwrite(store, pages_of(store, "incident"), seed=1)

    carried = carried_over(store, None)

    assert (set(carried.stand_ins), carried.restored) == (NAMES, ())


def test_what_hangs_on_the_incident_is_counted(store: Path, ledger: Ledger):
    with at_work(store) as before:
        before.locate(fix(), CALLERS[7])
    overwrite(store, pages_of(store, "incident"), seed=1)

    carried_over(store, JOURNAL)

    (row,) = [each for each in ledger.rows("incident") if each["msisdn"] == CALLERS[7]]
    (position,) = ledger.rows("position")
    assert (row["key"], row["position_count"], row["press_count"]) == (position["incident_key"], 1, 1)
    ledger.locate(fix(50, after_s=5), CALLERS[7])
    assert len(ledger.rows("position")) == 2


def test_of_two_incidents_of_one_caller_the_newer_one_is_hers(store: Path, ledger: Ledger):
    """The other was closed, since a caller has one that is open; its row is lost, and 112 hears what is left."""
    again = press_of(CALLERS[0], reference="later", received_at=NOON + timedelta(minutes=5))
    name = f"sos-{CALLERS[0]}"
    with at_work(store) as before:
        before.close(name)
        before.record(again)
    overwrite(store, pages_of(store, "incident"), seed=1)

    carried = carried_over(store, [*JOURNAL, (again, name)])

    assert set(carried.restored) == (NAMES - {name}) | {f"{name}a"}
    assert carried.stand_ins == (name,)
