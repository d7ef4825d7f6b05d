"""Texts of ours that somebody asked for: sent beside everything else, a few a day to one phone, never twice.

They are not worth an outbox: whoever misses one asks again. What waits here is lost with the process.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

import structlog

from telephony.background import run_in_background
from telephony.clock import Clock, pause
from telephony.domain.errors import Malformed, Refused, Unavailable
from telephony.domain.text_message import Texter, TextMessage
from telephony.domain.values import Msisdn

log = structlog.get_logger()

DAY_S: Final = 86_400.0
MOST_PHONES: Final = 50_000
"""Phones whose texts are counted. Where it is full of phones of today, nobody else is texted: rather no answer than
a way to forget how often a phone was texted."""
MOST_WAITING: Final = 1_000
PAUSES_S: Final = (10.0, 60.0, 300.0)
"""After an attempt that no message centre took. Later nobody expects the answer any more."""


class PerPhone:
    """Counts by phone what happens at most so many times in any 24 hours, or in another period."""

    def __init__(self, most: int, clock: Clock, *, period_s: float = DAY_S) -> None:
        self._most = most
        self._period_s = period_s
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        """The phone whose last time is the oldest first."""

    def is_left(self, phone: Msisdn) -> bool:
        """Claim that it may happen once more."""
        now = self._clock.seconds()
        times = self._times.get(phone.number)
        if times is None:
            return len(self._times) < MOST_PHONES or self._forget_oldest(now)
        return len(times) < self._most or times[0] <= now - self._period_s

    def count(self, phone: Msisdn) -> bool:
        """Note that it happens, and give whether it may."""
        if not self.is_left(phone):
            return False
        times = self._times.pop(phone.number, None)
        if times is None:
            times = deque(maxlen=self._most)
        times.append(self._clock.seconds())
        self._times[phone.number] = times
        return True

    def _forget_oldest(self, now: float) -> bool:
        oldest, times = next(iter(self._times.items()))
        if times[-1] > now - self._period_s:
            return False
        del self._times[oldest]
        return True


class Answers:
    """Sends texts that somebody asked for. The silence policy stands in the `Texter`: what it refuses is dropped, unsaid.

    Without a texter nothing is sent.
    """

    def __init__(self, texter: Texter | None, *, texts_per_day: int, clock: Clock) -> None:
        self._texter = texter
        self._per_day = PerPhone(texts_per_day, clock)
        self._clock = clock
        self._waiting = 0

    def may_text(self, phone: Msisdn) -> bool:
        """Claim that one more text to this phone is within the day's bound."""
        return self._texter is not None and self._per_day.is_left(phone)

    def post(
        self, phone: Msisdn, text: str, carrier: str = "", on_sent: Callable[[], None] | None = None
    ) -> None:
        """Send a text, soon; ``carrier`` is the likely one of the phone, empty where it is not known.

        ``on_sent`` is called once a message centre has taken it, and never where none does.
        """
        if self._texter is None or not phone.is_e164:
            return
        if self._waiting >= MOST_WAITING or not self._per_day.count(phone):
            log.warning("answer dropped", reason="too many texts", waiting=self._waiting)
            return
        message = TextMessage(phone, text, carrier)
        run_in_background(self._send(self._texter, message, on_sent), "an answer by text")

    async def deliver(self, phone: Msisdn, text: str, carrier: str = "") -> bool:
        """Send a text now; False where it must not or cannot be sent. Raises `Unavailable`: not now."""
        if self._texter is None or not phone.is_e164 or not self._per_day.is_left(phone):
            return False
        try:
            await self._texter.send(TextMessage(phone, text, carrier))
        except (Refused, Malformed) as error:
            log.info("answer not sent", reason=type(error).__name__)
            return False
        return self._per_day.count(phone)

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
            # In an open incident the phone must stay dark; whoever asked there is not told either.
            log.info("answer not sent", reason=type(error).__name__)
        finally:
            self._waiting -= 1
