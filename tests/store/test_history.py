"""Earlier presses of a person: remembered for a time, bounded, and without anybody's number in the clear."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, select
from structlog.testing import capture_logs

from telephony.domain.score import DRILL, FALSE_ALARM, PRESS
from telephony.domain.values import Msisdn
from telephony.store.crypto import Key, KeyRing
from telephony.store.history import (
    MOST_KEPT,
    forget_history,
    history,
    history_place,
    registered,
    remember,
    reseal_history,
    unregistered,
)
from telephony.store.schema import press_history
from telephony.store.sealing import with_keys
from tests.doubles import NOON, keys
from tests.store.ledger import Ledger, fix

KIM, LEE = registered(1), registered(2)
LONG_AGO = NOON - timedelta(days=400)


@pytest.fixture
def ledger(engines: tuple[Engine, Engine]) -> Ledger:
    return Ledger(engines[0])


def remembered(ledger: Ledger, subject: str = KIM, **how):
    return ledger.transact(
        lambda connection: history(connection, subject, since=how.pop("since", LONG_AGO), **how)
    )


def keep(ledger: Ledger, kind: str = PRESS, *, subject: str = KIM, days: float = 0.0, place=None) -> None:
    ledger.transact(remember, subject, NOON - timedelta(days=days), kind, place)


def test_what_happened_is_given_newest_first_and_to_nobody_else(ledger: Ledger):
    keep(ledger, DRILL, days=2)
    keep(ledger, PRESS, days=1)

    assert [(each.kind, each.at) for each in remembered(ledger)] == [
        (PRESS, NOON - timedelta(days=1)),
        (DRILL, NOON - timedelta(days=2)),
    ]
    assert remembered(ledger, LEE) == []


def test_a_place_is_kept_to_a_hundred_metres(ledger: Ledger):
    keep(ledger, place=fix(20, latitude=37.566535, longitude=126.977969))

    (found,) = remembered(ledger)

    assert (found.place.latitude, found.place.longitude) == (37.567, 126.978)
    assert found.seen_from(fix(20, latitude=37.567, longitude=126.978)).distance_m == 0.0
    assert found.seen_from(None).distance_m is None


def test_a_place_where_nobody_is_is_none(ledger: Ledger):
    keep(ledger, place=fix(20, latitude=0.0001, longitude=0.0002))
    with capture_logs():
        assert remembered(ledger)[0].place is None


def test_the_same_press_is_remembered_once_with_the_best_that_is_known(ledger: Ledger):
    keep(ledger)
    keep(ledger, place=fix(20))
    keep(ledger)

    (found,) = remembered(ledger)
    assert (found.kind, found.place.latitude) == (PRESS, 37.566)  # 37.5665 rounds to the even one


def test_a_false_alarm_stays_one_when_the_press_is_looked_at_again(ledger: Ledger):
    keep(ledger, place=fix(20))
    keep(ledger, FALSE_ALARM)
    keep(ledger)

    (found,) = remembered(ledger)
    assert found.kind == FALSE_ALARM
    assert found.place is not None


def test_what_is_over_its_time_is_not_given_even_if_nobody_has_deleted_it(ledger: Ledger):
    keep(ledger, days=200)
    keep(ledger, days=10)

    assert len(remembered(ledger, since=NOON - timedelta(days=180))) == 1


def test_the_press_that_is_being_weighed_is_no_history(ledger: Ledger):
    keep(ledger, days=1)
    keep(ledger)

    assert [each.at for each in remembered(ledger, besides=NOON)] == [NOON - timedelta(days=1)]


def test_no_more_than_the_newest_are_kept(ledger: Ledger):
    keep(ledger, subject=LEE, days=300)
    for number in range(MOST_KEPT + 5):
        keep(ledger, days=100 - number)

    rows = ledger.rows("press_history")
    assert len(rows) == MOST_KEPT + 1
    assert min(each.at for each in remembered(ledger)) == NOON - timedelta(days=95)
    assert len(remembered(ledger, LEE)) == 1


def test_a_withheld_number_has_no_history_and_any_other_has():
    assert unregistered(Msisdn("", is_e164=False)) is None
    assert unregistered(Msisdn("821012345678")) == "821012345678"


def test_neither_number_nor_place_stands_in_a_row(ledger: Ledger):
    keep(ledger, subject="821012345678", place=fix(20))
    with_place = ledger.rows("press_history")[0]
    keep(ledger, subject="821012345679")

    octets = b"".join(bytes(row["subject"]) + bytes(row["sealed"]) for row in ledger.rows("press_history"))
    assert b"8210" not in octets
    assert b"37.5" not in octets
    assert {len(row["sealed"]) for row in ledger.rows("press_history")} == {len(with_place["sealed"])}


def test_a_row_that_was_moved_to_somebody_else_is_none_of_theirs(ledger: Ledger):
    keep(ledger, FALSE_ALARM, place=fix(20))
    stolen = ledger.rows("press_history")[0]
    subject = keys().hash("history", LEE)
    ledger.transact(
        lambda connection: connection.execute(press_history.insert().values(stolen | {"subject": subject}))
    )

    keys().noticed.take()
    with capture_logs() as logs:
        assert remembered(ledger, LEE) == []

    assert [line["event"] for line in logs] == ["row changed by another hand"]


def test_a_deleted_person_is_forgotten(ledger: Ledger):
    keep(ledger, days=1)
    keep(ledger, FALSE_ALARM)
    keep(ledger, subject=LEE)

    assert ledger.transact(lambda connection: forget_history(connection, keys(), KIM)) == 2
    assert remembered(ledger) == []
    assert len(remembered(ledger, LEE)) == 1


def test_history_is_found_under_the_old_key_and_written_again_under_the_new_one(ledger: Ledger):
    keep(ledger, FALSE_ALARM, place=fix(20))
    old = keys().current
    new = Key.make(NOON)
    both = KeyRing({old.id: old, new.id: new}, new.id)
    only_new = KeyRing({new.id: new}, new.id)

    with_keys(ledger.engine, lambda: both)
    assert remembered(ledger)[0].kind == FALSE_ALARM
    keep(ledger)  # the same press again: its row is found under the old hash and replaced
    assert len(ledger.rows("press_history")) == 1

    with_keys(ledger.engine, keys)
    keep(ledger, DRILL, days=1)
    with_keys(ledger.engine, lambda: both)

    def under_the_old(connection: Connection) -> int:
        mine = press_history.c.subject == KeyRing({old.id: old}, old.id).hash("history", KIM)
        return reseal_history(connection, connection.execute(select(press_history).where(mine)).all())

    assert ledger.transact(under_the_old) == 1
    with_keys(ledger.engine, lambda: only_new)
    assert [(each.kind, each.place is None) for each in remembered(ledger)] == [
        (FALSE_ALARM, False),
        (DRILL, True),
    ]


def test_the_place_of_a_row_is_its_whole_key():
    places = {history_place(bytes(15) + bytes([one]), at).octets for one in (1, 2) for at in (3, 4)}
    assert len(places) == 4
