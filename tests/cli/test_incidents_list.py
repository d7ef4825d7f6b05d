"""``onetouch incidents list`` is filtered, fits 80 columns, and tells times by the service's clock or UTC."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.incidents_kept import FIRST, SECOND, THIRD, keep_incidents


@pytest.fixture
def listed(run, config, monkeypatch):
    keep_incidents(config)

    def onetouch(*options, columns=None):
        monkeypatch.delenv("COLUMNS", raising=False)
        if columns is not None:
            monkeypatch.setenv("COLUMNS", str(columns))
        return run("incidents", "list", "--config", config, *options)

    return onetouch


@pytest.fixture
def ids(listed):
    return lambda *options: [
        json.loads(line)["incident"] for line in listed(*options, "--json").output.splitlines()
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), [THIRD, SECOND, FIRST]),
        (("--carrier", "kt"), [SECOND]),
        (("--carrier", "kt", "--carrier", "skt"), [THIRD, SECOND, FIRST]),
        (("--owed",), [THIRD, FIRST]),
        (("--since", "2026-03-02"), [THIRD]),
        (("--since", "2026-03-01T21:05"), [THIRD, SECOND]),
        (("--since", "2026-03-01T12:05", "--utc"), [THIRD, SECOND]),
        (("--since", "2026-03-01T12:05:00+00:00"), [THIRD, SECOND]),
        (("--since", "30m"), []),
        (("--owed", "--carrier", "kt"), []),
        (("--limit", "1"), [THIRD]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_incident_is_listed_when_every_option_agrees(ids, options, found):
    assert ids(*options) == found


def test_states_are_those_of_any_option(ids, run, config):
    run("incidents", "acknowledge", FIRST, "--config", config)
    run("incidents", "close", SECOND, "--reason", "found safe", "--config", config)

    assert ids("--state", "acknowledged") == [FIRST]
    assert ids("--state", "acknowledged", "--state", "closed") == [SECOND, FIRST]
    assert ids("--open") == [THIRD, FIRST]


def test_the_table_fits_80_columns_and_nothing_of_an_incident_is_cut(listed, run, config):
    run("incidents", "acknowledge", THIRD, "--config", config)

    lines = listed(columns=80).output.splitlines()

    assert max(map(len, lines)) <= 80
    told = "\n".join(lines)
    assert all(
        each in told
        for each in (FIRST, SECOND, THIRD, "acknowledged (test)", "8210******78", "kt", "+1.5 min", "not yet")
    )
    assert re.search(r"2026-03-01 21:00:00 KST +1 press +skt", told)


def test_a_wide_terminal_and_a_pipe_have_a_line_for_each(listed):
    for columns in (160, None):
        lines = [line for line in listed(columns=columns).output.splitlines() if "sos-" in line]
        assert len(lines) == 3
        assert all("2026-03-0" in line and "KST" in line for line in lines)


def test_the_table_is_in_utc_on_demand(listed):
    assert "2026-03-01 12:00:00 UTC" in listed("--utc").output


def test_what_is_no_time_is_told_with_what_to_write(listed):
    said = listed("--since", "yesterday")

    assert said.exit_code == 2
    assert "2h or 30m" in said.output


def test_a_carrier_that_there_is_not_is_said(listed):
    assert listed("--carrier", "sktt").output == (
        "no incidents of sktt; the settings have no carrier sktt, but skt\n"
    )


def test_the_chain_tells_what_was_asked_for(listed, run, config):
    listed("--owed", "--state", "open", "--carrier", "skt", "--since", "2026-03-02")

    told = run("audit", "list", "--config", config).output

    assert "incidents, open, of skt that owe 112 a report since 2026-03-01T15:00:00Z: the list" in told
