"""The two ways to a guardian: a text, and a call in which a machine speaks. Whatever the one comes to, the other is tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import Enum
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.background import run_in_background
from telephony.clock import Clock, within
from telephony.domain import silence
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.guardian import Guardian, GuardianCalls
from telephony.domain.guardian_texts import told_text
from telephony.domain.guardian_turns import (
    ANSWERED,
    BY_CALL,
    BY_SMS,
    CALLING,
    CONFIRMED,
    FAILED,
    NO_ANSWER,
    TEXT_DELIVERED,
    TEXT_FAILED,
    TEXTED,
    Turn,
)
from telephony.domain.silence import Output
from telephony.domain.spoken_call import CallOutcome, End
from telephony.domain.text_message import Texter, TextMessage, TextState
from telephony.domain.values import Msisdn
from telephony.services.guardian_record import GuardianRecord

log = structlog.get_logger()

MayReach = Callable[[Msisdn, Output], Awaitable[silence.Refused | None]]
"""Ask the silence policy for a phone; raises `Unavailable` where nobody can say."""

TEXT_S: Final = 30.0
"""What every carrier together may take for one text, while the same guardian's call waits."""
TOLD_VALID_S: Final = 7_200.0
"""How long the first text is worth delivering: a phone that is switched on after school."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """What a guardian is told of; ``name`` is empty where nobody is registered. ``at`` is when the key was pressed."""

    incident_id: str
    caller: Msisdn
    at: datetime
    name: str = field(default="", repr=False)


class Attempt(Enum):
    """What one way came to."""

    NOT_THERE = "not there"
    """There is no such way, or it cannot be used now."""
    PUT_OFF = "put off"
    """Nobody took it, and it may be tried again."""
    IN_VAIN = "in vain"
    """It will not do for this guardian."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """What a turn came to. A turn was had when anything was done, or will never do, to reach the guardian."""

    is_confirmed: bool = False
    was_had: bool = False
    detail: str = ""


class GuardianWays:
    """Tells one guardian: by text first, then by call, each where there is that way now."""

    def __init__(
        self,
        texter: Texter | None,
        calls: GuardianCalls | None,
        *,
        may_reach: MayReach,
        record: GuardianRecord,
        confirm_digit: str,
        zone: tzinfo,
        clock: Clock,
    ) -> None:
        self._texter = texter
        self._calls = calls
        self._may_reach = may_reach
        self._record = record
        self._confirm_digit = confirm_digit
        self._zone = zone
        self._clock = clock

    @property
    def is_ready(self) -> bool:
        """Claim that somebody could be told now by one way at least."""
        return self._can_text or self._can_call

    @property
    def _can_text(self) -> bool:
        return self._texter is not None and self._texter.is_ready

    @property
    def _can_call(self) -> bool:
        return self._calls is not None and self._calls.is_ready

    async def tell(self, turn: Turn, emergency: Emergency) -> TurnEnd:
        """Tell the guardian whose turn it is; what becomes of it is on record, and 112 reads it."""
        phone = turn.guardian.phone
        try:
            # She may be in danger herself: then nothing of ours makes her phone ring or light up.
            refused = await self._may_reach(phone, Output.MESSAGE)
        except Unavailable as error:
            return TurnEnd(detail=str(error))
        if refused is not None:
            log.warning("guardian not told", incident=emergency.incident_id, guardian=turn.place)
            await self._record.tell(emergency.incident_id, turn, FAILED)
            return TurnEnd(was_had=True, detail="silence holds for the guardian's own phone")
        text = await self._text(turn, emergency)
        state, words = await self._call(turn, emergency)
        was_had = text in (Attempt.DONE, Attempt.IN_VAIN) or bool(state)
        detail = "; ".join(filter(None, (f"text {text.value}", state, words)))
        return TurnEnd(state == CONFIRMED, was_had, detail)

    async def _text(self, turn: Turn, emergency: Emergency) -> Attempt:
        texter = self._texter
        if texter is None or not texter.is_ready:
            return Attempt.NOT_THERE
        guardian, incident_id = turn.guardian, emergency.incident_id
        await self._record.expect(incident_id, turn)
        receipts = _Receipts(self._record, incident_id, turn)
        words = told_text(emergency.name, emergency.caller, emergency.at, self._zone, guardian.language)
        message = TextMessage(guardian.phone, words, valid_s=TOLD_VALID_S, is_urgent=True)
        try:
            await within(Deferred.fromCoroutine(texter.send(message, receipts.heard)), TEXT_S, self._clock)
        except (Unavailable, GaveUp) as error:
            log.warning("guardian not texted", incident=incident_id, guardian=turn.place, error=str(error))
            return Attempt.PUT_OFF
        except (Refused, Malformed) as error:
            log.warning(
                "guardian cannot be texted", incident=incident_id, guardian=turn.place, error=str(error)
            )
            await self._record.tell(incident_id, turn, TEXT_FAILED, BY_SMS)
            return Attempt.IN_VAIN
        await self._record.tell(incident_id, turn, TEXTED, BY_SMS)
        receipts.begin()
        return Attempt.DONE

    async def _call(self, turn: Turn, emergency: Emergency) -> tuple[str, str]:
        """Give the state that the call ended in and what is to say about it; nothing where there is no line."""
        calls = self._calls
        if calls is None or not calls.is_ready:
            return "", ""
        await self._record.tell(emergency.incident_id, turn, CALLING, BY_CALL)
        try:
            outcome = await self._called(calls, turn.guardian, emergency)
        except Unavailable as error:
            log.warning(
                "guardian not called", incident=emergency.incident_id, guardian=turn.place, error=str(error)
            )
            return "", str(error)
        state = self._state(outcome)
        await self._record.tell(emergency.incident_id, turn, state, BY_CALL)
        return state, outcome.detail

    async def _called(self, calls: GuardianCalls, guardian: Guardian, emergency: Emergency) -> CallOutcome:
        try:
            return await calls.call(guardian, emergency.caller)
        except Malformed as error:
            log.warning("guardian cannot be called", incident=emergency.incident_id, error=str(error))
            return CallOutcome(End.FAILED, detail=str(error))

    def _state(self, outcome: CallOutcome) -> str:
        if outcome.answered:
            return CONFIRMED if outcome.digit == self._confirm_digit else ANSWERED
        return NO_ANSWER if outcome.end is End.NO_ANSWER else FAILED


class _Receipts:
    """Delivery receipts of one text, on record once the text itself is."""

    def __init__(self, record: GuardianRecord, incident_id: str, turn: Turn) -> None:
        self._record = record
        self._incident_id = incident_id
        self._turn = turn
        self._waiting: list[TextState] | None = []

    def heard(self, state: TextState) -> None:
        """Take what a message centre says of the text. No receipt confirms anything."""
        if self._waiting is not None:
            self._waiting.append(state)
        elif state is not TextState.ON_ITS_WAY:
            run_in_background(self._told(state), "receipt of a guardian's text")

    def begin(self) -> None:
        """Go on with what was heard so far."""
        waiting, self._waiting = self._waiting or [], None
        for state in waiting:
            self.heard(state)

    async def _told(self, state: TextState) -> None:
        if state is TextState.DELIVERED:
            await self._record.tell(self._incident_id, self._turn, TEXT_DELIVERED, BY_SMS)
            return
        await self._record.tell(self._incident_id, self._turn, TEXT_FAILED, BY_SMS)
        try:
            await self._record.hasten(self._incident_id)
        except Unavailable as error:
            log.warning("next guardian waits", incident=self._incident_id, error=str(error))
