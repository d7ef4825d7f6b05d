"""Reminds guardians who have not answered, once, before the time of the question is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog

from telephony.clock import Clock, utc_now
from telephony.domain.errors import Unavailable
from telephony.domain.people.texts import say
from telephony.periodic import Periodic
from telephony.services.people.replies import Answers
from telephony.store.database import Database
from telephony.store.enrolment_waits import reminders_due, take_reminder
from telephony.store.people import Registry

log = structlog.get_logger()

LEFT: Final = 1 / 3
"""Of the time of a question. At 72 hours the guardian is reminded a day before its end: at the hour at which it was asked,
when somebody was awake."""
LOOK_S: Final = 300.0


class Reminders(Periodic):
    """Looks every few minutes whom to remind. A reminder that is lost with the process is not sent again."""

    def __init__(
        self, database: Database, registry: Registry, answers: Answers, *, reply_s: float, clock: Clock
    ) -> None:
        super().__init__(self._round, "reminding of guardians", every_s=LOOK_S, clock=clock, first_s=LOOK_S)
        self._database = database
        self._registry = registry
        self._answers = answers
        self._left = timedelta(seconds=reply_s * LEFT)
        self._at = clock

    async def _round(self) -> None:
        now = utc_now(self._at)
        try:
            for phone, key in await self._database.read(reminders_due, now + self._left, now):
                if self._answers.may_text(phone):
                    await self._remind(key)
        except Unavailable as error:
            log.info("guardians not reminded now", reason=str(error))

    async def _remind(self, key: int) -> None:
        letter = await self._database.transact(take_reminder, self._registry, key, utc_now(self._at))
        if letter is not None:
            words = say(letter.text, letter.language, **letter.facts)
            self._answers.post(letter.to, words, letter.carrier)
            log.info("guardian reminded")
