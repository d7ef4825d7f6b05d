"""An export and a change of keys take two people, where the settings ask for it."""

from __future__ import annotations

import pwd
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telephony.cli import seat as seats
from telephony.cli.second_person import Act
from telephony.domain.audit import APPROVED, Looked
from telephony.settings import load
from telephony.store.audit import append, entries
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines

KIM, LEE = 4_000_000_001, 4_000_000_002
WHY = ("--why", "order: letter 2026-114")


class Office:
    """A store, and people who log in one after the other."""

    def __init__(self, run, config: Path, folder: Path, monkeypatch):
        self._run, self.config, self._monkeypatch = run, config, monkeypatch
        self._real = seats.seat()
        self.file = folder / "people.csv"
        run("db", "upgrade", "--config", config)
        config.write_text(config.read_text() + "[audit]\nsecond_person = true\n")
        self.settings = load(config)

    def log_in(self, uid, *, root=False):
        at = replace(self._real, uid=0 if root else uid, login_uid=uid)
        self._monkeypatch.setattr(seats, "seat", lambda: at)

    def onetouch(self, *arguments):
        return self._run(*arguments[:2], "--config", self.config, *arguments[2:])

    def approve(self, act, account):
        return self.onetouch("audit", "approve", act, "--for", account, *WHY)

    def export(self):
        result = self.onetouch("people", "export", self.file, *WHY)
        was_written = self.file.exists()
        self.file.unlink(missing_ok=True)
        assert was_written == (result.exit_code == 0)
        return result

    def chain(self, work=lambda connection: list(entries(connection))):
        writing, reading = open_engines(self.settings.database_url, KeyFile(self.settings.key_file).ring)
        with writing.connect() as connection, one_transaction(connection):
            found = work(connection)
        writing.dispose()
        reading.dispose()
        return found


@pytest.fixture
def office(run, config, tmp_path, monkeypatch):
    return Office(run, config, tmp_path, monkeypatch)


def test_an_export_is_done_once_after_another_person_has_approved_it(office):
    office.log_in(KIM)
    alone = office.export()
    assert alone.exit_code == 1
    assert f"onetouch audit approve export --for {KIM}" in alone.output
    assert office.chain() == []

    office.log_in(LEE)
    assert office.approve("export", KIM).exit_code == 0
    office.log_in(KIM, root=True)
    assert office.export().exit_code == 0
    assert office.export().exit_code == 1, "it has served"

    approval, export = office.chain()
    assert (approval.looked.what, approval.looked.who) == (APPROVED, f"uid {LEE}")
    assert export.looked.why == f"approved by uid {LEE} in entry 1; {WHY[1]}"
    assert export.looked.seat.login_uid == KIM


def test_nobody_approves_for_themselves_also_not_by_becoming_root(office):
    office.log_in(KIM)
    assert office.approve("export", KIM).exit_code == 2
    office.log_in(KIM, root=True)
    assert office.approve("export", KIM).exit_code == 2
    # Approving for root and then being root is the same person again.
    office.approve("export", pwd.getpwuid(0).pw_name)
    own = Looked("kim", APPROVED, Act.EXPORT.request_of(KIM), "by hand", datetime.now(UTC), seats.seat())
    office.chain(lambda connection: append(connection, own))

    assert office.export().exit_code == 1


def test_an_approval_is_for_one_act_and_one_person(office):
    office.log_in(LEE)
    office.approve("rotation", KIM)
    office.approve("export", LEE + 1)

    office.log_in(KIM)
    assert office.export().exit_code == 1


def test_no_key_is_made_before_a_second_person_has_approved_it(office):
    key = KeyFile(office.settings.key_file).ring().current.id
    office.log_in(KIM)
    assert office.onetouch("keys", "rotate").exit_code == 1
    assert KeyFile(office.settings.key_file).ring().current.id == key

    office.log_in(LEE)
    office.approve("rotation", KIM)
    office.log_in(KIM)
    assert office.onetouch("keys", "rotate").exit_code == 0
    assert KeyFile(office.settings.key_file).ring().current.id != key


def test_an_approval_of_long_ago_has_expired_and_one_that_was_redated_is_refused(office):
    at = datetime.now(UTC) - timedelta(minutes=16)
    lee = replace(office._real, uid=LEE, login_uid=LEE)
    office.chain(lambda c: append(c, Looked("lee", APPROVED, Act.EXPORT.request_of(KIM), "letter", at, lee)))
    office.log_in(KIM)
    assert "a second person has to approve" in office.export().output

    connection = sqlite3.connect(office.settings.service.state_dir / "onetouch.sqlite")
    with connection:
        connection.execute("UPDATE audit SET at = at + 600000000")
    connection.close()
    redated = office.export()
    assert redated.exit_code == 1
    assert "it was changed" in redated.output


def test_an_account_that_is_not_there_is_told(office):
    assert "there is no account no-such" in office.approve("export", "no-such").output


def test_without_the_setting_one_person_is_enough(office):
    office.config.write_text(
        office.config.read_text().replace("second_person = true", "second_person = false")
    )

    assert office.export().exit_code == 0
