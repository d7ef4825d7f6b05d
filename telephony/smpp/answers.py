"""Makes the two responses to a peer's message: accepted (ESME_ROK), or to be sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telephony.smpp.wire.codec import encode_deliver_sm_resp
from telephony.smpp.wire.constants import ESME_ROK, SUBMIT_SM
from telephony.smpp.wire.pdus import Pdu


@dataclass(frozen=True, slots=True)
class Answers:
    """The responses to requests of one link.

    ``retry_status`` makes this message centre deliver again. ``new_message_id`` names what we took by submit_sm.
    """

    retry_status: int
    new_message_id: Callable[[], str]

    def done(self, request: Pdu) -> bytes:
        """Return ESME_ROK; that of a submit_sm holds an id (SMPP 3.4 clause 4.4.2)."""
        if request.command_id == SUBMIT_SM:
            return encode_deliver_sm_resp(
                request.command_id, ESME_ROK, request.sequence, self.new_message_id()
            )
        return encode_deliver_sm_resp(request.command_id, ESME_ROK, request.sequence)

    def again(self, request: Pdu) -> bytes:
        """Return the transient status."""
        return encode_deliver_sm_resp(request.command_id, self.retry_status, request.sequence)
