"""Does location errands: they are deliveries, so that they survive a restart and are retried by the same code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from telephony.alarms import Alarms
from telephony.background import run_in_background
from telephony.clock import Clock, age_s, ages, utc_now
from telephony.domain.delivery import (
    LOCATE,
    TRACK,
    Again,
    Delivered,
    Delivery,
    Errand,
    Outcome,
    Rejected,
    Retry,
)
from telephony.domain.errors import Unavailable
from telephony.domain.facts import NotReached
from telephony.domain.plan import tracking_channel
from telephony.domain.ports import ACCURATE, FAST, Asking, NoFix
from telephony.domain.position import REPORT_CONFIDENCE, Position
from telephony.domain.values import Msisdn
from telephony.domain.whereabouts import as_it_came_before
from telephony.remembered import Remembered
from telephony.services.locating.record import LocatingRecord
from telephony.services.spine.outbox import Outbox
from telephony.store.positions import Fix, record_positions, whereabouts
from telephony.store.reach import Missed, record_unreached

log = structlog.get_logger()

Locate = Callable[[Msisdn, str, str, Asking], Awaitable[Position | NoFix]]
"""Ask where a number is: the number, `FAST` or `ACCURATE`, the carrier the press came by, and who is told whom it asks."""

HOPELESS_PAUSE_S = 300.0
"""Pause after an answer that asking again will not change by itself (a wrong password): a human may repair it."""

TRIES_AT_ONCE = 6
"""Then following goes on: a phone that is switched off must not cost a question every few seconds for ever."""

FAILURES_BEFORE_ALARM = 3

MOST_TOLD = 10_000
"""Incidents and reasons for no position that are remembered as said in the log."""

MISSED_INTERVALS = 2
"""Intervals without an answer of the phone, which is three missed in a row, before 112 is told that it is silent."""


@dataclass(frozen=True, slots=True)
class Following:
    """How long and how often a phone is followed, and how old a memory may be to be told. In seconds."""

    interval_s: float
    at_most_s: float
    last_known_max_age_s: float


class LocateChannel:
    """Does the location errands of one carrier: `LOCATE` at once, then `TRACK` until the incident is closed.

    ``fast`` and ``accurate`` ask over connections of their own.
    """

    def __init__(
        self,
        carrier: str,
        fast: Locate,
        accurate: Locate,
        outbox: Outbox,
        *,
        following: Following,
        clock: Clock,
        alarms: Alarms,
        at_once: int,
        record: LocatingRecord,
    ) -> None:
        self._record_of_asking = record
        self._carrier = carrier
        self._fast = fast
        self._accurate = accurate
        self._outbox = outbox
        self._following = following
        self._clock = clock
        self._alarms = alarms
        self._at_once = at_once
        self._beside = 0
        self._failures = 0
        self._is_without_service = False
        self._told: Remembered[tuple[str, str, str], None] = Remembered(MOST_TOLD)

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Ask once and keep the answer; 112 hears of it when it is news."""
        errand = delivery.content
        if not isinstance(errand, Errand):
            return Rejected(f"a delivery of kind {delivery.kind} carries no errand")
        if delivery.kind == LOCATE:
            return await self._locate_now(delivery, errand)
        return await self._track(delivery, errand)

    async def _locate_now(self, delivery: Delivery, errand: Errand) -> Outcome:
        # Where the service has its hands full, the accurate request comes right after the fast one instead.
        accurate_after_s = 0.0
        if delivery.attempts <= 1 and self._beside < self._at_once:
            accurate_after_s = self._following.interval_s
            run_in_background(
                self._accurately_beside(delivery, errand), "accurate position beside the fast one"
            )
        elif delivery.attempts > 1 and await self._is_located(delivery):
            return self._again(errand, "located meanwhile")
        found = await self._ask(delivery, errand, FAST)
        if isinstance(found, Position):
            await self._record(delivery, errand, found)
            return self._again(errand, _in_words(found), accurate_after_s)
        await self._remember(delivery, errand)
        if found.retry_after_s is None or delivery.attempts >= TRIES_AT_ONCE:
            return self._again(errand, found.reason)
        return Retry(found.reason, found.retry_after_s)

    async def _track(self, delivery: Delivery, errand: Errand) -> Outcome:
        if age_s(self._clock, errand.opened_at) > self._following.at_most_s:
            return Delivered("followed for the longest time")
        found = await self._accurately(delivery, errand)
        if isinstance(found, Position):
            return self._again(errand, _in_words(found))
        pause_s = self._following.interval_s
        # A phone that was found in this incident is known and may be moving: no answer about it is the last.
        if found.retry_after_s is None and not await self._is_located(delivery):
            pause_s = max(pause_s, HOPELESS_PAUSE_S)
        return self._again(errand, found.reason, pause_s)

    def _again(self, errand: Errand, detail: str, after_s: float | None = None) -> Again:
        pause_s = self._following.interval_s if after_s is None else after_s
        return Again(pause_s, TRACK, tracking_channel(errand.carrier), detail)

    async def _accurately(self, delivery: Delivery, errand: Errand) -> Position | NoFix:
        found = await self._ask(delivery, errand, ACCURATE)
        if isinstance(found, Position):
            await self._record(delivery, errand, found)
        return found

    async def _accurately_beside(self, delivery: Delivery, errand: Errand) -> None:
        self._beside += 1
        try:
            await self._accurately(delivery, errand)
        except Unavailable as error:
            # Following asks again.
            log.warning("position not kept", incident=delivery.incident_id, error=str(error))
        finally:
            self._beside -= 1

    async def _ask(self, delivery: Delivery, errand: Errand, quality: str) -> Position | NoFix:
        locate = self._fast if quality == FAST else self._accurate
        found = await locate(
            errand.msisdn, quality, self._carrier, self._record_of_asking.of(delivery, errand, quality)
        )
        self._say_whether_served(found)
        if isinstance(found, Position):
            self._failures = 0
            self._alarms.clear("location-failing", self._carrier)
            return found
        self._say_no_position(delivery.incident_id, quality, found)
        why = NotReached.UNKNOWN if found.is_unknown_subscriber else found.not_reached
        if why is not None and not found.is_without_service:
            await self._note_unreached(delivery, why)
        if why in {NotReached.UNKNOWN, NotReached.ABSENT} or not errand.msisdn.is_e164:
            # The service is well; the number is not this carrier's, or the phone is off, or there is no number to ask for.
            return found
        self._failures += 1
        if self._failures >= FAILURES_BEFORE_ALARM:
            self._alarms.raise_("location-failing", self._carrier, reason=found.reason)
        return found

    def _say_whether_served(self, found: Position | NoFix) -> None:
        """Say once that the carrier has no location service, and once that it has one again."""
        if isinstance(found, NoFix):
            if found.is_without_service and not self._is_without_service:
                log.warning("no location service", carrier=self._carrier)
                self._is_without_service = True
        elif self._is_without_service and found.source == f"lbs:{self._carrier}":
            # Neither a position nor an excuse of another carrier's service ends it.
            log.info("location service again", carrier=self._carrier)
            self._is_without_service = False

    def _say_no_position(self, incident_id: str, quality: str, found: NoFix) -> None:
        """Say why, for each incident and reason once: it is asked for again every few seconds."""
        told = (incident_id, quality, found.reason)
        is_news = told not in self._told and not found.is_without_service
        self._told[told] = None
        say = log.warning if is_news else log.debug
        say(
            "no position",
            incident=incident_id,
            carrier=self._carrier,
            quality=quality,
            reason=found.reason,
        )

    async def _record(self, delivery: Delivery, errand: Errand, found: Position) -> None:
        # In company: in a disaster positions come by the hundred a second, and a press must not find the writer busy with each.
        fix = Fix(self._outbox.plan, delivery.incident_key, found, ages(self._clock))
        located = await self._outbox.transact_at_leisure(record_positions, fix)
        log.info(
            "located", incident=delivery.incident_id, carrier=self._carrier, source=found.source, method=found.method,
            uncertainty_m=found.uncertainty_m, became_best=located.became_best, is_told=located.is_told,
            since_ms=round(age_s(self._clock, errand.opened_at) * 1000, 1),
        )  # fmt: skip
        if not (located.is_answer or found.is_memory):
            # The server gave its memory of a phone that it did not reach.
            await self._note_unreached(delivery, NotReached.ABSENT)

    async def _note_unreached(self, delivery: Delivery, why: NotReached) -> None:
        now = utc_now(self._clock)
        patience = timedelta(seconds=MISSED_INTERVALS * self._following.interval_s)
        missed = Missed(why, now, patience, ages(self._clock))
        if await self._outbox.transact(record_unreached, self._outbox.plan, delivery.incident_key, missed):
            log.info("phone not answering", incident=delivery.incident_id, carrier=self._carrier, why=why)

    async def _is_located(self, delivery: Delivery) -> bool:
        known = await self._outbox.database.read(whereabouts, delivery.incident_key)
        return known.best is not None and not known.best.is_memory

    async def _remember(self, delivery: Delivery, errand: Errand) -> None:
        """Tell 112 the last known position of an earlier incident, where nothing better is known."""
        known = await self._outbox.database.read(whereabouts, delivery.incident_key)
        if known.best is not None or known.last_known is None:
            return
        now = utc_now(self._clock)
        # Of unknown age it is as old as its arrival at least, and told as of unknown age.
        last_known = as_it_came_before(now, known.last_known, ages(self._clock))
        since_s = (now - (last_known.fixed_at or last_known.received_at)).total_seconds()
        if since_s <= self._following.last_known_max_age_s:
            await self._record(delivery, errand, replace(last_known.as_last_known(), received_at=now))


def _in_words(found: Position) -> str:
    radius = found.radius_at()
    size = "no radius" if radius is None else f"{radius:.0f} m at {REPORT_CONFIDENCE:.0f} %"
    return f"{found.method}, {size}"
