"""What the store keeps of calls, on a real store."""

from __future__ import annotations

from datetime import timedelta

import pytest
from twisted.internet import task

from telephony.domain.delivery import (
    Delivered,
)
from telephony.domain.errors import Unavailable
from telephony.domain.location_token import digest_of, kept_digest, sought_digests
from telephony.domain.orders import HoldSilence, LiftSilence, Ordered, Orderer
from telephony.services.calls import CallLedger
from telephony.store.calls import KnownCall
from telephony.store.direction import give
from telephony.store.schema import metadata
from tests.awaiting import failure_of, result_of
from tests.doubles import NOON, ONE_CENTRE, database, outbox, press
from tests.store.ledger import Ledger, call_fact, call_record, fix

ID = "sos-821012345678"


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
        self.ledger = CallLedger(outbox(self.database, ONE_CENTRE, self.woken), clock=self.clock)

    def order(self, order):
        orderer = Orderer("desk 7", "kim")
        return self.store.transact(give, ONE_CENTRE, Ordered(ID, order, orderer, NOON)).refused


@pytest.fixture
def house(engines):
    return House(engines)


def test_whether_something_may_reach_the_phone_is_what_112_last_said(house):
    assert result_of(house.ledger.silence_lifted(ID)) is False
    assert house.order(LiftSilence()) is None
    assert result_of(house.ledger.silence_lifted(ID)) is True
    assert house.order(HoldSilence()) is None
    assert result_of(house.ledger.silence_lifted(ID)) is False


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
    digest = kept_digest(digest_of(b"token"))
    result_of(house.ledger.record(ID, call_record(token=digest), []))
    assert result_of(house.ledger.newest_position(ID)) is None

    house.store.locate(fix(300.0))

    holder = result_of(house.ledger.holder([digest]))
    assert (holder.incident_id, holder.is_open) == (ID, True)
    assert holder.best == result_of(house.ledger.newest_position(ID))
    assert holder.best.uncertainty_m == 300.0
    assert result_of(house.ledger.holder(sought_digests(b"guessed"))) is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.record(ID, call_record(), []),
        lambda ledger: ledger.facts(ID, [call_fact()]),
        lambda ledger: ledger.known(["voice-1/1"]),
        lambda ledger: ledger.live("voice-1"),
        lambda ledger: ledger.of_incident(ID),
        lambda ledger: ledger.silence_lifted(ID),
        lambda ledger: ledger.holder([b"digest"]),
        lambda ledger: ledger.newest_position(ID),
    ],
    ids=["record", "facts", "known", "live", "of_incident", "silence_lifted", "holder", "newest_position"],
)
def test_in_an_outage_nothing_is_claimed_to_be_known(house, ask):
    metadata.drop_all(house.engines[0])

    assert isinstance(failure_of(ask(house.ledger)), Unavailable)
    assert house.woken == []
