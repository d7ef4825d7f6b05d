"""Keeps the fixes that a device sends after its press, while its incident is open."""

from __future__ import annotations

from typing import Final

import structlog

from telephony.clock import Clock, ages, within
from telephony.domain.position import Position
from telephony.services.spine.outbox import Outbox
from telephony.store.positions import FixKept, record_device_fix

log = structlog.get_logger()

KEEP_WITHIN_S: Final = 5.0
"""Time-out of the store. A fix that comes to be kept later is kept all the same, and sent again it is no news."""


class DeviceFixes:
    """Keeps fixes; 112 hears of those that are news."""

    def __init__(self, outbox: Outbox, *, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def keep(self, incident_id: str, connector: str, position: Position) -> FixKept:
        """Keep a fix of an incident that was pressed by this link. Raises `Unavailable`, or Twisted's `TimeoutError`."""
        keeping = self._outbox.transact(
            record_device_fix, self._outbox.plan, incident_id, connector, position, ages(self._clock)
        )
        kept, located = await within(keeping, KEEP_WITHIN_S, self._clock)
        if located is not None:
            log.info("located", incident=incident_id, source=position.source, method=position.method,
                     uncertainty_m=position.uncertainty_m, became_best=located.became_best, is_told=located.is_told)  # fmt: skip
        return kept
