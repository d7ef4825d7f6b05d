"""The outbox's message relay on its own clock: nothing forgotten, nothing out of order, no incident held up by another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs
from twisted.internet import task
from twisted.internet.defer import Deferred

from telephony.alarms import HOLD_S, Alarms
from telephony.domain.delivery import TRACK, Again, Delivered, Delivery, Outcome, Rejected, Retry
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.report import Report
from telephony.domain.trigger import Trigger
from telephony.services.spine.channel_loop import HELD_PER_SLOT, STORE_HANGS_S
from telephony.services.spine.relay import Relay, Reservation
from telephony.services.spine.reporting import first_report
from telephony.services.spine.traffic import (
    ERRANDS_WHEN_IDLE_PER_S,
    ERRANDS_WHEN_SECOND_PER_S,
    LAG_OF_A_BUSY_PROCESS_S,
    LAG_PROBED_S,
    LEASE_MARGIN_S,
    PRESSED_WAITING,
    PRESSURE_WINDOW_S,
    Lane,
    Traffic,
)
from telephony.store.presses import NewPress, PressRecorder, Rules
from tests.awaiting import is_waiting, result_of
from tests.doubles import NOON, ONE_CENTRE, WITH_FALLBACK, Inline, database, press
from tests.store.ledger import NOON_S, Ledger, fix

KIM, LEE, PARK = "821012345678", "821022222222", "821033333333"
TIMEOUT_S = 15.0
POLL_S = 1000.0
"""So long that nothing in these tests is found by chance."""


class Far:
    """A far end that keeps what it is given, and answers as told: at once, or when the test lets it."""

    def __init__(self, answer: Outcome | Exception | None = None) -> None:
        self.answer = answer
        self.deliveries: list[Delivery] = []
        self.times: list[float] = []
        self.hanging: list[tuple[Delivery, Deferred[Outcome]]] = []
        self.clock: task.Clock | None = None

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.deliveries.append(delivery)
        if self.clock is not None:
            self.times.append(self.clock.seconds() - NOON_S)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        waiting: Deferred[Outcome] = Deferred(self._given_up)
        self.hanging.append((delivery, waiting))
        return await waiting

    def _given_up(self, waiting: Deferred[Outcome]) -> None:
        self.hanging = [one for one in self.hanging if one[1] is not waiting]

    def answers(self, outcome: Outcome) -> Delivery:
        """Answer the oldest question."""
        delivery, waiting = self.hanging.pop(0)
        waiting.callback(outcome)
        return delivery

    @property
    def heard(self) -> list[tuple[str, int]]:
        return [(item.incident_id.removeprefix("sos-"), item.sequence) for item in self.deliveries]


class House:
    """A relay over a store, with a far end a lane."""

    def __init__(
        self,
        engines: tuple[Engine, Engine],
        plan: Plan = ONE_CENTRE,
        *,
        concurrency: int = 4,
        poll_s: float = POLL_S,
    ) -> None:
        self.clock = task.Clock()
        self.clock.advance(NOON_S)
        self.alarms = Alarms(self.clock)
        self.writer = Inline()
        self.database = database(*engines, self.writer)
        self.ledger = Ledger(engines[0], plan)
        self.far = {name: Far() for name in ("seoul", "seoul-2", "locate:skt", "track:skt")}
        for far in self.far.values():
            far.clock = self.clock
        self.past_the_store: list[Report] = []
        self.relay = Relay(
            [
                Lane(name, far, concurrency, TIMEOUT_S, rank=0 if "seoul" in name else 1)
                for name, far in self.far.items()
            ],
            self.database,
            clock=self.clock,
            owner="me",
            alarms=self.alarms,
            poll_s=poll_s,
            traffic=Traffic(self.clock),
            past_the_store=lambda report, _: self.past_the_store.append(report),
        )
        self.seoul = self.far["seoul"]
        self._recorder = PressRecorder(Rules(plan, "me", {}))

    def record_and_offer(
        self, *triggers: Trigger, channels: Sequence[str] = ("seoul", "locate:skt")
    ) -> Reservation:
        """As the intake does: reserve, commit with leases, hand over."""
        reserved = self.relay.reserve(channels, len(triggers))
        items = [
            NewPress(one, f"sos-{one.msisdn.number}", reserved.leases_of(number))
            for number, one in enumerate(triggers)
        ]
        recorded = result_of(self.database.batch(self._recorder, items))
        self.relay.offer(reserved, [held for one in recorded for held in one.held])
        return reserved

    @property
    def loop(self) -> Any:
        return self.relay._loops["seoul"]

    def states(self, channel: str = "seoul") -> dict[tuple[str, int], str]:
        ids = {row["key"]: row["msisdn"] for row in self.ledger.rows("incident")}
        return {
            (ids[row["incident_key"]], row["sequence"]): row["state"]
            for row in self.ledger.rows("delivery")
            if row["channel"] == channel
        }


@pytest.fixture
def house(engines: tuple[Engine, Engine]) -> House:
    return House(engines)


def many(count: int) -> list[Trigger]:
    return [press(f"8210{number:08d}") for number in range(count)]


# -- settings that change meanwhile --------------------------------------------------------------------------------


def test_a_lane_of_new_settings_is_run_beside_the_others(house: House):
    busan = Far()
    busan.clock = house.clock
    house.relay.start()

    house.relay.run(Lane("busan", busan, 4, TIMEOUT_S, rank=0))
    elsewhere = Ledger(house.ledger.engine, Plan(everywhere_else=(ReportRoute("busan"),), by_carrier={}))
    elsewhere.record(press())
    house.clock.advance(POLL_S)

    assert "busan" in house.relay.channels
    assert busan.heard == [(KIM, 1)]
    assert house.seoul.heard == []


def test_a_changed_lane_serves_from_the_next_delivery_on(house: House):
    house.seoul.answer = None
    house.record_and_offer(press())
    other = Far()
    other.clock = house.clock

    house.relay.run(Lane("seoul", other, 1, TIMEOUT_S, rank=0))
    house.record_and_offer(press(LEE))
    house.seoul.answers(Delivered())

    assert (house.seoul.heard, other.heard) == ([(KIM, 1)], [(LEE, 1)])


# -- the two ways to work ----------------------------------------------------------------------------------------


def test_what_the_store_owes_at_the_start_is_delivered(house: House):
    house.ledger.record(press())

    house.relay.start()

    assert house.seoul.heard == [(KIM, 1)]
    assert isinstance(house.seoul.deliveries[0].content, Report)
    house.seoul.answers(Delivered())
    assert house.states() == {(KIM, 1): "delivered"}


def test_what_was_committed_with_a_lease_is_delivered_without_asking_the_store(house: House):
    house.record_and_offer(press())

    (delivery,) = house.seoul.deliveries
    assert (delivery.sequence, delivery.attempts) == (1, 0)
    house.seoul.answers(Delivered("201"))
    assert house.states() == {(KIM, 1): "delivered"}


def test_a_lease_in_hand_is_not_claimed_beside_it(house: House):
    house.record_and_offer(press())

    house.relay.wake()
    house.clock.advance(5)

    assert house.seoul.heard == [(KIM, 1)]


def test_a_poll_finds_what_nobody_woke_for(engines: tuple[Engine, Engine]):
    house = House(engines, poll_s=1.0)
    house.relay.start()
    house.ledger.record(press())

    house.clock.advance(1.0)

    assert house.seoul.heard == [(KIM, 1)]


def test_the_fallback_is_used_after_its_silence(engines: tuple[Engine, Engine]):
    house = House(engines, WITH_FALLBACK, poll_s=1.0)
    house.relay.start()
    house.record_and_offer(press())

    house.clock.pump([0.5] * 9)
    assert house.far["seoul-2"].heard == []
    house.clock.pump([0.5] * 4)

    assert house.far["seoul-2"].heard == [(KIM, 1)]
    house.far["seoul-2"].answers(Delivered())
    house.seoul.answers(Retry("late"))
    house.clock.pump([0.5] * 4)
    assert house.seoul.heard == [(KIM, 1), (KIM, 1)]


# -- trying again --------------------------------------------------------------------------------------------------


def test_a_failing_centre_is_tried_again_after_1_1_2_4_8_15_15_seconds(house: House):
    house.seoul.answer = Retry("the centre answered 503")
    house.record_and_offer(press())

    house.clock.pump([0.25] * 4 * 70)

    pauses = [round(b - a) for a, b in zip(house.seoul.times, house.seoul.times[1:], strict=False)]
    assert pauses[:8] == [1, 1, 2, 4, 8, 15, 15, 15]


def test_every_attempt_says_the_same_by_the_same_name(house: House):
    house.seoul.answer = Retry("down")
    house.record_and_offer(press())
    house.clock.pump([0.25] * 40)

    told = [item.content for item in house.seoul.deliveries]
    assert len(told) > 3
    # The first is handed over as the intake made it; here it carries no content, as this test made none.
    assert all(report == first_report(press(), f"sos-{KIM}") for report in told[1:])


def test_the_centre_may_name_the_time(house: House):
    house.seoul.answer = Retry("503", after_s=30.0)
    house.record_and_offer(press())

    house.clock.pump([1.0] * 29)
    assert len(house.seoul.deliveries) == 1
    house.clock.pump([1.0] * 2)

    assert len(house.seoul.deliveries) == 2


def test_a_long_pause_of_one_incident_does_not_put_off_the_retry_of_another(house: House):
    house.record_and_offer(press(), press(LEE))
    house.clock.advance(0.01)
    house.seoul.answers(Retry("503", after_s=30.0))
    house.seoul.answers(Retry("reset"))

    house.clock.advance(1.0)

    assert house.seoul.heard == [(KIM, 1), (LEE, 1), (LEE, 1)]


def test_whatever_a_channel_raises_is_a_retry(house: House):
    house.seoul.answer = ZeroDivisionError("a defect")
    house.record_and_offer(press())
    house.seoul.answer = Delivered()

    house.clock.advance(1.0)

    assert house.states() == {(KIM, 1): "delivered"}


def test_a_channel_that_answers_nonsense_does_not_keep_the_incident_for_ever(house: House):
    house.seoul.answer = "no outcome"  # type: ignore[assignment]
    house.record_and_offer(press())
    house.seoul.answer = Delivered()

    house.clock.pump([1.0] * 60)
    house.relay.wake()

    assert house.states() == {(KIM, 1): "delivered"}


def test_an_attempt_has_a_time_out(house: House):
    house.record_and_offer(press())

    house.clock.advance(TIMEOUT_S)
    house.clock.advance(1.0)

    assert house.seoul.heard == [(KIM, 1), (KIM, 1)]


def test_a_rejected_report_is_given_up_with_an_alarm_and_the_next_goes_out(house: House):
    house.record_and_offer(press())
    house.ledger.again("1")
    house.relay.wake(f"sos-{KIM}")

    house.seoul.answers(Rejected("CAP Error"))

    assert house.seoul.heard == [(KIM, 1), (KIM, 2)]
    assert [(alarm.name, alarm.about) for alarm in house.alarms.standing()] == [("report-rejected", "seoul")]


def test_a_failing_channel_has_an_alarm_until_it_delivers(house: House):
    house.record_and_offer(press())
    house.seoul.answers(Retry("down"))
    assert [alarm.name for alarm in house.alarms.standing()] == ["channel-failing"]

    house.clock.advance(1.0)
    house.seoul.answers(Delivered())
    house.clock.advance(HOLD_S)

    assert house.alarms.standing() == []


def test_a_report_of_damaged_rows_goes_out_with_an_alarm_and_the_next_follows(house: House):
    house.ledger.record(press())
    house.ledger.again("1")
    damage = "UPDATE delivery SET payload = '[' WHERE channel = 'seoul' AND sequence = 1"
    house.ledger.transact(lambda connection: connection.exec_driver_sql(damage))

    house.relay.start()
    house.relay.wake(f"sos-{KIM}")
    house.seoul.answers(Delivered())
    house.seoul.answers(Delivered())

    assert house.seoul.heard == [(KIM, 1), (KIM, 2)]
    (alarm,) = house.alarms.standing()
    assert (alarm.name, alarm.about, alarm.facts["lost"]) == ("rows-damaged", "seoul", "delivery")


def test_a_channel_that_fails_every_other_time_has_one_alarm(house: House):
    with capture_logs() as said:
        for number in range(200):
            house.record_and_offer(press(f"82105{number:07d}"))
            house.seoul.answers(Delivered() if number % 2 else Retry("down"))
            house.clock.advance(0.1)

    assert [line["event"] for line in said if line["event"].startswith("alarm")] == ["alarm"]


def test_a_location_service_that_fails_is_no_alarm_of_a_channel_to_112(house: House):
    house.far["locate:skt"].answer = Retry("no position")
    house.record_and_offer(press())

    assert house.alarms.standing() == []


# -- order ---------------------------------------------------------------------------------------------------------


def test_an_update_waits_for_its_alert_and_follows_at_once(house: House):
    house.record_and_offer(press())
    house.ledger.again("1")
    house.relay.wake(f"sos-{KIM}")
    assert house.seoul.heard == [(KIM, 1)]

    house.seoul.answers(Delivered())

    assert house.seoul.heard == [(KIM, 1), (KIM, 2)]


def test_an_update_overtakes_no_alert_that_is_to_be_tried_again(house: House):
    house.record_and_offer(press())
    house.ledger.again("1")
    house.seoul.answers(Retry("down"))
    house.relay.wake(f"sos-{KIM}")
    assert house.seoul.heard == [(KIM, 1)]

    house.clock.advance(1.0)

    assert house.seoul.heard == [(KIM, 1), (KIM, 1)]


def test_an_update_to_an_alert_still_at_hand_follows_it_at_once(engines: tuple[Engine, Engine]):
    house = House(engines, concurrency=1)
    house.record_and_offer(press(LEE), press())
    house.ledger.again("1")
    house.relay.wake(f"sos-{KIM}")
    assert house.seoul.heard == [(LEE, 1)]

    house.seoul.answers(Delivered())
    house.seoul.answers(Delivered())

    assert house.seoul.heard == [(LEE, 1), (KIM, 1), (KIM, 2)]


def test_an_alert_goes_before_updates_that_have_been_due_for_longer(house: House):
    told, new = many(20), press()
    house.ledger.record(*told)
    house.relay.start()
    for _ in told:
        house.seoul.answers(Delivered())
    for each in told:
        house.ledger.again(each.msisdn.number, caller=each.msisdn.number)
    house.clock.advance(5.0)
    house.ledger.record(new)
    house.seoul.deliveries.clear()

    house.relay.wake()

    assert house.seoul.heard[0] == (KIM, 1)


def test_updates_leave_a_slot_and_room_at_hand_to_alerts(house: House):
    """112 hangs on updates: the next alert is begun at once all the same, from the hand and not from the store."""
    told = many(20)
    house.ledger.record(*told)
    house.relay.start()
    for _ in told:
        house.seoul.answers(Delivered())
    for each in told:
        house.ledger.again(each.msisdn.number, caller=each.msisdn.number)
    house.relay.wake()
    assert len(house.seoul.hanging) == 3
    house.seoul.deliveries.clear()

    reserved = house.record_and_offer(press(), press(LEE))

    assert reserved.counts["seoul"] == 2
    assert house.seoul.heard == [(KIM, 1)]
    house.seoul.hanging.pop()[1].callback(Delivered())
    assert house.seoul.heard == [(KIM, 1), (LEE, 1)]
    while house.seoul.hanging:
        house.seoul.answers(Delivered())
    assert set(house.states().values()) == {"delivered"}


def test_one_incident_in_trouble_holds_up_no_other(house: House):
    house.record_and_offer(press())
    house.seoul.answers(Retry("down", after_s=3600.0))

    house.record_and_offer(press(LEE))

    assert house.seoul.heard == [(KIM, 1), (LEE, 1)]


def test_an_errand_moves_on_to_follow_the_phone(house: House):
    house.record_and_offer(press())

    house.far["locate:skt"].answers(Again(30.0, TRACK, "track:skt"))
    house.clock.advance(30.0)
    house.relay.wake()

    assert [item.kind for item in house.far["track:skt"].deliveries] == [TRACK]


# -- beside each other -----------------------------------------------------------------------------------------------


def test_a_hung_channel_delays_only_itself(engines: tuple[Engine, Engine]):
    house = House(engines, WITH_FALLBACK, concurrency=2)
    house.far["seoul-2"].answer = Delivered()
    house.record_and_offer(*many(20))
    assert len(house.seoul.deliveries) == 2

    house.clock.advance(5.0)
    house.relay.wake()

    assert len(house.far["seoul-2"].deliveries) == 20


def test_no_more_are_in_flight_than_the_lane_allows(house: House):
    house.ledger.record(*many(20))
    house.relay.start()
    assert len(house.seoul.hanging) == 4

    for number in range(20):
        house.seoul.answers(Delivered())
        assert len(house.seoul.hanging) == min(4, 19 - number)

    assert set(house.states().values()) == {"delivered"}


def test_more_than_a_loop_holds_at_once_is_all_delivered_without_a_poll(house: House):
    count = 4 * HELD_PER_SLOT * 3 + 1
    house.record_and_offer(*many(count))
    house.relay.wake()

    for _ in range(count):
        house.clock.advance(0.01)
        house.seoul.answers(Delivered())

    assert set(house.states().values()) == {"delivered"}


def test_a_wake_that_found_no_room_is_not_forgotten(house: House):
    """The press of that wake would otherwise wait for the poll."""
    house.record_and_offer(*many(4 * HELD_PER_SLOT))
    assert house.loop.room == 0
    house.ledger.record(press())
    house.relay.wake()

    for _ in range(4 * HELD_PER_SLOT):
        house.clock.advance(0.1)
        house.seoul.answers(Delivered())

    assert house.seoul.heard[-1] == (KIM, 1)


def test_a_wake_during_a_reservation_is_not_forgotten(house: House):
    reserved = house.relay.reserve(["seoul"], 1_000)
    house.ledger.record(press())
    house.relay.wake()
    assert house.seoul.heard == []

    house.relay.offer(reserved, [])

    assert house.seoul.heard == [(KIM, 1)]


def test_a_wake_during_a_claim_is_not_forgotten(house: House):
    house.writer.hold()
    house.relay.wake()
    held = house.writer.held
    house.writer.held = None
    assert held is not None
    work, done = held[0]
    claimed_nothing = work()
    house.ledger.record(press())
    house.relay.wake()

    done(claimed_nothing)
    for other_work, other_done in held[1:]:
        other_done(other_work())

    assert house.seoul.heard == [(KIM, 1)]


# -- leases ----------------------------------------------------------------------------------------------------------


def test_a_lease_that_grew_too_old_at_hand_is_given_back_and_claimed_again_at_once(
    engines: tuple[Engine, Engine],
):
    """Dropped in silence it would be delivered by no process until it lapses, and 112 would wait for that."""
    house = House(engines, concurrency=1)
    house.record_and_offer(press(), press(LEE), press(PARK))
    house.clock.advance(TIMEOUT_S)
    assert house.seoul.heard == [(KIM, 1), (LEE, 1)]

    house.clock.advance(TIMEOUT_S)

    # Park's lease has 5 s left, too few for an attempt; no other delivery may wait for it to lapse.
    assert house.seoul.heard == [(KIM, 1), (LEE, 1), (KIM, 1)]
    house.seoul.answers(Delivered())
    assert house.seoul.heard[3:] == [(PARK, 1)]


def test_a_report_given_back_unsent_counts_no_attempt(engines: tuple[Engine, Engine]):
    house = House(engines, concurrency=1)
    house.ledger.record(press(), press(LEE), press(PARK))
    house.relay.start()
    house.clock.advance(TIMEOUT_S)
    house.clock.advance(TIMEOUT_S)

    attempts = {row["msisdn"]: row["key"] for row in house.ledger.rows("incident")}
    (row,) = [
        row
        for row in house.ledger.rows("delivery")
        if row["incident_key"] == attempts[PARK] and row["channel"] == "seoul"
    ]
    assert row["attempts"] <= 1


def test_a_commit_that_took_longer_than_its_lease_is_good_for_is_claimed_again(house: House):
    reserved = house.relay.reserve(["seoul"], 1)
    (recorded,) = house.ledger.record(press(), leases=dict(reserved.leases))
    house.clock.advance(LEASE_MARGIN_S + 1)

    house.relay.offer(reserved, recorded.held)

    assert house.seoul.heard == [(KIM, 1)]
    assert house.seoul.deliveries[0].lease_until == house.clock.seconds() + TIMEOUT_S + LEASE_MARGIN_S


def test_leases_are_never_given_back_under_somebody_elses_feet(house: House):
    (recorded,) = house.ledger.record(press(), leases={"seoul": NOON_S + 5})
    reserved = house.relay.reserve(["seoul"], 1)
    house.clock.advance(6.0)
    (theirs,) = house.ledger.claim(after_s=6.0, owner="another daemon")

    house.relay.offer(reserved, recorded.held)

    assert house.seoul.heard == []
    assert house.ledger.delivery("seoul", 1)["lease_until"] == int(theirs.lease_until * 1e6)


def test_after_a_jump_of_the_clock_an_incident_is_not_sent_twice_at_once(house: House):
    house.record_and_offer(press())
    house.clock.rightNow += 3600.0

    house.relay.wake()
    assert house.seoul.heard == [(KIM, 1)]
    house.seoul.answers(Delivered())

    assert house.states() == {(KIM, 1): "delivered"}


# -- trouble with the store --------------------------------------------------------------------------------------------


def test_a_settlement_that_cannot_be_written_is_sent_again_when_the_lease_lapses(house: House):
    house.record_and_offer(press())
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE delivery RENAME TO hidden")
    )
    with capture_logs() as said:
        house.seoul.answers(Delivered())
    assert "not settled" in [line["event"] for line in said]
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE hidden RENAME TO delivery")
    )

    house.clock.advance(TIMEOUT_S + LEASE_MARGIN_S)
    house.relay.wake()
    house.seoul.answers(Delivered())

    assert house.seoul.heard == [(KIM, 1), (KIM, 1)]
    assert house.states() == {(KIM, 1): "delivered"}


def test_a_claim_or_poll_that_fails_is_made_again(engines: tuple[Engine, Engine]):
    house = House(engines, poll_s=1.0)
    house.ledger.record(press())
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE delivery RENAME TO hidden")
    )
    house.relay.start()
    house.relay.wake()
    house.ledger.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE hidden RENAME TO delivery")
    )

    house.clock.advance(1.0)

    assert house.seoul.heard == [(KIM, 1)]


def owed(house: House) -> Report:
    """Have 112 not take an alert, and give it."""
    house.ledger.record(press())
    house.relay.start()
    house.seoul.answers(Retry("connection refused"))
    return first_report(press(), f"sos-{KIM}")


def test_what_112_did_not_take_is_told_past_a_store_that_is_gone_when_it_is_due_again(house: House):
    report = owed(house)
    house.database.put_away("its file is gone")

    house.clock.advance(0.9)
    assert house.past_the_store == []
    house.clock.advance(0.1)

    assert house.past_the_store == [report]
    # From then on it is in the hands of others.
    house.clock.advance(60)
    assert house.past_the_store == [report]


def test_it_is_told_past_a_store_that_hangs_when_it_is_claimed(house: House):
    report = owed(house)
    house.writer.hold()

    house.clock.advance(1.0)
    house.clock.advance(STORE_HANGS_S - 0.1)
    assert house.past_the_store == []
    house.clock.advance(0.1)

    assert house.past_the_store == [report]


def test_it_is_told_past_a_store_that_hangs_when_the_attempt_is_written_down(house: House):
    house.ledger.record(press())
    house.relay.start()
    house.writer.hold()
    house.seoul.answers(Retry("connection refused"))

    house.clock.advance(STORE_HANGS_S)

    assert house.past_the_store == [first_report(press(), f"sos-{KIM}")]


def test_a_report_that_waits_at_hand_is_told_past_a_store_that_takes_no_lease_back(
    engines: tuple[Engine, Engine],
):
    house = House(engines, concurrency=1)
    house.ledger.record(press(), press(LEE), press(PARK))
    house.relay.start()
    house.database.put_away("its file is gone")

    house.clock.advance(TIMEOUT_S)
    house.clock.advance(TIMEOUT_S)

    assert PARK in {report.msisdn.number for report in house.past_the_store}


@pytest.mark.parametrize("outcome", [Delivered(), Rejected("CAP Error")])
def test_what_112_took_or_will_never_take_is_not_told_past_the_store(house: House, outcome: Outcome):
    owed(house)
    house.clock.advance(1.0)
    house.seoul.answers(outcome)
    house.database.put_away("its file is gone")

    house.relay.wake()
    house.clock.advance(60)

    assert house.past_the_store == []


def test_while_the_store_is_well_nothing_is_told_past_it_however_often_112_fails(house: House):
    house.seoul.answer = Retry("connection refused")
    house.ledger.record(press(), press(LEE))
    house.relay.start()

    house.clock.pump([0.25] * 4 * 60)

    assert len(house.seoul.deliveries) > 10
    assert house.past_the_store == []


# -- what is more urgent -------------------------------------------------------------------------------------------------


def lane(rank: int) -> Lane:
    return Lane("x", Far(), 8, TIMEOUT_S, rank)


def test_in_quiet_times_nothing_is_held_back():
    assert Traffic(task.Clock()).pause_s(lane(0)) == Traffic(task.Clock()).pause_s(lane(1)) == 0.0


def test_presses_that_wait_for_their_commit_come_before_all_else():
    traffic = Traffic(task.Clock())
    traffic.presses(PRESSED_WAITING)

    assert traffic.is_pressed
    assert traffic.pause_s(lane(0)) > 0
    assert traffic.pause_s(lane(1)) > 0
    traffic.answered(PRESSED_WAITING)
    assert traffic.pause_s(lane(0)) == 0.0


def test_a_flood_of_presses_is_pressure_for_a_moment_longer_than_it_lasts():
    clock = task.Clock()
    traffic = Traffic(clock)
    for _ in range(101):
        traffic.presses(1)
        traffic.answered(1)
    assert traffic.is_pressed

    clock.advance(2 * PRESSURE_WINDOW_S)

    assert not traffic.is_pressed


def test_reports_come_before_errands():
    traffic = Traffic(task.Clock())
    traffic.waiting[0] = 1

    assert traffic.pause_s(lane(0)) == 0.0
    assert traffic.pause_s(lane(1)) > 0.0
    traffic.waiting[0] = 0
    assert traffic.pause_s(lane(1)) == 0.0


def test_positions_wait_for_alerts_and_not_for_updates_that_wait_and_people_wait_for_both(house: House):
    told = many(20)
    house.ledger.record(*told)
    house.relay.start()
    traffic = house.relay._traffic
    assert traffic.pause_s(lane(1)) > 0.0
    for _ in told:
        house.seoul.answers(Delivered())
    for each in told:
        house.ledger.again(each.msisdn.number, caller=each.msisdn.number)
    house.far["locate:skt"].answer = Delivered()
    while house.far["locate:skt"].hanging:
        house.far["locate:skt"].answers(Delivered())
    house.clock.advance(1)

    house.relay.wake()

    assert len(house.seoul.hanging) == 3
    assert traffic.pause_s(lane(1)) == 0.0
    assert traffic.pause_s(lane(2)) > 0.0


def test_errands_that_come_second_go_by_what_the_process_has_left():
    clock = task.Clock()
    traffic = Traffic(clock)
    traffic.waiting[0] = 1
    idle = traffic.pause_s(lane(1))
    for _ in range(8):
        clock.advance(LAG_PROBED_S + 2 * LAG_OF_A_BUSY_PROCESS_S)
        traffic.pause_s(lane(1))
    busy = traffic.pause_s(lane(1))
    for _ in range(8):
        clock.advance(LAG_PROBED_S)
        traffic.pause_s(lane(1))

    assert idle == 1 / ERRANDS_WHEN_IDLE_PER_S
    assert busy == 1 / ERRANDS_WHEN_SECOND_PER_S
    assert idle <= traffic.pause_s(lane(1)) < busy / 4


def test_under_pressure_a_lane_goes_on_at_a_pace_and_then_at_full_speed(house: House):
    house.seoul.answer = Delivered()
    pressure = house.relay.reserve([], PRESSED_WAITING)
    house.record_and_offer(*many(12), channels=["seoul"])
    assert len(house.seoul.deliveries) == 1
    house.clock.advance(0.005)
    assert len(house.seoul.deliveries) == 2

    house.relay.offer(pressure, [])
    house.clock.advance(0.005)

    assert len(house.seoul.deliveries) == 12


def test_counts_come_back_to_nothing_however_a_press_ended(house: House):
    house.record_and_offer(*many(100))
    house.relay.offer(house.relay.reserve(["seoul", "locate:skt"], 3), [])
    house.record_and_offer(*many(100))

    assert house.relay._traffic._presses_waiting == 0
    assert [loop._reserved for loop in house.relay._loops.values()] == [0, 0, 0, 0]


def test_lanes_that_wait_no_longer_are_no_longer_counted(house: House):
    house.record_and_offer(*many(10))
    assert house.relay._traffic.waiting == {0: 1, 1: 1}

    for far in (house.seoul, house.far["locate:skt"]):
        for _ in range(10):
            house.clock.advance(0.1)
            far.answers(Delivered())

    assert house.relay._traffic.waiting == {0: 0, 1: 0}


def test_a_reservation_leases_no_more_than_there_is_room_for(house: House):
    reserved = house.relay.reserve(["seoul"], 100)

    assert not reserved.is_whole
    assert [bool(reserved.leases_of(number)) for number in (0, 15, 16, 99)] == [True, True, False, False]
    house.relay.offer(reserved, [])
    assert house.relay.reserve(["seoul"], 16).is_whole


# -- stopping ------------------------------------------------------------------------------------------------------------


def test_stopping_waits_for_what_is_in_flight(house: House):
    house.relay.start()
    house.record_and_offer(press())

    stopped = house.relay.stop(5.0)
    assert is_waiting(stopped)
    house.seoul.answers(Delivered())
    house.far["locate:skt"].answers(Retry("x"))

    result_of(stopped)
    assert house.states() == {(KIM, 1): "delivered"}
    assert house.clock.getDelayedCalls() == []


def test_stopping_has_a_bound_and_leaves_what_hung_to_the_next_start(house: House):
    house.relay.start()
    house.record_and_offer(press())
    stopped = house.relay.stop(5.0)

    house.clock.advance(5.0)

    result_of(stopped)
    assert house.ledger.delivery("seoul", 1)["lease_until"] == 0
    assert [item.sequence for item in house.ledger.claim(after_s=5.0, owner="next")] == [1]
    assert [alarm.name for alarm in house.alarms.standing()] == []


def test_stopping_gives_back_at_once_what_was_not_begun(engines: tuple[Engine, Engine]):
    house = House(engines, concurrency=1)
    house.record_and_offer(press(), press(LEE))

    house.relay.stop(5.0)

    assert [item.content.msisdn.number for item in house.ledger.claim(owner="another")] == [LEE]


def test_what_is_committed_after_the_stop_is_given_back(house: House):
    reserved = house.relay.reserve(["seoul"], 1)
    (recorded,) = house.ledger.record(press(), leases=dict(reserved.leases))
    house.relay.stop(5.0)

    house.relay.offer(reserved, recorded.held)

    assert house.seoul.heard == []
    assert len(house.ledger.claim(owner="another")) == 1


def test_a_stopped_relay_begins_nothing(house: House):
    house.relay.start()
    house.relay.stop(5.0)
    house.ledger.record(press())

    house.relay.wake()
    house.clock.advance(2 * POLL_S)

    assert house.seoul.heard == []
    assert house.relay.reserve(["seoul"], 1).leases_of(0) == {}


def test_a_position_that_comes_while_the_alert_is_on_its_way_follows_it_at_once(house: House):
    house.record_and_offer(press())
    house.ledger.locate(fix())
    house.relay.wake(f"sos-{KIM}")

    house.seoul.answers(Delivered())

    assert house.seoul.heard == [(KIM, 1), (KIM, 2)]
    assert house.seoul.deliveries[1].content.position == fix()
    assert house.seoul.deliveries[1].content.opened_at == NOON
