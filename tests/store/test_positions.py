"""Positions of an incident: each is kept, the better one is told, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from telephony.domain.delivery import Delivered
from telephony.domain.position import LAST_KNOWN, Position
from telephony.store.positions import Whereabouts, whereabouts
from tests.doubles import NOON, press
from tests.store.ledger import Ledger, fix

KIM = "821012345678"
LEE = "821022222222"


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    ledger = Ledger(engines[0])
    ledger.record(press())
    return ledger


def known(ledger: Ledger, caller: str = KIM) -> Whereabouts:
    found: Whereabouts = ledger.transact(whereabouts, ledger.key_of(caller))
    return found


def updates(ledger: Ledger) -> list[str]:
    return [row["payload"] for row in ledger.rows("delivery") if row["kind"] == "update"]


def test_of_a_new_caller_nothing_is_known(ledger: Ledger):
    assert known(ledger) == Whereabouts(None, None)


def test_the_first_position_is_the_best_and_owes_an_update(ledger: Ledger):
    assert ledger.locate(fix(after_s=1))

    assert known(ledger).best == fix(after_s=1)
    assert updates(ledger) == ['{"presses": 1, "position": 1, "why": ["position"]}']


@pytest.mark.parametrize(
    "found",
    [
        Position(-33.4569, -70.6483, None, None, "unknown", "lbs:kt", NOON, NOON),
        Position(
            90.0,
            0.0,
            0.0,
            100.0,
            "gnss",
            "device",
            NOON - timedelta(microseconds=1),
            NOON + timedelta(days=1),
        ),
        Position(1 / 3, 1e-300, 1 / 7, 67.0, "cell", "lbs:skt", NOON, NOON),
    ],
)
def test_a_position_comes_out_of_the_store_as_it_went_in(ledger: Ledger, found: Position):
    ledger.locate(found)

    assert known(ledger).best == found


def test_a_worse_position_is_kept_but_not_told(ledger: Ledger):
    ledger.locate(fix(50, after_s=1))

    assert not ledger.locate(fix(500, after_s=2))

    assert known(ledger).best == fix(50, after_s=1)
    assert [row["became_best"] for row in ledger.rows("position")] == [True, False]
    assert updates(ledger) == ['{"presses": 1, "position": 1, "why": ["position"]}']


def test_a_coarse_fresh_position_replaces_a_sharp_one_that_has_grown_old(ledger: Ledger):
    ledger.locate(fix(50))

    assert ledger.locate(fix(500, after_s=300))


def test_better_positions_fold_into_the_update_that_nobody_has_begun_to_send(ledger: Ledger):
    ledger.locate(fix(500, after_s=1))
    ledger.again("1", after_s=2)
    ledger.locate(fix(50, after_s=3))

    assert updates(ledger) == ['{"presses": 2, "position": 2, "why": ["position", "pressed-again"]}']


def test_a_better_position_never_changes_an_update_that_is_being_sent(ledger: Ledger):
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())
    ledger.locate(fix(500, after_s=1))
    ledger.claim(after_s=1)

    ledger.locate(fix(50, after_s=2))

    assert updates(ledger) == [
        '{"presses": 1, "position": 1, "why": ["position"]}',
        '{"presses": 1, "position": 2, "why": ["position"]}',
    ]


def test_a_worse_position_does_not_change_the_update_that_waits(ledger: Ledger):
    ledger.locate(fix(50, after_s=1))
    ledger.locate(fix(500, after_s=2))
    ledger.again("1", after_s=3)

    assert updates(ledger) == ['{"presses": 2, "position": 1, "why": ["position", "pressed-again"]}']


def test_a_closed_incident_takes_no_more_positions(ledger: Ledger):
    ledger.close()

    assert not ledger.locate(fix(after_s=1))

    assert ledger.rows("position") == []
    assert updates(ledger) == []


def test_the_last_position_of_an_earlier_incident_is_remembered(ledger: Ledger):
    ledger.locate(fix(500, after_s=1))
    ledger.locate(fix(50, after_s=2))
    ledger.locate(fix(5_000, after_s=3))
    ledger.close()
    ledger.record(press(received_at=NOON + timedelta(hours=1)))

    assert known(ledger) == Whereabouts(None, fix(50, after_s=2))


def test_the_incidents_own_position_is_no_memory(ledger: Ledger):
    ledger.locate(fix(after_s=1))

    assert known(ledger).last_known is None


def test_a_memory_that_was_told_again_keeps_the_time_of_its_fix(ledger: Ledger):
    ledger.locate(fix(50))
    ledger.close()
    ledger.record(press(received_at=NOON + timedelta(hours=1)))
    ledger.locate(fix(50, after_s=3600, age_s=3600, source=LAST_KNOWN))
    ledger.close("sos-821012345678a")
    ledger.record(press(received_at=NOON + timedelta(hours=2)))

    last_known = known(ledger).last_known

    assert last_known is not None
    assert last_known.fixed_at == NOON


def test_nobody_is_looked_for_where_somebody_else_was(ledger: Ledger):
    ledger.locate(fix(after_s=1))
    ledger.close()

    ledger.record(press(LEE))

    assert known(ledger, LEE) == Whereabouts(None, None)


def test_a_drill_leaves_no_memory_for_an_emergency(ledger: Ledger):
    ledger.record(press(LEE, test=True))
    ledger.locate(fix(after_s=1), LEE)
    ledger.record(press(LEE, reference="real"))

    assert known(ledger, LEE).last_known is None
