"""One channel's part of the relay: claims or is handed deliveries, attempts them, settles them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import structlog
from twisted.internet.defer import CancelledError, Deferred, DeferredList

from telephony.alarms import Alarms
from telephony.background import run_in_background
from telephony.clock import Call, Clock, age_s, due_s, wall_s, within
from telephony.domain.delivery import (
    FIRST_REPORT,
    Delivered,
    Delivery,
    Outcome,
    Rejected,
    Retry,
    retry_delay_s,
)
from telephony.domain.errors import Unavailable
from telephony.domain.report import Report
from telephony.services.spine.traffic import IMPORTANT, URGENT, Lane, Traffic
from telephony.store.database import Database
from telephony.store.outbox.claiming import Claim, claim
from telephony.store.outbox.settling import Settlement, give_back_all, settle_all

log = structlog.get_logger()

HELD_PER_SLOT = 4
"""Deliveries at hand per delivery in flight: enough that a loop never waits for the store between two."""
ALERTS_SHARE = 8
"""One slot of so many is for alerts alone, and half of what may be at hand: updates of old incidents never fill a lane to 112."""


DAMAGE_ALARM = "rows-damaged"
"""Rows of the store cannot be read, or were found where no loop looks for them. About a channel, or the outbox."""
DAMAGE_ALARM_S = 3_600.0
"""How long it stands after the last such row: what is damaged stays so, and more may follow."""
REJECTED_ALARM = "report-rejected"
REJECTED_ALARM_S = 600.0
"""How long that alarm stands: the centre has to be telephoned about what it refused, whatever it takes afterwards."""


MOST_REFUSED = 10_000
"""Reports that 112 did not take at their last attempt, and that are remembered against the loss of the store."""
STORE_HANGS_S = 3.0
"""A store that has not answered by then is as good as lost to what 112 has not taken."""


class ChannelLoop:
    """Delivers what is due on one channel, a bounded number at once, one at a time per incident."""

    def __init__(
        self,
        lane: Lane,
        database: Database,
        *,
        clock: Clock,
        owner: str,
        alarms: Alarms,
        traffic: Traffic,
        past_the_store: Callable[[Report, str], None],
    ) -> None:
        """``past_the_store`` tells 112 of a report of this channel that the store does not give us when it is due again."""
        self.lane = lane
        """May be changed for another of its name and rank: what is in flight ends as it began."""
        self._traffic = traffic
        self._said_rank: int | None = None
        """The rank of what waits here, as the others know it."""
        self._database = database
        self._clock = clock
        self._owner = owner
        self._alarms = alarms
        self._at_hand: dict[str, Delivery] = {}
        """By incident, oldest first: an incident's next delivery is claimable only when this one is settled."""
        self._alerts_at_hand: dict[str, None] = {}
        """Incidents of which that is the alert, oldest first."""
        self._others_in_flight = 0
        """How many in flight are no alert."""
        self._in_flight: dict[str, Deferred[None]] = {}
        self._in_flight_as: dict[str, Delivery] = {}
        """By incident: what is in flight, under the token of its newest lease."""
        self._following: dict[str, Delivery] = {}
        """By incident: what is ours already and waits for what is in flight to be settled, which its commit has done."""
        self._more_for: set[str] = set()
        """Incidents that have more to deliver once what is at hand or in flight is settled."""
        self._has_more = False
        """There was no room to claim what is due."""
        self._reserved = 0
        self._is_claiming = False
        self._claim_again = False
        self._retry_call: Call | None = None
        self._next_start = 0.0
        self._pacing_call: Call | None = None
        self._is_stopped = False
        self._past_the_store = past_the_store
        self._not_taken: OrderedDict[str, Report] = OrderedDict()
        """By incident: reports whose last attempt failed. Their rows are in the store, and that may be lost."""

    @property
    def room(self) -> int:
        """How many more deliveries this loop would hold at once."""
        taken = len(self._at_hand) + len(self._in_flight) + len(self._following) + self._reserved
        return 0 if self._is_stopped else max(0, self.lane.concurrency * HELD_PER_SLOT - taken)

    @property
    def _room_for_others(self) -> int:
        """How many more it would hold that are no alert."""
        most = self.lane.concurrency * HELD_PER_SLOT // 2
        return max(0, most - (len(self._at_hand) - len(self._alerts_at_hand)) - self._others_in_flight)

    @property
    def _has_slot_for_others(self) -> bool:
        """Whether one that is no alert may be begun."""
        count = self.lane.concurrency
        kept = max(1, count // ALERTS_SHARE) if self.lane.has_alerts and count > 1 else 0
        return self._others_in_flight < count - kept

    @property
    def has_time_for_an_update(self) -> bool:
        """Whether an update of an old incident would be begun at once; one that would wait is better left where news can join it."""
        is_idle = self.lane.has_alerts and not self._at_hand and not self._has_more
        return is_idle and self.room > 0 and self._room_for_others > self._reserved

    def reserve(self, count: int) -> None:
        """Keep room for so many deliveries that are about to be committed."""
        self._reserved += count

    def offer(self, deliveries: Sequence[Delivery], reserved: int) -> None:
        """Take deliveries whose lease this process holds, in exchange for the reservation made before."""
        self._reserved -= reserved
        if deliveries:
            self._take(deliveries)
        else:
            self._look_for_more()

    def wake(self, incident_id: str | None = None) -> None:
        """Look into the store for due work, at the latest when the incident's delivery before it is settled."""
        if incident_id is not None and (incident_id in self._in_flight or incident_id in self._at_hand):
            self._more_for.add(incident_id)
            return
        if self._is_claiming:
            self._claim_again = True
            return
        if self.room == 0:
            self._has_more = True
            return
        self._is_claiming = True
        run_in_background(self._claim(), f"claim on {self.lane.name}")

    def stop(self) -> Deferred[None]:
        """Begin nothing new; fire when everything in flight has ended. To stop waiting, cancel the result."""
        self._is_stopped = True
        self._give_back([*self._at_hand.values(), *self._following.values()])
        self._at_hand.clear()
        self._following.clear()
        self._alerts_at_hand.clear()
        for call in (self._retry_call, self._pacing_call):
            if call is not None and call.active():
                call.cancel()
        self._pacing_call = None
        ended: Deferred[None] = DeferredList(list(self._in_flight.values()), consumeErrors=True).addCallback(
            lambda _: None
        )
        return ended

    async def _claim(self) -> None:
        now = due_s(self._clock)
        others = self._room_for_others if self.lane.has_alerts else None
        wanted = Claim(self.lane.name, self._owner, self.room, now, now + self.lane.lease_s, others)
        claimed: list[Delivery] = []
        hangs = self._clock.callLater(STORE_HANGS_S, self._tell_past_the_store, self._not_taken)
        try:
            if wanted.limit:
                claimed = await self._database.transact(claim, wanted)
        except Unavailable as error:
            log.warning("claim failed", channel=self.lane.name, error=str(error))
            self._claim_again = False
            self._tell_past_the_store(self._not_taken)
        finally:
            self._is_claiming = False
            if hangs.active():
                hangs.cancel()
        is_others_full = others is not None and sum(not self._is_alert(each) for each in claimed) == others
        self._has_more |= (
            self._claim_again or (bool(claimed) and len(claimed) == wanted.limit) or is_others_full
        )
        self._claim_again = False
        self._take(claimed)

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        if self._is_stopped:
            self._give_back(deliveries)
            return
        for delivery in deliveries:
            self._at_hand[delivery.incident_id] = delivery
            if self._is_alert(delivery):
                self._alerts_at_hand[delivery.incident_id] = None
        self._start()
        self._look_for_more()

    def _look_for_more(self) -> None:
        if self._has_more and len(self._at_hand) < self.lane.concurrency and self.room:
            self._has_more = False
            self.wake()

    def _start(self) -> None:
        now = self._clock.seconds()
        useful_until = due_s(self._clock) + self.lane.attempt_timeout_s
        useless: list[Delivery] = []
        while self._may_begin:
            if now < self._next_start:
                self._start_in(self._next_start - now)
                break
            delivery = self._next_at_hand()
            if delivery.incident_id in self._in_flight:
                self._wait_for_what_is_in_flight(delivery)
                continue
            if delivery.lease_until < useful_until:
                self._more_for.discard(delivery.incident_id)
                useless.append(delivery)
                continue
            self._next_start = now + self._traffic.pause_s(self.lane)
            self._begin(delivery)
        self._say_whether_waiting()
        # A lease is only as good as its time. A delivery that waited too long is given back and claimed again at once: left
        # alone, it would not be delivered by any process until it lapses.
        self._give_back(useless)

    def _wait_for_what_is_in_flight(self, delivery: Delivery) -> None:
        if delivery.sequence == self._in_flight_as[delivery.incident_id].sequence:
            # The clock was set, and the row in flight was claimed once more: its settlement will do for both.
            self._in_flight_as[delivery.incident_id] = delivery
            self._more_for.add(delivery.incident_id)
        else:
            self._following[delivery.incident_id] = delivery

    @property
    def _may_begin(self) -> bool:
        if self._is_stopped or not self._at_hand or len(self._in_flight) >= self.lane.concurrency:
            return False
        return bool(self._alerts_at_hand) or self._has_slot_for_others

    def _next_at_hand(self) -> Delivery:
        """Take the oldest alert from what is at hand, or else the oldest."""
        incident_id = next(iter(self._alerts_at_hand or self._at_hand))
        self._alerts_at_hand.pop(incident_id, None)
        return self._at_hand.pop(incident_id)

    def _is_alert(self, delivery: Delivery) -> bool:
        return self.lane.has_alerts and delivery.sequence == FIRST_REPORT

    def _begin(self, delivery: Delivery) -> None:
        # The attempt may end before it is known here, and cancelling its end must reach what it waits for.
        ended: Deferred[None] = Deferred(lambda _: attempt.cancel())
        self._in_flight[delivery.incident_id] = ended
        self._in_flight_as[delivery.incident_id] = delivery
        self._others_in_flight += not self._is_alert(delivery)
        attempt = run_in_background(self._attempt(delivery), f"delivery on {self.lane.name}")
        attempt.addCallback(lambda _: None if ended.called else ended.callback(None))

    def _give_back(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            run_in_background(self._release(deliveries), f"giving back leases on {self.lane.name}")

    async def _release(self, deliveries: Sequence[Delivery]) -> None:
        log.warning("leases given back", channel=self.lane.name, count=len(deliveries))
        try:
            await self._database.batch(give_back_all, deliveries)
        except Unavailable as error:
            log.warning("leases not given back", channel=self.lane.name, error=str(error))
            for delivery in deliveries:
                self._note_not_taken(delivery)
        self.wake()

    def _start_in(self, seconds: float) -> None:
        if self._pacing_call is None:
            self._pacing_call = self._clock.callLater(seconds, self._start_again)

    def _start_again(self) -> None:
        self._pacing_call = None
        self._start()

    def _say_whether_waiting(self) -> None:
        """Say what waits here, for lanes that have to wait for it."""
        rank = self._waiting_rank
        if rank == self._said_rank:
            return
        waiting = self._traffic.waiting
        for each, change in ((self._said_rank, -1), (rank, 1)):
            if each is not None:
                waiting[each] = waiting.get(each, 0) + change
        self._said_rank = rank

    @property
    def _waiting_rank(self) -> int | None:
        if not self._at_hand:
            return None
        if self.lane.has_alerts:
            return URGENT if self._alerts_at_hand else IMPORTANT
        return self.lane.rank

    def _see_damage(self, delivery: Delivery) -> None:
        """Say that rows of a delivery cannot be read. A report goes out all the same, an errand is refused by its channel."""
        if delivery.is_damaged:
            content = delivery.content
            lost = " ".join(content.unread) if isinstance(content, Report) else delivery.kind
            self._alarms.note(
                DAMAGE_ALARM, self.lane.name, DAMAGE_ALARM_S, incident=delivery.incident_id, lost=lost
            )

    async def _attempt(self, delivery: Delivery) -> None:
        self._see_damage(delivery)
        attempt: Deferred[Outcome] = Deferred.fromCoroutine(self.lane.channel.deliver(delivery))
        outcome: Outcome
        try:
            outcome = await within(attempt, self.lane.attempt_timeout_s, self._clock)
        except CancelledError:
            outcome = Retry("stopped", 0.0 if self._is_stopped else None)
        except Exception as error:  # noqa: BLE001 - promise 2: whatever a channel does, 112 is tried again
            log.warning("attempt failed", **_facts(delivery), error=f"{type(error).__name__}: {error}")
            outcome = Retry(f"{type(error).__name__}: {error}")
        hangs: Call | None = None
        if isinstance(outcome, Retry):
            self._note_not_taken(delivery)
            hangs = self._clock.callLater(
                STORE_HANGS_S, self._tell_past_the_store, [delivery.incident_id], is_attempt_over=True
            )
        else:
            self._not_taken.pop(delivery.incident_id, None)
        try:
            self._tell(delivery, outcome)
            held = self._as_held(delivery)
            settlement = Settlement(held, outcome, wall_s(self._clock), due_s(self._clock))
            await self._database.batch(settle_all, [settlement], is_urgent=False)
        except Unavailable as error:
            # Delivered, but not written down: the lease lapses and it is sent again. 112 discards the repeat.
            log.warning("not settled", **_facts(delivery), error=str(error))
        except CancelledError:
            raise  # we are being stopped; the lease lapses
        except Exception:
            # A defect of ours must not keep the incident in flight for ever: it too is tried again.
            log.exception("not settled", **_facts(delivery))
        finally:
            if hangs is not None and hangs.active():
                hangs.cancel()
        if isinstance(outcome, Retry):
            self._look_in(retry_delay_s(delivery.attempts) if outcome.after_s is None else outcome.after_s)
        self._has_ended(delivery)

    def _has_ended(self, delivery: Delivery) -> None:
        del self._in_flight[delivery.incident_id]
        self._others_in_flight -= not self._is_alert(delivery)
        del self._in_flight_as[delivery.incident_id]
        following = self._following.pop(delivery.incident_id, None)
        if following is not None:
            self._at_hand[delivery.incident_id] = following
        if delivery.incident_id in self._more_for:
            self._more_for.discard(delivery.incident_id)
            self.wake()
        self._start()
        self._look_for_more()

    def _as_held(self, delivery: Delivery) -> Delivery:
        """Return a delivery that was in flight with the token of the newest lease that this process has on it."""
        return replace(delivery, lease_token=self._in_flight_as[delivery.incident_id].lease_token)

    def _note_not_taken(self, delivery: Delivery) -> None:
        if isinstance(delivery.content, Report):
            self._not_taken[delivery.incident_id] = delivery.content
            if len(self._not_taken) > MOST_REFUSED:
                self._not_taken.popitem(last=False)

    def _tell_past_the_store(self, incidents: Iterable[str], *, is_attempt_over: bool = False) -> None:
        """Have 112 told of what it did not take, by the direct relay, for as long as that takes it."""
        if self._is_stopped:
            return
        for incident_id in list(incidents):
            is_under_way = incident_id in self._at_hand or incident_id in self._in_flight
            if is_under_way and not is_attempt_over:
                continue
            report = self._not_taken.pop(incident_id, None)
            if report is not None:
                log.warning("report told past the store", incident=incident_id, channel=self.lane.name)
                self._past_the_store(report, self.lane.name)

    def _look_in(self, seconds: float) -> None:
        if self._is_stopped:
            return
        due = self._clock.seconds() + seconds
        if self._retry_call is not None and self._retry_call.active():
            if self._retry_call.getTime() <= due:
                return
            self._retry_call.cancel()
        self._retry_call = self._clock.callLater(seconds, self.wake)

    def _tell(self, delivery: Delivery, outcome: Outcome) -> None:
        since_ms = round(age_s(self._clock, delivery.created_at) * 1000, 1)
        if isinstance(outcome, Delivered):
            log.info("delivered", **_facts(delivery), since_ms=since_ms, detail=outcome.detail)
            self._alarms.clear("channel-failing", self.lane.name)
        elif isinstance(outcome, Rejected):
            log.warning("rejected", **_facts(delivery), reason=outcome.reason)
            if delivery.is_report:
                self._alarms.note(
                    REJECTED_ALARM, self.lane.name, REJECTED_ALARM_S,
                    incident=delivery.incident_id, reason=outcome.reason,
                )  # fmt: skip
        elif isinstance(outcome, Retry):
            log.warning("will retry", **_facts(delivery), reason=outcome.reason)
            if delivery.is_report and not self._is_stopped:
                self._alarms.raise_("channel-failing", self.lane.name, reason=outcome.reason)
        else:
            log.debug("again later", **_facts(delivery), detail=outcome.detail, after_s=outcome.after_s)


def _facts(delivery: Delivery) -> dict[str, object]:
    return {
        "incident": delivery.incident_id,
        "channel": delivery.channel,
        "kind": delivery.kind,
        "sequence": delivery.sequence,
        "attempt": max(delivery.attempts, 1),
    }
