"""Speaks reports to a 112 centre by telephone while the data link fails (``kind = "voice"``)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from twisted.internet.defer import CancelledError, Deferred

from telephony.asterisk.spoken.outgoing import OutgoingCalls, dial_string, spoken_variables
from telephony.asterisk.spoken.speech import KOREA, Language, Numbering, report_speech
from telephony.clock import Clock, utc_now, within
from telephony.domain.delivery import Delivered, Outcome, Retry
from telephony.domain.guardians.spoken_call import CallOutcome
from telephony.domain.position import Position
from telephony.domain.report import Report
from telephony.remembered import Remembered

log = structlog.get_logger()

CONTEXT: Final = "spoken-report"
TALK_S: Final = 300.0
"""Bound on the call once it is answered: a minute for the message, three times, and what the operator asks for again."""
POSITION_S: Final = 2.0
"""Time-out of the store for the newest position: a call for help does not wait for a circle."""
UNCONFIRMED_RETRY_S: Final = 60.0
"""A person or a machine answered and pressed nothing: our calls must not take all lines of the centre."""
BEING_SPOKEN_RETRY_S: Final = 5.0
"""The same report is being spoken in another call: whether it is confirmed will soon be known."""
MOST_CONFIRMED: Final = 10_000
"""Reports remembered as confirmed."""

IsTold = Callable[[str, int], Awaitable[bool]]
"""Whether 112 has the report of this incident and sequence by another channel, or that the incident is closed."""

Newest = Callable[[str], Awaitable[Position | None]]
"""Return the newest position of an incident by its id."""


@dataclass(frozen=True, slots=True)
class Dialling:
    """How a centre is called, and in which language it is spoken to."""

    number: str
    endpoint: str
    language: Language
    ring_s: float
    confirm_digit: str
    repeat_digit: str
    caller_id: str = ""
    numbering: Numbering = KOREA


class VoiceSender:
    """One ``voice`` channel of one centre. Raises `Malformed` for a number that cannot be dialled.

    A report may come twice, from the direct relay during a store outage and from the outbox after it. Machines
    discard a repeat by its key; a person who has confirmed would be called again, so this is remembered here.
    """

    def __init__(
        self, dialling: Dialling, calls: OutgoingCalls, newest: Newest, is_told: IsTold, *, clock: Clock
    ) -> None:
        self._dialling = dialling
        self._dial = dial_string(dialling.number, dialling.endpoint)
        self._calls = calls
        self._newest = newest
        self._is_told = is_told
        self._clock = clock
        self._speaking: set[str] = set()
        self._confirmed: Remembered[str, None] = Remembered(MOST_CONFIRMED)

    async def send(self, report: Report) -> Outcome:
        """Call once. `Delivered` only when the operator pressed the confirming digit; everything else is tried again.

        A report that was confirmed to this process is `Delivered` without a call.
        """
        if report.report_id in self._confirmed:
            return Delivered("confirmed in an earlier call")
        if await self._is_needless(report):
            return Delivered("not spoken: 112 has it by another channel, or the incident is closed")
        if report.report_id in self._speaking:
            return Retry("it is being spoken in another call", BEING_SPOKEN_RETRY_S)
        self._speaking.add(report.report_id)
        try:
            outcome = await self._speak(report)
        finally:
            self._speaking.discard(report.report_id)
        if isinstance(outcome, Delivered):
            self._remember(report.report_id)
        return outcome

    def _remember(self, report_id: str) -> None:
        self._confirmed[report_id] = None

    async def _speak(self, report: Report) -> Outcome:
        dialling = self._dialling
        prompts = report_speech(
            report,
            await self._position(report),
            utc_now(self._clock),
            language=dialling.language,
            confirm_digit=dialling.confirm_digit,
            repeat_digit=dialling.repeat_digit,
            numbering=dialling.numbering,
        )
        outcome = await self._calls.call(
            self._dial,
            CONTEXT,
            spoken_variables(
                prompts, confirm_digit=dialling.confirm_digit, repeat_digit=dialling.repeat_digit
            ),
            ring_s=dialling.ring_s,
            talk_s=TALK_S,
            caller_id=dialling.caller_id,
        )
        return self._read(outcome)

    def _read(self, outcome: CallOutcome) -> Outcome:
        if outcome.answered and outcome.digit == self._dialling.confirm_digit:
            return Delivered(outcome.detail)
        if outcome.answered:
            return Retry(f"the centre did not confirm: {outcome.detail}", UNCONFIRMED_RETRY_S)
        return Retry(f"{outcome.end}: {outcome.detail}")

    async def _is_needless(self, report: Report) -> bool:
        """Whether 112 knows: a telephone that has begun to ring must not go on when the data link is back."""
        asked: Deferred[bool] = Deferred.fromCoroutine(_ask_told(self._is_told, report))
        try:
            return await within(asked, POSITION_S, self._clock)
        except CancelledError:
            raise  # the attempt is being given up
        except Exception as error:  # noqa: BLE001 - fail open: without a store 112 is called all the same
            log.warning(
                "nobody knows whether 112 knows", incident=report.incident_id, error=type(error).__name__
            )
            return False

    async def _position(self, report: Report) -> Position | None:
        """Return the newest position; the one of the report where the store does not answer."""
        asked: Deferred[Position | None] = Deferred.fromCoroutine(_ask(self._newest, report.incident_id))
        try:
            newest = await within(asked, POSITION_S, self._clock)
        except CancelledError:
            raise  # the attempt is being given up
        except Exception as error:  # noqa: BLE001 - fail open: without a store 112 is called all the same
            log.warning("newest position not known", incident=report.incident_id, error=type(error).__name__)
            newest = None
        return report.position if newest is None else newest


async def _ask(newest: Newest, incident_id: str) -> Position | None:
    return await newest(incident_id)


async def _ask_told(is_told: IsTold, report: Report) -> bool:
    return await is_told(report.incident_id, report.sequence)
