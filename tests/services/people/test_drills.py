"""A person who tries the key in calm learns whether 112 has it; then the drill is over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.delivery import TEST_RESULT, Again, Delivered, Delivery, Errand, Rejected, Retry
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.values import Msisdn
from telephony.services.people.drills import GIVE_UP_S, WAIT_S, DrillChannel
from telephony.store.engines import one_transaction
from telephony.store.incidents import list_incidents
from telephony.store.outbox.claiming import Claim, claim
from telephony.store.outbox.settling import Settlement, settle_all
from telephony.store.presses import NewPress, PressRecorder, Rules
from tests.awaiting import result_of
from tests.doubles import NOON, outbox, press
from tests.services.enrolling import ADULT, Office

PLAN = Plan(everywhere_else=(ReportRoute("seoul"),), by_carrier={}, answers_tests=True)


class Drill:
    """A drill on its way: recorded, and not yet acknowledged."""

    def __init__(self, engines, **how):
        self.office = Office(engines, **how)
        self.texts = self.office.texts
        self.clock = self.office.clock
        self.alarms = Alarms(self.clock)
        self.woken: list[str] = []
        self.channel = DrillChannel(
            outbox(self.office.database, PLAN, self.woken),
            self.office.answers,
            language_of=self.office.languages.of,
            language="en",
            clock=self.clock,
            alarms=self.alarms,
        )
        self.press()

    def press(self, phone=ADULT, reference="drill-1"):
        trigger = press(
            phone.number,
            test=True,
            reference=reference,
            msisdn=phone,
            received_at=datetime.fromtimestamp(self.clock.seconds(), UTC),
        )
        recorder = PressRecorder(Rules(PLAN, "test#1", {}))
        (recorded,) = result_of(self.office.database.batch(recorder, [NewPress(trigger, f"id-{reference}")]))
        self.incident_id = recorded.receipt.incident_id

    def claimed(self, channel) -> Delivery:
        now = self.clock.seconds()
        wanted = Claim(channel, "test#1", 10, now, now + 1)
        claimed = result_of(self.office.database.transact(claim, wanted))
        return next(each for each in claimed if each.incident_id == self.incident_id)

    def acknowledge(self, after_s=1.2):
        report = self.claimed("seoul")
        self.clock.advance(after_s)
        settled = Settlement(report, Delivered("202"), self.clock.seconds(), self.clock.seconds())
        result_of(self.office.database.batch(settle_all, [settled]))

    def look(self):
        return result_of(self.channel.deliver(self.claimed(TEST_RESULT)))

    @property
    def incident(self):
        with self.office.writing.connect() as connection, one_transaction(connection):
            return next(each for each in list_incidents(connection) if each.id == self.incident_id)


@pytest.fixture
def drill(engines):
    return Drill(engines)


def test_a_drill_that_112_has_acknowledged_is_told_with_its_time_and_closed(drill):
    drill.office.signed_up(ADULT)
    drill.acknowledge(after_s=1.2)

    assert isinstance(drill.look(), Delivered)

    assert drill.texts.to(ADULT) == ["[시험] 112까지 1.2초, 정상입니다."]
    assert (drill.incident.state, drill.incident.test) == ("closed", True)
    assert drill.woken == [drill.incident_id]


def test_until_112_has_acknowledged_it_it_is_looked_at_again(drill):
    outcome = drill.look()

    assert isinstance(outcome, Again)
    assert outcome.channel == TEST_RESULT
    assert drill.texts.sent == []
    assert drill.incident.state == "open"


def test_after_a_minute_the_phone_learns_that_112_was_not_reached_and_an_operator_too(drill):
    drill.clock.advance(WAIT_S)

    assert isinstance(drill.look(), Delivered)

    assert "112 was not reached" in drill.texts.to(ADULT)[0]
    assert [alarm.name for alarm in drill.alarms.standing()] == ["drill-failed"]
    assert drill.incident.state == "closed"


def test_the_next_drill_that_passes_ends_the_alarm(drill):
    drill.clock.advance(WAIT_S)
    drill.look()
    drill.press(reference="drill-2")
    drill.acknowledge()

    drill.look()
    drill.clock.advance(HOLD_S)

    assert drill.alarms.standing() == []
    assert "all is well" in drill.texts.to(ADULT)[-1]


def test_the_next_test_is_a_new_drill(drill):
    first = drill.incident_id
    drill.acknowledge()
    drill.look()

    drill.press(reference="drill-2")

    assert drill.incident_id != first


def test_a_result_that_no_message_centre_takes_is_tried_again_and_then_given_up(drill):
    drill.acknowledge()
    drill.texts.fail()
    delivery = drill.claimed(TEST_RESULT)
    assert isinstance(result_of(drill.channel.deliver(delivery)), Retry)
    assert drill.incident.state == "open"

    drill.clock.advance(GIVE_UP_S)
    assert isinstance(result_of(drill.channel.deliver(delivery)), Delivered)
    assert drill.incident.state == "closed"


def test_a_phone_in_danger_gets_no_result(drill):
    drill.acknowledge()
    drill.texts.refuse()

    assert "not told" in drill.look().detail
    assert drill.incident.state == "closed"


def test_a_withheld_number_is_not_told(engines):
    drill = Drill(engines)
    drill.press(Msisdn("", is_e164=False), reference="withheld")
    drill.clock.advance(WAIT_S)
    errand = Errand(Msisdn("", is_e164=False), "skt", NOON)

    outcome = result_of(
        drill.channel.deliver(
            Delivery(1, drill.incident_id, TEST_RESULT, 0, TEST_RESULT, {}, NOON, content=errand)
        )
    )

    assert "not told" in outcome.detail
    assert drill.texts.sent == []


def test_a_forged_number_is_not_flooded_with_results(engines):
    drill = Drill(engines, texts_per_day=1)
    drill.acknowledge()
    drill.look()
    drill.press(reference="drill-2")
    drill.acknowledge()

    drill.look()

    assert len(drill.texts.to(ADULT)) == 1
    assert drill.incident.state == "closed"


def test_a_delivery_without_an_errand_is_rejected(drill):
    outcome = result_of(
        drill.channel.deliver(Delivery(1, drill.incident_id, TEST_RESULT, 0, TEST_RESULT, {}, NOON))
    )

    assert isinstance(outcome, Rejected)
