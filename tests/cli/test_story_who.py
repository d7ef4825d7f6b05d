"""Who presses and how likely it is meant, as operators see it: enough to follow the story, and nothing of the person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from telephony.cli.incidents_false_alarm import LONGEST_NAME, LONGEST_REASON
from telephony.cli.story_facts import fact_in_words, shown
from telephony.domain.facts import CALLER, FactKind, Registered
from telephony.settings import load
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.fact_rows import from_data
from telephony.store.upgrade import upgrade

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
EVERYTHING = {
    "registered": Registered.YES, "name": "Kim Haneul", "born": "2015-03-02", "address": "Sajik-ro 8", "photo": "haneul.jpg",
    "medical": "asthma", "family": "lives with her aunt", "language": "ko", "device": "u-relief",
    "school": "Hankuk", "carrier": "skt", "guardians": "mother +821098760001", "consent": "ended", "also": "sos-2",
}  # fmt: skip


def test_of_a_person_a_story_tells_nothing_by_which_they_can_be_known():
    told = fact_in_words(from_data(FactKind.PERSON, CALLER, NOW, EVERYTHING))

    assert told == "person registered, u-relief, consent ended, also pressed: sos-2"
    assert set(shown(from_data(FactKind.PERSON, CALLER, NOW, EVERYTHING))) == {
        "registered",
        "device",
        "consent",
        "also",
    }


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        (from_data(FactKind.PERSON, CALLER, NOW, {"registered": Registered.NO}), "person not registered"),
        (
            from_data(FactKind.PERSON, CALLER, NOW, {"registered": Registered.UNKNOWN}),
            "person not looked up: the registry is not readable",
        ),
        (
            from_data(FactKind.SCORE, CALLER, NOW, {"score": "75", "reasons": "false-alarms=2;night"}),
            "score: an accident at 75 %: false-alarms=2, night",
        ),
        (from_data(FactKind.SCORE, CALLER, NOW, {"score": "30"}), "score: an accident at 30 %"),
        (
            from_data(FactKind.FALSE_ALARM, "guardian 1", NOW, {"by": "sms"}),
            "false-alarm, says guardian 1 (sms)",
        ),
        (from_data(FactKind.FALSE_ALARM, "112", NOW, {"why": "met by unit 12"}), "false-alarm, says 112"),
        (
            from_data(
                FactKind.REACH,
                "phone",
                NOW,
                {"state": "not-answering", "why": "absent", "last-answered": "2026-11-23T06:04:49+00:00"},
            ),
            "phone not-answering (absent), last answered at 2026-11-23T06:04:49+00:00",
        ),
        (from_data(FactKind.REACH, "phone", NOW, {"state": "answering"}), "phone answering"),
    ],
)
def test_each_fact_is_a_line(fact, told):
    assert fact_in_words(fact) == told


def test_an_incident_that_there_is_not_cannot_be_marked(run, config):
    settings = load(config)
    KeyFile(settings.key_file).make()
    for engine in open_engines(settings.database_url, KeyFile(settings.key_file).ring)[:1]:
        upgrade(engine)
        engine.dispose()

    said = run("incidents", "false-alarm", "sos-x", "--config", config, "--by", "desk 7", "--why", "a bag")

    assert said.exit_code == 1
    assert "there is no incident sos-x; see `onetouch incidents list`" in said.output


@pytest.mark.parametrize(
    ("by", "why", "wrong"),
    [
        (" ", "a bag", "--by"),
        ("desk 7", "", "--why"),
        ("d" * (LONGEST_NAME + 1), "a bag", "--by"),
        ("desk 7", "w" * (LONGEST_REASON + 1), "--why"),
        ("desk\x1b[2J7", "a bag", "--by"),
    ],
)
def test_who_says_so_and_how_it_is_known_must_be_written(run, config, by, why, wrong):
    said = run("incidents", "false-alarm", "sos-x", "--config", config, "--by", by, "--why", why)

    assert said.exit_code == 2
    assert wrong in said.output
    assert "write 1 to" in said.output
