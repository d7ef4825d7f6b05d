"""Answers the person who tried the key in calm: whether 112 has acknowledged it, and in what time. Then the drill is over."""

from __future__ import annotations

from typing import Final

import structlog

from telephony.alarms import Alarms
from telephony.clock import Clock, age_s, utc_now
from telephony.domain.delivery import (
    TEST_RESULT,
    Again,
    Delivered,
    Delivery,
    Errand,
    Outcome,
    Rejected,
    Retry,
)
from telephony.domain.errors import Unavailable
from telephony.domain.people.person import Language
from telephony.domain.people.texts import Text, say
from telephony.services.people.languages import LanguageOf
from telephony.services.people.replies import Answers
from telephony.services.spine.outbox import Outbox
from telephony.store.drills import told_at
from telephony.store.incidents import close_incident
from telephony.store.labels import remember_drill

log = structlog.get_logger()

WAIT_S: Final = 60.0
"""Not acknowledged by then, 112 was not reached: in an emergency no one would wait as long."""
LOOK_AGAIN_S: Final = 0.5
GIVE_UP_S: Final = 900.0
"""A result that no message centre has taken by then is of no use any more."""
ALARM: Final = "drill-failed"


class DrillChannel:
    """The channel `TEST_RESULT`: one delivery per drill, looked at until there is a result.

    The delivery ends when the result is sent, and the drill with it, so that the next test is a new one. ``language``
    is for a phone that is not registered. ``remembers``: later presses of the person who has just tried the key are weighed by it.
    """

    def __init__(
        self,
        outbox: Outbox,
        answers: Answers,
        *,
        language_of: LanguageOf,
        language: Language,
        clock: Clock,
        alarms: Alarms,
        remembers: bool = False,
    ) -> None:
        self._outbox = outbox
        self._answers = answers
        self._language_of = language_of
        self._language = language
        self._clock = clock
        self._alarms = alarms
        self._remembers = remembers

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Tell the result, where there is one. Raises `Unavailable`: then it is looked at again."""
        errand = delivery.content
        if not isinstance(errand, Errand):
            return Rejected(f"a delivery of kind {delivery.kind} carries no errand")
        told = await self._outbox.database.read(told_at, delivery.incident_key)
        waited_s = age_s(self._clock, errand.opened_at)
        if told is None and waited_s < WAIT_S:
            return Again(LOOK_AGAIN_S, TEST_RESULT, TEST_RESULT, "112 has not acknowledged it yet")
        seconds = None if told is None else max((told - errand.opened_at).total_seconds(), 0.0)
        self._note(delivery.incident_id, seconds)
        try:
            is_sent = await self._send(errand, seconds)
        except Unavailable as error:
            if waited_s < GIVE_UP_S:
                return Retry(str(error))
            is_sent = False
        return await self._close(delivery, seconds, is_sent=is_sent)

    def _note(self, incident_id: str, seconds: float | None) -> None:
        if seconds is None:
            self._alarms.raise_(ALARM, "112", incident=incident_id, waited_s=WAIT_S)
        else:
            self._alarms.clear(ALARM, "112")

    async def _send(self, errand: Errand, seconds: float | None) -> bool:
        if not errand.msisdn.is_e164:
            return False
        language = await self._language_of(errand.msisdn) or self._language
        if seconds is None:
            text = say(Text.TEST_FAILED, language)
        else:
            text = say(Text.TEST_PASSED, language, seconds=f"{seconds:.1f}")
        return await self._answers.deliver(errand.msisdn, text, errand.carrier)

    async def _close(self, delivery: Delivery, seconds: float | None, *, is_sent: bool) -> Outcome:
        result = "112 was not reached" if seconds is None else f"112 acknowledged after {seconds:.1f} s"
        now = utc_now(self._clock)
        await self._outbox.transact(
            close_incident, self._outbox.plan, delivery.incident_id, f"drill: {result}", now
        )
        if self._remembers:
            await self._outbox.database.transact(remember_drill, delivery.incident_id)
        log.info("drill over", incident=delivery.incident_id, is_passed=seconds is not None, is_told=is_sent)
        return Delivered(result if is_sent else f"{result}; the phone was not told")
