"""Who presses: told after the first report, loudly or quietly, with the guardians sent for and the label beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Engine, update
from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.delivery import (
    GUARDIANS,
    PERSON,
    Again,
    Delivered,
    Delivery,
    Errand,
    Outcome,
    Rejected,
    Retry,
)
from telephony.domain.errors import Unavailable
from telephony.domain.facts import FactKind
from telephony.domain.guardians.guardian import Guardian, ListedGuardians
from telephony.domain.guardians.standing import AgeGroup, Relation, Standing
from telephony.domain.people.person import Device, Draft, GuardianEntry
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.position import LAST_KNOWN
from telephony.domain.report import Report
from telephony.domain.score import DRILL
from telephony.domain.values import Msisdn
from telephony.services.weighing import LOOK_AROUND_S, Scales, ScoringRules
from telephony.services.who_presses import (
    ALARM,
    FAILURES_BEFORE_ALARM,
    LOOK_UP_S,
    READ_AGAIN_LATER_S,
    READ_AGAIN_S,
    Joining,
    PersonChannel,
)
from telephony.store.crypto import Damaged
from telephony.store.fact_rows import from_data, to_data
from telephony.store.history import history, registered, remember, unregistered
from telephony.store.labels import record_false_alarm
from telephony.store.people import Registry
from telephony.store.schema import person as person_table
from telephony.store.who_presses import NEWEST_INCIDENTS, places_of_open_incidents, who_has
from tests.awaiting import result_of
from tests.doubles import NOON, database, keys, outbox, press
from tests.store.ledger import NOON_S, Ledger, fix

KIM, TERMINAL = "821012345678", "821011112222"
INCIDENT = f"sos-{KIM}"
SEOUL = timezone(timedelta(hours=9))
PLAN = Plan((ReportRoute("seoul"),), {}, tells_guardians=True, joins_people=True)
MOTHER = GuardianEntry(Msisdn("821098760001"), "mother")


def draft(**changes: Any) -> Draft:
    facts: dict[str, Any] = {
        "name": "Kim Haneul",
        "birth_date": date(2015, 3, 2),
        "devices": (Device(Msisdn(KIM), "skt", "phone"), Device(Msisdn(TERMINAL), "kt", "u-relief")),
        "guardians": (MOTHER,),
        "texts": {"medical": "asthma", "address": "Sajik-ro 8", "language": "ko", "cohort": "spring"},
        "consent_by": "Park",
        "consent_means": "paper",
    }
    return Draft(**(facts | changes))


class House:
    def __init__(self, engines: tuple[Engine, Engine]) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON_S)
        self.alarms = Alarms(self.clock)
        self.database = database(*engines)
        self.ledger = Ledger(engines[0], PLAN)
        self.registry = Registry(keys)
        self.woken: list[str] = []
        self.trouble: Exception | None = None
        self.hanging: list[Deferred[Any]] = []
        self.is_hanging = False
        self.listed: dict[str, tuple[Guardian, ...]] = {}
        self.rules = ScoringRules()
        self.scales = Scales(self.database, self.rules, zone=SEOUL, clock=self.clock)
        self.open(Joining(scales=self.scales))
        self.ledger.record(press())
        self.told()

    def open(self, joining: Joining, plan: Plan = PLAN) -> None:
        self.channel = PersonChannel(
            self.look_up,
            outbox(self.database, plan, self.woken),
            joining,
            listed=ListedGuardians(self.listed),
            clock=self.clock,
            alarms=self.alarms,
        )

    def look_up(self, number: Msisdn) -> Deferred[Any]:
        if self.trouble is not None:
            raise self.trouble
        if self.is_hanging:
            self.hanging.append(Deferred())
            return self.hanging[-1]
        return self.database.read(who_has, self.registry, number)

    def enrol(self, *drafts: Draft) -> None:
        self.ledger.transact(self.registry.enrol, list(drafts) or [draft()], NOON)

    def begin(self, caller: str = KIM, attempts: int = 1) -> Deferred[Outcome]:
        errand = Errand(Msisdn(caller), "skt", NOON)
        key = self.ledger.key_of(caller)
        delivery = Delivery(key, f"sos-{caller}", PERSON, 0, PERSON, {}, NOON, attempts, 0.0, errand)
        return Deferred.fromCoroutine(self.channel.deliver(delivery))

    def deliver(self, caller: str = KIM) -> Outcome:
        outcome: Outcome = result_of(self.begin(caller))
        return outcome

    def told(self) -> Report | None:
        """Take the report that is due; 112 acknowledges it."""
        claimed = self.ledger.claim(after_s=self.clock.seconds() - NOON_S + 1)
        for each in claimed:
            self.ledger.settle(each, Delivered(), after_s=self.clock.seconds() - NOON_S)
        return claimed[0].content if claimed else None  # type: ignore[return-value]  # a report's

    def facts(self, kind: str) -> list[dict[str, str]]:
        """What was kept, in order."""
        return [json.loads(row["data"]) for row in self.ledger.rows("fact") if row["kind"] == kind]

    def likelihood(self) -> int:
        return int(self.facts(FactKind.SCORE)[-1]["score"])

    def reasons(self) -> list[str]:
        return self.facts(FactKind.SCORE)[-1].get("reasons", "").split(";")

    def errands(self, channel: str = GUARDIANS) -> list[dict[str, Any]]:
        return [row for row in self.ledger.rows("delivery") if row["channel"] == channel]

    def remember(self, kind: str, subject: str, *, days: float = 0.0) -> None:
        self.ledger.transact(remember, subject, NOON - timedelta(days=days), kind, None)

    def history(self, subject: str) -> list[Any]:
        return self.ledger.transact(lambda c: history(c, subject, since=NOON - timedelta(days=400)))


@pytest.fixture
def house(engines: tuple[Engine, Engine]) -> House:
    return House(engines)


# -- who -------------------------------------------------------------------------------------------------------------


def test_of_somebody_registered_112_hears_at_once_and_everything(house: House):
    house.enrol()

    assert house.deliver() == Again(20.0, PERSON, PERSON, "registered")

    assert house.woken == [INCIDENT]
    who = house.told().facts[0]
    assert dict(to_data(who)) == {
        "registered": "yes",
        "name": "Kim Haneul",
        "born": "2015-03-02",
        "device": "phone",
        "carrier": "skt",
        "medical": "asthma",
        "address": "Sajik-ro 8",
        "language": "ko",
        "guardians": "mother +821098760001",
        "guardians-said": "agreed",
        "consent": "valid",
    }


def test_who_and_the_label_are_one_update(house: House):
    house.enrol()
    house.deliver()

    assert [fact.kind for fact in house.told().facts] == [PERSON, FactKind.SCORE]
    assert house.told() is None


def test_that_nobody_is_registered_goes_with_the_next_report(house: House):
    house.deliver()

    assert house.told() is None
    assert house.woken == []
    house.ledger.locate(fix(80))
    assert {"registered": "no"} in [dict(to_data(fact)) for fact in house.told().facts]


def test_it_goes_with_an_update_that_nobody_has_begun_to_send(house: House):
    house.ledger.locate(fix(80))
    house.deliver()

    assert {"registered": "no"} in [dict(to_data(fact)) for fact in house.told().facts]
    assert house.told() is None


def test_what_is_known_already_is_told_once(house: House):
    house.enrol()
    house.deliver()
    house.told()
    house.clock.advance(20)

    assert house.deliver() == Again(100.0, PERSON, PERSON, "registered")
    assert house.told() is None
    assert len(house.facts(PERSON)) == 1


def test_somebody_who_signs_up_while_the_incident_is_open_is_seen_at_the_next_moment(house: House):
    house.deliver()
    house.enrol()
    house.clock.advance(20)
    house.deliver()

    assert to_data(house.told().facts[0])["name"] == "Kim Haneul"


def test_it_is_looked_at_again_after_20_seconds_2_minutes_and_10_minutes(house: House):
    moments = []
    for _ in range(4):
        outcome = house.deliver()
        moments.append(getattr(outcome, "after_s", None))
        house.clock.advance(getattr(outcome, "after_s", 0.0))

    assert moments == [20.0, 100.0, 480.0, None]


def test_112_reads_of_each_guardian_by_whose_word_it_is_one(house: House):
    unanswered = GuardianEntry(Msisdn("821055550000"), "uncle", is_confirmed=False)
    standing = Standing(Relation.MOTHER, AgeGroup.ADULT, "SMS", NOON)
    father = GuardianEntry(Msisdn("821055550001"), "father")
    house.enrol(draft(guardians=(replace(MOTHER, standing=standing), father, unanswered)))
    house.deliver()

    told = house.facts(PERSON)[0]
    assert told["guardians"] == "mother +821098760001; father +821055550001; uncle +821055550000"
    said = f"mother, adult, SMS, {NOON.date()}; agreed; named, has not answered"
    assert told["guardians-said"] == said


def test_a_consent_that_was_outgrown_is_told_as_ended(house: House):
    house.enrol(draft(birth_date=date(2007, 12, 24)))
    house.clock.advance(40 * 86_400)
    house.deliver()

    assert house.facts(PERSON)[0]["consent"] == "ended"
    assert house.facts(PERSON)[0]["name"] == "Kim Haneul"


def test_a_person_whose_consent_was_withdrawn_counts_as_not_registered(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    house.enrol()
    found = result_of(house.look_up(Msisdn(KIM)))
    gone = replace(found.person, consent=replace(found.person.consent, withdrawn_at=NOON))

    async def withdrawn(_: Msisdn) -> Any:
        return replace(found, person=gone)

    monkeypatch.setattr(house.channel, "_look_up", withdrawn)
    house.deliver()

    assert house.facts(PERSON) == [{"registered": "no"}]
    assert house.errands() == []


def test_a_withheld_number_is_no_person_and_nothing_is_remembered(engines: tuple[Engine, Engine]):
    house = House(engines)
    house.ledger.record(press("", msisdn=Msisdn("", is_e164=False)))
    house.is_hanging = True

    house.deliver("")

    assert house.facts(PERSON) == [{"registered": "no"}]
    assert house.ledger.rows("press_history") == []


def test_the_other_device_of_the_same_person_is_told_of(house: House):
    house.enrol()
    house.ledger.record(press(TERMINAL))
    house.deliver(TERMINAL)

    who = house.facts(PERSON)[0]
    assert (who["also"], who["device"], who["carrier"]) == (INCIDENT, "u-relief", "kt")


def test_a_closed_incident_is_left_alone(house: House):
    house.enrol()
    house.ledger.close()
    facts = len(house.ledger.rows("fact"))

    assert house.deliver() == Delivered("the incident is closed")
    assert len(house.ledger.rows("fact")) == facts
    assert house.errands() == []
    assert house.ledger.rows("press_history") == []


def test_a_delivery_without_an_errand_is_refused(house: House):
    bare = Delivery(1, INCIDENT, PERSON, 0, PERSON, {}, NOON)
    assert isinstance(result_of(house.channel.deliver(bare)), Rejected)


# -- a registry in trouble -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [Unavailable("store: locked"), Damaged("person 7: sealed was changed")])
def test_a_registry_that_cannot_be_read_is_told_of_and_tried_again(house: House, trouble: Exception):
    house.enrol()
    house.trouble = trouble

    assert house.deliver() == Retry("the registry cannot be read", READ_AGAIN_S)
    assert dict(to_data(house.told().facts[0])) == {"registered": "unknown"}

    house.trouble = None
    house.deliver()
    assert to_data(house.told().facts[0])["name"] == "Kim Haneul"


def test_a_damaged_row_of_a_person_is_a_registry_that_cannot_be_read(house: House):
    house.enrol()
    house.ledger.transact(
        lambda connection: connection.execute(update(person_table).values(sealed=b"x" * 200))
    )

    assert isinstance(house.deliver(), Retry)
    assert house.facts(PERSON) == [{"registered": "unknown"}]


def test_a_registry_that_hangs_is_given_up(house: House):
    house.is_hanging = True
    waiting = house.begin()
    assert not waiting.called
    house.clock.advance(LOOK_UP_S)

    assert result_of(waiting) == Retry("the registry cannot be read", READ_AGAIN_S)
    house.hanging[0].callback(None)  # it answers after all, too late to be heard


def test_the_presses_are_weighed_without_the_registry_and_nothing_is_held_against_anybody(house: House):
    house.trouble = Unavailable("locked")
    house.deliver()

    assert house.likelihood() == 30
    assert house.ledger.rows("press_history") == []


def test_an_alarm_stands_after_some_failures_until_it_can_be_read_again(house: House):
    house.trouble = Unavailable("locked")
    for number in range(FAILURES_BEFORE_ALARM):
        assert [alarm.name for alarm in house.alarms.standing()] == (
            [] if number < FAILURES_BEFORE_ALARM else [ALARM]
        )
        house.deliver()
    assert [alarm.name for alarm in house.alarms.standing()] == [ALARM]

    house.trouble = None
    house.deliver()
    house.clock.advance(HOLD_S)
    assert house.alarms.standing() == []


def test_later_it_is_tried_less_often(house: House):
    house.trouble = Unavailable("locked")
    house.clock.advance(700)
    assert house.deliver() == Retry("the registry cannot be read", READ_AGAIN_LATER_S)


# -- guardians -------------------------------------------------------------------------------------------------------


def test_guardians_are_sent_for_once(house: House):
    house.enrol()
    house.deliver()
    house.deliver()

    (errand,) = house.errands()
    assert (errand["kind"], errand["sequence"], errand["state"], errand["payload"]) == (
        GUARDIANS,
        0,
        "pending",
        "{}",
    )
    assert len(house.woken) == 1


def test_an_unregistered_caller_whom_the_settings_list_has_guardians_too(house: House):
    house.listed[KIM] = (Guardian(Msisdn("821098760001")),)
    house.open(Joining(scales=house.scales))
    house.deliver()

    assert len(house.errands()) == 1
    assert house.woken == [INCIDENT]


def test_listed_guardians_are_sent_for_while_the_registry_cannot_be_read(house: House):
    house.listed[KIM] = (Guardian(Msisdn("821098760001")),)
    house.open(Joining(scales=house.scales))
    house.trouble = Unavailable("locked")
    house.deliver()

    assert len(house.errands()) == 1


def test_a_guardian_who_has_not_answered_is_sent_for_too(house: House):
    """She has named them, and there may be no one else left to come."""
    house.open(Joining(scales=house.scales), PLAN)
    house.enrol(draft(guardians=(replace(MOTHER, is_confirmed=False),)))
    house.deliver()

    assert len(house.errands()) == 1


@pytest.mark.parametrize(
    ("plan", "guardians"),
    [(replace(PLAN, tells_guardians=False), (MOTHER,)), (PLAN, ())],
    ids=["no way to tell", "none is named, or all refused"],
)
def test_no_errand_to_guardians_is_enqueued(house: House, plan: Plan, guardians: tuple[GuardianEntry, ...]):
    house.open(Joining(scales=house.scales), plan)
    house.enrol(draft(guardians=guardians))
    house.deliver()

    assert house.errands() == []


def test_a_drill_enqueues_no_errand_to_guardians(engines: tuple[Engine, Engine]):
    house = House(engines)
    house.enrol()
    house.ledger.record(press(TERMINAL, test=True))
    house.deliver(TERMINAL)

    assert house.errands() == []


# -- the label -------------------------------------------------------------------------------------------------------


def test_a_low_score_goes_with_the_next_report(house: House):
    house.deliver()
    assert house.told() is None
    assert house.facts(FactKind.SCORE) == [{"score": "35", "reasons": "unregistered"}]


def test_a_score_that_passes_the_mark_is_an_update_of_its_own(house: House):
    for days in (1, 2, 3):
        house.remember("false-alarm", KIM, days=days)
    house.deliver()

    assert house.woken == [INCIDENT]
    (label,) = [fact for fact in house.told().facts if fact.kind == FactKind.SCORE]
    assert dict(to_data(label)) == {
        "score": "80",
        "reasons": "false-alarms=3;recent-false-alarm;unregistered",
    }


def test_a_score_that_falls_again_is_told_too(house: House):
    for days in (1, 2, 3):
        house.remember("false-alarm", KIM, days=days)
    house.deliver()
    house.told()
    house.ledger.tell(from_data(FactKind.KNOCK, "call#1", NOON, {"taps": "2"}))
    house.told()
    house.clock.advance(20)
    house.deliver()

    label = [fact for fact in house.told().facts if fact.kind == FactKind.SCORE][-1]
    assert to_data(label)["score"] == "20"
    assert to_data(label)["reasons"].startswith("knocked=2")


def test_the_history_of_somebody_registered_is_that_of_the_person_and_survives_a_new_number(house: House):
    house.enrol()
    person = registered(house.ledger.rows("person")[0]["key"])
    house.remember("false-alarm", person, days=1)
    house.remember("false-alarm", KIM, days=1)  # of the person who had the number before they signed up
    house.ledger.transact(house.registry.change_number, Msisdn(TERMINAL), Msisdn("821077778888"), NOON)
    house.deliver()

    assert "false-alarms=1" in house.reasons()
    assert [each.kind for each in house.history(person)] == ["press", "false-alarm"]


def test_a_press_is_remembered_with_its_place_once_there_is_one(house: House):
    house.deliver()
    house.ledger.locate(fix(20))
    house.clock.advance(20)
    house.deliver()

    (found,) = house.history(unregistered(Msisdn(KIM)))
    assert (found.kind, found.at, found.place is None) == ("press", NOON, False)


def test_a_false_alarm_of_this_very_incident_weighs(house: House):
    house.deliver()
    house.ledger.transact(record_false_alarm, PLAN, INCIDENT, 1, "sms", NOON)
    house.told()
    house.clock.advance(20)
    house.deliver()

    assert house.reasons()[0] == "said-false"
    assert {fact.kind: to_data(fact).get("score") for fact in house.told().facts}[FactKind.SCORE] == "90"
    (found,) = house.history(KIM)
    assert found.kind == "false-alarm"


def test_a_drill_within_the_hour_and_a_place_weigh(house: House):
    house.ledger.transact(remember, KIM, NOON - timedelta(minutes=10), DRILL, fix(20))
    house.ledger.locate(fix(20))
    house.deliver()

    assert {"drilled=10", "place-of-drill"} <= set(house.reasons())


def test_a_position_that_could_be_anywhere_is_in_no_place(house: House):
    house.ledger.transact(remember, KIM, NOON - timedelta(days=10), "false-alarm", fix(20))
    house.ledger.locate(fix(2_000))
    house.deliver()

    assert "place-of-false-alarm" not in house.reasons()


def test_presses_texts_calls_and_ways_weigh(house: House):
    house.ledger.again("1", after_s=4, text="He is here")
    house.ledger.again("2", after_s=60, source="call", text=None)
    house.deliver()

    assert {"typed", "pressed-at-once=3", "another-way"} <= set(house.reasons())


def test_a_single_call_given_up_weighs(engines: tuple[Engine, Engine]):
    house = House(engines)
    call = from_data(FactKind.CALL, "voice-1/1", NOON, {"state": "given-up"})
    house.ledger.record(press(TERMINAL, source="call", text=None, facts=(call,)))
    house.deliver(TERMINAL)

    assert "call-given-up" in house.reasons()


def test_the_hour_is_that_of_the_house(engines: tuple[Engine, Engine]):
    house = House(engines)
    at_night = datetime(2026, 11, 23, 17, tzinfo=UTC)  # two o'clock in Seoul
    house.ledger.record(press(TERMINAL, received_at=at_night))
    house.deliver(TERMINAL)

    assert "night" in house.reasons()


def test_moving_is_told_apart_from_a_better_circle(house: House):
    house.ledger.locate(fix(500))
    house.ledger.locate(fix(30, after_s=5, latitude=37.5705))  # 445 m away, and inside the first circle
    house.clock.advance(20)
    house.deliver()
    assert not [each for each in house.reasons() if each.startswith("moving")]

    house.ledger.locate(fix(20, after_s=300, latitude=37.59))
    house.clock.advance(100)
    house.deliver()
    assert [each for each in house.reasons() if each.startswith("moving")]


def test_from_a_memory_of_an_earlier_incident_no_move_is_concluded(house: House):
    house.ledger.locate(replace(fix(80, latitude=37.6), source=LAST_KNOWN))
    house.ledger.locate(fix(30, after_s=5))
    house.deliver()

    assert not [each for each in house.reasons() if each.startswith("moving")]


def test_without_scoring_nothing_is_weighed_and_nothing_remembered(house: House):
    house.open(Joining(scales=None))
    house.enrol()
    house.deliver()

    assert house.facts(FactKind.SCORE) == []
    assert house.ledger.rows("press_history") == []
    assert len(house.facts(PERSON)) == 1


def test_where_112_is_not_to_know_guardians_are_sent_for_all_the_same(house: House):
    house.open(Joining(tells=False, scales=house.scales))
    house.enrol()
    house.deliver()

    assert house.facts(PERSON) == []
    assert len(house.errands()) == 1


# -- nearby ----------------------------------------------------------------------------------------------------------


def others(house: House, count: int, *, metres: float = 100.0, minutes: float = 1.0, **changes: Any) -> None:
    for number in range(count):
        caller = f"8210{90000000 + number}"
        at = NOON - timedelta(minutes=minutes)
        house.ledger.record(press(caller, received_at=at, **changes))
        place = fix(50, latitude=37.5665 + metres / 111_195, after_s=-60 * minutes)
        house.ledger.locate(place, caller)


def test_others_pressing_nearby_make_an_accident_unlikely(house: House):
    others(house, 2)
    house.ledger.locate(fix(80))
    house.deliver()

    assert "nearby=2" in house.reasons()


@pytest.mark.parametrize("away", [{"metres": 700.0}, {"minutes": 16.0}, {"test": True}], ids=str)
def test_others_elsewhere_at_another_time_or_in_a_drill_do_not_count(house: House, away: dict[str, Any]):
    others(house, 2, **away)
    house.ledger.locate(fix(80))
    house.deliver()

    assert not [each for each in house.reasons() if each.startswith("nearby")]


def test_one_s_own_other_device_is_no_other(house: House):
    house.enrol()
    house.ledger.record(press(TERMINAL))
    house.ledger.locate(fix(50), TERMINAL)
    house.ledger.locate(fix(80))
    house.deliver()

    assert not [each for each in house.reasons() if each.startswith("nearby")]


def test_a_memory_of_an_earlier_incident_is_in_no_place_of_this_one(house: House):
    others(house, 1)
    house.ledger.locate(replace(fix(80), source=LAST_KNOWN))
    house.deliver()

    assert not [each for each in house.reasons() if each.startswith("nearby")]
    assert house.history(KIM)[0].place is None


def test_the_others_are_looked_for_once_in_a_while_however_many_are_weighed(house: House):
    house.ledger.locate(fix(80))
    house.deliver()
    others(house, 1)
    house.deliver()
    assert not [each for each in house.reasons() if each.startswith("nearby")]

    house.clock.advance(LOOK_AROUND_S + 1)
    house.deliver()
    assert "nearby=1" in house.reasons()


def test_no_more_than_the_newest_incidents_are_looked_at(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0])
    callers = [f"8210{90000000 + number}" for number in range(NEWEST_INCIDENTS + 10)]
    ledger.record(*(press(caller, reference=caller) for caller in callers))
    ledger.locate(fix(50), callers[0])
    ledger.locate(fix(50), callers[-1])

    found = ledger.transact(places_of_open_incidents, NOON - timedelta(minutes=15))

    assert [each.incident_id for each in found] == [f"sos-{callers[-1]}"]


# -- what no one may read --------------------------------------------------------------------------------------------


def test_the_log_names_no_one(house: House):
    house.enrol()
    with capture_logs() as logs:
        house.deliver()
        house.trouble = Unavailable("locked")
        house.deliver()

    said = str([line | {"incident": ""} for line in logs])
    assert [line["event"] for line in logs] == [
        "caller looked up",
        "registry not readable",
        "caller looked up",
    ]
    for secret in ("Kim", "8210", "asthma", "Sajik"):
        assert secret not in said


def test_who_presses_is_in_no_repr(house: House):
    house.enrol()
    house.deliver()
    report = house.told()
    assert report is not None
    assert "Haneul" not in repr(report)
    assert FactKind.FALSE_ALARM not in repr(report)
