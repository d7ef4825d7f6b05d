"""Where is she: location errands as deliveries, so that they survive a restart and are retried by the same code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from telephony.clock import Clock
from telephony.domain.delivery import LOCATE, Again, Delivered, Delivery, Outcome, Rejected, Retry
from telephony.domain.plan import Plan
from telephony.domain.ports import ACCURATE, FAST, NoFix
from telephony.domain.position import REPORT_CONFIDENCE, Position
from telephony.domain.values import Msisdn
from telephony.services.alarms import Alarms
from telephony.store.database import Database
from telephony.store.positions import Whereabouts, record_position, whereabouts

log = structlog.get_logger()

Locate = Callable[[Msisdn, str, str], Awaitable[Position | NoFix]]
"""Ask where a number is: the number, `FAST` or `ACCURATE`, and the carrier the press came by."""

HOPELESS_PAUSE_S = 300.0
"""Pause after an answer that asking again will not change by itself (a wrong password): a human may repair it."""

FAILURES_BEFORE_ALARM = 3


@dataclass(frozen=True, slots=True)
class Following:
    """How long and how often a phone is followed, and how old a memory may be to be told. In seconds."""

    interval_s: float
    at_most_s: float
    last_known_max_age_s: float


class LocateChannel:
    """Does the location errands of one carrier: `LOCATE` once and at once, `TRACK` until the incident is closed."""

    def __init__(
        self,
        carrier: str,
        locate: Locate,
        database: Database,
        *,
        plan: Plan,
        following: Following,
        clock: Clock,
        alarms: Alarms,
        wake: Callable[[str], None],
    ) -> None:
        self._carrier = carrier
        self._locate = locate
        self._database = database
        self._plan = plan
        self._following = following
        self._clock = clock
        self._alarms = alarms
        self._wake = wake
        self._failures = 0

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Ask once, keep what comes; 112 hears of it when it is better than what it knows."""
        known = await self._database.read(whereabouts, delivery.incident_key)
        if known is None or not known.is_open:
            return Delivered("the incident is closed")
        if delivery.kind == LOCATE:
            return await self._locate_now(known)
        return await self._track(known)

    async def _locate_now(self, known: Whereabouts) -> Outcome:
        if known.best is not None and known.best.source != "last-known":
            return Delivered("located meanwhile")
        found = await self._ask(known, FAST)
        if isinstance(found, Position):
            await self._record(known, found)
            return Delivered(_in_words(found))
        if known.best is None:
            await self._remember(known)
        if found.retry_after_s is None:
            return Rejected(found.reason)
        return Retry(found.reason, found.retry_after_s)

    async def _track(self, known: Whereabouts) -> Outcome:
        if self._clock.seconds() - known.opened_at / 1_000_000 > self._following.at_most_s:
            return Delivered("followed for the longest time")
        found = await self._ask(known, ACCURATE)
        if isinstance(found, Position):
            await self._record(known, found)
            return Again(self._following.interval_s, _in_words(found))
        if found.retry_after_s is None:
            return Again(max(HOPELESS_PAUSE_S, self._following.interval_s), found.reason)
        return Again(self._following.interval_s, found.reason)

    async def _ask(self, known: Whereabouts, quality: str) -> Position | NoFix:
        found = await self._locate(known.msisdn, quality, self._carrier)
        if isinstance(found, Position):
            self._failures = 0
            self._alarms.clear("location-failing", self._carrier)
            return found
        log.warning(
            "no position",
            incident=known.incident_id,
            carrier=self._carrier,
            quality=quality,
            reason=found.reason,
        )
        self._failures += 1
        if self._failures >= FAILURES_BEFORE_ALARM:
            self._alarms.raise_("location-failing", self._carrier, reason=found.reason)
        return found

    async def _record(self, known: Whereabouts, found: Position) -> None:
        became_best = await self._database.transact(record_position, self._plan, known.incident_key, found)
        log.info(
            "located", incident=known.incident_id, carrier=self._carrier, source=found.source, method=found.method,
            uncertainty_m=found.uncertainty_m, became_best=became_best,
            since_ms=round(self._clock.seconds() * 1000 - known.opened_at / 1000, 1),
        )  # fmt: skip
        if became_best:
            self._wake(known.incident_id)

    async def _remember(self, known: Whereabouts) -> None:
        last = known.last_known
        if last is None:
            return
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)
        if last.age_s(now) <= self._following.last_known_max_age_s:
            await self._record(known, replace(last.as_last_known(), received_at=now))


def _in_words(found: Position) -> str:
    radius = found.radius_at()
    size = "no radius" if radius is None else f"{radius:.0f} m at {REPORT_CONFIDENCE:.0f} %"
    return f"{found.method}, {size}"
