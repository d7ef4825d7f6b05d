"""``onetouch audit``: the chain read, verified against a log, and the retention proved."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telephony.domain.audit import (
    CLOSED_INCIDENT,
    FORGOTTEN,
    GAVE_ORDER,
    KEYS_ROTATED,
    SAW_AUDIT,
    SAW_CALLS,
    SAW_INCIDENT,
    SAW_INCIDENTS,
    SAW_PERSON,
    SAW_POSITION,
    WAS_REFUSED,
    Looked,
)
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.settings import load
from telephony.store.audit import append, entries
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.presses import NewPress, PressRecorder, Rules

NOW = datetime.now(UTC)
NUMBER = "+821012345678"
INCIDENT = "sos-20260301-7k3qwz2m9t"


class Office:
    """A store with a chain, and somebody who may write into it."""

    def __init__(self, run, config: Path):
        run("db", "upgrade", "--config", config)
        self._run = run
        self.config = config
        self.settings = load(config)
        self.writing, self.reading = open_engines(
            self.settings.database_url, KeyFile(self.settings.key_file).ring
        )

    def onetouch(self, *arguments, stdin=None):
        return self._run(*arguments[:2], "--config", self.config, *arguments[2:], stdin=stdin)

    def write(self, what=SAW_PERSON, subject=NUMBER, *, who="kim", why="letter", ago=timedelta(0)):
        with self.writing.connect() as connection, one_transaction(connection):
            return append(connection, Looked(who, what, subject, why, NOW - ago))

    def press(self, ago: timedelta) -> None:
        trigger = Trigger(
            source="sms", connector="skt-1", carrier="skt", msisdn=Msisdn("821012345678"), reference="a",
            received_at=NOW - ago, destination="112", text="help me", encoding="gsm0338",
        )  # fmt: skip
        record = PressRecorder(Rules(self.settings.plan, "onetouch", {}))
        with self.writing.connect() as connection, one_transaction(connection):
            record(connection, [NewPress(trigger, INCIDENT)])

    def sql(self, statement):
        connection = sqlite3.connect(self.settings.service.state_dir / "onetouch.sqlite")
        with connection:
            rows = connection.execute(statement).fetchall()
        connection.close()
        return rows

    def told(self):
        with self.reading.connect() as connection:
            return [(each.looked.what, each.looked.subject, each.looked.why) for each in entries(connection)]


@pytest.fixture
def office(run, config):
    office = Office(run, config)
    yield office
    office.writing.dispose()
    office.reading.dispose()


def log_of(folder: Path, entries) -> Path:
    """A daemon's log that has named these entries, among other lines."""
    path = folder / "onetouch.log"
    lines = ["no json", '{"event": "audited"}', '{"event":"delivered","what":"audited"}']
    lines += [
        json.dumps({"event": "audited", "audit_entry": each.number, "digest": each.short, "what": "x"})
        for each in entries
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_an_intact_chain_is_said_to_be_with_its_head(office, tmp_path):
    written = [office.write() for _ in range(5)]

    result = office.onetouch("audit", "verify", "--log", log_of(tmp_path, written))

    assert result.exit_code == 0
    assert "5 entries, 1 to 5" in result.output
    assert f"head {written[-1].digest.hex()}" in result.output
    assert "the chain is intact" in result.output


def test_without_a_log_it_says_what_cannot_be_seen(office):
    office.write()

    assert "an end that was cut off does not show" in office.onetouch("audit", "verify").output


def test_a_broken_chain_is_told_entry_by_entry_and_by_its_exit_code(office):
    for _ in range(9):
        office.write()
    office.sql("UPDATE audit SET at = at + 1 WHERE number = 2")
    office.sql("DELETE FROM audit WHERE number BETWEEN 5 AND 6")

    result = office.onetouch("audit", "verify")
    plain = json.loads(office.onetouch("audit", "verify", "--json").output.splitlines()[0])

    assert result.exit_code == 3
    assert "BROKEN: entry 2 was changed" in result.output
    assert "BROKEN: entries 5 to 6 missing" in result.output
    assert (plain["intact"], len(plain["problems"]), plain["entries"]) == (False, 2, 7)


TAMPERED = {
    "a time that is a text": "UPDATE audit SET at = 'yesterday' WHERE number = 2",
    "a time beyond all times": "UPDATE audit SET at = 9223372036854775807 WHERE number = 2",
    "a time that is a fraction": "UPDATE audit SET at = 1.5 WHERE number = 2",
    "contents that are a text": "UPDATE audit SET sealed = 'x' WHERE number = 2",
    "contents that are no text either": "UPDATE audit SET sealed = CAST(x'ff' AS TEXT) WHERE number = 2",
    "contents that are a number": "UPDATE audit SET sealed = 9223372036854775807 WHERE number = 2",
    "contents that are empty": "UPDATE audit SET sealed = x'' WHERE number = 2",
    "a digest that is a text": "UPDATE audit SET digest = CAST(x'ff' AS TEXT) WHERE number = 2",
    "a digest that is a number": "UPDATE audit SET digest = 99999999999 WHERE number = 2",
    "the last digest a number": "UPDATE audit SET digest = 99999999999 WHERE number = 3",
    "the digest before a number": "UPDATE audit SET previous = 7 WHERE number = 2",
    "an entry before the first": "INSERT INTO audit VALUES (0, 1, x'00', x'00', x'00')",
    "an entry far before the first": "INSERT INTO audit VALUES (-9223372036854775808, 1, x'00', x'00', x'00')",
    "an entry at the end of numbers": "INSERT INTO audit VALUES (9223372036854775807, 1, x'00', x'00', x'00')",
    "no table": "DROP TABLE audit",
    "a table without a column": "ALTER TABLE audit DROP COLUMN digest",
}


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_was_done_to_the_chain_it_is_broken_and_said_so(office, tmp_path, what):
    log = log_of(tmp_path, [office.write() for _ in range(3)])
    office.sql(TAMPERED[what])

    result = office.onetouch("audit", "verify", "--log", log)

    assert result.exit_code == 3
    assert "the chain is BROKEN" in result.output


def test_a_page_of_the_chain_that_is_damaged_breaks_it(office, tmp_path):
    log = log_of(tmp_path, [office.write(why="x" * 150) for _ in range(60)])
    office.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    office.writing.dispose()
    office.reading.dispose()
    file = office.settings.service.state_dir / "onetouch.sqlite"
    ((root,),) = office.sql("SELECT rootpage FROM sqlite_master WHERE name = 'audit'")
    with file.open("r+b") as opened:
        opened.seek((root - 1) * 4096)
        opened.write(b"\xa5" * 4096)

    result = office.onetouch("audit", "verify", "--log", log)

    assert result.exit_code == 3
    assert "cannot be read: " in result.output


def test_a_store_that_is_locked_is_not_called_broken(office):
    office.write()
    other = sqlite3.connect(office.settings.service.state_dir / "onetouch.sqlite", isolation_level=None)
    for engine in (office.writing, office.reading):
        engine.dispose()
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")

    result = office.onetouch("audit", "verify")

    other.close()
    assert result.exit_code == 1
    assert "locked" in result.output


@pytest.mark.parametrize("number", ["1e999", str(1 << 64), "-1", "1.5", "[]", '"1"', "true"])
def test_whatever_a_log_has_for_a_number_is_passed_over(office, tmp_path, number):
    office.write()
    log = tmp_path / "onetouch.log"
    log.write_text(f'{{"event": "audited", "audit_entry": {number}, "digest": "x"}}\n')

    result = office.onetouch("audit", "verify", "--log", log)

    assert result.exit_code == 0


def test_what_a_log_has_for_a_digest_does_not_write_to_the_terminal(office, tmp_path):
    office.write()
    log = tmp_path / "onetouch.log"
    log.write_text('{"event": "audited", "audit_entry": 1, "digest": "\\ud800\\u001b[2J"}\n')

    result = office.onetouch("audit", "verify", "--log", log)

    assert result.exit_code == 3
    assert "\\ud800\\x1b[2J there" in result.output


def test_a_cut_end_shows_against_a_log_also_from_standard_input(office, tmp_path):
    log = log_of(tmp_path, [office.write() for _ in range(6)])
    office.sql("DELETE FROM audit WHERE number > 4")

    for result in (
        office.onetouch("audit", "verify", "--log", log),
        office.onetouch("audit", "verify", "--log", "-", stdin=log.read_bytes()),
    ):
        assert result.exit_code == 3
        assert "entries 5 to 6 missing: the log names them" in result.output


def test_the_list_is_masked_filtered_and_itself_an_entry(office):
    office.write(why="first", ago=timedelta(days=3))
    office.write(SAW_INCIDENT, INCIDENT, who="lee", why="second")
    office.write(subject="+821099998888", why="third")

    def why(*options):
        lines = office.onetouch("audit", "list", "--json", *options).output.splitlines()
        return [json.loads(line)["why"] for line in lines if json.loads(line)["what"] != SAW_AUDIT]

    assert why() == ["first", "second", "third"]
    assert why("--about", "010-1234-5678") == ["first"]
    assert why("--about", INCIDENT) == ["second"]
    assert why("--who", "lee") == ["second"]
    assert why("--what", "person") == ["first", "third"]
    assert why("--since", f"{NOW - timedelta(days=1):%Y-%m-%d}") == ["second", "third"]
    listed = office.onetouch("audit", "list").output
    assert "8210******78" in listed
    assert "12345678" not in listed
    assert office.told()[-1] == (SAW_AUDIT, "", "the chain itself")
    assert (SAW_AUDIT, NUMBER, "the chain itself") in office.told()


def test_every_command_that_shows_something_leaves_an_entry(office):
    office.press(timedelta(0))

    office.onetouch("incidents", "list")
    office.onetouch("incidents", "show", INCIDENT)
    assert office.onetouch("incidents", "show", INCIDENT, "--positions").exit_code == 2
    office.onetouch("incidents", "show", INCIDENT, "--positions", "--why", "unit 12 asks")
    office.onetouch("calls", "list")
    office.onetouch("calls", "lift", INCIDENT, "--by", "desk 7")
    office.onetouch("incidents", "close", INCIDENT, "--reason", "found safe")
    office.onetouch("incidents", "close", "sos-none", "--reason", "found safe")
    office.onetouch("keys", "rotate")

    assert [(what, subject) for what, subject, _ in office.told()] == [
        (SAW_INCIDENTS, "incidents"),
        (SAW_INCIDENT, INCIDENT),
        (SAW_POSITION, INCIDENT),
        (SAW_CALLS, "live calls"),
        (GAVE_ORDER, INCIDENT),
        (CLOSED_INCIDENT, INCIDENT),
        (WAS_REFUSED, "sos-none"),
        (KEYS_ROTATED, ""),
    ]
    assert office.told()[2][2] == "unit 12 asks"
    assert "desk 7" in office.told()[4][2]
    assert office.onetouch("audit", "verify").exit_code == 0, "a change of keys leaves the chain as it is"


@pytest.mark.parametrize(
    "command", [("incidents", "list"), ("incidents", "show", INCIDENT), ("calls", "list"), ("audit", "list")]
)
def test_nothing_is_shown_where_the_entry_cannot_be_written(office, command):
    office.press(timedelta(0))
    office.sql("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full'); END")

    result = office.onetouch(*command)

    assert result.exit_code == 1
    assert "nothing is shown, for the audit chain cannot be written" in result.output
    assert "skt" not in result.output


def closed(office, ago):
    office.press(ago)
    at = int((NOW - ago).timestamp() * 1e6)
    office.sql(f"UPDATE incident SET state = 'closed', closed_at = {at}")
    office.sql("UPDATE delivery SET state = 'delivered'")


def by_kind(result):
    return {row["kind"]: row for row in map(json.loads, result.output.splitlines()) if "kind" in row}


def test_the_retention_proves_what_is_kept_and_what_is_overdue(office):
    closed(office, timedelta(days=400))

    before = office.onetouch("audit", "retention", "--json")
    assert before.exit_code == 1
    rows = {line["kind"]: line for line in map(json.loads, before.output.splitlines()[:-1])}
    assert (rows["incidents"]["overdue"], rows["incidents"]["late"], rows["incidents"]["last_run"]) == (
        1,
        1,
        None,
    )
    assert round(rows["incidents"]["oldest_days"]) == 400
    assert rows["texts"]["overdue"] == 1

    after = office.onetouch("audit", "retention", "--run", "--json")
    assert after.exit_code == 0
    assert {row["overdue"] for row in by_kind(after).values()} == {0}
    assert by_kind(after)["incidents"]["last_deleted"] == 1
    assert office.sql("SELECT count(*) FROM press") == [(0,)]
    assert [subject for what, subject, _ in office.told() if what == FORGOTTEN] == ["texts", "incidents"]


def test_the_retention_is_told_in_a_line_per_kind(office):
    closed(office, timedelta(days=40))

    told = office.onetouch("audit", "retention", "--run").output

    assert (
        "incidents             365 days           1 kept, the oldest 40.0 days; 0 overdue; last run" in told
    )
    assert len(told.splitlines()) == 10


def test_broken_notes_of_the_retention_do_not_matter(office):
    (office.settings.service.state_dir / "retention.json").write_text("{{{")

    assert office.onetouch("audit", "retention", "--run").exit_code == 0
