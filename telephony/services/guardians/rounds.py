"""Tells a caller's guardians, one after the other and again, until one confirms that they have understood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from telephony.domain.delivery import (
    GUARDIANS,
    Again,
    Delivered,
    Delivery,
    Errand,
    Outcome,
    Rejected,
    Retry,
)
from telephony.domain.errors import Unavailable
from telephony.domain.facts import GuardianFact
from telephony.domain.guardians.guardian import Guardian, GuardianBook
from telephony.domain.guardians.turns import (
    Turn,
    confirmed_by,
    texted_last,
    those_to_tell,
    turns_left,
)
from telephony.services.guardians.record import GuardianRecord
from telephony.services.guardians.ways import Emergency, GuardianWays

log = structlog.get_logger()

OUR_FAULT_RETRY_S: Final = 5.0
ACKNOWLEDGED_S: Final = 2.0
"""So long after a press guardians are not told before 112 has acknowledged it: their text then says that it knows."""
LOOK_AGAIN_S: Final = 0.5
REMEMBERED: Final = 10_000
"""Incidents of which we know whose turns were put off."""


class GuardianChannel:
    """The channel `GUARDIANS`: one delivery per incident, one guardian's turn per attempt.

    Whose turn it is stands in the facts of the incident, so a restart goes on where it was. A guardian whom nothing
    could reach through a fault of ours, or of every carrier, has had no turn: the next one is told first, and then it
    is tried again, for as long as the incident is open.
    """

    def __init__(
        self,
        book: GuardianBook,
        ways: GuardianWays,
        record: GuardianRecord,
        *,
        rounds: int,
        pause_s: float,
        reply_s: float,
    ) -> None:
        self._book = book
        self._ways = ways
        self._record = record
        self._rounds = rounds
        self._pause_s = pause_s
        self._reply_s = reply_s
        self._put_off: dict[str, set[int]] = {}
        """By incident: the places of guardians who could not be reached since the last turn that was had."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Tell the guardian whose turn it is. `Delivered` when one confirmed or there is none, `Rejected` after all rounds."""
        errand = delivery.content
        if not isinstance(errand, Errand):
            return Rejected(f"a delivery of kind {delivery.kind} carries no errand")
        try:
            return await self._tell(delivery, errand)
        except Unavailable as error:
            return _no_turn_was_had(str(error))

    async def _tell(self, delivery: Delivery, errand: Errand) -> Outcome:
        ward = await self._book.ward_of(errand.msisdn)
        facts = await self._record.facts(delivery.incident_id)
        guardians = those_to_tell(ward, errand.msisdn)
        if not guardians:
            return Delivered("the caller has no guardians")
        settled = self._settled(delivery, guardians, facts)
        if settled is not None:
            return settled
        if not self._ways.is_ready:
            return _no_turn_was_had("no bind and no Asterisk is ready")
        is_fresh = self._record.age_s(errand.opened_at) < ACKNOWLEDGED_S
        if is_fresh and not await self._record.does_112_know(delivery.incident_id):
            # Both left together. That 112 knows is what they want to read.
            return Again(LOOK_AGAIN_S, GUARDIANS, GUARDIANS, "112 has not acknowledged yet")
        turn = self._next(delivery.incident_id, turns_left(guardians, facts, self._rounds))
        if turn is None:
            return Retry("no guardian could be reached by any way")
        emergency = Emergency(delivery.incident_id, errand.msisdn, errand.opened_at, ward.name)
        return await self._take(delivery, turn, emergency, guardians)

    async def _take(
        self, delivery: Delivery, turn: Turn, emergency: Emergency, guardians: Sequence[Guardian]
    ) -> Outcome:
        end = await self._ways.tell(turn, emergency)
        said = f"guardian {turn.place}, round {turn.round}: {end.detail}"
        if end.is_confirmed:
            self._put_off.pop(delivery.incident_id, None)
            return Delivered(f"confirmed by guardian {turn.place} in round {turn.round}")
        if not end.was_had:
            self._remember_put_off(delivery.incident_id, turn.place)
            return Again(self._pause_s, GUARDIANS, GUARDIANS, said)
        self._put_off.pop(delivery.incident_id, None)
        try:
            facts = await self._record.facts(delivery.incident_id)
        except Unavailable:
            return Again(self._pause_s, GUARDIANS, GUARDIANS, said)
        return self._settled(delivery, guardians, facts) or Again(self._pause_s, GUARDIANS, GUARDIANS, said)

    def _settled(
        self, delivery: Delivery, guardians: Sequence[Guardian], facts: Sequence[GuardianFact]
    ) -> Outcome | None:
        """Return what there is to say before anybody is told: that it is done, or that a reply is waited for."""
        confirmed = confirmed_by(facts)
        is_over = not turns_left(guardians, facts, self._rounds)
        if confirmed is not None:
            turn = "?" if confirmed.round is None else confirmed.round
            said = f"confirmed by guardian {confirmed.subject} in round {turn}"
            return Delivered(said) if is_over else None
        texted_at = texted_last(facts)
        waits_s = 0.0 if texted_at is None else self._reply_s - self._record.age_s(texted_at)
        if waits_s > 0:
            return Again(max(waits_s, self._pause_s), GUARDIANS, GUARDIANS, "waiting for a guardian's reply")
        if is_over:
            self._put_off.pop(delivery.incident_id, None)
            return Rejected("no guardian confirmed in all rounds")
        return None

    def _next(self, incident_id: str, turns: Sequence[Turn]) -> Turn | None:
        """Return the first turn that was not put off; None when all were, and then they are all tried again."""
        put_off = self._put_off.get(incident_id, set())
        found = next((turn for turn in turns if turn.place not in put_off), None)
        if found is None:
            self._put_off.pop(incident_id, None)
        return found

    def _remember_put_off(self, incident_id: str, place: int) -> None:
        if incident_id not in self._put_off and len(self._put_off) >= REMEMBERED:
            # Incidents that were closed meanwhile never come back; the oldest goes.
            del self._put_off[next(iter(self._put_off))]
        self._put_off.setdefault(incident_id, set()).add(place)


def _no_turn_was_had(reason: str) -> Retry:
    """Come back soon, to the same guardian."""
    return Retry(f"no guardian could be told: {reason}", OUR_FAULT_RETRY_S)
