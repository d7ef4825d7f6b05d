"""Sends auto-replies, the texts that answer a message to us: a few a day to one phone, never twice.

They are not worth an outbox: a person who misses one asks again. What waits here is lost with the process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from telephony.background import run_in_background
from telephony.clock import Clock, pause
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.text_message import Texter, TextMessage
from telephony.domain.values import Msisdn
from telephony.services.people.bounds import ToldPerPhone, Turn

log = structlog.get_logger()

MOST_WAITING: Final = 1_000
PAUSES_S: Final = (10.0, 60.0, 300.0)
"""After an attempt that no message centre took. Later the answer is not expected any more."""


class Answers:
    """Sends auto-replies. The silence policy stands in the `Texter`: what it refuses is dropped, unsaid.

    Without a texter nothing is sent.
    """

    def __init__(self, texter: Texter | None, *, texts_per_day: int, clock: Clock) -> None:
        self._texter = texter
        self._per_day = ToldPerPhone(texts_per_day, clock)
        self._clock = clock
        self._waiting = 0

    def may_text(self, phone: Msisdn) -> bool:
        """Whether one more text to this phone is within the day's bound."""
        return self._texter is not None and self._per_day.is_left(phone)

    def post(
        self,
        phone: Msisdn,
        text: str,
        carrier: str = "",
        on_sent: Callable[[], None] | None = None,
        *,
        later: str = "",
    ) -> None:
        """Send a text, soon; ``carrier`` is the likely one of the phone, empty where it is not known.

        ``on_sent`` is called once a message centre has taken it, and never where none does. ``later`` is sent instead to a
        phone that has had all its texts of the day, once a day: so the person who wrote to us learns why there is no answer.
        """
        if self._texter is None or not phone.is_e164:
            return
        if self._waiting >= MOST_WAITING:
            log.warning("answer dropped", reason="too many texts", waiting=self._waiting)
            return
        turn = self._per_day.turn(phone) if later or self._per_day.is_left(phone) else Turn.BEYOND
        if turn is Turn.WITHIN:
            self._begin(self._texter, TextMessage(phone, text, carrier), on_sent)
            return
        log.warning("answer dropped", reason="too many texts", waiting=self._waiting)
        if turn is Turn.FIRST_BEYOND:
            self._begin(self._texter, TextMessage(phone, later, carrier))

    def _begin(self, texter: Texter, message: TextMessage, on_sent: Callable[[], None] | None = None) -> None:
        run_in_background(self._send(texter, message, on_sent), "an answer by text")

    async def deliver(self, phone: Msisdn, text: str, carrier: str = "") -> bool:
        """Send a text now; False where it must not or cannot be sent. Raises `Unavailable`: not now."""
        if self._texter is None or not phone.is_e164 or not self._per_day.is_left(phone):
            return False
        try:
            await self._texter.send(TextMessage(phone, text, carrier))
        except (Refused, Malformed) as error:
            log.info("answer not sent", reason=type(error).__name__)
            return False
        return self._per_day.turn(phone) is Turn.WITHIN

    async def _send(self, texter: Texter, message: TextMessage, on_sent: Callable[[], None] | None) -> None:
        self._waiting += 1
        try:
            for pause_s in (*PAUSES_S, None):
                try:
                    await texter.send(message)
                except Unavailable as error:
                    if pause_s is None:
                        log.warning("answer not sent", reason=str(error))
                        return
                    await pause(self._clock, pause_s)
                else:
                    if on_sent is not None:
                        on_sent()
                    return
        except (Refused, Malformed) as error:
            # In an open incident the phone must stay dark; the person who asked is not told that either.
            log.info("answer not sent", reason=type(error).__name__)
        finally:
            self._waiting -= 1
