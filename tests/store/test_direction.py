"""The one door for orders about an incident: every order is resolved, written and audited the same way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from sqlalchemy import Engine

from telephony.asterisk.sos.sos_call import incident_id
from telephony.domain.audit import (
    ACKNOWLEDGED_INCIDENT,
    CLOSED_INCIDENT,
    DISPATCHED_UNIT,
    GAVE_ORDER,
    MARKED_FALSE,
    TOLD_112,
    WAS_REFUSED,
    Seat,
)
from telephony.domain.delivery import CALL_BACK, CALL_CONTROL, HANG_UP, HOLD_SILENCE, LIFT_SILENCE, Delivered
from telephony.domain.errors import Unavailable
from telephony.domain.facts import FactKind
from telephony.domain.orders import (
    Acknowledge,
    Arrive,
    CallBack,
    Close,
    Dispatch,
    HangUp,
    HoldSilence,
    LiftSilence,
    MarkFalse,
    Note,
    Order,
    Ordered,
    Orderer,
    OrderRefused,
    ToldByVoice,
)
from telephony.domain.values import Msisdn
from telephony.store.audit import entries
from telephony.store.crypto import KeysUnavailable
from telephony.store.direction import Answer, give
from telephony.store.engines import one_transaction
from telephony.store.sealing import with_keys
from tests.doubles import NINE_HOURS, NOON, ONE_CENTRE, press
from tests.store.ledger import Ledger, call_record

ID = "sos-821012345678"
UNIQUEID = "voice-1-1795464999.12"
NAME = incident_id(UNIQUEID, NINE_HOURS) or ""
DESK = Orderer("Lee, desk 7", "lee", Seat(1001, 1001, "pts/3"))
EVERY_ORDER = [
    LiftSilence(),
    HoldSilence(),
    HangUp(),
    CallBack(),
    Acknowledge(),
    Dispatch("unit 12"),
    Arrive("unit 12"),
    Note("the back door is open"),
    Close("met by unit 12"),
    MarkFalse("met by unit 12"),
    ToldByVoice("desk 4 of Seoul"),
]
ABOUT_OPEN_ONES = [
    LiftSilence(),
    HoldSilence(),
    CallBack(),
    Acknowledge(),
    Dispatch("unit 12"),
    Arrive("unit 12"),
    Note("the back door is open"),
    Close("over"),
]


def name_of(order: Order) -> str:
    return type(order).__name__


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """One open incident whose alert 112 has, and which a call has joined."""
    ledger = Ledger(engines[0])
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    ledger.call(call_record(reference=f"voice-1/{UNIQUEID}"))
    return ledger


def order(ledger: Ledger, *orders: Order, name: str = ID) -> Answer:
    """Return these orders; return the answer to the last."""
    for each in orders:
        answer = ledger.transact(give, ONE_CENTRE, Ordered(name, each, DESK, NOON + timedelta(minutes=1)))
    return answer


def written(ledger: Ledger) -> list[str]:
    return [row["kind"] for row in ledger.rows("delivery") if row["channel"] == CALL_CONTROL]


def audited(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    found = ledger.transact(lambda connection: [each.looked for each in entries(connection)])
    return [(each.who, each.what, each.subject, each.why) for each in found]


def test_every_kind_of_order_is_tried_here():
    assert {type(each) for each in EVERY_ORDER} == set(get_args(Order))


@pytest.mark.parametrize("each", EVERY_ORDER, ids=name_of)
def test_every_order_finds_its_incident_by_the_name_of_a_call_too(ledger: Ledger, each: Order):
    order(ledger, LiftSilence())

    answer = order(ledger, each, name=f"  {NAME.upper()} ")

    assert (answer.incident_id, answer.refused) == (ID, None)


@pytest.mark.parametrize("each", EVERY_ORDER, ids=name_of)
def test_every_order_is_in_the_audit_chain_in_the_name_of_the_account_with_its_seat(
    ledger: Ledger, each: Order
):
    order(ledger, LiftSilence(), each)

    entry = ledger.transact(lambda connection: list(entries(connection)))[-1].looked
    assert (entry.who, entry.subject, entry.seat) == ("lee", ID, DESK.seat)


@pytest.mark.parametrize("each", EVERY_ORDER, ids=name_of)
def test_every_order_about_no_incident_is_refused_and_audited(ledger: Ledger, each: Order):
    answer = order(ledger, each, name="sos-none")

    assert answer.refused == OrderRefused("there is no incident sos-none")
    (entry,) = audited(ledger)
    assert entry[3].endswith("; refused: there is no incident sos-none")
    assert written(ledger) == []


@pytest.mark.parametrize("each", ABOUT_OPEN_ONES, ids=name_of)
def test_what_needs_an_open_incident_is_refused_about_a_closed_one(ledger: Ledger, each: Order):
    ledger.close(ID)

    assert order(ledger, each).refused == OrderRefused(f"incident {ID} is closed")


def test_the_call_of_a_closed_incident_can_still_be_ended(ledger: Ledger):
    ledger.close(ID)

    assert order(ledger, HangUp()).refused is None


def test_what_the_audit_chain_says_of_each(ledger: Ledger):
    order(ledger, *EVERY_ORDER[:6], MarkFalse("in a bag"), ToldByVoice("desk 4"), Close("safe"))

    said = [(what, why) for _, what, _, why in audited(ledger)]
    assert said == [
        (GAVE_ORDER, "silence lifted, asked by Lee, desk 7"),
        (GAVE_ORDER, "silence held, asked by Lee, desk 7"),
        (GAVE_ORDER, "hang up, asked by Lee, desk 7"),
        (WAS_REFUSED, said[3][1]),
        (ACKNOWLEDGED_INCIDENT, "by Lee, desk 7"),
        (DISPATCHED_UNIT, "by Lee, desk 7: unit 12"),
        (MARKED_FALSE, "by Lee, desk 7: in a bag"),
        (TOLD_112, "by Lee, desk 7: desk 4"),
        (CLOSED_INCIDENT, "safe"),
    ]
    assert said[3][1].startswith(f"{GAVE_ORDER}, call back, asked by Lee, desk 7; refused: ")


@pytest.mark.parametrize("each", [Acknowledge(), Dispatch("unit 12")], ids=name_of)
def test_what_stands_already_is_answered_so_and_audited_and_told_once(ledger: Ledger, each: Order):
    first = order(ledger, each)
    reports = len(ledger.rows("delivery"))

    again = order(ledger, each)

    assert (first.refused, first.stood_already) == (None, False)
    assert (again.refused, again.stood_already) == (None, True)
    assert len(ledger.rows("delivery")) == reports
    assert [why.endswith("; it stood already") for *_, why in audited(ledger)] == [False, True]


def test_orders_about_calls_are_written_in_their_order_for_whoever_carries_them_out(ledger: Ledger):
    order(ledger, LiftSilence(), CallBack(), HangUp(), HoldSilence())

    assert written(ledger) == [LIFT_SILENCE, CALL_BACK, HANG_UP, HOLD_SILENCE]
    kinds = {row["kind"]: row["state"] for row in ledger.rows("delivery") if row["channel"] == CALL_CONTROL}
    assert kinds[CALL_BACK] == "superseded", "silence is held again: her phone must not ring"


def test_a_call_back_is_refused_until_silence_is_lifted_and_again_once_it_is_held(ledger: Ledger):
    assert isinstance(order(ledger, CallBack()).refused, OrderRefused)
    assert order(ledger, LiftSilence(), CallBack()).refused is None
    assert isinstance(order(ledger, HoldSilence(), CallBack()).refused, OrderRefused)


def test_without_an_asterisk_a_call_back_is_refused_and_not_left_undone(ledger: Ledger):
    order(ledger, LiftSilence())
    plan = replace(ONE_CENTRE, can_call=False)

    answer = ledger.transact(give, plan, Ordered(ID, CallBack(), DESK, NOON + timedelta(minutes=1)))

    assert isinstance(answer.refused, OrderRefused)
    assert "Asterisk" in answer.refused.reason
    assert written(ledger) == [LIFT_SILENCE]
    assert audited(ledger)[-1][1] == WAS_REFUSED


@pytest.mark.parametrize("caller", [Msisdn("", is_e164=True), Msisdn("PHONE", is_e164=False)])
def test_what_is_no_number_cannot_be_called_back(ledger: Ledger, caller: Msisdn):
    ledger.record(press("", msisdn=caller, reference="another"))

    refused = order(ledger, LiftSilence(), CallBack(), name=f"sos-{caller.number}").refused

    assert isinstance(refused, OrderRefused)
    assert "silence" not in refused.reason


def test_labels_are_facts_that_112_hears_of(ledger: Ledger):
    order(ledger, MarkFalse("in a bag"), ToldByVoice("desk 4"))

    assert {row["kind"] for row in ledger.rows("fact")} >= {FactKind.FALSE_ALARM, FactKind.TOLD_BY_VOICE}


def test_without_keys_nothing_is_ordered(ledger: Ledger, engines: tuple[Engine, Engine]):
    def gone():
        raise KeysUnavailable("there is no key file")

    keyless = with_keys(engines[0].execution_options(), gone)
    with pytest.raises(Unavailable), keyless.connect() as connection, one_transaction(connection):
        give(connection, ONE_CENTRE, Ordered(ID, HangUp(), DESK, NOON))

    assert written(ledger) == []
