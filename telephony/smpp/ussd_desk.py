"""Handles the USSD messages of one link: applies the carrier's rules, and sends the texts that go back.

Nothing here can hold up or cost a press: a fault in reading makes it an ordinary press, a fault in answering is logged.
A message of the menu is acknowledged at once, and its page follows on the same link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.background import run_in_background
from telephony.clock import Clock, within
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdMenu, UssdMessage, UssdPress, UssdReply, UssdRules
from telephony.smpp.link import Link
from telephony.smpp.wire.inbound import Way
from telephony.smpp.wire.pdus import Message, SubmitResp
from telephony.smpp.wire.sorting import Dialogue, Heard, MenuMessage
from telephony.smpp.wire.ussd import reply_pdu
from telephony.sparingly import Sparingly

log = structlog.get_logger()

SAY_AGAIN_S: Final = 10.0


class UssdDesk:
    """Hears and answers the dialogues of one link; the rules are shared by the links of its carrier."""

    def __init__(self, rules: UssdRules, way: Way, *, accept_all: AcceptAll, clock: Clock) -> None:
        self.taken = 0
        self.not_taken = 0
        """Texts that the gateway took, and those that it did not."""
        self._rules = rules
        self._name = way.name
        self._dialect = way.dialect
        self._accept_all = accept_all
        self._clock = clock
        self._sparingly = Sparingly(clock.seconds, SAY_AGAIN_S)

    def hear(self, message: UssdMessage, recognition: Recognition, now: float) -> Heard | None:
        """Say what a message is by the rules; ``None``: it is no USSD, or a fault of ours kept us from reading it."""
        try:
            return self._rules.read(message, recognition, now)
        except Exception:
            log.exception("USSD message could not be read", link=self._name)
            return None

    def life_s(self, dialogue: Dialogue) -> float:
        """Return how long a dialogue may last whose name the gateway told; 0.0 where it told none."""
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
            self._rules.page_shown(asked.menu, None)
            return
        sent_at = self._clock.seconds()
        answered = self._send(link, asked.message, asked.menu.press, turn.reply, asked.begun_at)
        answered.addCallbacks(
            self._page_was_taken, self._page_was_not_taken, (asked.menu, sent_at), errbackArgs=(asked.menu,)
        )

    def _page_was_taken(self, _response: SubmitResp, menu: UssdMenu, sent_at: float) -> None:
        self.taken += 1
        self._rules.page_shown(menu, sent_at)

    def _page_was_not_taken(self, failure: Failure, menu: UssdMenu) -> None:
        self.not_taken += 1
        self._rules.page_shown(menu, None)
        if self._sparingly.take_turn():
            log.warning("menu page not taken", link=self._name, reason=_reason(failure), count=self.not_taken)

    def answer(
        self,
        link: Link,
        responses: bytes,
        count: int,
        dialogues: Sequence[tuple[Dialogue, Receipt | Unavailable | None]],
    ) -> None:
        """Write the answers to the presses of one read, and their closing texts.

        A refused message may end the dialogue at the gateway, so its text goes ahead of the status.
        """
        for dialogue, result in dialogues:
            if not isinstance(result, Receipt):
                self.close(link, dialogue, result)
        link.answer(responses, count)
        for dialogue, result in dialogues:
            if isinstance(result, Receipt):
                self.close(link, dialogue, result)

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
        # After this time no dialogue waits for it, and at some gateways it would open one of its own.
        remaining_s = max(0.0, begun_at + self._rules.session_s - self._clock.seconds())
        return within(answered, remaining_s, self._clock)

    def _was_taken(self, _response: SubmitResp) -> None:
        self.taken += 1

    def _was_not_taken(self, failure: Failure, reference: str) -> None:
        self._rules.not_taken(reference)
        self.not_taken += 1
        if self._sparingly.take_turn():
            log.warning(
                "closing text not taken", link=self._name, reason=_reason(failure), count=self.not_taken
            )


def _reason(failure: Failure) -> str:
    return str(failure.value) or type(failure.value).__name__
