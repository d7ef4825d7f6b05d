"""Positions of an incident: each is kept, and 112 is told of what is new, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from telephony.domain.delivery import Delivered
from telephony.domain.facts import DeviceFact
from telephony.domain.position import LAST_KNOWN, Position
from telephony.services.spine.reporting import first_report
from telephony.store.positions import FixKept, Whereabouts, record_device_fix, whereabouts
from telephony.store.times import from_us
from tests.doubles import NOON, age_by, press
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

    assert updates(ledger) == [
        '{"presses": 2, "position": 1, "newest": 2, "why": ["position", "pressed-again"]}'
    ]


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


# -- what of it is told ----------------------------------------------------------------------------------------------

EAST = {"longitude": 127.261}
"""25 km east of the other fixes."""


def sent(ledger: Ledger, after_s: float) -> None:
    """112 takes everything that is due."""
    for delivery in ledger.claim(after_s=after_s):
        ledger.settle(delivery, Delivered(), after_s=after_s)


def follow(ledger: Ledger, fixes: list[Position]) -> list[tuple[int, list[str]]]:
    """Take fixes, each report being sent at once; gives the updates: in which second, and why."""
    sent(ledger, 0)
    for found in fixes:
        at_s = (found.received_at - NOON).total_seconds()
        ledger.locate(found)
        sent(ledger, at_s)
    return [
        (from_us(row["created_at"]).timestamp() - NOON.timestamp(), json.loads(row["payload"])["why"])
        for row in ledger.rows("delivery")
        if row["kind"] == "update"
    ]  # fmt: skip


def test_a_fresh_cell_far_away_becomes_the_best_and_is_told(ledger: Ledger):
    told = follow(ledger, [fix(50, after_s=1, age_s=600), fix(2_466, after_s=6, **EAST)])

    assert told == [(1, ["position"]), (6, ["position"])]
    assert known(ledger).best == fix(2_466, after_s=6, **EAST)


def test_a_phone_at_rest_is_told_once_and_then_as_a_sign_of_life_that_grows_rarer(ledger: Ledger):
    told = follow(ledger, [fix(575, after_s=at_s) for at_s in range(30, 5_400, 30)])

    assert told == [
        (30, ["position"]),
        (330, ["sign-of-life"]),
        (930, ["sign-of-life"]),
        (2_130, ["sign-of-life"]),
        (3_930, ["sign-of-life"]),
    ]
    assert known(ledger).best == fix(575, after_s=5_370)


def test_while_112_is_out_of_reach_signs_of_life_do_not_pile_up(ledger: Ledger):
    for at_s in range(30, 5_400, 30):
        ledger.locate(fix(575, after_s=at_s))

    assert updates(ledger) == ['{"presses": 1, "position": 1, "why": ["position"]}']


def test_every_report_is_a_sign_of_life(ledger: Ledger):
    follow(ledger, [fix(575, after_s=1)])
    ledger.again("1", after_s=200)
    sent(ledger, 200)

    assert not ledger.locate_and_tell(fix(575, after_s=400)).is_told
    assert ledger.locate_and_tell(fix(575, after_s=500)).is_told


def test_the_same_place_of_unknown_age_is_told_once(ledger: Ledger):
    told = follow(ledger, [fix(575, after_s=at_s, fixed_at=None) for at_s in range(5, 1_000, 5)])

    assert told == [(5, ["position"])]


def test_a_report_names_the_sharpest_and_the_newest_fix_beside_its_circle(ledger: Ledger):
    told = follow(ledger, [fix(20, after_s=1), *(fix(1_000, after_s=at_s) for at_s in range(31, 900, 30))])

    assert told == [(1, ["position"]), (31, ["position"]), (331, ["sign-of-life"])]
    ledger.again("1", after_s=901)
    assert [json.loads(each) for each in updates(ledger)[1:]] == [
        {"presses": 1, "position": 1, "newest": 2, "why": ["position"]},
        {"presses": 1, "position": 1, "newest": 12, "why": ["sign-of-life"], "calm": 1},
        {"presses": 2, "position": 30, "sharpest": 1, "why": ["pressed-again"]},
    ]


def test_a_car_is_told_from_its_first_cell_on(ledger: Ledger):
    metres_east = 0.0000113
    fixes = [fix(20, after_s=0.5)]
    fixes += [fix(2_000, after_s=n * 30, longitude=126.978 + n * 833 * metres_east) for n in range(1, 20)]

    told = follow(ledger, fixes)

    assert [at_s for at_s, _ in told[:4]] == [0.5, 30, 90, 150]
    assert known(ledger).best == fixes[-1]


def test_a_phone_between_two_cells_is_told_once_in_each(ledger: Ledger):
    fixes = [fix(575, after_s=n * 5, longitude=126.978 + n % 2 * 0.008) for n in range(1, 60)]

    assert follow(ledger, fixes) == [(5, ["position"]), (10, ["position"])]


def test_an_older_fix_of_elsewhere_is_kept_and_changes_nothing(ledger: Ledger):
    told = follow(ledger, [fix(575, after_s=30), fix(575, after_s=60, age_s=600, **EAST)])

    assert told == [(30, ["position"])]
    assert ledger.rows("incident")[0]["newest_position"] == 1
    assert len(ledger.rows("position")) == 2


def test_what_is_damaged_among_the_told_fixes_costs_nothing(ledger: Ledger):
    follow(ledger, [fix(20, after_s=1), fix(1_000, after_s=31)])
    damage = text("UPDATE position SET sealed = :sealed WHERE number = 2")
    ledger.transact(lambda connection: connection.execute(damage, {"sealed": b"damaged"}))
    ledger.transact(
        lambda connection: connection.execute(text("UPDATE delivery SET payload = '[]' WHERE kind = 'alert'"))
    )

    assert ledger.locate_and_tell(fix(1_000, after_s=61)).is_told
    (update,) = ledger.claim(after_s=61)
    assert (update.content.position, update.content.newest) == (fix(20, after_s=1), fix(1_000, after_s=61))


def test_an_earlier_memory_that_knew_better_stands(ledger: Ledger):
    ledger.locate(fix(20, after_s=1))
    ledger.close()
    ledger.record(press(reference="second", received_at=NOON + timedelta(hours=1)))
    ledger.locate(fix(100_000, after_s=3_601))
    ledger.close("sos-821012345678a")
    ledger.record(press(reference="third", received_at=NOON + timedelta(hours=2)))

    assert known(ledger).last_known == fix(20, after_s=1)
    ledger.locate(fix(500, after_s=7_201))
    ledger.close("sos-821012345678b")
    ledger.record(press(reference="fourth", received_at=NOON + timedelta(hours=3)))
    assert known(ledger).last_known == fix(500, after_s=7_201)


# -- with the press itself -----------------------------------------------------------------------------------------


DEVICE = {"method": "gnss", "source": "device"}


def test_the_alert_tells_of_the_fix_that_came_with_the_press_as_the_direct_way_does(
    engines: tuple[Engine, Engine],
):
    ledger, found = Ledger(engines[0]), fix(12.0, age_s=3, **DEVICE)
    trigger = press(position=found, facts=(DeviceFact(NOON, 14),))

    ledger.record(trigger)

    (alert,) = ledger.claim()
    assert alert.content.position == found
    assert alert.content == first_report(trigger, "sos-821012345678")
    assert updates(ledger) == []
    assert known(ledger) == Whereabouts(found, None)


def test_a_fix_in_space_comes_out_of_the_store_as_it_went_in(engines: tuple[Engine, Engine]):
    ledger, found = Ledger(engines[0]), fix(12.0, **DEVICE, altitude_m=61.5)
    ledger.record(press(position=found))
    assert ledger.claim()[0].content.position == found


def test_what_is_found_later_is_told_beside_the_fix_of_the_press(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0])
    ledger.record(press(position=fix(12.0, **DEVICE)))
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())

    assert not ledger.locate(fix(900.0, after_s=2))

    assert known(ledger).best == fix(12.0, **DEVICE)
    assert updates(ledger) == []


def test_a_fix_that_comes_with_another_press_is_told_with_it(ledger: Ledger):
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())

    ledger.again("1", after_s=5, position=fix(12.0, after_s=5, **DEVICE))

    assert known(ledger).best == fix(12.0, after_s=5, **DEVICE)
    assert [json.loads(each) for each in updates(ledger)] == [
        {"presses": 2, "position": 1, "why": ["pressed-again", "position"]}
    ]


def test_a_press_that_is_delivered_again_brings_its_fix_once(ledger: Ledger):
    for _ in range(2):
        ledger.again("1", after_s=5, position=fix(12.0, after_s=5, **DEVICE))

    assert len(ledger.rows("position")) == 1


def test_the_fix_of_a_press_is_the_last_known_of_the_next_incident(engines: tuple[Engine, Engine]):
    ledger = Ledger(engines[0])
    ledger.record(press(position=fix(12.0, **DEVICE)))
    ledger.close()
    ledger.again("1", after_s=60)

    assert known(ledger) == Whereabouts(None, fix(12.0, **DEVICE))


# -- of the device, after the press --------------------------------------------------------------------------------


def device_fix(ledger: Ledger, connector: str = "skt-1", incident: str = "sos-821012345678") -> FixKept:
    found = fix(9.0, after_s=30, **DEVICE)
    kept: tuple[FixKept, object] = ledger.transact(
        record_device_fix, ledger.plan, incident, connector, found, age_by(found.received_at)
    )
    return kept[0]


def test_a_later_fix_of_the_device_is_told_as_any_other(ledger: Ledger):
    assert device_fix(ledger) is FixKept.KEPT
    assert known(ledger).best == fix(9.0, after_s=30, **DEVICE)
    assert updates(ledger) == ['{"presses": 1, "position": 1, "why": ["position"]}']


@pytest.mark.parametrize("whose", [{"connector": "kt-1"}, {"incident": "sos-none"}])
def test_a_fix_of_an_incident_that_the_machine_has_not_pressed_for_is_not_kept(ledger: Ledger, whose):
    assert device_fix(ledger, **whose) is FixKept.UNKNOWN
    assert ledger.rows("position") == []


def test_a_machine_whose_press_has_joined_an_incident_may_send_fixes_of_it(ledger: Ledger):
    ledger.again("1", connector="app")
    assert device_fix(ledger, "app") is FixKept.KEPT


def test_a_closed_incident_takes_no_fix_of_a_device(ledger: Ledger):
    ledger.close()
    assert device_fix(ledger) is FixKept.CLOSED
    assert ledger.rows("position") == []
