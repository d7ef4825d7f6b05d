"""A look leaves a trace outside the store before it is shown, and says who looked by what the kernel knows."""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from telephony.cli.seat import account, seat
from telephony.domain.audit import Seat
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.settings import load
from telephony.store.audit import entries, head
from telephony.store.crypto import KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.presses import NewPress, PressRecorder, Rules
from tests.doubles import NOON

INCIDENT = "sos-20260301-7k3qwz2m9t"
ME = pwd.getpwuid(os.getuid()).pw_name


class Office:
    """A store with one incident, a system log that is read here, and somebody at a terminal."""

    def __init__(self, run, config: Path):
        self._run = run
        self.config = config
        self.folder = config.parent
        self.syslog = self.folder / "log"
        self.log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.log.bind(str(self.syslog))
        self.log.setblocking(False)
        self.set(syslog=str(self.syslog))
        self.onetouch("db", "upgrade")
        self.settings = load(config)
        self.anchors = self.settings.anchor_file

    def set(self, **keys):
        plain = self.config.read_text().partition("[audit]")[0]
        self.config.write_text(plain + "[audit]\n" + "".join(f'{k} = "{v}"\n' for k, v in keys.items()))

    def onetouch(self, *arguments):
        return self._run(*arguments[:2], "--config", self.config, *arguments[2:])

    def press(self) -> None:
        trigger = Trigger(
            source="sms", connector="skt-1", carrier="skt", msisdn=Msisdn("821012345678"), reference="a",
            received_at=NOON, destination="112", text="help me", encoding="gsm0338",
        )  # fmt: skip
        writing, reading = open_engines(self.settings.database_url, KeyFile(self.settings.key_file).ring)
        record = PressRecorder(Rules(self.settings.plan, "onetouch", {}))
        with writing.connect() as connection, one_transaction(connection):
            record(connection, [NewPress(trigger, INCIDENT)])
        writing.dispose()
        reading.dispose()

    def sql(self, statement):
        connection = sqlite3.connect(self.settings.service.state_dir / "onetouch.sqlite")
        with connection:
            connection.execute(statement)
        connection.close()

    def in_the_system_log(self):
        lines = []
        while True:
            try:
                lines.append(self.log.recv(10_000).decode())
            except BlockingIOError:
                return lines

    def chain(self):
        writing, reading = open_engines(self.settings.database_url, KeyFile(self.settings.key_file).ring)
        with reading.connect() as connection:
            last = head(connection)
            kept = list(entries(connection))
        writing.dispose()
        reading.dispose()
        return last, kept


@pytest.fixture
def office(run, config):
    office = Office(run, config)
    office.press()
    yield office
    office.log.close()


def test_a_look_is_named_in_the_system_log_and_the_anchor_file_without_a_daemon(office):
    assert office.onetouch("incidents", "show", INCIDENT).exit_code == 0

    last, (kept,) = office.chain()
    (line,) = office.in_the_system_log()
    assert re.match(r"<85>[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d onetouch\[\d+\]: \{", line), "authpriv.notice"
    for told in (json.loads(line[line.index("{") :]), json.loads(office.anchors.read_text())):
        assert (told["event"], told["audit_entry"], told["digest"]) == ("audited", last.number, last.short)
        assert (told["who"], told["uid"], told["what"]) == (kept.looked.who, os.getuid(), kept.looked.what)
        assert INCIDENT not in str(told)
    assert office.anchors.stat().st_mode & 0o777 == 0o600


def test_neither_a_delete_at_once_nor_one_of_the_anchor_file_too_leaves_no_trace(office, tmp_path):
    office.onetouch("incidents", "show", INCIDENT)
    office.onetouch("incidents", "list")
    system_log = tmp_path / "auth.log"
    system_log.write_text("\n".join(line.partition(">")[2] for line in office.in_the_system_log()))
    assert office.onetouch("audit", "verify", "--log", system_log).exit_code == 0

    office.sql("DELETE FROM audit WHERE number = 2")
    cut = office.onetouch("audit", "verify")
    assert cut.exit_code == 3
    assert "entry 2 missing: the log names them, and the chain ends at 1" in cut.output

    office.anchors.write_text(office.anchors.read_text().splitlines()[0] + "\n")
    assert office.onetouch("audit", "verify").exit_code == 0, "two places were cut in step"
    assert "entry 2 missing" in office.onetouch("audit", "verify", "--log", system_log).output

    office.anchors.unlink()
    assert "entry 1 was written by a command on this machine, and the anchor file does not name it" in (
        office.onetouch("audit", "verify").output
    )


def test_a_chain_that_was_emptied_or_begun_again_is_not_intact(office):
    office.onetouch("incidents", "list")
    office.sql("DELETE FROM audit")

    emptied = office.onetouch("audit", "verify")
    assert (emptied.exit_code, "the chain is BROKEN" in emptied.output) == (3, True)

    office.onetouch("incidents", "show", INCIDENT)
    assert "entry 1 is another than the log names" in office.onetouch("audit", "verify").output

    office.sql("DELETE FROM audit")
    office.anchors.unlink()
    emptied = office.onetouch("audit", "verify")
    assert "the chain is empty, and the store holds incidents" in emptied.output
    assert emptied.exit_code == 3


def test_an_empty_chain_over_an_empty_store_is_said_to_be_empty_and_not_intact(run, config):
    run("db", "upgrade", "--config", config)

    told = run("audit", "verify", "--config", config)

    assert told.exit_code == 0
    assert "nothing to verify" in told.output
    assert "intact" not in told.output
    assert json.loads(run("audit", "verify", "--json", "--config", config).output)["intact"] is False


@pytest.mark.parametrize(
    "command", [("incidents", "list"), ("incidents", "show", INCIDENT), ("audit", "list")]
)
def test_nothing_is_shown_where_no_place_takes_the_anchor(office, command):
    office.log.close()  # its socket is still there
    office.anchors.mkdir()

    result = office.onetouch(*command)

    assert result.exit_code == 1
    assert "nothing is shown, for no place outside the store takes the entry" in result.output
    assert "Connection refused" in result.output
    assert "skt" not in result.output


def test_a_setting_shows_all_the_same_and_says_that_there_is_no_anchor(office):
    office.anchors.mkdir()
    office.set(syslog="", unanchored="show")

    result = office.onetouch("incidents", "show", INCIDENT)

    assert result.exit_code == 0
    assert "NO ANCHOR OF THE AUDIT CHAIN" in result.output
    assert "skt" in result.output


def test_112_is_told_on_the_telephone_without_any_anchor(office):
    office.anchors.mkdir()
    office.set(syslog="")

    result = office.onetouch("incidents", "readout")

    assert result.exit_code == 0
    assert "NO ANCHOR" in result.output
    assert INCIDENT in result.output


def test_a_stopped_system_log_leaves_the_anchor_file_and_is_told(office):
    office.log.close()

    result = office.onetouch("incidents", "list")

    assert result.exit_code == 0
    assert "not anchored everywhere: the system log" in result.output
    assert json.loads(office.anchors.read_text())["audit_entry"] == 1


def test_a_line_that_a_full_disk_has_cut_spoils_no_other(office):
    office.anchors.write_text('{"event":"audi')

    office.onetouch("incidents", "list")

    assert json.loads(office.anchors.read_text().splitlines()[1])["audit_entry"] == 1


def test_an_anchor_file_is_not_written_through_a_symbolic_link(office):
    office.anchors.symlink_to(office.folder / "elsewhere")

    assert "not anchored everywhere: the anchor file" in office.onetouch("incidents", "list").output
    assert not (office.folder / "elsewhere").exists()


def test_what_the_environment_says_is_a_claim_and_never_the_account(office):
    lies = {
        "USER": "mallory",
        "LOGNAME": "mallory",
        "SUDO_USER": "boss",
        "SSH_CONNECTION": "192.0.2.7 1 192.0.2.1 22",
    }
    subprocess.run(
        [sys.executable, "-m", "telephony", "incidents", "false-alarm", INCIDENT, "--config", office.config,
         "--by", "Kim, desk 7", "--why", "unit 12 met her"],
        env={**os.environ, **lies}, check=True, capture_output=True, timeout=60,
    )  # fmt: skip

    _, (kept,) = office.chain()
    told = kept.looked
    assert told.who == account(seat())
    assert told.who.startswith(ME) or told.seat.login_uid is not None
    assert told.why == "by Kim, desk 7: unit 12 met her"
    assert (told.seat.uid, told.seat.host) == (os.getuid(), socket.gethostname())
    assert set(told.seat.claims) >= {
        "USER=mallory",
        "SUDO_USER=boss",
        "SSH_CONNECTION=192.0.2.7 1 192.0.2.1 22",
    }
    listed = office.onetouch("audit", "list")
    assert f"[on {socket.gethostname()}" in listed.output
    assert "mallory" not in listed.output


def test_redirecting_does_not_hide_the_terminal():
    """Under a real terminal, with all of input and output elsewhere."""
    code = (
        "import sys; from telephony.cli.seat import seat; print(seat().terminal, file=open('/dev/tty', 'w'))"
    )
    said = subprocess.run(
        ["script", "-qec", f'{sys.executable} -c "{code}" </dev/null >/dev/null 2>&1', "/dev/null"],
        capture_output=True, text=True, timeout=60, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert re.fullmatch(r"pts/\d+", said.stdout.strip())


def proc(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def login(line: bytes, host: bytes, kind: int = 7) -> bytes:
    return struct.pack("<h2xi32s4s32s256shhiii4I20x", kind, 77, line, b"1", b"kim", host, *[0] * 9)


def test_the_login_stands_behind_sudo_and_the_address_is_that_of_its_terminal(tmp_path):
    stat = f"77 (a) name) S 1 77 77 {136 << 8 | 3} 77 0"
    (tmp_path / "utmp").write_bytes(
        login(b"pts/2", b"192.0.2.1") + login(b"pts/3", b"old", 8) + login(b"pts/3", b"192.0.2.9") + b"torn"
    )

    at = seat(proc(tmp_path, stat=stat, loginuid="65534", sessionid="12"), tmp_path / "utmp", {})

    assert (at.terminal, at.address, at.login_uid, at.session) == ("pts/3", "192.0.2.9", 65534, 12)
    assert at.person_uid == 65534
    assert account(at) == f"nobody (as {ME})"


def test_a_process_of_no_login_is_its_real_uid_s(tmp_path):
    unset = str(0xFFFF_FFFF)

    at = seat(
        proc(tmp_path, stat="77 (x) S 1 77 77 0 -1 0", loginuid=unset, sessionid=unset), tmp_path / "none", {}
    )

    assert (at.terminal, at.address, at.login_uid, at.session) == ("", "", None, None)
    assert account(at) == ME
    assert account(Seat(uid=4_000_000_001)) == "uid 4000000001"
