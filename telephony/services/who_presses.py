"""Looks up who presses and scores the incident, beside the relay; 112 is told after its first report.

The errand `PERSON` of an incident runs once the press is durable, never before and never in its way. It looks the
caller up, enqueues the errand to the guardians, weighs the presses, and comes back a few times while the incident is open:
by then there may be more presses and a position, and the person may have signed up.

The look-up has threads of its own, so that a registry that hangs does not hold up other readers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.alarms import Alarms
from telephony.clock import Clock, age_s, utc_now, within
from telephony.domain.delivery import (
    PERSON,
    Again,
    Delivered,
    Delivery,
    Errand,
    Outcome,
    Rejected,
    Retry,
)
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.facts import Fact, PersonFact
from telephony.domain.guardians.guardian import GuardianBook
from telephony.domain.people.person_fact import nobody_fact, person_fact, unreadable_fact
from telephony.domain.values import Msisdn
from telephony.services.spine.outbox import Outbox
from telephony.services.weighing import Caller, Scales, position_of
from telephony.store.history import registered, unregistered
from telephony.store.people import Found
from telephony.store.who_presses import Joined, Keeping, SoFar, Wanted, record_all, so_far

log = structlog.get_logger()

LookUp = Callable[[Msisdn], Awaitable[Found | None]]
"""Finds who has a number. Raises `Unavailable`, or `Malformed` where the row is damaged."""

MOMENTS_S: Final = (20.0, 120.0, 600.0)
"""Seconds after the opening at which an incident is looked at again."""
LOOK_UP_S: Final = 3.0
READ_AGAIN_S, READ_AGAIN_LATER_S = 5.0, 60.0
"""Pause before a registry that could not be read is tried again, in the first moments and later."""
FAILURES_BEFORE_ALARM: Final = 3
ALARM = "registry-unreadable"


@dataclass(frozen=True, slots=True)
class Joining:
    """The settings of this errand. Without scales nothing is weighed, and nothing remembered."""

    tells: bool = True
    """112 is told who presses."""
    scales: Scales | None = None


class PersonChannel:
    """The channel `PERSON`. ``listed`` are the guardians of the settings, who need no registry."""

    def __init__(
        self,
        look_up: LookUp,
        outbox: Outbox,
        joining: Joining,
        *,
        listed: GuardianBook,
        clock: Clock,
        alarms: Alarms,
    ) -> None:
        self._look_up = look_up
        self._outbox = outbox
        self._joining = joining
        self._listed = listed
        self._clock = clock
        self._alarms = alarms
        self._failures = 0

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Look the person up and weigh the presses. `Again` while there may be more to find, `Delivered` after the last moment."""
        errand = delivery.content
        if not isinstance(errand, Errand):
            return Rejected(f"a delivery of kind {delivery.kind} carries no errand")
        try:
            found = await self._found(errand.msisdn)
        except (Unavailable, Malformed, GaveUp) as error:
            self._unreadable(delivery, error)
            await self._join(delivery, Caller(errand.msisdn, None), None)
            pause_s = READ_AGAIN_S if self._age_s(errand) < MOMENTS_S[1] else READ_AGAIN_LATER_S
            return Retry("the registry cannot be read", pause_s)
        caller = Caller(errand.msisdn, found is not None, None if found is None else found.person)
        if not await self._join(delivery, caller, found):
            return Delivered("the incident is closed")
        said = "registered" if caller.is_registered else "not registered"
        after_s = next((each - self._age_s(errand) for each in MOMENTS_S if each > self._age_s(errand)), None)
        return Delivered(said) if after_s is None else Again(after_s, PERSON, PERSON, said)

    async def _found(self, number: Msisdn) -> Found | None:
        if number.is_withheld:
            return None
        found = await within(Deferred.fromCoroutine(_awaited(self._look_up(number))), LOOK_UP_S, self._clock)
        self._failures = 0
        self._alarms.clear(ALARM, "people")
        if found is not None and found.person.consent.withdrawn_at is not None:
            # Their row only waits to be deleted.
            return None
        return found

    def _unreadable(self, delivery: Delivery, error: Exception) -> None:
        reason = "no answer in time" if isinstance(error, GaveUp) else str(error)
        log.warning("registry not readable", incident=delivery.incident_id, reason=reason)
        self._failures += 1
        if self._failures >= FAILURES_BEFORE_ALARM:
            self._alarms.raise_(ALARM, "people", reason=reason)

    async def _join(self, delivery: Delivery, caller: Caller, found: Found | None) -> bool:
        """Keep what is known now; False where the incident is not open."""
        now = utc_now(self._clock)
        subject = self._subject(caller, found)
        known = await self._outbox.database.read(so_far, self._wanted(delivery, caller, subject, now))
        if known is None:
            return False
        loud, quiet = await self._facts(known, caller, now)
        joined = Joined(loud, quiet, await self._has_guardians(caller), subject, position_of(known))
        keeping = Keeping(self._outbox.plan, known.incident_id, joined, now)
        # Not urgent: a press must not find the writer busy with this.
        is_due = await self._outbox.transact_at_leisure(record_all, keeping)
        log.info(
            "caller looked up", incident=known.incident_id,
            registered={True: "yes", False: "no", None: "unknown"}[caller.is_registered],
            earlier=len(known.earlier), also=len(known.also), told=is_due,
        )  # fmt: skip
        return True

    def _subject(self, caller: Caller, found: Found | None) -> str | None:
        """Return whose history it is; ``None`` while that cannot be known."""
        if self._joining.scales is None or caller.is_registered is None:
            return None
        return unregistered(caller.number) if found is None else registered(found.key)

    def _wanted(self, delivery: Delivery, caller: Caller, subject: str | None, now: datetime) -> Wanted:
        devices = () if caller.person is None else caller.person.devices
        others = [each.number for each in devices if each.number != caller.number]
        scales = self._joining.scales
        since = None if scales is None else now - scales.rules.history
        return Wanted(delivery.incident_key, subject, since, others)

    async def _facts(self, known: SoFar, caller: Caller, now: datetime) -> tuple[list[Fact], list[Fact]]:
        """Return the facts that are worth an update when they are new, and those that go with the next one."""
        loud: list[Fact] = []
        quiet: list[Fact] = []
        if self._joining.tells:
            who = _who(caller, known, now)
            # That the number is not registered is no reason to ring the bell once more.
            (quiet if caller.is_registered is False else loud).append(who)
        if self._joining.scales is not None:
            score, is_loud = await self._joining.scales.weigh(known, caller)
            (loud if is_loud else quiet).append(score)
        return loud, quiet

    async def _has_guardians(self, caller: Caller) -> bool:
        if caller.person is not None and caller.person.guardians:
            return True
        return bool((await self._listed.ward_of(caller.number)).guardians)

    def _age_s(self, errand: Errand) -> float:
        return age_s(self._clock, errand.opened_at)


def _who(caller: Caller, known: SoFar, now: datetime) -> PersonFact:
    if caller.is_registered is None:
        return unreadable_fact(now)
    if caller.person is None:
        return nobody_fact(now)
    return person_fact(caller.person, caller.number, now, also=known.also)


async def _awaited(waiting: Awaitable[Found | None]) -> Found | None:
    return await waiting
