"""A recording is played after an entry in the audit chain and its anchor, whole or with a clear word about what is missing."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from telephony.cli import seat as seats
from telephony.domain.audit import EXPORTED_RECORDINGS, OWN_DATA, PLAYED_RECORDING, SAW_RECORDINGS
from telephony.settings import load
from telephony.store import schema
from telephony.store.audit import entries
from telephony.store.crypto import TAG_OCTETS, KeyFile
from telephony.store.engines import one_transaction, open_engines
from telephony.store.recordings.register import listed, register
from telephony.store.recordings.sealed import CHUNK, HEAD
from tests.doubles import NOON, press
from tests.store.ledger import Ledger, call_record
from tests.store.recording_drafts import name_of, recording, reference_of, sealed_file

WHY = ("--why", "order: letter 2026-114")
LONG = os.urandom(3 * CHUNK + 44)
KIM, LEE = 4_000_000_001, 4_000_000_002


class Desk:
    """A store with two recordings on this machine."""

    def __init__(self, run, config, folder):
        self._run, self.config, self.folder = run, config, folder
        run("db", "upgrade", "--config", config)
        self.settings = load(config)
        self.keys = KeyFile(self.settings.key_file)
        for n in (1, 2):
            sealed_file(self.file(n), self.keys.ring(), LONG, name_of(n))
            self.know(n)

    def file(self, n=1):
        return self.folder / f"{name_of(n)}.sealed"

    def know(self, n, host=None):
        drawn = recording(n, ended_at=NOON + timedelta(seconds=n), path=str(self.file(n)))
        known = replace(drawn, host=host or socket.gethostname())
        self.transact(lambda connection: register(connection, [known]))

    def transact(self, work):
        writing, reading = open_engines(self.settings.database_url, self.keys.ring)
        with writing.connect() as connection, one_transaction(connection):
            found = work(connection)
        writing.dispose()
        reading.dispose()
        return found

    def onetouch(self, *arguments):
        return self._run(*arguments[:2], "--config", self.config, *arguments[2:])

    def looks(self):
        return [(each.looked.what, each.looked.why) for each in self.transact(lambda c: list(entries(c)))]

    def damage(self, chunk, n=1):
        octets = bytearray(self.file(n).read_bytes())
        octets[HEAD + chunk * (CHUNK + TAG_OCTETS) + 100] ^= 1
        self.file(n).write_bytes(octets)


@pytest.fixture
def desk(run, config, tmp_path):
    return Desk(run, config, tmp_path)


@pytest.mark.parametrize("said", ["last", name_of(2).removesuffix(".wav"), "20261123-voice-1-120000-2"])
def test_a_recording_is_named_by_a_beginning_or_as_the_last(desk, tmp_path, said):
    out = tmp_path / "call.wav"

    assert desk.onetouch("recordings", "play", said, "-o", out, *WHY).exit_code == 0

    assert desk.looks()[-1][1].endswith(f"({name_of(2)})")


def test_the_beginning_of_several_recordings_lists_them(desk, tmp_path):
    result = desk.onetouch("recordings", "play", "sos-", "-o", tmp_path / "call.wav", *WHY)

    assert result.exit_code == 1
    assert f"is the beginning of {name_of(2)}, {name_of(1)}: write more of it" in result.output


def test_an_incident_with_recordings_is_named_alike(desk, tmp_path):
    listed = desk.onetouch("recordings", "list", "last", "--json").output.splitlines()
    begun = desk.onetouch("recordings", "list", name_of(1).removesuffix(".wav")[:-1], "--json")

    assert [json.loads(each)["name"] for each in listed] == [name_of(2)]
    assert begun.exit_code == 1
    assert "is the beginning of" in begun.output
    exported = desk.onetouch("recordings", "export", "last", "--to", tmp_path / "out", *WHY)
    assert exported.exit_code == 0, exported.output


def test_a_recording_is_played_into_a_file_of_ones_own_after_an_entry(desk, tmp_path):
    out = tmp_path / "call.wav"

    result = desk.onetouch("recordings", "play", name_of(), "-o", out, *WHY)

    assert result.exit_code == 0, result.output
    assert out.read_bytes() == LONG
    assert out.stat().st_mode & 0o777 == 0o600
    assert desk.looks() == [(PLAYED_RECORDING, f"order: letter 2026-114 ({name_of()})")]


def test_a_player_gets_it_over_a_pipe_and_nothing_plain_stays(desk, tmp_path):
    before = sorted(each.name for each in tmp_path.iterdir())
    heard = tmp_path / "heard"

    result = desk.onetouch("recordings", "play", name_of(), "--player", f"tee {heard}", *WHY)

    assert result.exit_code == 0, result.output
    assert heard.read_bytes() == LONG
    heard.unlink()
    after = sorted(each.name for each in tmp_path.iterdir())
    assert [name for name in after if name not in before] in ([], ["audit.anchors"])


def test_a_player_that_is_shut_early_ends_it_quietly(desk):
    assert desk.onetouch("recordings", "play", name_of(), "--player", "true", *WHY).exit_code == 0


def test_a_player_that_is_not_there_is_said(desk):
    result = desk.onetouch("recordings", "play", name_of(), "--player", "/no/such/player", *WHY)

    assert result.exit_code == 2
    assert "cannot be started" in result.output


def test_where_no_place_takes_the_entry_nothing_is_played(desk, tmp_path):
    anchors = tmp_path / "no-such-folder" / "anchors"
    desk.config.write_text(desk.config.read_text() + f'[audit]\nsyslog = ""\nanchor_file = "{anchors}"\n')
    out = tmp_path / "call.wav"

    result = desk.onetouch("recordings", "play", name_of(), "-o", out, *WHY)

    assert result.exit_code == 1
    assert "nothing is shown" in result.output
    assert not out.exists()


def test_a_file_that_is_there_is_never_written_over(desk, tmp_path):
    out = tmp_path / "call.wav"
    out.write_bytes(b"mine")

    result = desk.onetouch("recordings", "play", name_of(), "-o", out, *WHY)

    assert "exists already; name a new file" in result.output
    assert out.read_bytes() == b"mine"


def test_of_a_damaged_one_what_comes_before_is_given_and_the_gap_named(desk, tmp_path):
    desk.damage(2)
    out = tmp_path / "call.wav"

    result = desk.onetouch("recordings", "play", name_of(), "-o", out, *WHY)

    assert result.exit_code == 1
    assert out.read_bytes() == LONG[: 2 * CHUNK]
    assert "is DAMAGED from 0:08 (chunk 2 was changed, or belongs elsewhere) on" in result.output
    assert "--skip-damage" in result.output


def test_what_comes_behind_the_damage_is_given_where_it_is_wanted(desk, tmp_path):
    desk.damage(1)
    out = tmp_path / "call.wav"

    result = desk.onetouch("recordings", "play", name_of(), "-o", out, "--skip-damage", *WHY)

    assert result.exit_code == 1
    assert out.read_bytes() == LONG[:CHUNK] + bytes(CHUNK) + LONG[2 * CHUNK :]
    assert "is DAMAGED at 0:04" in result.output


def test_the_recording_of_another_call_is_not_played_under_this_ones_entry(desk, tmp_path):
    desk.file(2).replace(desk.file(1))
    out = tmp_path / "call.wav"

    result = desk.onetouch("recordings", "play", name_of(1), "-o", out, *WHY)

    assert result.exit_code == 1
    assert f"holds {name_of(2)}, another call's" in result.output
    assert out.read_bytes() == b""


@pytest.mark.parametrize("fault", ["gone", "no header", "elsewhere", "unknown"])
def test_what_cannot_be_played_says_what_to_do(desk, tmp_path, fault):
    name, words = name_of(), ""
    if fault == "gone":
        desk.file().unlink()
        words = "deleted past the register, or its disk is not mounted"
    elif fault == "no header":
        desk.file().write_bytes(b"rubbish")
        words = "restore it from a backup"
    elif fault == "elsewhere":
        desk.file().rename(tmp_path / "x")
        desk.know(1, host="voice-2")
        words = "is on voice-2"
    else:
        name, words = "sos-20261123-none", "see `onetouch recordings list`"

    result = desk.onetouch("recordings", "play", name, "-o", "-", *WHY)

    assert result.exit_code == 1
    assert words in result.output


def test_the_list_shows_no_number_and_is_an_entry(desk):
    result = desk.onetouch("recordings", "list", "--json")

    rows = [json.loads(line) for line in result.output.splitlines()]
    assert {row["name"] for row in rows} == {name_of(1), name_of(2)}
    assert rows[0]["length_s"] == 60
    assert desk.looks() == [(SAW_RECORDINGS, "the list, numbers masked")]
    assert name_of(2) in desk.onetouch("recordings", "list").output


def test_the_list_fits_80_columns_and_nothing_of_a_recording_is_cut(desk, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    told = desk.onetouch("recordings", "list").output

    assert max(map(len, told.splitlines())) <= 80
    assert name_of(1) in told
    assert name_of(2) in told
    assert "60.0 s" in told


def test_all_of_a_call_are_exported_into_a_folder(desk, tmp_path):
    out = tmp_path / "letter"

    result = desk.onetouch("recordings", "export", name_of().removesuffix(".wav"), "--to", out, *WHY)

    assert result.exit_code == 0, result.output
    assert [(each.name, each.read_bytes()) for each in out.iterdir()] == [(name_of(), LONG)]
    assert out.stat().st_mode & 0o777 == 0o700
    assert desk.looks() == [(EXPORTED_RECORDINGS, "order: letter 2026-114")]


def test_an_export_takes_two_people_where_the_settings_ask_for_it(desk, tmp_path, monkeypatch):
    desk.config.write_text(desk.config.read_text() + "[audit]\nsecond_person = true\n")
    real, out, call = seats.seat(), tmp_path / "letter", name_of().removesuffix(".wav")

    def log_in(uid):
        monkeypatch.setattr(seats, "seat", lambda: replace(real, uid=uid, login_uid=uid))

    monkeypatch.setattr(seats, "uid_of", lambda account: {"kim": KIM}[account])
    log_in(KIM)
    refused = desk.onetouch("recordings", "export", call, "--to", out, *WHY)
    assert "onetouch audit approve recordings" in refused.output
    assert not out.exists()

    log_in(LEE)
    assert desk.onetouch("audit", "approve", "recordings", "--for", "kim", *WHY).exit_code == 0
    log_in(KIM)
    assert desk.onetouch("recordings", "export", call, "--to", out, *WHY).exit_code == 0
    assert (out / name_of()).read_bytes() == LONG
    again = desk.onetouch("recordings", "export", call, "--to", tmp_path / "again", *WHY)
    assert again.exit_code != 0, "an approval serves once"


def test_a_reason_is_asked_for(desk, tmp_path):
    result = desk.onetouch("recordings", "play", name_of(), "-o", tmp_path / "x.wav")

    assert result.exit_code == 2
    assert not (tmp_path / "x.wav").exists()


CALLER = "821012345678"


def of_a_caller(desk):
    """The recordings' calls are of an incident of hers."""
    writing, reading = open_engines(desk.settings.database_url, desk.keys.ring)
    ledger = Ledger(writing)
    ledger.record(press(CALLER))
    ledger.call(call_record(1, reference=reference_of(3)))
    sealed_file(desk.file(3), desk.keys.ring(), LONG, name_of(3))
    desk.know(3)
    writing.dispose()
    reading.dispose()


def test_a_person_is_told_of_the_recordings_of_their_calls_and_given_them(desk, tmp_path):
    of_a_caller(desk)
    out = tmp_path / "letter"

    told = desk.onetouch("people", "own", "010-1234-5678", "--json", *WHY)
    account = json.loads(told.output)
    given = desk.onetouch("people", "own", "010-1234-5678", "--recordings", out, *WHY)

    (listed,) = account["recordings"]
    assert (listed["recording"], listed["incident"]) == (name_of(3), f"sos-{CALLER}")
    assert account["kept for days"]["recordings"] == 92
    assert given.exit_code == 0, given.output
    assert [(each.name, each.read_bytes()) for each in out.iterdir()] == [(name_of(3), LONG)]
    assert [what for what, _ in desk.looks()] == [OWN_DATA, OWN_DATA, EXPORTED_RECORDINGS]


def test_the_retention_at_a_terminal_destroys_what_is_over_its_time_without_a_daemon(desk):
    desk.transact(lambda c: c.execute(update(schema.recording).values(ended_at=0)))

    result = desk.onetouch("audit", "retention", "--run", "--json")

    proof = {row["kind"]: row for row in map(json.loads, result.output.splitlines()) if "kind" in row}
    assert result.exit_code == 0, result.output
    assert proof["recordings"]["kept"] == 0
    assert not desk.file(1).exists()
    assert desk.transact(listed) == []
