"""The record of telling guardians, by which the next one is found, and which 112 reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, age_s, utc_now, within
from telephony.domain.delivery import GUARDIANS
from telephony.domain.errors import Unavailable
from telephony.domain.facts import GuardianFact, GuardianState, GuardianWay
from telephony.domain.guardians.spoken_call import Standing
from telephony.domain.guardians.turns import Turn
from telephony.domain.guardians.words import GuardianReply
from telephony.domain.values import Msisdn
from telephony.services.spine.outbox import Outbox
from telephony.store.guardian_rows import (
    Taken,
    expect_reply,
    guardian_facts,
    is_heard,
    keep_guardian_facts,
    standing,
    take_reply,
)
from telephony.store.outbox.writing import hasten

log = structlog.get_logger()

RECORD_S: Final = 2.0
"""What the store may take to keep a fact, while a guardian is not yet told."""
REMEMBERED: Final = 10_000
"""Incidents of which we know what the store did not keep."""


class GuardianRecord:
    """The facts of an incident's guardians, the replies that are awaited, and what of both the store did not take.

    What the store could not keep is remembered while this process lives, so that no guardian is told twice.
    """

    def __init__(self, outbox: Outbox, *, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock
        self._not_kept: dict[str, list[GuardianFact]] = {}

    @property
    def now(self) -> datetime:
        """The time, UTC."""
        return utc_now(self._clock)

    def age_s(self, moment: datetime) -> float:
        """Return the seconds since a moment of the record, whatever the machine's clock was set to since."""
        return age_s(self._clock, moment)

    async def does_112_know(self, incident_id: str) -> bool:
        """Return whether 112 has acknowledged a report of an incident, as far as can be known now."""
        try:
            return await self._outbox.database.read(is_heard, incident_id)
        except Unavailable:
            return False

    async def standing(self, incident_id: str) -> Standing:
        """Return how an incident stands with 112. Raises `Unavailable`, also where the store does not say in time."""
        try:
            return await within(self._outbox.database.read(standing, incident_id), RECORD_S, self._clock)
        except GaveUp:
            raise Unavailable(f"store: no answer in {RECORD_S:g} s") from None

    async def facts(self, incident_id: str) -> tuple[GuardianFact, ...]:
        """Return the facts about an incident's guardians, in order of time. Raises `Unavailable`."""
        kept = await self._outbox.database.read(guardian_facts, incident_id)
        return (*kept, *self._not_kept.get(incident_id, ()))

    async def tell(
        self, incident_id: str, turn: Turn, state: GuardianState, by: GuardianWay | None = None
    ) -> None:
        """Keep what became of a turn and let 112 know. A store in trouble must not keep a guardian from being told."""
        known = turn.fact(state, self.now, by)
        log.info(
            "guardian", incident=incident_id, guardian=turn.place, round=turn.round, state=state, by=by or ""
        )
        keeping = Deferred.fromCoroutine(self._keep(incident_id, [known]))
        try:
            await within(keeping, RECORD_S, self._clock)
        except (Unavailable, GaveUp) as error:
            log.warning("guardian's state not kept", incident=incident_id, error=str(error))
            self._remember(incident_id, known)

    async def expect(self, incident_id: str, turn: Turn) -> None:
        """Wait for this guardian's reply. Without it they are told all the same, and can confirm by call alone."""
        writing = self._outbox.database.transact(expect_reply, incident_id, turn, self.now)
        try:
            await within(writing, RECORD_S, self._clock)
        except (Unavailable, GaveUp) as error:
            log.warning("reply not awaited", incident=incident_id, guardian=turn.place, error=str(error))

    async def hasten(self, incident_id: str) -> None:
        """Let the next guardian be told at once. Raises `Unavailable`."""
        await self._outbox.transact(hasten, incident_id, GUARDIANS, self.now)

    async def reply(self, phone: Msisdn, reply: GuardianReply) -> Sequence[Taken]:
        """Do what a guardian's reply says; gives the open incidents it belongs to. Raises `Unavailable`."""
        return await self._outbox.transact(take_reply, self._outbox.plan, phone, reply, self.now)

    async def _keep(self, incident_id: str, facts: Sequence[GuardianFact]) -> None:
        await self._outbox.transact(keep_guardian_facts, self._outbox.plan, incident_id, facts)

    def _remember(self, incident_id: str, known: GuardianFact) -> None:
        if incident_id not in self._not_kept and len(self._not_kept) >= REMEMBERED:
            # Incidents that were closed meanwhile never come back; the oldest goes.
            del self._not_kept[next(iter(self._not_kept))]
        self._not_kept.setdefault(incident_id, []).append(known)
