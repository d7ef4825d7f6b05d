"""``onetouch incidents``: what the store knows, told without what an operator does not need to see."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from telephony.cli.story_facts import fact_in_words, order_in_words
from telephony.domain.facts import FactKind
from telephony.domain.position import Position
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.settings import load
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.fact_rows import from_data
from telephony.store.facts import record_facts
from telephony.store.orders import set_silence
from telephony.store.positions import record_position
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.schema import delivery, incident, position
from telephony.store.schema import press as press_table
from telephony.store.sealed_rows import seal_error
from telephony.store.times import to_us
from telephony.store.upgrade import upgrade
from tests.doubles import age_by

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRST, SECOND = "sos-20260301-7k3qwz2m9t", "sos-20260301-8m4rxa3n0v"


def press(number: str, reference: str, at: datetime) -> Trigger:
    return Trigger(
        source="sms", connector="skt-1", carrier="skt", msisdn=Msisdn(number), reference=reference,
        received_at=at, destination="112", text="help me", encoding="gsm0338",
    )  # fmt: skip


@pytest.fixture
def config_with_incidents(config):
    """Two incidents: the first was told to 112, pressed again and located; the second is news."""
    settings = load(config)
    KeyFile(settings.key_file).make()
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    upgrade(writing)
    record = PressRecorder(Rules(settings.plan, "onetouch", {}))
    with writing.begin() as connection:
        record(connection, [NewPress(press("821012345678", "a", START), FIRST)])
        record(connection, [NewPress(press("821012345678", "b", START + timedelta(seconds=5)), FIRST)])
        record(connection, [NewPress(press("821087654321", "c", START + timedelta(seconds=9)), SECOND)])
        [key] = connection.execute(incident.select().where(incident.c.id == FIRST)).scalars()
        found = Position(
            37.566535, 126.977969, 120.0, 67.0, "cell", "lbs:skt", START, START + timedelta(milliseconds=900)
        )
        record_position(connection, settings.plan, key, found, age_by(found.received_at))
        connection.execute(
            update(delivery)
            .where(delivery.c.incident_key == key, delivery.c.sequence == 1)
            .values(
                state="delivered",
                attempts=1,
                settled_at=to_us(START + timedelta(milliseconds=42)),
                last_error=seal_error(KeyFile(settings.key_file).ring(), key, 1, "200"),
            )
        )
    writing.dispose()
    reading.dispose()
    return config


def test_the_list_shows_the_newest_first_with_masked_numbers(run, config_with_incidents):
    result = run("incidents", "list", "--config", config_with_incidents, "--json")

    second, first = (json.loads(line) for line in result.output.splitlines())
    assert (first["incident"], second["incident"]) == (FIRST, SECOND)
    assert (first["msisdn"], first["press_count"], first["told_ms"], first["located_ms"]) == (
        "8210******78",
        2,
        42.0,
        900.0,
    )
    assert (second["told_ms"], second["located_ms"]) == (None, None)


def test_the_table_says_loudly_who_was_not_told_of(run, config_with_incidents, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    result = run("incidents", "list", "--config", config_with_incidents)

    assert FIRST in result.output
    assert "+42 ms" in result.output
    assert "not yet" in result.output


def test_a_story_tells_what_came_and_what_was_sent_in_milliseconds(run, config_with_incidents):
    result = run("incidents", "show", FIRST, "--config", config_with_incidents)

    told = result.output
    assert "+0 ms  press 1 by sms on skt-1 to 112: first press, text of 7 characters" in told
    assert "+5000 ms  press 2 by sms on skt-1 to 112: repeat press" in told
    assert "+42 ms  alert 1 to centre-a ACKNOWLEDGED: 200" in told
    assert "+900 ms  position 1 by lbs:skt (cell), within 120 m at 67 %, 1 s old" in told
    assert "112 has not acknowledged" in told


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["story", "json"])
def test_coordinates_are_shown_on_demand_and_texts_and_numbers_never(run, config_with_incidents, options):
    without = run("incidents", "show", FIRST, "--config", config_with_incidents, *options).output
    with_them = run(
        "incidents",
        "show",
        FIRST,
        "--config",
        config_with_incidents,
        "--positions",
        "--why",
        "a test",
        *options,
    ).output

    assert "37.5665" not in without
    assert "126.97" not in without
    assert "37.566535" in with_them
    assert "126.977969" in with_them
    for told in (without, with_them):
        assert "help me" not in told
        assert "12345678" not in told


def test_a_story_as_json_has_every_line_with_its_time(run, config_with_incidents):
    story = json.loads(run("incidents", "show", FIRST, "--config", config_with_incidents, "--json").output)

    assert story["incident"] == FIRST
    assert story["owed"] > 0
    assert [line["since_ms"] for line in story["story"]] == sorted(
        line["since_ms"] for line in story["story"]
    )
    assert {"press", "position", "planned", "delivered"} <= {line["what"] for line in story["story"]}


@pytest.fixture
def config_with_a_call(config):
    """A silent call: connected, a knock, a guardian, silence lifted and held again; then ended."""
    settings = load(config)
    KeyFile(settings.key_file).make()
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    upgrade(writing)
    reference = "voice-1/1763900000.12"
    call = {"state": "connected", "route": "112-2", "silence": "no-rtp", "recording": "sos.wav"}
    knock = {"digits": "4711", "taps": "4", "meaning": "weapon", "ko": "무기", "en": "a weapon"}
    guardian = {"state": "confirmed", "relation": "mother", "phone": "821055556666", "round": "2"}
    facts = [
        from_data(FactKind.CALL, reference, START + timedelta(seconds=1), call),
        from_data(FactKind.KNOCK, f"{reference}#1", START + timedelta(seconds=2), knock),
        from_data(FactKind.GUARDIAN, "1", START + timedelta(seconds=3), guardian),
        from_data("weather", "sky", START + timedelta(seconds=4), {"where": "kitchen"}),
        from_data(
            FactKind.CALL,
            reference,
            START + timedelta(seconds=9),
            {"state": "ended", "ended-by": "112", "duration-s": "8"},
        ),
    ]
    with writing.begin() as connection:
        record = PressRecorder(Rules(settings.plan, "onetouch", {}))
        record(connection, [NewPress(press("821012345678", "a", START), FIRST)])
        record_facts(connection, settings.plan, FIRST, facts)
        for second, lifted in ((5, True), (6, False)):
            now = START + timedelta(seconds=second)
            set_silence(connection, settings.plan, FIRST, lifted, "desk 7", now)
    writing.dispose()
    reading.dispose()
    return config


def test_a_story_tells_a_call_in_words(run, config_with_a_call):
    told = run("incidents", "show", FIRST, "--config", config_with_a_call).output

    for line in (
        "+1000 ms  call voice-1/1763900000.12: connected to 112-2, silence by no-rtp, recording sos.wav",
        "+2000 ms  knock voice-1/1763900000.12#1: 4 taps",
        "+3000 ms  guardian 1 (mother, 8210******66): confirmed, round 2",
        "+4000 ms  weather sky",
        "+5000 ms  silence lifted by desk 7",
        "+5000 ms  lift-silence ordered by desk 7",
        "+6000 ms  lift-silence taken back",
        "+6000 ms  hold-silence ordered by desk 7",
        "+6000 ms  hold-silence still to be done, next attempt here (0 so far)",
        "+9000 ms  call voice-1/1763900000.12: ended by 112 after 8 s",
    ):
        assert f"{line}\n" in told


@pytest.mark.parametrize("options", [(), ("--json",), ("--positions",)], ids=["story", "json", "positions"])
def test_what_was_tapped_and_whose_number_it_is_are_never_shown(run, config_with_a_call, options):
    told = run("incidents", "show", FIRST, "--config", config_with_a_call, *options).output

    for secret in ("4711", "weapon", "무기", "821055556666", "kitchen"):
        assert secret not in told


def test_facts_and_orders_are_there_as_json(run, config_with_a_call):
    story = json.loads(run("incidents", "show", FIRST, "--config", config_with_a_call, "--json").output)[
        "story"
    ]

    facts = [(line["kind"], line["told"]) for line in story if line["what"] == "fact"]
    assert facts[:3] == [
        ("call", {"state": "connected", "route": "112-2", "silence": "no-rtp", "recording": "sos.wav"}),
        ("knock", {"taps": "4"}),
        ("guardian", {"state": "confirmed", "relation": "mother", "phone": "8210******66", "round": "2"}),
    ]
    orders = [
        (line["what"], line["kind"], line["by"]) for line in story if line.get("channel") == "call-control"
    ]
    assert ("planned", "lift-silence", "desk 7") in orders


@pytest.mark.parametrize(
    ("became", "words"),
    [
        ("delivered", "hang-up DONE at attempt 2: 1 call"),
        ("rejected", "hang-up REFUSED: 1 call"),
        ("next attempt", "hang-up still to be done, next attempt here (2 so far): 1 call"),
    ],
)
def test_what_became_of_an_order_is_told_in_words(became, words):
    assert order_in_words(became, {"kind": "hang-up", "attempts": 2, "detail": "1 call"}) == words


@pytest.mark.parametrize("kind", [FactKind.CALL, FactKind.KNOCK, FactKind.SILENCE, FactKind.GUARDIAN])
def test_a_fact_that_says_nothing_is_a_line_all_the_same(kind):
    assert fact_in_words(from_data(kind, "7", START, {})).startswith(kind)


def test_closing_leaves_a_closing_report_for_112_and_can_be_done_once(run, config_with_incidents):
    config = config_with_incidents

    closed = run("incidents", "close", FIRST, "--config", config, "--reason", "found safe")
    again = run("incidents", "close", FIRST, "--config", config, "--reason", "found safe")

    assert (closed.exit_code, again.exit_code) == (0, 1)
    assert "closed: found safe" in run("incidents", "show", FIRST, "--config", config).output
    assert "closing" in run("incidents", "show", FIRST, "--config", config).output
    still_open = run("incidents", "list", "--open", "--config", config, "--json").output.splitlines()
    assert [json.loads(line)["incident"] for line in still_open] == [SECOND]


def test_a_reason_is_asked_for(run, config_with_incidents):
    for reason in ("  ", "x" * 201):
        assert (
            run("incidents", "close", FIRST, "--config", config_with_incidents, "--reason", reason).exit_code
            == 2
        )


def test_an_unknown_incident_is_told_in_a_line(run, config_with_incidents):
    result = run("incidents", "show", "sos-none", "--config", config_with_incidents)

    assert result.exit_code == 1
    assert "there is no incident sos-none" in result.output


def test_a_store_that_was_never_made_is_told_in_a_line_and_not_made(run, config):
    result = run("incidents", "list", "--config", config)

    assert result.exit_code == 1
    assert "onetouch db upgrade" in result.output
    assert not (config.parent / "onetouch.sqlite").exists()


def test_db_upgrade_makes_the_store_and_db_check_finds_it_sound(run, config):
    assert "onetouch db upgrade" in run("db", "check", "--config", config).output

    made = run("db", "upgrade", "--config", config)
    again = run("db", "upgrade", "--config", config)
    checked = run("db", "check", "--config", config)

    assert "upgraded from empty to" in made.output
    assert "already" in again.output
    assert checked.exit_code == 0
    assert [line.split()[0] for line in checked.output.splitlines()] == [
        "schema",
        "key_proof",
        "quick_check",
        "journal_mode",
        "synchronous",
        "names",
    ]
    assert "no incidents" in run("incidents", "list", "--config", config).output


def test_db_check_finds_a_key_file_that_is_not_this_stores(run, config):
    run("db", "upgrade", "--config", config)
    key_file = load(config).key_file
    right = key_file.read_bytes()

    for harm in (key_file.unlink, KeyFile(key_file).make, lambda: key_file.write_text("{")):
        harm()
        checked = run("db", "check", "--config", config)
        assert checked.exit_code == 1
        assert [line.split()[-1] for line in checked.stdout.splitlines() if "key_proof" in line] == ["WRONG"]
        assert str(key_file) in checked.stderr

    key_file.write_bytes(right)
    assert run("db", "check", "--config", config).exit_code == 0


def test_db_check_finds_a_second_name_of_the_file(run, config):
    run("db", "upgrade", "--config", config)
    file = config.parent / "onetouch.sqlite"
    (config.parent / "backup.sqlite").hardlink_to(file)

    checked = run("db", "check", "--config", config)

    assert checked.exit_code == 1
    assert "names of the file    2            WRONG" in checked.output


def test_a_file_that_is_no_store_is_told_in_a_line(run, config):
    (config.parent / "onetouch.sqlite").write_bytes(b"rubbish " * 1000)

    for command in (("incidents", "list"), ("db", "check"), ("db", "upgrade")):
        result = run(*command, "--config", config)
        assert result.exit_code == 1
        assert "file is not a database" in result.output


def onetouch(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, where no log has been set up before."""
    command = [sys.executable, "-m", "telephony", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_damaged_incident_is_listed_as_such_beside_the_others(config_with_incidents):
    settings = load(config_with_incidents)
    writing, reading = open_engines(settings.database_url, KeyFile(settings.key_file).ring)
    with writing.begin() as connection:
        connection.execute(update(incident).where(incident.c.id == FIRST).values(sealed=b"damaged"))
        connection.execute(update(press_table).values(sealed=b"damaged"))
        connection.execute(update(position).values(sealed=b"damaged"))
    writing.dispose()
    reading.dispose()

    listed = onetouch("incidents", "list", "--config", config_with_incidents, "--json")
    shown = onetouch("incidents", "show", "--config", config_with_incidents, FIRST)

    callers = [json.loads(line)["msisdn"] for line in listed.stdout.splitlines()]
    assert callers == ["8210******21", "(unreadable)"]
    assert "row unreadable" in listed.stderr
    assert shown.returncode == 0
    assert "press 2 by sms on skt-1 to (unreadable): repeat press, no readable text" in shown.stdout


def test_without_the_key_file_one_line_says_what_to_bring_back(run, config_with_incidents):
    key_file = load(config_with_incidents).key_file
    key_file.unlink()

    for command in (("incidents", "list"), ("incidents", "show", FIRST), ("keys", "show"), ("db", "upgrade")):
        result = run(*command[:2], "--config", config_with_incidents, *command[2:])
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert f"{key_file}" in result.stderr
        assert "bring it back from its backup" in result.stderr
    assert not key_file.exists()
