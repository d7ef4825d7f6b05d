"""Offers a call's press to the intake until it is durable: Asterisk keeps nothing that could be delivered again."""

from __future__ import annotations

from itertools import count

import structlog
from twisted.internet.defer import CancelledError

from telephony.clock import Clock, pause
from telephony.domain.delivery import retry_delay_s
from telephony.domain.incident import Receipt
from telephony.domain.ports import AcceptAll
from telephony.domain.trigger import Trigger

log = structlog.get_logger()


async def accepted(trigger: Trigger, accept_all: AcceptAll, clock: Clock) -> Receipt:
    """Return the receipt of a press, however often it must be offered; each refusal has already told 112 directly."""
    for failures in count(1):
        try:
            (answer,) = await accept_all([trigger])
        except CancelledError:
            raise
        except Exception:
            log.exception("press not accepted", call=trigger.reference)
        else:
            if isinstance(answer, Receipt):
                return answer
        await pause(clock, retry_delay_s(failures))
    raise AssertionError  # pragma: no cover - count() does not end
