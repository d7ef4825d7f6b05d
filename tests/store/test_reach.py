"""A phone that answers no more is told once, and again when it does; what is missed now and then is not, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from telephony.domain.delivery import Delivered
from telephony.domain.facts import FactKind, NotReached
from telephony.store.fact_rows import to_data
from telephony.store.reach import LONGEST_PATIENCE, Missed, record_unreached
from tests.doubles import NOON, age_by, press
from tests.store.ledger import Ledger, fix

PATIENCE = timedelta(seconds=60)
DAY_S = 86_400


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    ledger = Ledger(engines[0])
    ledger.record(press())
    sent(ledger, 0)
    return ledger


def sent(ledger: Ledger, after_s: float) -> None:
    """112 takes everything that is due."""
    for delivery in ledger.claim(after_s=after_s):
        ledger.settle(delivery, Delivered(), after_s=after_s)


def miss(ledger: Ledger, after_s: float, why: NotReached = NotReached.ABSENT) -> bool:
    at = NOON + timedelta(seconds=after_s)
    missed = Missed(why, at, PATIENCE, age_by(at))
    is_told: bool = ledger.transact(record_unreached, ledger.plan, ledger.key_of("821012345678"), missed)
    sent(ledger, after_s)
    return is_told


def damage(ledger: Ledger, table: str) -> None:
    damaged = text(f"UPDATE {table} SET sealed = :sealed")
    ledger.transact(lambda connection: connection.execute(damaged, {"sealed": b"damaged"}))


def facts(ledger: Ledger) -> list[dict[str, Any]]:
    return [json.loads(row["data"]) for row in ledger.rows("fact") if row["kind"] == FactKind.REACH]


def reasons(ledger: Ledger) -> list[list[str]]:
    return [json.loads(row["payload"])["why"] for row in ledger.rows("delivery") if row["kind"] == "update"]


def test_a_phone_that_answers_no_more_is_told_once_with_when_it_answered_last(ledger: Ledger):
    ledger.locate(fix(575, after_s=30))
    sent(ledger, 30)

    told_s = [at_s for at_s in range(60, 7_200, 30) if miss(ledger, at_s)]

    assert told_s == [120]
    assert facts(ledger) == [
        {"state": "not-answering", "why": "absent", "last-answered": "2026-11-23T03:00:30+00:00"}
    ]
    assert reasons(ledger) == [["position"], ["phone-not-answering"]]


def test_that_it_answers_again_is_told_at_once_with_where(ledger: Ledger):
    ledger.locate(fix(575, after_s=30))
    for at_s in range(60, 600, 30):
        miss(ledger, at_s)

    located = ledger.locate_and_tell(fix(575, after_s=600, longitude=127.2))

    assert located.is_told
    assert facts(ledger)[-1] == {"state": "answering"}
    assert reasons(ledger)[-1] == ["phone-answering", "position"]
    (update,) = ledger.claim(after_s=600)
    assert update.content.position == fix(575, after_s=600, longitude=127.2)
    assert [to_data(each)["state"] for each in update.content.facts] == ["answering"]
    sent(ledger, 600)
    assert not ledger.locate_and_tell(fix(575, after_s=630, longitude=127.2)).is_told


def test_a_phone_that_never_answered_is_told_without_a_last_time(ledger: Ledger):
    assert [miss(ledger, at_s) for at_s in (5, 35, 65)] == [False, False, True]
    assert facts(ledger) == [{"state": "not-answering", "why": "absent"}]


def test_a_memory_of_an_earlier_incident_is_no_answer(ledger: Ledger):
    miss(ledger, 5)
    ledger.locate(fix(575, after_s=6, age_s=600).as_last_known())

    assert miss(ledger, 65)
    assert "last-answered" not in facts(ledger)[0]


def test_a_phone_that_misses_one_answer_in_three_is_not_told(ledger: Ledger):
    for n in range(1, 300):
        if n % 3:
            ledger.locate(fix(575, after_s=n * 30))
        else:
            assert not miss(ledger, n * 30)

    assert facts(ledger) == []


def test_a_phone_that_comes_and_goes_is_told_ever_more_rarely(ledger: Ledger):
    for n in range(1, DAY_S // 120):
        if n % 5 == 0:
            ledger.locate(fix(575, after_s=n * 30))
        else:
            miss(ledger, n * 30)

    assert [each["state"] for each in facts(ledger)] == ["not-answering", "answering"]


def test_the_patience_has_an_end(ledger: Ledger):
    at_s, pause_s = 0.0, LONGEST_PATIENCE.total_seconds()
    for _ in range(8):
        ledger.locate(fix(575, after_s=at_s + 1))
        miss(ledger, at_s + 2)
        assert miss(ledger, at_s + 2 + pause_s)
        at_s += pause_s + 10

    assert len(facts(ledger)) == 15


def test_what_the_server_repeats_is_no_answer_of_the_phone(ledger: Ledger):
    assert ledger.locate_and_tell(fix(575, after_s=30)).is_answer
    assert not ledger.locate_and_tell(fix(575, after_s=60, age_s=30)).is_answer
    assert not ledger.locate_and_tell(fix(575, after_s=90, age_s=3_600)).is_answer
    assert ledger.locate_and_tell(fix(575, after_s=120, fixed_at=None, longitude=127.0)).is_answer


def test_what_the_server_repeats_does_not_end_a_silence(ledger: Ledger):
    ledger.locate(fix(575, after_s=30))
    for at_s in (60, 90, 120):
        miss(ledger, at_s)

    ledger.locate(fix(575, after_s=150, age_s=120))

    assert [each["state"] for each in facts(ledger)] == ["not-answering"]


def test_a_number_that_nobody_knows_is_told_only_of_a_phone_that_answered(ledger: Ledger):
    assert not any(miss(ledger, at_s, NotReached.UNKNOWN) for at_s in range(5, 600, 30))

    ledger.locate(fix(575, after_s=600))

    assert [miss(ledger, at_s, NotReached.UNKNOWN) for at_s in (630, 660, 690)] == [False, False, True]


def test_a_number_that_nobody_knows_is_not_told_of_a_phone_that_only_found_itself(ledger: Ledger):
    ledger.locate(fix(20, after_s=1, source="device"))

    assert not any(miss(ledger, at_s, NotReached.UNKNOWN) for at_s in range(5, 600, 30))


def test_a_closed_incident_hears_nothing_of_it(ledger: Ledger):
    ledger.close()

    assert not any(miss(ledger, at_s) for at_s in range(5, 600, 30))


def test_damaged_rows_cost_no_report(ledger: Ledger):
    ledger.locate(fix(575, after_s=1))
    damage(ledger, "position")

    assert [miss(ledger, at_s) for at_s in (5, 35, 65)] == [False, False, True]
    damage(ledger, "fact")
    assert miss(ledger, 95)


def test_another_reason_for_the_same_silence_is_not_told_again(ledger: Ledger):
    ledger.locate(fix(575, after_s=30))
    whys = [NotReached.ABSENT, NotReached.NOT_LOCATED, NotReached.UNKNOWN] * 20

    assert sum(miss(ledger, 60 + 30 * n, why) for n, why in enumerate(whys)) == 1
