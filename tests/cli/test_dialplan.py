"""``onetouch dialplan``: findings as a table or JSON, and a reload that refuses what the check refused."""

from __future__ import annotations

import json
import shutil

import pytest

from telephony.asterisk import instance
from telephony.asterisk.dialplan.loaded import read_shown
from telephony.asterisk.operator.blocking_ami import BlockingAmi
from tests.cli.private_asterisk import DIALPLANS, private_asterisk, with_trunks


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


def reload(run, config, asterisk, dialplans):
    conf = asterisk.etc / "asterisk.conf"
    return run("dialplan", "reload", "--config", config, "--dialplans", dialplans, "--asterisk-conf", conf)


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

    told = json.loads(result.stdout)
    assert result.exit_code == 1
    (finding,) = told["findings"]
    assert finding["file"] == "onetouch/30-112.conf"
    assert finding["line"] == len((dialplans / "onetouch/30-112.conf").read_text().splitlines())
    assert "there is no context nowhere" in finding["what"]


SITE = """
[[asterisk]]
name = "voice-1"
username = "onetouch"
secret = {env = "X"}
"""


def test_the_dialplans_are_compared_with_the_daemons_settings(run, config):
    text = config.read_text().replace(
        'sos_numbers = ["112"]', 'sos_numbers = ["112"]\ntest_numbers = ["1128"]'
    )
    trunks = '[[carrier.trunk]]\nname = "skt-voice"\n[[carrier.trunk]]\nname = "kt-vioce"\n'
    config.write_text(text.replace("[[carrier.smpp]]", f"{trunks}[[carrier.smpp]]") + SITE)

    result = run("dialplan", "check", "--dialplans", DIALPLANS, "--config", config, "--no-calls", "--json")

    told = json.loads(result.stdout)
    assert (result.exit_code, told["settings"]) == (1, str(config))
    assert {each["what"].partition(":")[0] for each in told["findings"]} == {
        "1128 is among test_numbers of the settings and not in SOS_DRILL",
        "1588112 is not among recognition.service_numbers of the settings",
        "the settings have a [[carrier.trunk]] kt-vioce, and there is no context from-kt-vioce",
        "the settings have no [[carrier.trunk]] kt-voice",
    }


def test_settings_that_nobody_named_may_be_missing(run, dialplans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = run("dialplan", "check", "--dialplans", dialplans, "--no-calls")

    assert result.exit_code == 0
    assert "not compared with the daemon's settings: config/onetouch.toml cannot be used" in result.output


def test_settings_that_are_named_must_be_right(run, dialplans, tmp_path):
    result = run(
        "dialplan", "check", "--dialplans", dialplans, "--config", tmp_path / "none.toml", "--no-calls"
    )

    assert result.exit_code == 2


def test_a_misspelt_knob_of_the_site_is_found(run, dialplans):
    (dialplans / "globals.local.conf").write_text("SOS_DRIL = 1128\n")

    told = json.loads(run("dialplan", "check", "--dialplans", dialplans, "--no-calls", "--json").stdout)

    assert [(each["file"], each["write"]) for each in told["findings"]] == [
        ("globals.local.conf", "SOS_DRILL = 1128")
    ]


def test_without_asterisk_it_is_said_how_to_install_it_and_gives_two(run, monkeypatch):
    monkeypatch.setattr(instance.shutil, "which", lambda _: None)
    monkeypatch.setattr(instance, "_PROGRAMS", ())

    result = run("dialplan", "check", "--dialplans", DIALPLANS)

    assert result.exit_code == 2
    assert "Asterisk is not installed here" in result.stderr


def test_a_reload_takes_what_the_check_took_and_looks_afterwards(run, config, asterisk, dialplans):
    asterisk.settings(config)
    for folder in (dialplans, asterisk.etc):
        append(folder, "\n[guardian]\nexten => 5,1,Hangup()\n")

    result = reload(run, config, asterisk, dialplans)

    assert result.exit_code == 0, result.output
    assert "voice-1: reloaded, " in result.output
    assert "5" in shown(asterisk)["guardian"]


def test_a_reload_refuses_what_the_check_refuses(run, config, asterisk, dialplans):
    asterisk.settings(config)
    before = shown(asterisk)
    for folder in (dialplans, asterisk.etc):
        path = folder / "onetouch/20-sos.conf"
        path.write_text(path.read_text().replace("[sos-drill] ", "[sos-drill "))

    result = reload(run, config, asterisk, dialplans)

    assert result.exit_code == 1
    assert "not reloaded" in result.stderr
    assert shown(asterisk) == before


def test_a_reload_of_other_files_than_were_checked_is_refused(run, config, asterisk, dialplans):
    asterisk.settings(config)
    before = shown(asterisk)
    append(asterisk.etc, "\n[guardian]\nexten => 5,1,Hangup()\n")

    result = reload(run, config, asterisk, dialplans)

    assert result.exit_code == 1
    assert "differs from" in result.stderr
    assert "onetouch/30-112.conf" in result.stderr
    assert shown(asterisk) == before


def test_a_site_file_that_was_not_checked_is_no_part_of_what_is_reloaded(run, config, asterisk, dialplans):
    """``#tryinclude`` names it, and only Asterisk's own folder has it: whatever it says would be loaded unseen."""
    asterisk.settings(config)
    (asterisk.etc / "site.conf").write_text("[from-skt-voice]\nexten => 119,1,Hangup()\n")

    result = reload(run, config, asterisk, dialplans)

    assert result.exit_code == 1
    assert "in site.conf; copy the files first, or check those that it reads: --dialplans" in result.stderr
    assert "119" not in shown(asterisk)["from-skt-voice"]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "not reloaded: Unable to connect to remote asterisk"),
        ("192.0.2.7", "it is on 192.0.2.7"),
    ],
)
def test_an_asterisk_that_cannot_be_asked_is_told(run, config, tmp_path, host, words):
    config.write_text(
        f'{with_trunks(config)}\n[[asterisk]]\nname = "voice-1"\nhost = "{host}"\nsecret = {{ file = "{config}" }}\n'
    )
    conf = tmp_path / "asterisk.conf"
    conf.write_text(f"[directories]\nastrundir => {tmp_path}\n")

    result = run("dialplan", "reload", "--config", config, "--dialplans", DIALPLANS, "--asterisk-conf", conf)

    assert result.exit_code == 1
    assert words in result.stderr


def test_another_asterisk_than_the_settings_name_is_not_reloaded(run, config, asterisk, dialplans):
    asterisk.settings(config, name="voice-2")

    result = reload(run, config, asterisk, dialplans)

    assert result.exit_code == 1
    assert "is voice-1; name its own: --asterisk-conf" in result.stderr


@pytest.mark.parametrize(
    "command", [("dialplan",), ("dialplan", "check"), ("dialplan", "reload"), ("doctor", "asterisk")]
)
def test_the_help_shows_an_example(run, command):
    result = run(*command, "--help")

    assert result.exit_code == 0
    assert "Example" in result.output
    assert "Asterisk" in result.output
