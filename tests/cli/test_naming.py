"""An incident is named by any beginning that is its alone, or as the last one, in every command that takes one."""

from __future__ import annotations

import json

import pytest

from telephony.cli import ordering
from tests.cli.incidents_kept import FIRST, SECOND, THIRD, keep_incidents


@pytest.fixture
def onetouch(run, config):
    keep_incidents(config)
    return lambda *arguments: run(*arguments[:2], "--config", config, *arguments[2:])


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (FIRST, FIRST),
        ("sos-20260301-7k", FIRST),
        ("SOS-20260301-7K ", FIRST),
        ("20260301-7m", SECOND),
        ("7m", SECOND),
        ("20260302", THIRD),
        ("voice-1", THIRD),
        ("last", THIRD),
    ],
)
def test_the_beginning_of_one_id_alone_names_it(onetouch, said, found):
    assert json.loads(onetouch("incidents", "show", said, "--json").output)["incident"] == found


def test_the_beginning_of_several_is_one_sentence_that_lists_them(onetouch):
    result = onetouch("incidents", "show", "20260301-7")

    assert result.exit_code == 1
    assert result.output == (f"Error: 20260301-7 is the beginning of {SECOND}, {FIRST}: write more of it\n")


@pytest.mark.parametrize("sign", ["%", "_", "sos-2026030_", "", " "])
def test_no_sign_stands_for_others(onetouch, sign):
    result = onetouch("incidents", "show", sign)

    assert result.exit_code == 1
    assert "there is no incident" in result.output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("incidents", "acknowledge", "7k"), "acknowledged"),
        (("incidents", "dispatch", "7k", "--unit", "unit 12"), "dispatched"),
        (("incidents", "close", "7k", "--reason", "found safe"), "closed"),
        (("incidents", "false-alarm", "7k", "--by", "Lee", "--why", "in a bag"), "false alarm"),
        (("incidents", "told", "7k", "--by", "Kim", "--why", "desk 4"), "told to 112"),
        (("calls", "lift", "7k", "--by", "desk 4"), "ordered for"),
        (("calls", "hold", "7k", "--by", "desk 4"), "ordered for"),
        (("incidents", "readout", "7k"), "1/1"),
        (("audit", "list", "--about", "7k"), "saw the audit chain"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else None,
)
def test_every_command_that_takes_an_incident_takes_a_beginning(onetouch, command, said):
    done = onetouch(*command)

    assert done.exit_code == 0, done.output
    assert said in done.output or command[0] == "audit"
    assert FIRST in done.output


def test_an_order_about_the_beginning_of_several_changes_nothing(onetouch):
    assert onetouch("incidents", "close", "sos-2026", "--reason", "found safe").exit_code == 1

    listed = onetouch("incidents", "list", "--json").output.splitlines()
    assert {json.loads(each)["state"] for each in listed} == {"open"}


@pytest.mark.parametrize(("command", "asks"), [("lift", True), ("callback", True), ("hold", False)])
def test_at_a_terminal_it_is_asked_before_a_phone_may_sound(run, config, monkeypatch, command, asks):
    keep_incidents(config)
    monkeypatch.setattr(ordering, "is_terminal", lambda: True)

    done = run("calls", command, "last", "--by", "desk 4", "--config", config, stdin=b"n\n")

    assert ("its phone may sound" in done.output) is asks
    assert ("Aborted" in done.output) is asks
    assert ("ordered for" in done.output) is not asks


def test_a_whole_id_is_not_asked_about(run, config, monkeypatch):
    keep_incidents(config)
    monkeypatch.setattr(ordering, "is_terminal", lambda: True)

    done = run("calls", "lift", FIRST, "--by", "desk 4", "--config", config)

    assert done.output.startswith(f"ordered for {FIRST}")


def test_the_last_of_none_is_said(run, config):
    run("db", "upgrade", "--config", config)

    shown = run("incidents", "show", "last", "--config", config)

    assert (shown.exit_code, shown.output) == (1, "Error: there is no incident yet\n")
