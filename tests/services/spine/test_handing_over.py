"""What this process writes for a lane that has time is in its hands with the commit: nothing is claimed, nothing is rung."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from twisted.internet.defer import CancelledError

from telephony.domain.delivery import Again, Delivered, Outcome, Retry
from telephony.domain.facts import CENTRE, FalseAlarmFact
from telephony.services.spine.outbox import Outbox
from telephony.store.facts import record_facts
from telephony.store.outbox.claiming import claim
from telephony.store.positions import Fix, record_positions
from tests.awaiting import failure_of, result_of
from tests.doubles import NOON, ONE_CENTRE, age_by, press
from tests.services.spine.test_relay import KIM, LEE, House
from tests.store.ledger import fix


class Home(House):
    """A relay and the outbox of its own process; it counts who looks into the store for work."""

    def __init__(self, engines: tuple[Engine, Engine]) -> None:
        super().__init__(engines)
        self.rung: list[tuple[str, frozenset[str]]] = []
        self.outbox = Outbox(self.database, ONE_CENTRE, self._ring)
        self.outbox.hand_over_to(self.relay)
        self.claims: list[str] = []
        transact: Any = self.database.transact

        def counting(function: Any, *arguments: Any) -> Any:
            if function is claim:
                self.claims.append(arguments[0].channel)
            return transact(function, *arguments)

        self.database.transact = counting  # type: ignore[method-assign]

    def _ring(self, incident_id: str, channels: Any) -> None:
        self.rung.append((incident_id, frozenset(channels)))
        self.relay.wake(incident_id, channels)

    def alerted(self, *callers: str) -> None:
        """Incidents whose alert 112 has."""
        self.record_and_offer(*(press(caller) for caller in callers))
        for _ in callers:
            self.far["locate:skt"].answers(Again(3600.0, "track", "track:skt"))
            self.seoul.answers(Delivered())
        self.claims.clear()

    def locate(self, caller: str = KIM, radius_m: float = 500.0, after_s: float = 1.0) -> Any:
        found = fix(radius_m, after_s=after_s)
        item = Fix(ONE_CENTRE, self.ledger.key_of(caller), found, age_by(found.received_at))
        self.clock.advance(after_s)
        return self.outbox.transact_at_leisure(record_positions, item)

    def settled(self, caller: str, sequence: int) -> str:
        return self.states()[caller, sequence]


@pytest.fixture
def home(engines: tuple[Engine, Engine]) -> Home:
    return Home(engines)


def test_an_update_leaves_with_the_commit_of_its_position(home: Home):
    home.alerted(KIM)

    result_of(home.locate())

    assert home.seoul.heard == [(KIM, 1), (KIM, 2)]
    assert (home.claims, home.rung) == ([], [])
    sent = home.seoul.deliveries[-1]
    assert sent.content.position == fix(500.0, after_s=1.0)  # type: ignore[union-attr]
    home.seoul.answers(Delivered())
    assert home.settled(KIM, 2) == "delivered"


def test_a_lease_that_was_handed_over_is_a_lease_like_any_other(home: Home):
    home.alerted(KIM)
    result_of(home.locate())

    assert home.ledger.claim(after_s=2.0, owner="another") == []
    assert [each.sequence for each in home.ledger.claim(after_s=60.0, owner="another")] == [2]


def test_with_the_alert_in_flight_the_update_waits_in_the_store_and_is_told_after_it(home: Home):
    home.record_and_offer(press(KIM))
    result_of(home.locate())
    assert home.seoul.heard == [(KIM, 1)]

    result_of(home.locate(radius_m=50.0))
    home.seoul.answers(Delivered())

    assert home.seoul.heard == [(KIM, 1), (KIM, 2)], "and both positions went into one update"


def test_an_update_whose_alert_is_settled_by_the_same_commit_follows_it(home: Home):
    home.record_and_offer(press(KIM))
    home.writer.hold()
    home.seoul.answers(Delivered())
    located = home.locate()
    home.writer.release()

    result_of(located)
    assert home.seoul.heard == [(KIM, 1), (KIM, 2)]
    home.seoul.answers(Delivered())
    assert home.settled(KIM, 2) == "delivered"


def test_a_lane_with_something_at_hand_leaves_the_update_where_more_news_can_join_it(
    engines: tuple[Engine, Engine],
):
    home = Home(engines)
    home.alerted(KIM)
    others = [f"8210{number:08d}" for number in range(6)]
    home.record_and_offer(*(press(other) for other in others))

    result_of(home.locate())

    assert home.rung == [(f"sos-{KIM}", frozenset({"seoul"}))]


def test_several_incidents_of_one_commit_are_handed_over_together(home: Home):
    home.alerted(KIM, LEE)
    home.writer.hold()
    waiting = [home.locate(caller) for caller in (KIM, LEE)]
    home.writer.release()
    for each in waiting:
        result_of(each)

    assert sorted(home.seoul.heard[2:]) == [(KIM, 2), (LEE, 2)]
    assert home.claims == []


def test_a_transaction_that_fails_gives_its_places_back(home: Home):
    home.alerted(KIM)
    room = home.loop.room

    def in_vain(connection: Any) -> None:
        record_facts(connection, ONE_CENTRE, f"sos-{KIM}", [FalseAlarmFact(CENTRE, NOON, "desk 7", "", NOON)])
        raise LookupError("spoiled")

    for _ in range(3):
        assert isinstance(failure_of(home.outbox.transact(in_vain)), LookupError)

    assert home.loop.room == room
    assert home.seoul.heard == [(KIM, 1)]


def test_who_gives_up_waiting_for_the_commit_does_not_keep_the_update_from_112(home: Home):
    home.alerted(KIM)
    home.writer.hold()
    located = home.locate()
    located.addErrback(lambda failure: failure.trap(CancelledError))
    located.cancel()

    home.writer.release()

    assert home.seoul.heard == [(KIM, 1), (KIM, 2)]


@pytest.mark.parametrize("outcome", [Retry("busy", 5.0), Retry("busy")])
def test_an_update_that_was_handed_over_is_tried_again_like_any_other(home: Home, outcome: Outcome):
    home.alerted(KIM)
    result_of(home.locate())

    home.seoul.answers(outcome)
    home.clock.pump([1.0] * 20)

    assert home.seoul.heard[:3] == [(KIM, 1), (KIM, 2), (KIM, 2)]


def test_nothing_is_handed_over_to_a_relay_that_is_stopping(home: Home):
    home.alerted(KIM)
    home.relay.stop(1.0)

    result_of(home.locate())

    assert home.seoul.heard == [(KIM, 1)]
    assert [each.sequence for each in home.ledger.claim(after_s=5.0, owner="another")] == [2]
