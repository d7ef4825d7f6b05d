"""The screen of `onetouch status`: fits a terminal, says the worst first, in both languages."""

from __future__ import annotations

import json
import os
import pty
import select
import string
import subprocess
import sys
import termios
import time
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len

from telephony.cli.status_screen import Screen
from telephony.cli.status_words import WORDS, age, size
from telephony.control.messages import FarEndKind, HeartbeatLook, InJournal, StoreLook
from telephony.control.verdict import Level
from telephony.net.standing import FarEndState
from tests.control.statuses import NOW, alarm, certificate, far_end, status, with_state

SEOUL = ZoneInfo("Asia/Seoul")
REFUSED = {"reason": "bind refused: ESME_RINVPASWD", "retry_at": NOW + timedelta(seconds=240), "since": NOW}


def screen(told, language="en", height=None):
    return [line.plain for line in Screen(told, WORDS[language], SEOUL).lines(height)]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_usual_house_fits_80_columns_and_24_rows(language):
    lines = screen(status(with_state("skt-1", FarEndState.REFUSED, **REFUSED)), language, 24)

    assert len(lines) <= 24
    assert max(map(cell_len, lines)) <= 80
    assert sum(each.name in "\n".join(lines) for each in status().far_ends) == 10


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (
            HeartbeatLook(every_s=60, taken_at=NOW - timedelta(seconds=12), misses=0),
            "heartbeat every 1 min: taken 12 s ago",
        ),
        (
            HeartbeatLook(every_s=60, taken_at=NOW - timedelta(seconds=190), misses=3),
            "heartbeat every 1 min: taken 3 min ago; 3 not taken since",
        ),
        (
            HeartbeatLook(every_s=10, misses=2),
            "heartbeat every 10 s: none taken yet; 2 not taken since",
        ),
    ],
)
def test_the_row_of_a_channel_says_what_became_of_its_heartbeats(look, told):
    lines = screen(status([far_end(FarEndKind.CENTRE, "seoul-a", "seoul", heartbeat=look)]))

    (at,) = [number for number, line in enumerate(lines) if line.startswith("seoul-a ")]
    assert lines[at + 1] == f"  {told}"


def test_the_worst_stands_first_and_says_why():
    lines = screen(
        status(
            with_state("voice-2", FarEndState.REFUSED, **REFUSED),
            store=StoreLook(is_answering=False, reason="database is locked"),
            alarms=(
                alarm("clock-set", "machine", by_s=3.5),
                alarm("link-down", "voice-2", reason="told above"),
            ),
        )
    )

    assert lines[0].startswith(" CRITICAL  onetouch  2026-11-30 12:00:00 KST  up 3 d 0 h")
    assert lines[1] == "! the store does not answer; runbook, Store down"
    assert lines[3].startswith("voice-2 ")
    assert "REFUSED" in lines[3]
    assert lines[4] == "  bind refused: ESME_RINVPASWD; again in 4 min"
    rest = "\n".join(lines[5:])
    assert "clock-set machine  11:55:00, 3x, last 12:00:00  by_s=3.5" in rest
    assert "told above" not in rest, "its row has said it"
    assert "the store does not answer: database is locked" in rest


def test_what_is_well_gives_way_where_there_is_no_room():
    many = [far_end(name=f"skt-{number}") for number in range(100)]
    bad = far_end(name="bad", state=FarEndState.DOWN, reason="gone")

    lines = screen(status([*many, bad]), height=24)

    assert len(lines) <= 24
    assert lines[2].startswith("bad ")
    (rest,) = [line for line in lines if "more, all well" in line]
    assert int(rest.split()[1]) + sum(line.startswith("skt-") for line in lines) == 100


def test_what_is_hidden_is_not_called_well_where_it_is_not():
    many = [far_end(name=f"skt-{number}", state=FarEndState.DOWN, reason="gone") for number in range(100)]

    lines = screen(status(many), height=24)

    assert not any("all well" in line for line in lines)
    assert any(line.startswith("and ") and line.endswith(" more") for line in lines)


def test_certificates_are_told_by_their_days():
    lines = screen(status(certificates=(certificate(-2), certificate(12, "web, tls_certificate"))))

    (line,) = [line for line in lines if line.startswith("certificates")]
    assert line == "certificates  link skt-1, ca_file EXPIRED 2 d ago; web, tls_certificate 12 d left"


def test_presses_that_are_in_the_journal_alone_are_counted():
    some = InJournal(presses=3, oldest_at=NOW - timedelta(seconds=5))

    assert "journal       presses not in the store yet: 3, the oldest 5 s" in screen(status(journal=some))
    assert "journal       all presses are in the store" in screen(status(journal=InJournal(presses=0)))
    assert not any(line.startswith("journal") for line in screen(status()))


def test_words_from_far_ends_do_not_steer_the_terminal():
    lines = screen(status(with_state("skt-1", FarEndState.DOWN, reason="\x1b[2Jgone\nOK")))

    assert "\x1b" not in "".join(lines)
    assert not any("\n" in line for line in lines)


def test_both_languages_have_the_same_words_and_places_to_fill():
    """A brace that one of them lacks would be a fact that only some of the operators are told."""

    def places(text):
        return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)

    for field in WORDS["en"].__dataclass_fields__:
        one, other = (getattr(WORDS[language], field) for language in ("en", "ko"))
        if isinstance(one, str):
            assert places(one) == places(other), field
        elif isinstance(one, tuple):
            assert len(one) == len(other)
        else:
            assert {key: places(text) for key, text in one.items()} == {
                key: places(text) for key, text in other.items()
            }, field


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (3_661, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_ages_have_two_units(seconds, words):
    assert age(WORDS["en"], timedelta(seconds=seconds)) == words


def test_sizes_are_read_by_people():
    assert (size(512 << 20), size(3 << 29)) == ("512 MiB", "1.5 GiB")


def test_without_a_daemon_the_answer_is_unknown(run, config):
    plain, for_programs = run("status", "--config", config), run("status", "--json", "--config", config)

    assert (plain.exit_code, for_programs.exit_code) == (Level.UNKNOWN, Level.UNKNOWN)
    assert "no daemon runs on" in plain.output
    assert json.loads(for_programs.output)["cause"] == "not-running"
    assert run("links", "retry", "skt-1", "--config", config).exit_code == Level.UNKNOWN


def test_watching_is_for_terminals(run, config):
    assert "--json" in run("status", "--watch", "--config", config).output
    assert run("status", "--watch", "--json", "--config", config).exit_code == 2


@pytest.mark.parametrize("key", [b"q", b"\x03"], ids=["q", "Ctrl-C"])
def test_watching_goes_on_without_a_daemon_and_a_key_ends_it_and_leaves_the_terminal_as_it_was(config, key):
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    # A session of its own on this terminal, so that Ctrl-C is a signal.
    # Who starts the tests in the background ignores that signal, and so would all its children.
    alone = ["setsid", "--ctty", "--wait", "env", "--default-signal=INT"]
    command = [*alone, sys.executable, "-m", "telephony", "status", "--watch", "--config", str(config)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs) as watch:
        try:
            assert "알 수 없음" in shown_until(ours, lambda shown: shown.count("알 수 없음") == 2)
            os.write(ours, key)
            shown_until(ours, lambda _: watch.poll() is not None)
        finally:
            watch.kill()

    assert watch.returncode == 0
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    os.close(ours)


def shown_until(terminal, claim):
    """Read what is shown until the claim about it is true; the bound is for what never comes."""
    shown, end = b"", time.monotonic() + 120
    while not claim(shown.decode(errors="replace")):
        assert time.monotonic() < end, shown
        if select.select([terminal], [], [], 0.05)[0]:
            shown += os.read(terminal, 65_536)
    return shown.decode(errors="replace")
