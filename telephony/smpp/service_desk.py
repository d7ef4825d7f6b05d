"""Handles texts to a service number on one link, which are not presses; each is answered within the hard stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.clock import Call, Clock
from telephony.domain.errors import Unavailable
from telephony.domain.people.service_text import ServiceText
from telephony.smpp.answers import Answers
from telephony.smpp.link import Link
from telephony.smpp.request_book import PressRequest
from telephony.smpp.wire.pdus import Pdu
from telephony.sparingly import Sparingly

log = structlog.get_logger()

MOST_OPEN: Final = 100
"""Texts of one link that may be unanswered. More are sent again by the message centre."""
SAY_AGAIN_S: Final = 10.0

TakeText = Callable[[ServiceText], "Deferred[None]"]
"""Fires when the text has been handled, fails with `Unavailable` where it is to be sent again."""


@dataclass(slots=True)
class _Open:
    """A text that is not answered yet."""

    link: Link
    pdu: Pdu
    request: PressRequest
    timer: Call | None = field(default=None)
    is_answered: bool = False


class ServiceDesk:
    """The service side of a link's desk. ``hard_stop_s`` is when a text is answered in any case."""

    def __init__(
        self, service: TakeText, answers: Answers, *, link_name: str, clock: Clock, hard_stop_s: float
    ) -> None:
        self.taken = 0
        self.retried = 0
        self._service = service
        self._answers = answers
        self._link_name = link_name
        self._clock = clock
        self._hard_stop_s = hard_stop_s
        self._open = 0
        self._sparingly = Sparingly(clock.seconds, SAY_AGAIN_S)

    def take(self, link: Link, pdu: Pdu, text: ServiceText, request: PressRequest) -> None:
        """Hand a text over, and answer its request; what it is answered is noted in ``request``."""
        self.taken += 1
        waiting = _Open(link, pdu, request)
        self._open += 1
        if self._open > MOST_OPEN:
            self._answer(waiting, is_done=False)
            return
        waiting.timer = self._clock.callLater(
            self._hard_stop_s, partial(self._answer, waiting, is_done=False)
        )
        try:
            handled = self._service(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, the SMSC is answered
            self._failed(Failure(error), waiting)
            return
        handled.addCallbacks(
            lambda _: self._answer(waiting, is_done=True), self._failed, errbackArgs=(waiting,)
        )

    def _failed(self, failure: Failure, waiting: _Open) -> None:
        if self._sparingly.take_turn():
            defect = None if isinstance(failure.value, Unavailable) else failure.value
            log.warning(
                "service text not handled", link=self._link_name, reason=str(failure.value), exc_info=defect
            )
        self._answer(waiting, is_done=False)

    def _answer(self, waiting: _Open, *, is_done: bool) -> None:
        """Answer once: a result after the hard stop is found by the redelivery."""
        if waiting.is_answered:
            return
        waiting.is_answered = True
        self._open -= 1
        if waiting.timer is not None and waiting.timer.active():
            waiting.timer.cancel()
        if is_done:
            waiting.request.acknowledged(self._clock.seconds())
            waiting.link.answer(self._answers.done(waiting.pdu), 1)
            return
        self.retried += 1
        waiting.request.refused()
        waiting.link.answer(self._answers.again(waiting.pdu), 1)
