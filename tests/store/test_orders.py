"""What the 112 side orders: written down, in order, and refused where it could endanger the caller; on both databases."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from telephony.domain.delivery import CALL_CONTROL, Delivered, Errand, Retry
from telephony.domain.facts import PHONE, FactKind
from telephony.domain.orders import OrderRefused
from telephony.domain.values import Msisdn
from telephony.store.fact_rows import from_data, to_data
from telephony.store.orders import order_call_back, order_hang_up, set_silence, silence_lifted
from telephony.store.outbox.claiming import oldest_reports
from tests.doubles import NOON, WITH_FALLBACK, press
from tests.store.ledger import Ledger

ID = "sos-821012345678"


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    """One open incident whose alert 112 has."""
    ledger = Ledger(engines[0])
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    return ledger


def silence(ledger: Ledger, *, lifted: bool, by: str = "desk 7", after_s: float = 1.0, of: str = ID) -> Any:
    return ledger.transact(set_silence, ledger.plan, of, lifted, by, NOON + timedelta(seconds=after_s))


def hang_up(ledger: Ledger, of: str = ID) -> Any:
    return ledger.transact(order_hang_up, of, "desk 7", NOON)


def call_back(ledger: Ledger, of: str = ID, *, after_s: float = 1.0) -> Any:
    return ledger.transact(order_call_back, of, "desk 7", NOON + timedelta(seconds=after_s))


def orders(ledger: Ledger) -> list[tuple[str, int, str]]:
    return [
        (row["kind"], row["sequence"], row["state"])
        for row in ledger.rows("delivery")
        if row["channel"] == CALL_CONTROL
    ]


def is_lifted(ledger: Ledger, of: str = ID) -> bool:
    lifted: bool = ledger.transact(silence_lifted, of)
    return lifted


# -- silence ---------------------------------------------------------------------------------------------------


def test_silence_holds_until_it_is_lifted(ledger: Ledger):
    assert not is_lifted(ledger)

    assert silence(ledger, lifted=True) is None

    assert is_lifted(ledger)
    assert orders(ledger) == [("lift-silence", -999_999, "pending")]


def test_lifting_tells_112_by_whom(ledger: Ledger):
    silence(ledger, lifted=True, by="desk 7")

    (update,) = ledger.claim(after_s=1)
    assert update.content.facts == (
        from_data(FactKind.SILENCE, PHONE, NOON + timedelta(seconds=1), {"state": "lifted", "by": "desk 7"}),
    )


def test_silence_can_be_held_again(ledger: Ledger):
    silence(ledger, lifted=True)

    assert silence(ledger, lifted=False, after_s=2) is None

    assert not is_lifted(ledger)
    (update,) = ledger.claim(after_s=2)
    assert [to_data(fact)["state"] for fact in update.content.facts] == ["held"]


def test_asked_twice_the_order_is_given_twice_and_112_is_told_once(ledger: Ledger):
    silence(ledger, lifted=True, by="desk 7")
    since = ledger.rows("incident")[0]["silence_lifted_at"]
    silence(ledger, lifted=True, by="desk 8", after_s=5)

    assert [kind for kind, _, _ in orders(ledger)] == ["lift-silence", "lift-silence"]
    assert len(ledger.rows("fact")) == 1
    assert ledger.rows("incident")[0]["silence_lifted_at"] == since


def test_holding_what_was_never_lifted_is_ordered_and_tells_nobody(ledger: Ledger):
    assert silence(ledger, lifted=False) is None

    assert [kind for kind, _, _ in orders(ledger)] == ["hold-silence"]
    assert ledger.rows("fact") == []


def test_holding_takes_back_what_could_still_be_heard(ledger: Ledger):
    """Asterisk was away: when it comes back, nothing may sound that is not wanted any more."""
    silence(ledger, lifted=True)
    call_back(ledger)
    hang_up(ledger)
    silence(ledger, lifted=False, after_s=2)

    assert [(kind, state) for kind, _, state in orders(ledger)] == [
        ("lift-silence", "superseded"),
        ("call-back", "superseded"),
        ("hang-up", "pending"),
        ("hold-silence", "pending"),
    ]


def test_holding_does_not_undo_what_was_done(ledger: Ledger):
    silence(ledger, lifted=True)
    (lift,) = ledger.claim(CALL_CONTROL, after_s=1)
    ledger.settle(lift, Delivered(), after_s=1)

    silence(ledger, lifted=False, after_s=2)

    assert [state for _, _, state in orders(ledger)] == ["delivered", "pending"]


def test_holding_takes_nothing_back_of_another_incident(ledger: Ledger):
    ledger.record(press("821022222222"))
    silence(ledger, lifted=True)
    silence(ledger, lifted=False, of="sos-821022222222")

    assert [state for _, _, state in orders(ledger)] == ["pending", "pending"]


def test_silence_of_one_incident_is_not_that_of_another(ledger: Ledger):
    ledger.record(press("821022222222"))
    silence(ledger, lifted=True)

    assert not is_lifted(ledger, "sos-821022222222")
    assert not is_lifted(ledger, "sos-unknown")


def test_a_closed_incident_is_silent_again(ledger: Ledger):
    silence(ledger, lifted=True)
    ledger.close()

    assert not is_lifted(ledger)


# -- refused ---------------------------------------------------------------------------------------------------


def test_an_unknown_incident_is_refused_in_words(ledger: Ledger):
    answers = [silence(ledger, lifted=True, of="x"), hang_up(ledger, "x"), call_back(ledger, "x")]

    assert answers == [OrderRefused("there is no incident x")] * 3
    assert orders(ledger) == []


def test_a_closed_incident_is_neither_lifted_nor_called_back_but_its_line_can_be_freed(ledger: Ledger):
    ledger.close()

    assert silence(ledger, lifted=True) == OrderRefused(f"incident {ID} is closed")
    assert silence(ledger, lifted=False) == OrderRefused(f"incident {ID} is closed")
    assert call_back(ledger) == OrderRefused(f"incident {ID} is closed")
    assert hang_up(ledger) is None
    assert [kind for kind, _, _ in orders(ledger)] == ["hang-up"]


def test_a_call_back_is_refused_while_silence_holds(ledger: Ledger):
    refused = call_back(ledger)

    assert isinstance(refused, OrderRefused)
    assert "silence holds" in refused.reason
    silence(ledger, lifted=True)
    assert call_back(ledger) is None
    silence(ledger, lifted=False, after_s=2)
    assert isinstance(call_back(ledger), OrderRefused)


@pytest.mark.parametrize(
    ("number", "word"), [("", "withheld"), ("KAKAO", "no number"), ("1366", "no number")]
)
def test_a_call_back_needs_a_number_that_can_be_called(ledger: Ledger, number: str, word: str):
    ledger.record(replace(press(), msisdn=Msisdn(number, is_e164=False), reference="odd"))
    silence(ledger, lifted=True, of=f"sos-{number}")

    refused = call_back(ledger, f"sos-{number}")

    assert isinstance(refused, OrderRefused)
    assert word in refused.reason


# -- orders are deliveries -------------------------------------------------------------------------------------


def test_an_order_says_whom_it_is_about_and_who_gave_it(ledger: Ledger):
    hang_up(ledger)

    (order,) = ledger.claim(CALL_CONTROL)

    assert order.content == Errand(press().msisdn, "skt", NOON)
    assert (order.kind, dict(order.payload)) == ("hang-up", {"by": "desk 7"})


def test_orders_of_an_incident_are_carried_out_one_after_the_other(ledger: Ledger):
    silence(ledger, lifted=True)
    call_back(ledger, after_s=2)
    (first,) = ledger.claim(CALL_CONTROL, after_s=3)
    assert ledger.claim(CALL_CONTROL, after_s=3) == []
    ledger.settle(first, Retry("AMI is down"), after_s=3)
    assert ledger.claim(CALL_CONTROL, after_s=3.5) == []

    (again,) = ledger.claim(CALL_CONTROL, after_s=4)
    ledger.settle(again, Delivered(), after_s=4)
    (second,) = ledger.claim(CALL_CONTROL, after_s=4)

    assert [first.kind, again.kind, second.kind] == ["lift-silence", "lift-silence", "call-back"]
    assert [again.sequence, second.sequence] == [-999_999, -999_998]


def test_an_order_is_no_report(engines: tuple[Engine, Engine]):
    """Not overdue, not owed, no stand-in is superseded by it, and no report refers to it."""
    ledger = Ledger(engines[0], WITH_FALLBACK)
    ledger.record(press())
    hang_up(ledger)
    assert CALL_CONTROL not in ledger.transact(oldest_reports)
    (order,) = ledger.claim(CALL_CONTROL)
    ledger.settle(order, Delivered())
    ledger.again("1", after_s=1)

    assert ledger.delivery("seoul-2", 1)["state"] == "pending"
    (alert,) = ledger.claim(after_s=2)
    ledger.settle(alert, Delivered())
    (update,) = ledger.claim(after_s=2)
    assert [one.report_id for one in update.content.earlier] == [f"{ID}-1"]


def test_closing_takes_back_what_could_be_heard_and_frees_the_line_all_the_same(ledger: Ledger):
    silence(ledger, lifted=True)
    call_back(ledger)
    hang_up(ledger)
    ledger.close()

    assert [(kind, state) for kind, _, state in orders(ledger)] == [
        ("lift-silence", "superseded"),
        ("call-back", "superseded"),
        ("hang-up", "pending"),
    ]


def test_who_asked_is_kept_in_a_form_that_both_databases_take(ledger: Ledger):
    silence(ledger, lifted=True, by="desk\x00 \ud83d")

    (order,) = ledger.claim(CALL_CONTROL, after_s=1)

    assert order.payload["by"] == "desk␀ \ufffd"
    assert json.loads(ledger.rows("fact")[0]["data"])["by"] == "desk␀ \ufffd"
