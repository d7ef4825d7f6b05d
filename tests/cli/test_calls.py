"""``onetouch calls``: the calls that stand, and orders about them, by whatever name 112 has for them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from telephony.asterisk.sos.sos_call import incident_id
from telephony.domain.facts import FactKind
from telephony.settings import load
from telephony.store.calls import record_call
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.fact_rows import from_data
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.upgrade import upgrade
from tests.cli.test_incidents import FIRST, START, press
from tests.doubles import NINE_HOURS
from tests.store.ledger import call_record

UNIQUEID = "voice-1-1795464999.12"
NAME = incident_id(UNIQUEID, NINE_HOURS) or ""
REFERENCE = f"voice-1/{UNIQUEID}"


@pytest.fixture
def config_with_a_line(config, tmp_path):
    """An SMS, and then a call that joined its incident under a name of its own, and stands."""
    (tmp_path / "secret").write_text("x")
    line = f'[[asterisk]]\nname = "voice-1"\nusername = "onetouch"\nsecret = {{file = "{tmp_path}/secret"}}\n'
    config.write_text(config.read_text() + line)
    settings = load(config)
    KeyFile(settings.key_file).make()
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    upgrade(writing)
    said = {"state": "connected", "silence": "no-rtp", "trunk": "skt-voice"}
    record = call_record(reference=REFERENCE, trunk="skt-voice", started_at=START + timedelta(seconds=7))
    with writing.begin() as connection:
        PressRecorder(Rules(settings.plan, "onetouch", {}))(
            connection, [NewPress(press("821012345678", "a", START), FIRST)]
        )
        record_call(
            connection, settings.plan, FIRST, record, [from_data(FactKind.CALL, REFERENCE, START, said)]
        )
    writing.dispose()
    reading.dispose()
    return config


def test_the_list_tells_of_each_call_whose_it_is_and_how_it_stands(run, config_with_a_line):
    told = run("calls", "list", "--config", config_with_a_line).output

    (line,) = [line.split() for line in told.splitlines() if FIRST in line]
    assert line == [
        *(FIRST, "2026-03-01", "21:00:07", "KST"),
        *("8210******78", "skt-voice", "connected", "holds", "(no-rtp)"),
    ]


def test_the_list_fits_80_columns_and_nothing_of_a_call_is_cut(run, config_with_a_line, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    told = run("calls", "list", "--config", config_with_a_line).output

    assert max(map(len, told.splitlines())) <= 80
    assert all(
        each in told
        for each in (
            FIRST,
            "2026-03-01 21:00:07 KST",
            "8210******78",
            "skt-voice",
            "connected",
            "holds (no-rtp)",
        )
    )


def test_lifted_silence_is_seen_in_the_list(run, config_with_a_line):
    run("calls", "lift", FIRST, "--by", "desk 7", "--config", config_with_a_line)

    told = json.loads(run("calls", "list", "--json", "--config", config_with_a_line).output)

    assert (told["incident"], told["call"], told["state"]) == (FIRST, REFERENCE, "connected")
    assert told["silence_lifted"] is True
    assert "SILENCE" not in json.dumps(told)
    assert "LIFTED" in run("calls", "list", "--config", config_with_a_line).output


def test_an_order_and_a_look_find_the_incident_by_the_name_of_the_call_that_joined_it(
    run, config_with_a_line
):
    ordered = run("calls", "hold", NAME, "--by", "desk 7", "--config", config_with_a_line)
    shown = run("incidents", "show", NAME, "--config", config_with_a_line)

    assert ordered.output == f"ordered for {FIRST}; see `onetouch incidents show {FIRST}`\n"
    assert "hold-silence ordered by desk 7" in shown.output


def test_an_order_about_nobody_is_refused_in_words(run, config_with_a_line):
    refused = run(
        "calls", "lift", "sos-20260301-nobody0000", "--by", "desk 7", "--config", config_with_a_line
    )

    assert refused.exit_code == 1
    assert "refused: " in refused.output
