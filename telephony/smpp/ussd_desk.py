"""The USSD side of a link's desk: which messages are dialogues, and the texts that go back.

Nothing here can hold up or cost a press: a fault in reading makes it an ordinary press, a fault in answering is logged.
A message of the menu is acknowledged at once, and its page follows on the same link.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.background import run_in_background
from telephony.clock import Clock, within
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import Trigger
from telephony.domain.ussd import UssdMenu, UssdOver, UssdPress, UssdReply, UssdRules
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


class MenuMessage(NamedTuple):
    """A message of the menu. ``trigger`` is the press that it comes to where its phone has an open incident."""

    message: Message
    menu: UssdMenu
    trigger: Trigger
    begun_at: float


class UssdDesk:
    """Reads and answers the dialogues of one link; the rules are shared by the links of its carrier."""

    def __init__(
        self,
        rules: UssdRules,
        *,
        name: str,
        carrier: str,
        dialect: Dialect,
        accept_all: AcceptAll,
        clock: Clock,
    ) -> None:
        self.taken = 0
        self.not_taken = 0
        """Texts that the gateway took, and those that it did not."""
        self._rules = rules
        self._name = name
        self._carrier = carrier
        self._dialect = dialect
        self._accept_all = accept_all
        self._clock = clock
        self._said_at = -SAY_AGAIN_S

    def hear(
        self, message: Message, body: bytes, recognition: Recognition, received_at: datetime, now: float
    ) -> Dialogue | MenuMessage | UssdOver | None:
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
                heard.press if isinstance(heard, UssdMenu) else heard,
                body,
                link_name=self._name,
                carrier=self._carrier,
                recognition=recognition,
                received_at=received_at,
            )
        except Exception:
            log.exception("USSD message could not be read", link=self._name)
            return None
        if isinstance(heard, UssdMenu):
            return MenuMessage(message, heard, trigger, now)
        return Dialogue(message, heard, trigger, now)

    def life_s(self, dialogue: Dialogue) -> float:
        """Give how long a dialogue may last whose name the gateway told; 0.0 where it told none."""
        return self._rules.session_s if dialogue.press.session else 0.0

    def converse(self, link: Link, messages: Sequence[MenuMessage]) -> None:
        """Send the pages that answer messages of the menu, on the link that brought them; never raises."""
        for asked in messages:
            run_in_background(self._converse(link, asked), "a page of the USSD menu")

    async def _converse(self, link: Link, asked: MenuMessage) -> None:
        turn = await self._rules.turn(asked.menu, asked.trigger)
        if turn.is_press:
            # 112 knows of the incident, so this one may have been acknowledged before it is durable.
            (result,) = await self._accept_all([asked.trigger])
            if isinstance(result, Unavailable):
                log.warning("press from the menu not kept, 112 was told directly", link=self._name)
        if turn.reply is None:
            return
        if self._clock.seconds() >= asked.begun_at + self._rules.session_s:
            self._rules.page_shown(asked.menu, was_taken=False)
            return
        answered = self._send(link, asked.message, asked.menu.press, turn.reply, asked.begun_at)
        answered.addCallbacks(
            self._page_was_taken, self._page_was_not_taken, (asked.menu,), errbackArgs=(asked.menu,)
        )

    def _page_was_taken(self, _response: SubmitResp, menu: UssdMenu) -> None:
        self.taken += 1
        self._rules.page_shown(menu, was_taken=True)

    def _page_was_not_taken(self, failure: Failure, menu: UssdMenu) -> None:
        self.not_taken += 1
        self._rules.page_shown(menu, was_taken=False)
        if self._may_say():
            log.warning("menu page not taken", link=self._name, reason=_reason(failure), count=self.not_taken)

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
        is_known = isinstance(result, Receipt) and result.is_duplicate
        reply = self._rules.reply_to(dialogue.press, reference, dialogue.begun_at, now, is_known=is_known)
        if reply is None:
            return
        answered = self._send(link, dialogue.message, dialogue.press, reply, dialogue.begun_at)
        answered.addCallbacks(self._was_taken, self._was_not_taken, errbackArgs=(reference,))

    def _send(
        self, link: Link, asked: Message, press: UssdPress, reply: UssdReply, begun_at: float
    ) -> Deferred[SubmitResp]:
        answered = link.submit(reply_pdu(link.sends, asked, press, reply, self._dialect))
        # After this time nobody waits for it, and at some gateways it would open a dialogue of its own.
        remaining_s = max(0.0, begun_at + self._rules.session_s - self._clock.seconds())
        return within(answered, remaining_s, self._clock)

    def _was_taken(self, _response: SubmitResp) -> None:
        self.taken += 1

    def _was_not_taken(self, failure: Failure, reference: str) -> None:
        self._rules.not_taken(reference)
        self.not_taken += 1
        if self._may_say():
            log.warning(
                "closing text not taken", link=self._name, reason=_reason(failure), count=self.not_taken
            )

    def _may_say(self) -> bool:
        """Claim that nothing was said for a while: a flood of texts is no flood of log lines."""
        now = self._clock.seconds()
        if now - self._said_at < SAY_AGAIN_S:
            return False
        self._said_at = now
        return True


def _reason(failure: Failure) -> str:
    return str(failure.value) or type(failure.value).__name__
