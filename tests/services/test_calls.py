"""What 112 orders about an incident's calls, and what the store keeps of them, on a real store."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest
from structlog.testing import capture_logs
from twisted.internet import task

from telephony.domain.delivery import (
    CALL_BACK,
    CALL_CONTROL,
    HANG_UP,
    HOLD_SILENCE,
    LIFT_SILENCE,
    Delivered,
)
from telephony.domain.errors import Unavailable
from telephony.domain.silence import Refused
from telephony.domain.values import Msisdn
from telephony.services.calls import CallDirection, CallLedger
from telephony.store.calls import KnownCall
from telephony.store.schema import metadata
from tests.awaiting import failure_of, result_of
from tests.doubles import NOON, ONE_CENTRE, database, press
from tests.store.ledger import Ledger, call_fact, call_record, fix

ID = "sos-821012345678"
BY = "desk 7"
ORDERS = {
    "lift_silence": LIFT_SILENCE,
    "hold_silence": HOLD_SILENCE,
    "hang_up": HANG_UP,
    "call_back": CALL_BACK,
}


class House:
    """An open incident whose alert 112 has, a minute old."""

    def __init__(self, engines) -> None:
        self.engines = engines
        self.store = Ledger(engines[0])
        self.store.record(press())
        for alert in self.store.claim():
            self.store.settle(alert, Delivered())
        self.clock = task.Clock()
        self.clock.advance(NOON.timestamp() + 60)
        self.woken: list[str] = []
        self.database = database(*engines)
        self.direction = CallDirection(
            self.database, plan=ONE_CENTRE, clock=self.clock, wake=self.woken.append
        )
        self.ledger = CallLedger(self.database, plan=ONE_CENTRE, wake=self.woken.append)

    def orders(self):
        return [row["kind"] for row in self.store.rows("delivery") if row["channel"] == CALL_CONTROL]

    def lift(self):
        assert result_of(self.direction.lift_silence(ID, BY)) is None


@pytest.fixture
def house(engines):
    return House(engines)


# -- orders of 112 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["lift_silence", "hold_silence", "hang_up"])
def test_an_order_is_durable_the_relay_is_woken_and_there_is_nothing_to_say(house, order):
    with capture_logs() as logs:
        assert result_of(getattr(house.direction, order)(ID, BY)) is None

    assert house.orders() == [ORDERS[order]]
    assert house.woken == [ID]
    assert logs == [
        {"event": "order taken", "log_level": "info", "order": order.replace("_", " "), "incident": ID, "by": BY}
    ]  # fmt: skip


def test_an_order_is_carried_out_by_whoever_holds_its_lane(house):
    result_of(house.direction.hang_up(ID, BY))

    [order] = [each for each in house.store.claim(CALL_CONTROL, after_s=60) if each.kind == HANG_UP]
    assert (order.incident_id, order.payload["by"]) == (ID, BY)
    assert order.created_at == NOON + timedelta(seconds=60)
    assert order.content.msisdn == Msisdn("821012345678")


def test_a_call_back_is_refused_until_silence_is_lifted_and_again_once_it_is_held(house):
    with capture_logs() as logs:
        refused = result_of(house.direction.call_back(ID, BY))
    assert isinstance(refused, Refused)
    assert (house.orders(), house.woken) == ([], [])
    assert (logs[0]["event"], logs[0]["reason"]) == ("order refused", refused.reason)

    house.lift()
    assert result_of(house.direction.call_back(ID, BY)) is None
    assert house.orders() == [LIFT_SILENCE, CALL_BACK]

    assert result_of(house.direction.hold_silence(ID, BY)) is None
    assert isinstance(result_of(house.direction.call_back(ID, BY)), Refused)


def test_whether_something_may_reach_the_phone_is_what_112_last_said(house):
    assert result_of(house.ledger.silence_lifted(ID)) is False
    house.lift()
    assert result_of(house.ledger.silence_lifted(ID)) is True
    result_of(house.direction.hold_silence(ID, BY))
    assert result_of(house.ledger.silence_lifted(ID)) is False


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_about_an_incident_that_is_none_is_refused(house, order):
    refused = result_of(getattr(house.direction, order)("sos-none", BY))

    assert refused == Refused("there is no incident sos-none")
    assert (house.orders(), house.woken) == ([], [])


@pytest.mark.parametrize("order", ["lift_silence", "hold_silence", "call_back"])
def test_an_order_about_a_closed_incident_is_refused(house, order):
    house.store.close(ID)

    refused = result_of(getattr(house.direction, order)(ID, BY))

    assert refused == Refused(f"incident {ID} is closed")


def test_the_call_of_a_closed_incident_can_still_be_ended(house):
    house.store.close(ID)

    assert result_of(house.direction.hang_up(ID, BY)) is None


@pytest.mark.parametrize(("number", "is_e164"), [("", True), ("PHONE", False)])
def test_what_is_no_number_cannot_be_called_back(house, number, is_e164):
    house.store.record(press("", msisdn=Msisdn(number, is_e164=is_e164), reference="another"))
    result_of(house.direction.lift_silence(f"sos-{number}", BY))

    refused = result_of(house.direction.call_back(f"sos-{number}", BY))

    assert isinstance(refused, Refused)
    assert "silence" not in refused.reason
    assert house.orders() == [LIFT_SILENCE]


@pytest.mark.parametrize("order", ORDERS)
def test_in_an_outage_an_order_is_not_taken(house, order):
    metadata.drop_all(house.engines[0])

    assert isinstance(failure_of(getattr(house.direction, order)(ID, BY)), Unavailable)
    assert house.woken == []


# -- what is kept of calls -------------------------------------------------------------------------------------


def test_a_call_is_kept_with_its_facts_and_112_is_told_only_of_what_is_new(house):
    record, fact = call_record(), call_fact("connected")

    result_of(house.ledger.record(ID, record, [fact]))
    assert house.woken == [ID]
    [update] = house.store.claim()
    assert update.content.facts == (fact,)

    result_of(house.ledger.record(ID, record, [call_fact("connected", after_s=5)]))
    result_of(house.ledger.record(ID, record, []))
    assert house.woken == [ID]


def test_facts_alone_are_kept_and_told(house):
    result_of(house.ledger.facts(ID, [call_fact("connected")]))

    assert house.woken == [ID]
    assert len(house.store.claim()) == 1


def test_a_place_that_came_with_a_call_is_the_incidents_position_and_112_is_told(house):
    result_of(house.ledger.located(ID, fix(150.0, after_s=60, source="invite")))

    assert house.woken == [ID]
    assert result_of(house.ledger.newest_position(ID)).source == "invite"
    result_of(house.ledger.located("sos-nobody", fix(150.0, after_s=60)))
    assert house.woken == [ID]


def test_live_calls_are_known_by_server_and_by_incident_until_they_end(house):
    record = call_record()
    result_of(house.ledger.record(ID, record, []))
    known = [KnownCall(record, ID)]

    assert result_of(house.ledger.live("voice-1")) == known
    assert result_of(house.ledger.live("voice-2")) == []
    assert result_of(house.ledger.of_incident(ID)) == known
    assert result_of(house.ledger.known([record.reference, "voice-1/none"])) == {record.reference: ID}

    result_of(house.ledger.record(ID, call_record(ended_at=NOON + timedelta(seconds=60)), []))

    assert result_of(house.ledger.live("voice-1")) == result_of(house.ledger.of_incident(ID)) == []
    assert result_of(house.ledger.known([record.reference])) == {record.reference: ID}


def test_a_token_opens_the_newest_position_of_its_incident(house):
    digest = sha256(b"token").digest()
    result_of(house.ledger.record(ID, call_record(token=digest), []))
    assert result_of(house.ledger.newest_position(ID)) is None

    house.store.locate(fix(300.0))

    holder = result_of(house.ledger.holder(digest))
    assert (holder.incident_id, holder.is_open) == (ID, True)
    assert holder.best == result_of(house.ledger.newest_position(ID))
    assert holder.best.uncertainty_m == 300.0
    assert result_of(house.ledger.holder(sha256(b"guessed").digest())) is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.record(ID, call_record(), []),
        lambda ledger: ledger.facts(ID, [call_fact()]),
        lambda ledger: ledger.known(["voice-1/1"]),
        lambda ledger: ledger.live("voice-1"),
        lambda ledger: ledger.of_incident(ID),
        lambda ledger: ledger.silence_lifted(ID),
        lambda ledger: ledger.holder(b"digest"),
        lambda ledger: ledger.newest_position(ID),
    ],
    ids=["record", "facts", "known", "live", "of_incident", "silence_lifted", "holder", "newest_position"],
)
def test_in_an_outage_nothing_is_claimed_to_be_known(house, ask):
    metadata.drop_all(house.engines[0])

    assert isinstance(failure_of(ask(house.ledger)), Unavailable)
    assert house.woken == []
