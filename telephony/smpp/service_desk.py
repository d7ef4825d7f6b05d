"""Texts to a service number on one link: handed over, answered within the hard stop. They are no presses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.clock import Call, Clock
from telephony.domain.errors import Unavailable
from telephony.domain.recognition import Recognition
from telephony.domain.service_text import ServiceText
from telephony.domain.values import Msisdn
from telephony.smpp.codec import encode_deliver_sm_resp
from telephony.smpp.constants import ESME_ROK, STATUS_BY_NAME
from telephony.smpp.inbound import reference_of
from telephony.smpp.link import Link
from telephony.smpp.pdus import Message, Pdu
from telephony.smpp.settings import Dialect
from telephony.smpp.sorting import InCalm

log = structlog.get_logger()

MOST_OPEN: Final = 100
"""Texts of one link that may be unanswered. More are sent again by the message centre."""
SAY_AGAIN_S: Final = 10.0

TakeText = Callable[[ServiceText], "Deferred[None]"]
"""Fires when the text has been handled, fails with `Unavailable` where it is to be sent again."""
Respond = Callable[[int, int, int], bytes]
"""Makes the response to a request: command id, status, sequence number."""


@dataclass(slots=True)
class _Open:
    """A text that is not answered yet."""

    link: Link
    pdu: Pdu
    timer: Call | None = field(default=None)
    is_answered: bool = False


class ServiceDesk:
    """The service side of a link's desk. ``hard_stop_s`` is when a text is answered in any case."""

    def __init__(
        self,
        service: TakeText,
        respond: Respond,
        *,
        name: str,
        carrier: str,
        dialect: Dialect,
        clock: Clock,
        hard_stop_s: float,
    ) -> None:
        self.taken = 0
        self.retried = 0
        self._service = service
        self._respond = respond
        self._name = name
        self._carrier = carrier
        self._dialect = dialect
        self._clock = clock
        self._hard_stop_s = hard_stop_s
        self._retry_status = STATUS_BY_NAME[dialect.retry_status]
        self._open = 0
        self._said_at = -SAY_AGAIN_S

    def text_of(
        self, message: Message, calm: InCalm, recognition: Recognition, received_at: datetime
    ) -> ServiceText:
        """Return what the message says to whom."""
        return ServiceText(
            Msisdn.parse(
                message.source,
                ton=message.source_ton,
                country_code=recognition.country_code,
                trunk_prefix=recognition.trunk_prefix,
            ),
            self._carrier,
            self._name,
            calm.number,
            calm.text.text,
            reference_of(message, self._carrier),
            received_at,
            calm.text.part,
            calm.is_marked,
        )

    def take(self, link: Link, pdu: Pdu, text: ServiceText) -> None:
        """Hand a text over, and answer its request."""
        self.taken += 1
        waiting = _Open(link, pdu)
        self._open += 1
        if self._open > MOST_OPEN:
            self._answer(waiting, self._retry_status)
            return
        waiting.timer = self._clock.callLater(self._hard_stop_s, self._answer, waiting, self._retry_status)
        try:
            handled = self._service(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, the SMSC is answered
            self._failed(Failure(error), waiting)
            return
        handled.addCallbacks(lambda _: self._answer(waiting, ESME_ROK), self._failed, errbackArgs=(waiting,))

    def _failed(self, failure: Failure, waiting: _Open) -> None:
        now = self._clock.seconds()
        if now - self._said_at >= SAY_AGAIN_S:
            self._said_at = now
            defect = None if isinstance(failure.value, Unavailable) else failure.value
            log.warning(
                "service text not handled", link=self._name, reason=str(failure.value), exc_info=defect
            )
        self._answer(waiting, self._retry_status)

    def _answer(self, waiting: _Open, status: int) -> None:
        """Answer once: what comes of it after the hard stop is found by the redelivery."""
        if waiting.is_answered:
            return
        waiting.is_answered = True
        self._open -= 1
        if waiting.timer is not None and waiting.timer.active():
            waiting.timer.cancel()
        pdu = waiting.pdu
        if status == ESME_ROK:
            waiting.link.answer(self._respond(pdu.command_id, status, pdu.sequence), 1)
            return
        self.retried += 1
        waiting.link.answer(encode_deliver_sm_resp(pdu.command_id, status, pdu.sequence), 1)
