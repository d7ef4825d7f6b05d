"""Tells a caller's guardians, one after the other and again, until one confirms that they have understood."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.clock import Clock, within
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
from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.fact import GUARDIAN, Fact
from telephony.domain.guardian import Guardian, GuardianBook, GuardianCalls, is_same_phone
from telephony.domain.spoken_call import CallOutcome, End
from telephony.domain.values import Msisdn

log = structlog.get_logger()

Record = Callable[[str, Sequence[Fact]], Awaitable[None]]
"""Add facts to an incident, by its id."""

OUR_FAULT_RETRY_S: Final = 5.0
RECORD_S: Final = 2.0
"""What the store may take to keep a fact, while a guardian is not yet called."""
REMEMBERED: Final = 10_000
"""Incidents of which we know how many attempts were in vain through a fault of ours."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """Whose turn it is: the place in the order and the round, both counted from 1."""

    guardian: Guardian
    place: int
    round: int
    is_last: bool


class GuardianChannel:
    """The channel `GUARDIANS`: one delivery per incident, one call per attempt.

    The number of the attempt says whose turn it is, so a restart goes on where it was. An attempt in which no call was
    even tried (no Asterisk, no book) is nobody's turn; those are counted in memory, so a restart in the middle of such
    a time costs turns.
    """

    def __init__(
        self,
        book: GuardianBook,
        calls: GuardianCalls,
        *,
        rounds: int,
        pause_s: float,
        confirm_digit: str,
        clock: Clock,
        record: Record,
    ) -> None:
        self._book = book
        self._calls = calls
        self._rounds = rounds
        self._pause_s = pause_s
        self._confirm_digit = confirm_digit
        self._clock = clock
        self._record = record
        self._in_vain: dict[str, int] = {}

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Call the guardian whose turn it is. `Delivered` when one confirmed or there is none, `Rejected` after all rounds."""
        errand = delivery.content
        if not isinstance(errand, Errand):
            return Rejected(f"a delivery of kind {delivery.kind} carries no errand")
        try:
            listed = (await self._book.ward_of(errand.msisdn)).guardians
        except Unavailable as error:
            return self._nobodys_turn(delivery, str(error))
        # Silence: the caller's own phone must not ring, whoever wrote it down as a guardian's.
        guardians = [each for each in listed if not is_same_phone(each.phone, errand.msisdn)]
        if not guardians:
            return Delivered("the caller has no guardians")
        if not self._calls.is_ready:
            return self._nobodys_turn(delivery, "no Asterisk is ready")
        return await self._take(self._turn(delivery, guardians), delivery, errand.msisdn)

    async def _take(self, turn: _Turn, delivery: Delivery, caller: Msisdn) -> Outcome:
        await self._tell(delivery, turn, "calling")
        outcome = await self._call(delivery, turn, caller)
        state = self._state(outcome)
        await self._tell(delivery, turn, state)
        if state == "confirmed":
            self._in_vain.pop(delivery.incident_id, None)
            return Delivered(f"confirmed by guardian {turn.place} in round {turn.round}")
        if turn.is_last:
            self._in_vain.pop(delivery.incident_id, None)
            return Rejected(f"nobody confirmed in {self._rounds} rounds")
        detail = f"guardian {turn.place}, round {turn.round}: {state}: {outcome.detail}"
        return Again(self._pause_s, GUARDIANS, GUARDIANS, detail)

    def _turn(self, delivery: Delivery, guardians: Sequence[Guardian]) -> _Turn:
        in_vain = self._in_vain.get(delivery.incident_id, 0)
        before = max(delivery.attempts - in_vain, 1) - 1
        past_rounds, index = divmod(before, len(guardians))
        is_last = before + 1 >= self._rounds * len(guardians)
        return _Turn(guardians[index], index + 1, past_rounds + 1, is_last)

    async def _call(self, delivery: Delivery, turn: _Turn, caller: Msisdn) -> CallOutcome:
        try:
            return await self._calls.call(turn.guardian, caller)
        except Malformed as error:
            log.warning(
                "guardian cannot be called",
                incident=delivery.incident_id,
                guardian=turn.place,
                error=str(error),
            )
            return CallOutcome(End.FAILED, detail=str(error))

    def _state(self, outcome: CallOutcome) -> str:
        if outcome.answered:
            return "confirmed" if outcome.digit == self._confirm_digit else "answered-unconfirmed"
        return "no-answer" if outcome.end is End.NO_ANSWER else "failed"

    def _nobodys_turn(self, delivery: Delivery, reason: str) -> Retry:
        """Come back soon, to the same guardian."""
        if len(self._in_vain) >= REMEMBERED:
            # Incidents that were closed meanwhile never come back; the oldest goes.
            del self._in_vain[next(iter(self._in_vain))]
        self._in_vain[delivery.incident_id] = self._in_vain.get(delivery.incident_id, 0) + 1
        return Retry(f"nobody could be called: {reason}", OUR_FAULT_RETRY_S)

    async def _tell(self, delivery: Delivery, turn: _Turn, state: str) -> None:
        """Let 112 know. A store in trouble must not keep a guardian from being called."""
        known = {"state": state, "phone": turn.guardian.phone.masked, "round": str(turn.round)}
        if turn.guardian.relation:
            known["relation"] = turn.guardian.relation
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)
        log.info(
            "guardian", incident=delivery.incident_id, guardian=turn.place, round=turn.round, state=state
        )
        keeping = Deferred.fromCoroutine(self._keep(delivery, Fact(GUARDIAN, str(turn.place), now, known)))
        try:
            await within(keeping, RECORD_S, self._clock)
        except (Unavailable, GaveUp) as error:
            log.warning("guardian's state not kept", incident=delivery.incident_id, error=str(error))

    async def _keep(self, delivery: Delivery, fact: Fact) -> None:
        await self._record(delivery.incident_id, [fact])
