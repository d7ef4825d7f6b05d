"""``onetouch dialplan``: findings as a table or JSON, and a reload that refuses what the check refused."""

from __future__ import annotations

import json
import shutil

import pytest

from telephony.asterisk import instance
from telephony.asterisk.blocking_ami import BlockingAmi
from telephony.asterisk.dialplan_loaded import read_shown
from tests.cli.private_asterisk import DIALPLANS, SECRET_ENV, private_asterisk


@pytest.fixture
def asterisk():
    with private_asterisk() as running:
        yield running


@pytest.fixture
def dialplans(tmp_path):
    """A copy to break."""
    return shutil.copytree(DIALPLANS, tmp_path / "dialplans", ignore=shutil.ignore_patterns("sounds"))


def shown(asterisk):
    with BlockingAmi("127.0.0.1", asterisk.ami_port, "operator", asterisk.secret) as ami:
        return read_shown(ami.command("dialplan show")).contexts


def append(folder, text):
    path = folder / "onetouch/30-112.conf"
    path.write_text(path.read_text() + text)


def test_no_findings_give_zero_and_say_what_was_proven(run):
    result = run("dialplan", "check", "--dialplans", DIALPLANS)

    assert result.exit_code == 0, result.output
    assert "from-skt-voice 112: centre-1 rang after" in result.output
    assert "no findings; " in result.output


def test_findings_are_a_table_and_give_one(run, dialplans):
    append(dialplans, " same => n,Goto(nowhere,s,1)\n")

    result = run("dialplan", "check", "--dialplans", dialplans, "--no-calls")

    assert result.exit_code == 1
    assert "30-112.conf:" in result.output
    assert "1 finding; " in result.output


def test_findings_are_json_for_programs(run, dialplans):
    append(dialplans, " same => n,Goto(nowhere,s,1)\n")

    result = run("dialplan", "check", "--dialplans", dialplans, "--no-calls", "--json")

    told = json.loads(result.output)
    assert result.exit_code == 1
    (finding,) = told["findings"]
    assert finding["file"] == "onetouch/30-112.conf"
    assert finding["line"] == len((dialplans / "onetouch/30-112.conf").read_text().splitlines())
    assert "there is no context nowhere" in finding["what"]


def test_without_asterisk_it_is_said_how_to_install_it_and_gives_two(run, monkeypatch):
    monkeypatch.setattr(instance.shutil, "which", lambda _: None)
    monkeypatch.setattr(instance, "_PROGRAMS", ())

    result = run("dialplan", "check", "--dialplans", DIALPLANS)

    assert result.exit_code == 2
    assert "Asterisk is not installed here" in result.stderr


def test_a_reload_takes_what_the_check_took_and_looks_afterwards(
    run, config, asterisk, dialplans, monkeypatch
):
    asterisk.settings(config)
    monkeypatch.setenv(SECRET_ENV, asterisk.secret)
    for folder in (dialplans, asterisk.etc):
        append(folder, "\n[guardian]\nexten => 5,1,Hangup()\n")

    result = run("dialplan", "reload", "--config", config, "--dialplans", dialplans)

    assert result.exit_code == 0, result.output
    assert "voice-1: reloaded, " in result.output
    assert "5" in shown(asterisk)["guardian"]


def test_a_reload_refuses_what_the_check_refuses(run, config, asterisk, dialplans, monkeypatch):
    asterisk.settings(config)
    monkeypatch.setenv(SECRET_ENV, asterisk.secret)
    before = shown(asterisk)
    for folder in (dialplans, asterisk.etc):
        path = folder / "onetouch/20-sos.conf"
        path.write_text(path.read_text().replace("[sos-drill] ", "[sos-drill "))

    result = run("dialplan", "reload", "--config", config, "--dialplans", dialplans)

    assert result.exit_code == 1
    assert "not reloaded" in result.stderr
    assert shown(asterisk) == before


def test_a_reload_of_other_files_than_were_checked_is_refused(run, config, asterisk, dialplans, monkeypatch):
    asterisk.settings(config)
    monkeypatch.setenv(SECRET_ENV, asterisk.secret)
    before = shown(asterisk)
    append(asterisk.etc, "\n[guardian]\nexten => 5,1,Hangup()\n")

    result = run("dialplan", "reload", "--config", config, "--dialplans", dialplans)

    assert result.exit_code == 1
    assert "differs from" in result.stderr
    assert "onetouch/30-112.conf" in result.stderr
    assert shown(asterisk) == before


def test_a_site_file_that_was_not_checked_is_no_part_of_what_is_reloaded(
    run, config, asterisk, dialplans, monkeypatch
):
    """``#tryinclude`` names it, and only Asterisk's own folder has it: whatever it says would be loaded unseen."""
    asterisk.settings(config)
    monkeypatch.setenv(SECRET_ENV, asterisk.secret)
    (asterisk.etc / "site.conf").write_text("[from-skt-voice]\nexten => 119,1,Hangup()\n")

    result = run("dialplan", "reload", "--config", config, "--dialplans", dialplans)

    assert result.exit_code == 1
    assert "in site.conf; copy the files first, or check those that it reads: --dialplans" in result.stderr
    assert "119" not in shown(asterisk)["from-skt-voice"]


def test_an_asterisk_that_cannot_be_reached_is_told(run, config, dialplans, monkeypatch):
    monkeypatch.setenv(SECRET_ENV, "x")
    config.write_text(
        f'{config.read_text()}\n[[asterisk]]\nname = "voice-1"\nport = 1\nsecret = {{ env = "X" }}\n'
    )
    monkeypatch.setenv("X", "x")

    result = run("dialplan", "reload", "--config", config, "--dialplans", dialplans)

    assert result.exit_code == 1
    assert "voice-1: 127.0.0.1:1: cannot connect" in result.stderr


@pytest.mark.parametrize(
    "command", [("dialplan",), ("dialplan", "check"), ("dialplan", "reload"), ("doctor", "asterisk")]
)
def test_the_help_shows_an_example(run, command):
    result = run(*command, "--help")

    assert result.exit_code == 0
    assert "Example" in result.output
    assert "Asterisk" in result.output
