"""A false alarm: 112 hears of it, the audit chain holds who said so, and the next press is weighed by it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from telephony.domain.delivery import Delivered
from telephony.domain.people.person import Device, Draft, GuardianEntry
from telephony.domain.score import DRILL, FALSE_ALARM
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import to_data
from telephony.store.history import history, registered
from telephony.store.labels import record_false_alarm, remember_drill
from telephony.store.people import Registry
from tests.doubles import NOON, ONE_CENTRE, keys, press
from tests.store.ledger import Ledger, fix

KIM, INCIDENT = "821012345678", "sos-821012345678"
LATER = NOON + timedelta(minutes=4)


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    ledger = Ledger(engines[0])
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    return ledger


def enrol(ledger: Ledger) -> int:
    guardian = GuardianEntry(Msisdn("821098760000"), "mother")
    draft = Draft("Kim", date(2015, 3, 2), (Device(Msisdn(KIM)),), (guardian,), {}, "Park", "paper")
    ledger.transact(Registry(keys).enrol, [draft], NOON)
    return ledger.rows("person")[0]["key"]


def remembered(ledger: Ledger, subject: str = KIM):
    return ledger.transact(lambda connection: history(connection, subject, since=NOON - timedelta(days=1)))


def mark(ledger: Ledger, incident_id: str = INCIDENT, why: str = "met by unit 12") -> bool:
    return ledger.transact(record_false_alarm, ONE_CENTRE, incident_id, "112", "desk 7", LATER, why)


def test_112_hears_who_says_so_and_why_and_the_incident_stays_open(ledger: Ledger):
    assert mark(ledger)

    (update,) = ledger.claim(after_s=300)
    (said,) = update.content.facts
    assert (said.kind, said.subject, to_data(said)) == (
        "false-alarm",
        "112",
        {"by": "desk 7", "at": "2026-11-23T03:04:00+00:00", "why": "met by unit 12"},
    )
    assert ledger.rows("incident")[0]["state"] == "open"


def test_it_is_remembered_of_the_number_with_the_time_and_place_of_the_press(ledger: Ledger):
    ledger.locate(fix(20))
    mark(ledger)

    (found,) = remembered(ledger)
    assert (found.kind, found.at) == (FALSE_ALARM, NOON)
    assert found.place is not None


def test_of_somebody_registered_it_is_remembered_of_the_person(ledger: Ledger):
    key = enrol(ledger)
    mark(ledger)

    assert remembered(ledger) == []
    assert len(remembered(ledger, registered(key))) == 1


def test_the_same_voice_says_it_once_and_another_adds_its_own(ledger: Ledger):
    mark(ledger)
    mark(ledger, why="once more")
    assert ledger.transact(record_false_alarm, ONE_CENTRE, INCIDENT, 1, "sms", LATER)

    assert [row["subject"] for row in ledger.rows("fact")] == ["112", "guardian 1"]


def test_an_incident_that_is_closed_is_remembered_too(ledger: Ledger):
    ledger.close()
    reports = len(ledger.rows("delivery"))

    assert mark(ledger)

    assert len(remembered(ledger)) == 1
    assert len(ledger.rows("delivery")) == reports


def test_an_unknown_incident_is_said_to_be_so_and_leaves_no_entry(ledger: Ledger):
    assert not mark(ledger, "sos-nobody")
    assert ledger.rows("audit") == []


def test_a_drill_is_not_held_against_anybody(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0])
    ledger.record(press(test=True))

    assert mark(ledger)
    assert remembered(ledger) == []


def test_a_withheld_number_has_no_history(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0])
    ledger.record(press("", msisdn=Msisdn("", is_e164=False)))

    assert mark(ledger, "sos-")
    assert ledger.rows("press_history") == []


def test_a_drill_is_remembered_as_one_and_an_emergency_never(ledger: Ledger):
    ledger.record(press("821011112222", test=True))

    ledger.transact(remember_drill, "sos-821011112222")
    ledger.transact(remember_drill, INCIDENT)
    ledger.transact(remember_drill, "sos-nobody")

    assert [each.kind for each in remembered(ledger, "821011112222")] == [DRILL]
    assert remembered(ledger) == []
