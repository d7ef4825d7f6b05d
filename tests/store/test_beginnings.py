"""What a person says of an incident or a recording leads to the one that is meant, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from telephony.store.beginnings import (
    LAST,
    MOST_CANDIDATES,
    Ambiguous,
    incident_meant,
    recorded_incident_meant,
    recording_meant,
)
from telephony.store.recordings.register import register
from tests.doubles import NOON, press
from tests.store.ledger import Ledger
from tests.store.recording_drafts import name_of, recording

NUMBERS = [f"82101234567{n}" for n in range(10)]


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """Ten incidents, a second apart, and three recordings of calls that joined none of them."""
    ledger = Ledger(engines[0])
    for after_s, number in enumerate(NUMBERS):
        ledger.record(press(number, reference=number, received_at=NOON + timedelta(seconds=after_s)))
    for n in (1, 2, 13):
        kept = replace(recording(n, ended_at=NOON + timedelta(seconds=n)), path=f"/srv/{n}")
        ledger.transact(register, [kept])
    return ledger


def test_the_last_is_the_newest(ledger: Ledger):
    assert ledger.transact(incident_meant, LAST) == f"sos-{NUMBERS[-1]}"
    assert ledger.transact(recording_meant, " LAST ") == name_of(13)


def test_the_last_of_none_is_none(engines: tuple[Engine, Engine]):
    empty = Ledger(engines[0])

    assert empty.transact(incident_meant, LAST) is None
    assert empty.transact(recording_meant, LAST) is None
    assert empty.transact(recorded_incident_meant, LAST) is None


def test_a_beginning_of_one_is_enough_and_of_several_names_the_newest(ledger: Ledger):
    assert ledger.transact(incident_meant, NUMBERS[3]) == f"sos-{NUMBERS[3]}"
    assert ledger.transact(incident_meant, f"SOS-{NUMBERS[3]}") == f"sos-{NUMBERS[3]}"

    several = ledger.transact(incident_meant, "82101")

    assert isinstance(several, Ambiguous)
    assert several.count == len(NUMBERS)
    assert several.candidates == tuple(f"sos-{each}" for each in reversed(NUMBERS))[:MOST_CANDIDATES]


@pytest.mark.parametrize("said", ["%", "_", "sos-82_01", "/", "", "sos-999"])
def test_what_is_the_beginning_of_none_is_given_back(ledger: Ledger, said: str):
    assert ledger.transact(incident_meant, said) == said


def test_a_recording_that_is_named_whole_is_meant_although_another_begins_so(ledger: Ledger):
    whole = name_of(1).removesuffix(".wav")
    assert name_of(13).startswith(whole)

    assert ledger.transact(recording_meant, whole) == name_of(1)
    assert ledger.transact(recording_meant, name_of(1)) == name_of(1)
    assert ledger.transact(recording_meant, f"{whole}3") == name_of(13)


def test_an_incident_that_is_gone_is_found_by_the_name_of_its_call(ledger: Ledger):
    call = name_of(2).removesuffix(".wav")

    assert ledger.transact(recorded_incident_meant, call) == call
    assert ledger.transact(recorded_incident_meant, NUMBERS[3]) == f"sos-{NUMBERS[3]}"
