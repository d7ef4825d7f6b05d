"""Two daemons write to one PostgreSQL: whatever the one has not committed yet, the other reads nothing that is old by then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text

from telephony.domain.delivery import Delivered
from telephony.domain.guardians.guardian import Guardian
from telephony.domain.guardians.turns import Turn
from telephony.domain.guardians.words import GuardianReply
from telephony.domain.trigger import Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.store.callers import CALLER
from telephony.store.engines import open_engines
from telephony.store.fact_rows import from_data
from telephony.store.facts import record_facts
from telephony.store.guardian_rows import expect_reply, take_reply
from telephony.store.incidents import close_incident
from telephony.store.orders import set_silence
from telephony.store.outbox.claiming import Claim, claim
from telephony.store.outbox.settling import Settlement, settle_all
from telephony.store.outbox.starting import bring_forward, release_leases
from telephony.store.positions import record_position
from telephony.store.presses import NewPress, PressRecorder, Rules
from telephony.store.schema import metadata
from telephony.store.who_presses import Joined, Keeping, record_all
from tests.doubles import NOON, ONE_CENTRE, WITH_FALLBACK, age_by, keys, press
from tests.store.interleaving import Other, Work, is_free, open_transaction
from tests.store.ledger import LEASE_S, NOON_S, Ledger, call_fact, fix

KIM, LEE = "821012345678", "821022222222"
MOTHER = Msisdn("821087654321")


@pytest.fixture
def ledger(postgresql_url: str) -> Iterator[Ledger]:
    writing, reading = open_engines(postgresql_url, keys)
    with writing.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        metadata.create_all(connection)
    yield Ledger(writing, WITH_FALLBACK)
    writing.dispose()
    reading.dispose()


def pressed(*triggers: Trigger, node: int = 7) -> Work:
    """Presses as another daemon records them."""
    recorder = PressRecorder(Rules(WITH_FALLBACK, f"daemon {node}", {"skt": 600.0}, node=node))
    items = [NewPress(one, f"sos-{one.msisdn.number}") for one in triggers]
    return lambda connection: recorder(connection, items)


def again(number: str, caller: str = KIM, **changes: Any) -> Trigger:
    moment = NOON + timedelta(seconds=1)
    return press(caller, reference=f"again-{number}", received_at=moment, **changes)


def claimed(channel: str = "seoul", after_s: float = 2.0) -> Work:
    now = NOON_S + after_s
    return lambda connection: claim(connection, Claim(channel, "other", 10, now, now + LEASE_S))


def payloads(ledger: Ledger, channel: str = "seoul") -> dict[int, dict[str, Any]]:
    """What each report of the channel says, by its sequence."""
    rows = ledger.rows("delivery")
    return {row["sequence"]: json.loads(row["payload"]) for row in rows if row["channel"] == channel}


def told_once(ledger: Ledger) -> None:
    """An incident whose alert was delivered, and which owes nothing."""
    ledger.record(press())
    (alert,) = ledger.claim()
    ledger.settle(alert, Delivered())


# -- what is counted on ------------------------------------------------------------------------------------------


def test_presses_of_one_caller_at_two_daemons_get_a_number_each_and_112_hears_of_both(ledger: Ledger):
    told_once(ledger)

    with open_transaction(ledger.engine) as one:
        pressed(again("a"), node=1)(one)
        other = Other(ledger.engine, pressed(again("b"), node=2))
        assert other.is_blocked
    other.result()

    assert sorted(row["number"] for row in ledger.rows("press")) == [1, 2, 3]
    assert [row["press_count"] for row in ledger.rows("incident")] == [3]
    assert payloads(ledger)[2]["presses"] == 3


def test_a_redelivery_at_two_daemons_is_counted_twice(ledger: Ledger):
    ledger.record(press())
    repeated = press(repetition=Repetition.REDELIVERY)

    with open_transaction(ledger.engine) as one:
        pressed(repeated, node=1)(one)
        other = Other(ledger.engine, pressed(repeated, node=2))
    other.result()

    assert [row["seen"] for row in ledger.rows("press")] == [3]


def test_two_positions_at_two_daemons_are_both_kept(ledger: Ledger):
    told_once(ledger)
    key = ledger.key_of(KIM)
    at = [
        partial(
            record_position,
            plan=WITH_FALLBACK,
            incident_key=key,
            found=fix(radius, after_s=1),
            age_s=age_by(NOON),
        )
        for radius in (500.0, 50.0)
    ]

    with open_transaction(ledger.engine) as one:
        at[0](one)
        other = Other(ledger.engine, at[1])
    other.result()

    assert [row["number"] for row in ledger.rows("position")] == [1, 2]
    (row,) = ledger.rows("incident")
    assert (row["position_count"], row["best_position"]) == (2, 2)
    assert payloads(ledger)[2]["position"] == 2


@pytest.mark.parametrize("first", ["press", "news"])
@pytest.mark.parametrize("news", ["position", "fact"])
def test_news_beside_a_press_of_another_daemon_takes_nothing_back(ledger: Ledger, news: str, first: str):
    """An update says how many presses and facts there are, and the newest one is the last word."""
    told_once(ledger)
    known: Work = (
        partial(
            record_position,
            plan=WITH_FALLBACK,
            incident_key=ledger.key_of(KIM),
            found=fix(after_s=1),
            age_s=age_by(NOON),
        )
        if news == "position"
        else partial(record_facts, plan=WITH_FALLBACK, incident_id=f"sos-{KIM}", facts=[call_fact(after_s=1)])
    )
    steps = [pressed(again("a")), known]
    if first == "news":
        steps.reverse()

    with open_transaction(ledger.engine) as one:
        steps[0](one)
        other = Other(ledger.engine, steps[1])
    other.result()

    said = payloads(ledger)
    assert said[max(said)]["presses"] == 2
    assert said[max(said)]["position" if news == "position" else "facts"] == 1
    assert [row["last_sequence"] for row in ledger.rows("incident")] == [max(said)]


def test_a_press_that_comes_while_its_incident_is_closed_opens_another(ledger: Ledger):
    told_once(ledger)

    with open_transaction(ledger.engine) as one:
        close_incident(one, WITH_FALLBACK, f"sos-{KIM}", "found safe", NOON)
        other = Other(ledger.engine, pressed(again("a")))
    other.result()

    assert sorted(row["state"] for row in ledger.rows("incident")) == ["closed", "open"]


def test_an_incident_that_is_pressed_while_it_is_closed_as_quiet_stays_open(ledger: Ledger):
    told_once(ledger)
    quiet_since = NOON + timedelta(seconds=0.5)

    with open_transaction(ledger.engine) as one:
        pressed(again("a"))(one)
        other = Other(
            ledger.engine,
            lambda connection: close_incident(
                connection, WITH_FALLBACK, f"sos-{KIM}", "quiet", NOON, quiet_since=quiet_since
            ),
        )
        assert other.is_blocked

    assert other.result() is False
    assert [row["state"] for row in ledger.rows("incident")] == ["open"]


# -- reports that are on their way ---------------------------------------------------------------------------------


def test_news_does_not_go_into_an_update_that_another_daemon_is_just_taking(ledger: Ledger):
    told_once(ledger)
    ledger.again("a", after_s=1)

    with open_transaction(ledger.engine) as one:
        ((taken,), other) = claimed()(one), Other(ledger.engine, pressed(again("b")))
        assert other.is_blocked
    other.result()

    said = payloads(ledger)
    assert dict(taken.payload) == said[2]
    assert {sequence: each["presses"] for sequence, each in said.items()} == {1: 1, 2: 2, 3: 3}
    assert payloads(ledger, "seoul-2") == said


def test_an_update_that_news_is_just_going_into_is_left_to_the_next_claim(ledger: Ledger):
    told_once(ledger)
    ledger.again("a", after_s=1)

    with open_transaction(ledger.engine) as one:
        pressed(again("b"))(one)
        other = Other(ledger.engine, claimed())
        assert not other.is_blocked
        assert other.result() == []

    (taken,) = ledger.claim(after_s=2)
    assert taken.payload["presses"] == 3
    assert dict(taken.payload) == payloads(ledger)[2]


def test_an_update_that_was_begun_on_one_channel_takes_no_news_on_another(ledger: Ledger):
    """Both channels tell the same under the same name."""
    told_once(ledger)
    ledger.again("a", after_s=1)

    with open_transaction(ledger.engine) as one:
        claimed("seoul-2", after_s=60)(one)
        other = Other(ledger.engine, pressed(again("b")))
    other.result()

    assert payloads(ledger)[2] == payloads(ledger, "seoul-2")[2]
    assert payloads(ledger)[2]["presses"] == 2


# -- the order of locks --------------------------------------------------------------------------------------------


def in_order(first: str, second: str) -> tuple[str, str]:
    """Two callers in the order of their hashes."""
    low, high = sorted((first, second), key=lambda number: keys().hash(CALLER, number))
    return low, high


def joined_of(*callers: str) -> Work:
    fact = from_data("score", "", NOON, {"score": "50"})
    items = [Keeping(ONE_CENTRE, f"sos-{each}", Joined([fact], []), NOON) for each in callers]
    return lambda connection: record_all(connection, items)


def replied(*_: str) -> Work:
    reply = GuardianReply(confirms=True, is_mistake=False, words="")
    return lambda connection: take_reply(connection, WITH_FALLBACK, MOTHER, reply, NOON)


@pytest.mark.parametrize("work", ["presses", "joined", "reply"])
def test_who_changes_several_incidents_waits_for_the_first_and_holds_none_of_the_others(
    ledger: Ledger, work: str
):
    ledger.record(press(KIM))
    ledger.record(press(LEE, received_at=NOON + timedelta(seconds=1)))
    guardian = Turn(Guardian(MOTHER), 1, 1)
    for caller in (LEE, KIM):
        ledger.transact(expect_reply, f"sos-{caller}", guardian, NOON)
    first, second = ledger.key_of(KIM), ledger.key_of(LEE)
    assert first < second
    doing = {
        "presses": pressed(again("a", LEE), again("b", KIM)),
        "joined": joined_of(LEE, KIM),
        "reply": replied(),
    }[work]

    with open_transaction(ledger.engine) as one:
        one.execute(text(f"SELECT 1 FROM incident WHERE key = {first} FOR UPDATE"))
        other = Other(ledger.engine, doing)
        assert other.is_blocked
        assert is_free(
            ledger.engine,
            lambda c: c.execute(text(f"SELECT 1 FROM incident WHERE key = {second} FOR UPDATE")),
        )
    other.result()


def test_who_opens_several_incidents_waits_for_the_first_and_has_opened_none_of_the_others(ledger: Ledger):
    low, high = in_order(KIM, LEE)

    with open_transaction(ledger.engine) as one:
        pressed(press(low), node=1)(one)
        other = Other(ledger.engine, pressed(again("a", high), again("b", low), node=2))
        assert other.is_blocked
        assert is_free(ledger.engine, pressed(press(high), node=3))
        one.connection.rollback()
    other.result()

    assert sorted(row["msisdn"] for row in ledger.rows("incident")) == sorted((low, high))


@pytest.mark.parametrize("work", ["settle", "release", "bring forward"])
def test_who_changes_several_deliveries_waits_for_the_first_and_holds_none_of_the_others(
    ledger: Ledger, work: str
):
    ledger.record(press(KIM))
    ledger.record(press(LEE, received_at=NOON + timedelta(seconds=1)))
    taken = sorted(ledger.claim(after_s=2), key=lambda each: each.incident_key)
    outcomes = [Settlement(each, Delivered(), NOON_S, NOON_S) for each in reversed(taken)]
    doing: Work = {
        "settle": lambda connection: settle_all(connection, outcomes),
        "release": lambda connection: release_leases(connection, "me", "me#2"),
        "bring forward": lambda connection: bring_forward(connection, NOON_S - 90_000, 60.0),
    }[work]
    ledger.transact(
        lambda c: c.execute(text("UPDATE delivery SET lease_owner = 'me#1' WHERE lease_until > 0"))
    )
    # The later row stands first now, in the table and in the index of what is due.
    touch = f"UPDATE delivery SET due_at = due_at + 5000000 WHERE incident_key = {taken[0].incident_key}"
    ledger.transact(lambda c: c.execute(text(touch)))

    def of(delivery: Any) -> Any:
        where = f"incident_key = {delivery.incident_key} AND channel = 'seoul'"
        return text(f"SELECT 1 FROM delivery WHERE {where} FOR UPDATE")

    with open_transaction(ledger.engine) as one:
        one.execute(of(taken[0]))
        other = Other(ledger.engine, doing)
        assert other.is_blocked
        assert is_free(ledger.engine, lambda connection: connection.execute(of(taken[1])))
    other.result()


def test_who_takes_back_orders_locks_what_is_pending_before_it_writes_the_report(ledger: Ledger):
    """The report's channel may come before or behind that of an order: the order of locks is that of the key."""
    told_once(ledger)
    ledger.transact(set_silence, WITH_FALLBACK, f"sos-{KIM}", True, "112", NOON)
    pending = f"SELECT 1 FROM delivery WHERE incident_key = {ledger.key_of(KIM)} AND channel ="

    def hold(connection: Connection) -> Any:
        return set_silence(connection, WITH_FALLBACK, f"sos-{KIM}", False, "112", NOON)

    with open_transaction(ledger.engine) as one:
        one.execute(text(f"{pending} 'call-control' FOR UPDATE"))
        other = Other(ledger.engine, hold)
        assert other.is_blocked
        assert is_free(ledger.engine, lambda c: c.execute(text(f"{pending} 'seoul' FOR UPDATE")))
    assert other.result() is None
