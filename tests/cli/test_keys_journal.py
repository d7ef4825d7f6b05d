"""No key is forgotten under which a press stands that only the journal has."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from twisted.internet import task

from telephony.alarms import Alarms
from telephony.cli import keys_journal
from telephony.journal.journal import JOURNAL_FOLDER, Journal
from telephony.journal.refused import REFUSED_FILE, RefusedPresses
from telephony.settings import load
from telephony.settings.model import STORE_FILE
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.journal_position import put
from telephony.store.line_file import LineFile
from tests.awaiting import result_of
from tests.doubles import Inline, press


class Machine:
    """A machine with a store, whose daemon's files are in the test's hands."""

    def __init__(self, folder: Path, onetouch: Callable[..., Result]) -> None:
        self.folder = folder / JOURNAL_FOLDER
        self.onetouch = onetouch
        self.key_file = KeyFile(folder / "data.keys")
        self.settings_file = folder / "onetouch.toml"
        self.store = folder / STORE_FILE

    def daemon(self) -> Journal:
        """The journal of a daemon that runs."""
        clock = task.Clock()
        journal = Journal(
            self.folder,
            keys=self.key_file.ring,
            runner=Inline(),
            maker=Inline(),
            clock=clock,
            alarms=Alarms(clock),
        )
        journal.load()
        return journal

    def append(self, *references: str) -> Journal:
        journal = self.daemon()
        result_of(journal.append([(press(reference=each), f"sos-{each}") for each in references]))
        journal.stop()
        return journal

    def refuse(self, number: int) -> RefusedPresses:
        refused = RefusedPresses(
            LineFile(self.folder / REFUSED_FILE), keys=self.key_file.ring, runner=Inline(), clock=task.Clock()
        )
        refused.load()
        result_of(refused.keep(number, press(), "sos-1"))
        return refused

    def take_up(self, journal: Journal, number: int) -> None:
        writing, reading = open_engines(load(self.settings_file).database_url, self.key_file.ring)
        with writing.connect() as connection, one_transaction(connection):
            put(connection, journal.id, number)
        writing.dispose()
        reading.dispose()

    def rotate(self) -> Result:
        return self.onetouch("keys", "rotate", "--forget-old", "--config", self.settings_file)

    def key_ids(self) -> list[int]:
        return [key["id"] for key in json.loads(self.key_file.path.read_text())["keys"]]

    def entries_of_the_audit(self) -> int:
        with sqlite3.connect(self.store) as store:
            (count,) = store.execute("SELECT count(*) FROM audit").fetchone()
        return int(count)


@pytest.fixture
def machine(run, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(keys_journal, "WAITED_S", 0.3)
    run("db", "upgrade", "--config", config)
    run("keys", "init", "--config", config)
    return Machine(tmp_path, run)


def test_nothing_is_changed_while_the_store_lacks_a_press_of_the_journal(machine: Machine):
    journal = machine.append("1", "2", "3")
    machine.take_up(journal, 2)
    keys, audited = machine.key_ids(), machine.entries_of_the_audit()

    refused = machine.rotate()

    assert refused.exit_code == 1
    assert f"1 press is in {machine.folder} and not in the store yet" in refused.output
    assert "start the daemon" in refused.output
    assert (machine.key_ids(), machine.entries_of_the_audit()) == (keys, audited)


def test_presses_that_the_store_has_hold_up_nothing_though_their_segment_is_still_there(machine: Machine):
    journal = machine.append("1", "2", "3")
    machine.take_up(journal, 3)
    (old,) = machine.key_ids()

    rotated = machine.rotate()

    assert rotated.exit_code == 0, rotated.output
    assert f"forgot key {old}" in rotated.output
    assert list(machine.folder.glob("*.segment"))


def test_how_far_the_store_is_is_believed_under_the_new_key_alone(machine: Machine):
    journal = machine.append("1", "2")
    machine.take_up(journal, 2)
    machine.rotate()

    again = machine.rotate()

    assert again.exit_code == 0, again.output


def test_a_daemon_that_runs_is_waited_for(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    journal = machine.append("1")
    daemon = iter([partial(machine.take_up, journal, 1)])
    monkeypatch.setattr(keys_journal.time, "sleep", lambda _: next(daemon, lambda: None)())

    assert machine.rotate().exit_code == 0


def test_a_press_that_came_under_the_old_key_meanwhile_keeps_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    (old,) = machine.key_ids()
    monkeypatch.setattr(KeyFile, "add", adding(KeyFile.add, before=partial(machine.append, "1")))

    kept = machine.rotate()

    assert kept.exit_code == 1
    assert f"kept key {old}: 1 press is in {machine.folder} under it and not in the store yet" in kept.output
    assert old in machine.key_ids()


def test_a_press_that_the_store_refuses_keeps_its_key_until_the_daemon_has_sealed_it_again(machine: Machine):
    (old,) = machine.key_ids()
    machine.folder.mkdir()
    machine.refuse(1)

    kept = machine.rotate()

    assert kept.exit_code == 1
    assert f"kept key {old}: 1 press is" in kept.output
    machine.refuse(2)  # a daemon writes the file whole, under the key of now
    going_on = machine.rotate()
    assert f"forgot key {old}" in going_on.output


def test_a_folder_that_cannot_be_read_is_said_and_nothing_is_changed(machine: Machine):
    keys = machine.key_ids()
    machine.folder.mkdir()
    (machine.folder / REFUSED_FILE).mkdir()

    refused = machine.rotate()

    assert refused.exit_code == 1
    assert "Is a directory" in refused.output
    assert machine.key_ids() == keys


def test_keys_are_changed_without_a_word_of_it_where_old_ones_are_kept(machine: Machine):
    machine.append("1")

    rotated = machine.onetouch("keys", "rotate", "--config", machine.settings_file)

    assert rotated.exit_code == 0, rotated.output
    assert len(machine.key_ids()) == 2


def adding(add: Callable[[KeyFile], object], *, before: Callable[[], object]) -> Callable[[KeyFile], object]:
    def with_a_press_before(file: KeyFile) -> object:
        before()
        return add(file)

    return with_a_press_before
