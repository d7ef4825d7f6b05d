"""Combines the delivery receipts of a text's parts into the state of the text."""

from __future__ import annotations

import structlog

from telephony.domain.text_message import OnState, TextState
from telephony.smpp.wire.receipts import DELIVRD, DeliveryReceipt

log = structlog.get_logger()


class PartsTally:
    """Counts the parts of one attempt: delivered when all of them are, failed when one is.

    ``tell`` hears each state once, and nothing after the last. Receipts come also while later parts wait to be sent.
    """

    def __init__(self, parts: int, tell: OnState | None) -> None:
        self._waiting = parts
        self._tell = tell
        self._is_on_its_way = False
        self._is_over = False

    def drop(self) -> None:
        """Hear no more: this attempt was given up, and another one will tell."""
        self._is_over = True

    def heard(self, receipt: DeliveryReceipt) -> None:
        """Take a receipt of one of the parts."""
        if self._is_over:
            return
        if not receipt.is_final:
            if not self._is_on_its_way:
                self._is_on_its_way = True
                self._say(TextState.ON_ITS_WAY)
        elif receipt.state == DELIVRD:
            self._waiting -= 1
            if self._waiting == 0:
                self._is_over = True
                self._say(TextState.DELIVERED)
        else:
            self._is_over = True
            self._say(TextState.FAILED)

    def _say(self, state: TextState) -> None:
        if self._tell is None:
            return
        try:
            self._tell(state)
        except Exception:
            # The defect is the sender's, not that of the message centre or of the other parts.
            log.exception("state of a text not taken", state=state.value)
