"""Calls of incidents, on both databases."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import Engine

from telephony.domain.delivery import Delivered
from telephony.domain.values import Msisdn
from telephony.store.calls import (
    KnownCall,
    TokenHolder,
    by_token,
    calls_of,
    known_calls,
    live_calls,
)
from tests.doubles import NOON, press
from tests.store.ledger import Ledger, call_fact, call_record, fix

ID, LEE = "sos-821012345678", "821022222222"
TOKEN = sha256(b"token").digest()
LATER = NOON + timedelta(seconds=60)


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    ledger = Ledger(engines[0])
    ledger.record(press(), press(LEE))
    for alert in ledger.claim():
        ledger.settle(alert, Delivered())
    return ledger


def live(ledger: Ledger, server: str = "voice-1") -> list[KnownCall]:
    found: list[KnownCall] = ledger.transact(live_calls, server)
    return found


def test_a_call_is_known_with_its_incident_until_it_ends(ledger: Ledger):
    ledger.call(call_record(token=TOKEN))
    assert live(ledger) == [KnownCall(call_record(token=TOKEN), ID)]

    ledger.call(call_record(token=TOKEN, ended_at=LATER))

    assert live(ledger) == []
    assert ledger.transact(calls_of, ID) == []
    ended = ledger.transact(lambda connection: calls_of(connection, ID, only_live=False))
    assert ended == [KnownCall(call_record(token=TOKEN, ended_at=LATER), ID)]


def test_live_calls_are_those_of_one_server_oldest_first(ledger: Ledger):
    ledger.call(call_record(3))
    ledger.call(call_record(1), incident_id=f"sos-{LEE}")
    ledger.call(call_record(2, server="voice-2"))

    assert [(one.record.reference, one.incident_id) for one in live(ledger)] == [
        ("voice-1/1", f"sos-{LEE}"),
        ("voice-1/3", ID),
    ]
    assert [one.record.reference for one in live(ledger, "voice-2")] == ["voice-1/2"]


def test_a_call_and_its_facts_come_in_one_transaction_and_one_update(ledger: Ledger):
    assert ledger.call(call_record(), call_fact("arrived"), call_fact("dialling"))

    (update,) = ledger.claim()
    assert update.content.facts == (call_fact("dialling"),)
    assert update.payload == {"presses": 1, "facts": 2, "why": ["call"]}


def test_a_call_of_which_nothing_new_is_known_tells_nobody_and_is_kept_all_the_same(ledger: Ledger):
    ledger.call(call_record(), call_fact())

    assert not ledger.call(call_record(channel="PJSIP/skt-renamed"), call_fact(after_s=9))

    assert live(ledger)[0].record.channel == "PJSIP/skt-renamed"
    assert len([row for row in ledger.rows("delivery") if row["kind"] == "update"]) == 1


def test_a_token_and_an_end_once_known_stay_known(ledger: Ledger):
    ledger.call(call_record(token=TOKEN, ended_at=LATER))

    ledger.call(call_record())

    (row,) = ledger.rows("call")
    assert (row["token"], row["ended_at"]) == (TOKEN, round(LATER.timestamp() * 1e6))


def test_a_call_stays_with_its_incident_and_its_start(ledger: Ledger):
    ledger.call(call_record())

    ledger.call(call_record(started_at=LATER), incident_id=f"sos-{LEE}")

    assert live(ledger) == [KnownCall(call_record(), ID)]


def test_a_call_of_no_incident_is_not_kept(ledger: Ledger):
    assert not ledger.call(call_record(), call_fact(), incident_id="sos-unknown")

    assert ledger.rows("call") == ledger.rows("fact") == []


def test_a_call_that_ends_after_the_incident_is_closed_is_written_down(ledger: Ledger):
    ledger.call(call_record())
    ledger.close()

    assert ledger.call(call_record(ended_at=LATER), call_fact("ended"))

    assert live(ledger) == []


def test_references_that_are_known_are_told_with_their_incident(ledger: Ledger):
    ledger.call(call_record(1, ended_at=LATER))
    ledger.call(call_record(2), incident_id=f"sos-{LEE}")

    found = ledger.transact(known_calls, ["voice-1/1", "voice-1/2", "voice-1/9"])

    assert found == {"voice-1/1": ID, "voice-1/2": f"sos-{LEE}"}
    assert ledger.transact(known_calls, []) == {}


def test_the_calls_of_an_incident_are_its_own(ledger: Ledger):
    ledger.call(call_record(2))
    ledger.call(call_record(1))
    ledger.call(call_record(3), incident_id=f"sos-{LEE}")

    assert [one.record.reference for one in ledger.transact(calls_of, ID)] == ["voice-1/1", "voice-1/2"]


def test_a_token_opens_the_best_position_of_its_incident_alone(ledger: Ledger):
    ledger.call(call_record(1, token=TOKEN))
    ledger.call(call_record(2, token=sha256(b"other").digest()), incident_id=f"sos-{LEE}")
    holder = ledger.transact(by_token, [TOKEN])
    assert holder == TokenHolder(ID, is_open=True, msisdn=Msisdn("821012345678"), best=None)

    ledger.locate(fix(500, after_s=1))
    ledger.locate(fix(20, after_s=2))
    ledger.locate(fix(900, after_s=3))
    ledger.locate(fix(5, after_s=4), LEE)

    assert ledger.transact(by_token, [TOKEN]).best == fix(20, after_s=2)


def test_a_token_of_a_closed_incident_says_so(ledger: Ledger):
    ledger.call(call_record(token=TOKEN))
    ledger.close()

    assert not ledger.transact(by_token, [TOKEN]).is_open


def test_a_token_that_nobody_was_given_opens_nothing(ledger: Ledger):
    ledger.call(call_record())

    assert ledger.transact(by_token, [TOKEN]) is None


def test_one_token_is_never_two_calls(ledger: Ledger):
    ledger.call(call_record(1, token=TOKEN))

    with pytest.raises(Exception, match=r"(?i)unique"):
        ledger.call(call_record(2, token=TOKEN))


def test_what_a_token_opens_does_not_show_in_a_traceback(ledger: Ledger):
    ledger.call(call_record(token=TOKEN))
    ledger.locate(fix(500))

    shown = repr(ledger.transact(by_token, [TOKEN])) + repr(live(ledger))

    for secret in (repr(Msisdn("821012345678").number), "37.5", repr(TOKEN)[2:12]):
        assert secret not in shown
