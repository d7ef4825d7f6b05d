"""The bell: after a transaction exactly those lanes are rung for which it has written something that is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.alarms import Alarms
from telephony.domain.delivery import CALL_CONTROL, GUARDIANS, GUARDIANS_RELEASED, PERSON, Again, Delivered
from telephony.domain.facts import CENTRE, FalseAlarmFact, Sayer
from telephony.domain.plan import Plan, ReportRoute
from telephony.services.spine.outbox import Outbox
from telephony.services.spine.relay import Relay
from telephony.services.spine.traffic import Lane, Traffic
from telephony.store.contention import Repeats
from telephony.store.database import Database
from telephony.store.facts import record_facts
from telephony.store.incidents import close_incident
from telephony.store.orders import order_hang_up
from telephony.store.outbox.claiming import claim
from telephony.store.outbox.writing import again, hasten
from telephony.store.positions import record_position_of
from telephony.store.who_presses import Joined, Keeping, record_all
from tests.awaiting import failure_of, result_of
from tests.doubles import NOON, Errands, Inline, age_by, press
from tests.store.ledger import NOON_S, Ledger, fix

LATER = NOON + timedelta(seconds=30)
PLAN = Plan(
    everywhere_else=(ReportRoute("seoul"), ReportRoute("busan"), ReportRoute("seoul-2", 5.0)),
    by_carrier={},
    joins_people=True,
    tells_guardians=True,
)
OF_CARRIERS = [f"{what}:{carrier}" for carrier in ("skt", "kt", "lgu") for what in ("locate", "track")]
LANES = ("seoul", "busan", "seoul-2", *OF_CARRIERS, CALL_CONTROL, PERSON, GUARDIANS, GUARDIANS_RELEASED)
KIM, LEE = "821012345678", "821087654321"


def false_alarm(sayer: Sayer = CENTRE) -> FalseAlarmFact:
    return FalseAlarmFact(sayer, LATER, "desk 7", "", LATER)


class Counting(Database):
    """A store that counts who looks into it for work."""

    def __init__(self, engines: tuple[Engine, Engine]) -> None:
        self.claims: list[str] = []
        super().__init__(
            *engines,
            writer=Inline(),
            reader=Inline(),
            clock=task.Clock(),
            linger_s=0.0,
            repeats=Repeats(rest=lambda _: None),
        )

    def transact(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        if function is claim:
            self.claims.append(arguments[0].channel)
        return super().transact(function, *arguments)


class House:
    """A relay with thirteen lanes, over an incident of which nothing waits that was not begun."""

    def __init__(self, engines: tuple[Engine, Engine]) -> None:
        self.ledger = Ledger(engines[0], PLAN)
        for number in (KIM, LEE):
            self.ledger.record(press(number))
        for lane in LANES:
            for delivery in self.ledger.claim(lane, after_s=6.0):
                self.ledger.settle(delivery, Delivered())
        self.key = self.ledger.key_of(KIM)
        self.clock = task.Clock()
        self.clock.advance(NOON_S + 30.0)
        self.database = Counting(engines)
        self.far = {name: Errands() for name in LANES}
        self.relay = Relay(
            [Lane(name, far, 4, 10.0, rank=1) for name, far in self.far.items()],
            self.database,
            clock=self.clock,
            owner="me",
            alarms=Alarms(self.clock),
            poll_s=1.0,
            traffic=Traffic(self.clock),
            past_the_store=lambda *_: None,
        )
        self.rung: list[tuple[str, set[str]]] = []
        self.outbox = Outbox(self.database, PLAN, lambda name, lanes: self.rung.append((name, set(lanes))))
        self.ringing = Outbox(self.database, PLAN, self.relay.wake)

    def keep(self, joined: Joined) -> bool:
        item = Keeping(PLAN, f"sos-{KIM}", joined, LATER)
        kept: bool = result_of(self.outbox.transact_at_leisure(record_all, item))
        return kept


@pytest.fixture
def house(engines: tuple[Engine, Engine]) -> House:
    return House(engines)


def test_a_better_position_makes_the_lanes_claim_that_have_it_to_tell_and_no_other(house: House):
    """Rung all together, as before, each of the thirteen would look into the store."""
    better = fix(50.0, after_s=30.0)
    result_of(
        house.ringing.transact(record_position_of, PLAN, f"sos-{KIM}", better, age_by(better.received_at))
    )

    assert sorted(house.database.claims) == ["busan", "seoul"], "the fallback's turn comes by the poll"
    assert [len(house.far[name].deliveries) for name in ("seoul", "busan", "seoul-2")] == [1, 1, 0]

    house.database.claims.clear()
    house.relay.wake(f"sos-{KIM}")
    assert len(house.database.claims) == len(LANES) == 13


def test_what_is_no_news_rings_no_bell(house: House):
    for expected in (1, 1):
        result_of(house.outbox.transact(record_facts, PLAN, f"sos-{KIM}", [false_alarm()]))
        assert house.rung == [(f"sos-{KIM}", {"seoul", "busan"})] * expected


def test_an_order_rings_the_lane_of_orders(house: House):
    assert result_of(house.outbox.transact(order_hang_up, f"sos-{KIM}", "desk 7", LATER)) is None
    assert house.rung == [(f"sos-{KIM}", {CALL_CONTROL})]


def test_an_errand_that_is_hastened_or_done_again_rings_its_lane(house: House):
    house.keep(Joined((), (), has_guardians=True))
    (turn,) = house.ledger.claim(GUARDIANS, after_s=30.0)
    house.ledger.settle(turn, Again(60.0, GUARDIANS, GUARDIANS))
    for _ in range(2):
        result_of(house.outbox.transact(hasten, f"sos-{KIM}", GUARDIANS, LATER + timedelta(seconds=1)))
        result_of(house.outbox.transact(hasten, "sos-nobody", GUARDIANS, LATER))
    result_of(house.outbox.transact(again, house.key, GUARDIANS_RELEASED, LATER))

    assert house.rung == [
        (f"sos-{KIM}", {GUARDIANS}),
        (f"sos-{KIM}", {GUARDIANS}),
        (f"sos-{KIM}", {GUARDIANS_RELEASED}),
    ], "sent for, hastened once, released"


def test_a_closing_rings_the_lanes_that_tell_of_it(house: House):
    assert result_of(house.outbox.transact(close_incident, PLAN, f"sos-{KIM}", "over", LATER))
    assert house.rung == [(f"sos-{KIM}", {"seoul", "busan"})]


def test_quiet_facts_ring_no_bell_and_loud_ones_ring_it_at_leisure_too(house: House):
    assert not house.keep(Joined((), [false_alarm(1)]))
    assert house.rung == []

    assert house.keep(Joined([false_alarm(2)], ()))
    assert house.rung == [(f"sos-{KIM}", {"seoul", "busan"})]


def test_what_goes_into_an_update_that_waits_rings_where_it_is_news(house: House):
    result_of(house.outbox.transact(record_facts, PLAN, f"sos-{KIM}", [false_alarm(1)]))
    house.keep(Joined((), [false_alarm(2)]))
    assert len(house.rung) == 1, "quietly"

    result_of(house.outbox.transact(record_facts, PLAN, f"sos-{KIM}", [false_alarm(3)]))
    assert house.rung[1:] == [(f"sos-{KIM}", {"seoul", "busan", "seoul-2"})]


def test_one_transaction_may_ring_for_several_incidents(house: House):
    def both(connection: Connection) -> Sequence[bool]:
        return [record_facts(connection, PLAN, f"sos-{number}", [false_alarm()]) for number in (KIM, LEE)]

    assert result_of(house.outbox.transact(both)) == [True, True]
    assert sorted(name for name, _ in house.rung) == [f"sos-{KIM}", f"sos-{LEE}"]


def test_no_bell_is_rung_for_what_was_rolled_back(house: House):
    def in_vain(connection: Connection) -> None:
        record_facts(connection, PLAN, f"sos-{KIM}", [false_alarm()])
        raise LookupError("spoiled")

    assert isinstance(failure_of(house.outbox.transact(in_vain)), LookupError)
    result_of(house.outbox.transact(lambda connection: None))
    assert house.rung == []


def test_a_lane_of_another_daemon_is_not_ours_to_ring(house: House):
    house.relay.wake(f"sos-{KIM}", {"pusan-2", "seoul"})
    assert house.database.claims == ["seoul"]
