"""What is found out of an incident beside its presses, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from telephony.domain.delivery import GUARDIANS, Delivered
from telephony.domain.facts import CALLER, FactKind
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.position import LAST_KNOWN
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import from_data
from telephony.store.history import history
from telephony.store.people import Registry
from telephony.store.who_presses import (
    Joined,
    Wanted,
    places_of_open_incidents,
    record_joined,
    so_far,
    who_has,
)
from tests.doubles import NOON, keys, press
from tests.store.ledger import Ledger, fix
from tests.store.people_drafts import number, pupil

KIM, LEE = "821012345678", "821011112222"
INCIDENT = f"sos-{KIM}"
PLAN = Plan((ReportRoute("seoul"),), {}, tells_guardians=True, joins_people=True)
WHO = from_data(FactKind.PERSON, CALLER, NOON, {"registered": "yes"})
LABEL = from_data(FactKind.SCORE, CALLER, NOON, {"score": "30"})


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    ledger = Ledger(engines[0], PLAN)
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    return ledger


def keep(ledger: Ledger, joined: Joined, incident_id: str = INCIDENT) -> bool:
    return ledger.transact(record_joined, PLAN, incident_id, joined, NOON)


def reports(ledger: Ledger) -> list[tuple[int, str]]:
    return [(row["sequence"], row["payload"]) for row in ledger.rows("delivery") if row["sequence"] > 1]


def test_loud_and_quiet_facts_are_one_update(ledger: Ledger):
    assert keep(ledger, Joined([WHO], [LABEL]))
    assert reports(ledger) == [(2, '{"presses": 1, "facts": 2, "why": ["person", "score"]}')]


def test_quiet_facts_alone_wait_for_the_next_report(ledger: Ledger):
    assert not keep(ledger, Joined([], [LABEL]))
    assert reports(ledger) == []

    ledger.locate(fix(80))
    (update,) = ledger.claim(after_s=1)
    assert [fact.kind for fact in update.content.facts] == [FactKind.SCORE]


def test_quiet_facts_go_into_an_update_that_waits_but_not_into_one_on_its_way(ledger: Ledger):
    ledger.locate(fix(80))
    keep(ledger, Joined([], [LABEL]))
    assert reports(ledger) == [(2, '{"presses": 1, "position": 1, "facts": 1, "why": ["position", "score"]}')]

    ledger.claim(after_s=1)
    keep(ledger, Joined([], [replace(LABEL, likelihood=40)]))
    assert reports(ledger) == [(2, '{"presses": 1, "position": 1, "facts": 1, "why": ["position", "score"]}')]


def test_the_same_once_more_is_no_news(ledger: Ledger):
    joined = Joined([WHO], [LABEL], has_guardians=True, subject=KIM)
    assert keep(ledger, joined)
    assert not keep(ledger, joined)

    assert len(ledger.rows("fact")) == 2
    assert len(reports(ledger)) == 1
    assert len([row for row in ledger.rows("delivery") if row["channel"] == GUARDIANS]) == 1
    assert len(ledger.rows("press_history")) == 1


def test_the_errand_of_the_guardians_can_be_claimed(ledger: Ledger):
    assert keep(ledger, Joined([], [], has_guardians=True))

    (errand,) = ledger.claim(GUARDIANS)
    assert (errand.kind, errand.sequence, errand.payload) == (GUARDIANS, 0, {})
    assert errand.content.msisdn == Msisdn(KIM)


@pytest.mark.parametrize("incident_id", ["sos-nobody", INCIDENT], ids=["unknown", "closed"])
def test_an_incident_that_is_not_open_is_left_alone(ledger: Ledger, incident_id: str):
    ledger.close()
    before = len(ledger.rows("delivery"))

    assert not keep(ledger, Joined([WHO], [LABEL], has_guardians=True, subject=KIM), incident_id)
    assert (ledger.rows("fact"), ledger.rows("press_history"), len(ledger.rows("delivery"))) == (
        [],
        [],
        before,
    )
    assert ledger.transact(so_far, Wanted(ledger.key_of(KIM))) is None
    assert ledger.transact(so_far, Wanted(-1)) is None


def test_an_incident_is_read_with_its_presses_positions_history_and_other_devices(ledger: Ledger):
    ledger.record(press(LEE))
    ledger.again("1", after_s=5, source="call", text="again")
    ledger.locate(fix(300))
    ledger.locate(fix(20, after_s=9))
    keep(ledger, Joined([WHO], [], subject=KIM))
    wanted = Wanted(ledger.key_of(KIM), KIM, NOON - timedelta(days=1), [Msisdn(LEE), Msisdn("821099990000")])

    known = ledger.transact(so_far, wanted)

    assert known.pressed_at == (NOON, NOON + timedelta(seconds=5))
    assert known.ways == {"sms", "call"}
    assert known.report.texts == ("SOS", "again")
    assert (known.first_position.uncertainty_m, known.report.position.uncertainty_m) == (300.0, 20.0)
    assert [fact.kind for fact in known.report.facts] == [FactKind.PERSON]
    assert known.earlier == []
    assert known.also == [f"sos-{LEE}"]
    assert len(ledger.transact(lambda c: history(c, KIM, since=NOON - timedelta(days=1)))) == 1


def test_where_others_are_is_read_of_open_emergencies_alone(ledger: Ledger):
    ledger.locate(fix(80))
    for caller, changes in ((LEE, {}), ("821033334444", {"test": True}), ("821055556666", {})):
        ledger.record(press(caller, **changes))
        ledger.locate(fix(50), caller)
    ledger.close("sos-821055556666")

    found = ledger.transact(places_of_open_incidents, NOON - timedelta(minutes=1))

    assert {each.incident_id for each in found} == {INCIDENT, f"sos-{LEE}"}
    assert ledger.transact(places_of_open_incidents, NOON + timedelta(minutes=1)) == []


def test_who_has_a_number_is_found_with_the_key_that_stays_theirs(ledger: Ledger):
    registry = Registry(keys)
    ledger.transact(registry.enrol, [pupil()], NOON)
    found = ledger.transact(who_has, registry, number())
    ledger.transact(registry.change_number, number(), Msisdn("821088889999"), NOON)

    assert ledger.transact(who_has, registry, Msisdn("821088889999")).key == found.key
    assert ledger.transact(who_has, registry, number()) is None


def test_with_a_person_everything_that_was_remembered_of_them_goes(ledger: Ledger):
    registry = Registry(keys)
    ledger.transact(registry.enrol, [pupil()], NOON)
    key = ledger.transact(who_has, registry, number()).key
    keep(ledger, Joined([], [], subject=f"person:{key}"))

    ledger.transact(registry.delete, number())

    assert ledger.rows("press_history") == []


@pytest.mark.parametrize(
    ("found", "is_measured"), [({}, True), ({"age_s": 3_600}, False), ({"source": LAST_KNOWN}, False)]
)
def test_what_was_measured_before_the_press_shows_no_move_of_hers(
    ledger: Ledger, found: dict[str, Any], *, is_measured: bool
):
    ledger.locate(fix(80, **found))

    seen = ledger.transact(so_far, Wanted(ledger.key_of(KIM)))

    assert seen is not None
    assert (seen.first_position is not None) == is_measured
