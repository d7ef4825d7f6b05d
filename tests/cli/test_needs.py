"""What a command needs of the settings: who works on the store needs no secret of a carrier, of Asterisk or of 112."""

from __future__ import annotations

import os

import pytest

from telephony.cli import readable_store
from telephony.domain.audit import Seat

CLASS = "이름,생년월일,전화번호,동의자,동의방법\n김하나,2001-02-03,010-1234-5678,본인,서면\n"
NOT_THERE = '{env = "NOT_SET_ANYWHERE"}'
OTHERS = f"""
[[asterisk]]
name = "voice-1"
secret = {NOT_THERE}
"""


@pytest.fixture
def office(config, run, monkeypatch):
    """The settings of a carrier, an Asterisk and a centre, none of whose secrets this account has; the store is there."""
    monkeypatch.setattr("telephony.cli.seat.seat", lambda: Seat(1000, 1001, "", "desk", "", None))
    text = config.read_text().replace(
        'system_id = "onetouch"', f'system_id = "onetouch"\npassword = {NOT_THERE}'
    )
    config.write_text(
        text.replace("[[psap.channel]]", f"[[psap.channel]]\nauthorization = {NOT_THERE}") + OTHERS
    )
    assert run("db", "upgrade", "--config", config).exit_code == 0
    return config


COMMANDS = [
    ("people", "count"),
    ("people", "show", "010-1234-5678"),
    ("incidents", "list"),
    ("incidents", "readout"),
    ("calls", "list"),
    ("recordings", "list"),
    ("audit", "verify"),
    ("audit", "list"),
    ("audit", "retention"),
    ("keys", "show"),
    ("db", "check"),
]


def test_a_registrar_imports_a_class_without_the_secrets_of_others(office, run):
    file = office.with_name("class.csv")
    file.write_text(CLASS)

    done = run("people", "import", file, "--by", "school", "--means", "forms", "--config", office)

    assert done.exit_code == 0, done.output
    assert "추가 1" in done.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_on_the_store_asks_for_no_secret_but_the_store_s(office, run, command):
    file = office.with_name("class.csv")
    file.write_text(CLASS)
    run("people", "import", file, "--by", "school", "--means", "forms", "--config", office)

    done = run(*command, "--config", office)

    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("command", [("serve",), ("check",)], ids=" ".join)
def test_a_daemon_asks_for_all_of_them(office, run, command):
    done = run(*command, "--config", office)

    assert done.exit_code == 2
    assert [line.partition(": ")[2].partition(": ")[0] for line in done.output.splitlines()] == [
        "(link skt-1) password",
        "(channel centre-a) authorization",
        "(Asterisk voice-1) secret",
    ]


def test_the_doctor_of_asterisk_asks_for_its_secret_alone(office, run):
    done = run("doctor", "asterisk", "--config", office)

    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert "(Asterisk voice-1) secret: the secret is not there" in line


def test_the_secret_of_the_store_is_asked_for(office, run):
    store = f'[store]\nurl = "postgresql+psycopg://onetouch@db/onetouch"\npassword = {NOT_THERE}\n'
    office.write_text(office.read_text() + store)

    done = run("people", "count", "--config", office)

    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert "store.password: the secret is not there; set the environment variable NOT_SET_ANYWHERE" in line


@pytest.mark.parametrize("command", [("people", "count"), ("audit", "verify"), ("audit", "retention"), ("keys", "show")], ids=" ".join)  # fmt: skip
def test_what_only_reads_goes_on_where_nothing_can_be_written(office, run, monkeypatch, command):
    """Not as root, whom no file refuses: opening is refused by name."""
    opened = readable_store.ready_engines
    own = f"sqlite:///{office.parent}/onetouch.sqlite"

    def refusing(settings, **which):
        if settings.database_url == own:
            raise readable_store.click.ClickException("the store: attempt to write a readonly database")
        return opened(settings, **which)

    monkeypatch.setattr(readable_store, "ready_engines", refusing)
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    file = office.with_name("class.csv")
    file.write_text(CLASS)
    run("people", "import", file, "--by", "school", "--means", "forms", "--config", office)

    done = run(*command, "--config", office)

    assert done.exit_code == 0, done.output


def test_a_look_that_cannot_be_written_down_says_whose_folder_it_is(office, run, monkeypatch):
    store = office.with_name("onetouch.sqlite")
    for each in office.parent.glob("onetouch.sqlite*"):
        each.unlink()
    store.mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)

    done = run("incidents", "list", "--config", office)

    assert done.exit_code == 1
    assert f"this account cannot write in {office.parent}: use the daemon's account" in done.stderr
