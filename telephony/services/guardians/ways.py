"""The two ways to a guardian: a text, and a call in which a machine speaks. Each is tried whatever the outcome of the other."""

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
from telephony.domain.facts import GuardianState, GuardianWay
from telephony.domain.guardians.guardian import Guardian, GuardianCalls
from telephony.domain.guardians.spoken_call import CallOutcome, End
from telephony.domain.guardians.texts import told_text
from telephony.domain.guardians.turns import Turn
from telephony.domain.silence import Output
from telephony.domain.text_message import Texter, TextMessage, TextState
from telephony.domain.values import Msisdn
from telephony.services.guardians.record import GuardianRecord

log = structlog.get_logger()

MayReach = Callable[[Msisdn, Output], Awaitable[silence.Silenced | None]]
"""Ask the silence policy for a phone; raises `Unavailable` where the answer cannot be known."""

TEXT_S: Final = 30.0
"""What every carrier together may take for one text, while the same guardian's call waits."""
TOLD_VALID_S: Final = 7_200.0
"""How long the first text is worth delivering: a phone that is switched on after school."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """The emergency that a guardian is told of. ``name`` is empty for a number that is not registered, ``at`` the time of the press."""

    incident_id: str
    caller: Msisdn
    at: datetime
    name: str = field(default="", repr=False)


class Attempt(Enum):
    """The outcome of one way."""

    NOT_THERE = "not there"
    """There is no such way, or it cannot be used now."""
    PUT_OFF = "put off"
    """It was not taken, and may be tried again."""
    IN_VAIN = "in vain"
    """It will not do for this guardian."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """The outcome of a turn. A turn was had when anything was done, or will never do, to reach the guardian."""

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
        """Whether somebody could be told now by one way at least."""
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
            await self._record.tell(emergency.incident_id, turn, GuardianState.FAILED)
            return TurnEnd(was_had=True, detail="silence holds for the guardian's own phone")
        text = await self._text(turn, emergency)
        state, words = await self._call(turn, emergency)
        was_had = text in (Attempt.DONE, Attempt.IN_VAIN) or state is not None
        detail = "; ".join(filter(None, (f"text {text.value}", state, words)))
        return TurnEnd(state is GuardianState.CONFIRMED, was_had, detail)

    async def _text(self, turn: Turn, emergency: Emergency) -> Attempt:
        texter = self._texter
        if texter is None or not texter.is_ready:
            return Attempt.NOT_THERE
        guardian, incident_id = turn.guardian, emergency.incident_id
        await self._record.expect(incident_id, turn)
        receipts = _Receipts(self._record, incident_id, turn)
        words = told_text(
            emergency.name, emergency.caller, emergency.at, self._zone, guardian.language,
            does_112_know=await self._record.does_112_know(incident_id),
        )  # fmt: skip
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
            await self._record.tell(incident_id, turn, GuardianState.TEXT_FAILED, GuardianWay.SMS)
            return Attempt.IN_VAIN
        await self._record.tell(incident_id, turn, GuardianState.TEXTED, GuardianWay.SMS)
        receipts.begin()
        return Attempt.DONE

    async def _call(self, turn: Turn, emergency: Emergency) -> tuple[GuardianState | None, str]:
        """Return the state that the call ended in and what is to say about it; no state where there is no line."""
        calls = self._calls
        if calls is None or not calls.is_ready:
            return None, ""
        await self._record.tell(emergency.incident_id, turn, GuardianState.CALLING, GuardianWay.CALL)
        try:
            outcome = await self._called(calls, turn.guardian, emergency)
        except Unavailable as error:
            log.warning(
                "guardian not called", incident=emergency.incident_id, guardian=turn.place, error=str(error)
            )
            return None, str(error)
        state = self._state(outcome)
        await self._record.tell(emergency.incident_id, turn, state, GuardianWay.CALL)
        return state, outcome.detail

    async def _called(self, calls: GuardianCalls, guardian: Guardian, emergency: Emergency) -> CallOutcome:
        try:
            return await calls.call(
                guardian, emergency.caller, lambda: self._record.standing(emergency.incident_id)
            )
        except Malformed as error:
            log.warning("guardian cannot be called", incident=emergency.incident_id, error=str(error))
            return CallOutcome(End.FAILED, detail=str(error))

    def _state(self, outcome: CallOutcome) -> GuardianState:
        if outcome.answered:
            return GuardianState.CONFIRMED if outcome.digit == self._confirm_digit else GuardianState.ANSWERED
        return GuardianState.NO_ANSWER if outcome.end is End.NO_ANSWER else GuardianState.FAILED


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
            await self._record.tell(
                self._incident_id, self._turn, GuardianState.TEXT_DELIVERED, GuardianWay.SMS
            )
            return
        await self._record.tell(self._incident_id, self._turn, GuardianState.TEXT_FAILED, GuardianWay.SMS)
        try:
            await self._record.hasten(self._incident_id)
        except Unavailable as error:
            log.warning("next guardian waits", incident=self._incident_id, error=str(error))
