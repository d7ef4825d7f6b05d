"""The USSD side of a link's desk: which messages are dialogues, and the one text that goes back after the press.

Nothing here can hold up or cost a press: a fault in reading makes it an ordinary press, a fault in answering is logged.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import structlog
from twisted.python.failure import Failure

from telephony.clock import Clock, within
from telephony.domain.errors import Unavailable
from telephony.domain.incident import JOIN_SEEN_AGAIN, Receipt
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import Trigger
from telephony.domain.ussd import UssdOver, UssdPress, UssdRules
from telephony.smpp.link import Link
from telephony.smpp.pdus import Message, SubmitResp
from telephony.smpp.settings import Dialect
from telephony.smpp.ussd import may_be_ussd, reply_pdu, text_of, ussd_message_of, ussd_trigger_of

log = structlog.get_logger()

SAY_AGAIN_S: Final = 10.0


class Dialogue(NamedTuple):
    """A phone that waits for an answer."""

    message: Message
    press: UssdPress
    trigger: Trigger
    begun_at: float


class UssdDesk:
    """Reads and answers the dialogues of one link; the rules are shared by the links of its carrier."""

    def __init__(self, rules: UssdRules, *, name: str, carrier: str, dialect: Dialect, clock: Clock) -> None:
        self.taken = 0
        self.not_taken = 0
        """Closing texts that the gateway took, and those that it did not."""
        self._rules = rules
        self._name = name
        self._carrier = carrier
        self._dialect = dialect
        self._clock = clock
        self._said_at = -SAY_AGAIN_S

    def hear(
        self, message: Message, body: bytes, recognition: Recognition, received_at: datetime, now: float
    ) -> Dialogue | UssdOver | None:
        """Take a message; ``None``: it is no USSD, or a fault of ours kept us from reading it."""
        if not may_be_ussd(message):
            return None
        try:
            text = text_of(message, self._dialect)
            heard = self._rules.read(ussd_message_of(message, text), recognition, now)
            if heard is None or isinstance(heard, UssdOver):
                return heard
            trigger = ussd_trigger_of(
                message,
                text,
                heard,
                body,
                link_name=self._name,
                carrier=self._carrier,
                recognition=recognition,
                received_at=received_at,
            )
        except Exception:
            log.exception("USSD message could not be read", link=self._name)
            return None
        return Dialogue(message, heard, trigger, now)

    def close(self, link: Link, dialogue: Dialogue, result: Receipt | Unavailable | None) -> None:
        """Send the closing text on the link that brought the press, unless its phone has it; never raises.

        ``result`` is what Intake said, ``None`` when it said nothing in time. The phone learns nothing of it.
        """
        try:
            self._close(link, dialogue, result)
        except Exception:
            log.exception("closing text could not be made", link=self._name)

    def _close(self, link: Link, dialogue: Dialogue, result: Receipt | Unavailable | None) -> None:
        reference, now = dialogue.trigger.reference, self._clock.seconds()
        is_known = isinstance(result, Receipt) and result.joined == JOIN_SEEN_AGAIN
        reply = self._rules.reply_to(dialogue.press, reference, dialogue.begun_at, now, is_known=is_known)
        if reply is None:
            return
        pdu = reply_pdu(link.sends, dialogue.message, dialogue.press, reply, self._dialect)
        answered = link.submit(pdu)
        # After this time nobody waits for it, and at some gateways it would open a dialogue of its own.
        remaining_s = max(0.0, dialogue.begun_at + self._rules.session_s - now)
        within(answered, remaining_s, self._clock)
        answered.addCallbacks(self._was_taken, self._was_not_taken, errbackArgs=(reference,))

    def _was_taken(self, _response: SubmitResp) -> None:
        self.taken += 1

    def _was_not_taken(self, failure: Failure, reference: str) -> None:
        self.not_taken += 1
        self._rules.not_taken(reference)
        now = self._clock.seconds()
        if now - self._said_at >= SAY_AGAIN_S:
            self._said_at = now
            reason = str(failure.value) or type(failure.value).__name__
            log.warning("closing text not taken", link=self._name, reason=reason, count=self.not_taken)
