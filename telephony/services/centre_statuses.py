"""Carries out what 112 centres' own systems tell us of incidents."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import tzinfo
from typing import Final

import structlog

from telephony.clock import Clock, utc_now, within
from telephony.domain.centre_status import CentreSaid
from telephony.services.spine.outbox import Outbox
from telephony.store.centre_statuses import NotTaken, Taken, take_status

log = structlog.get_logger()

TAKE_WITHIN_S: Final = 5.0
"""Time-out of the store. A status that comes to be taken later is taken all the same, and its repeat is answered so."""

ChannelsOf = Callable[[str], Collection[str]]
"""Gives the channels of a centre, by its name."""


class CentreStatuses:
    """Takes statuses, one transaction each."""

    def __init__(self, outbox: Outbox, channels_of: ChannelsOf, *, zone: tzinfo, clock: Clock) -> None:
        self._outbox = outbox
        self._channels_of = channels_of
        self._zone = zone
        self._clock = clock

    async def take(self, said: CentreSaid) -> Taken | NotTaken:
        """Carry a status out. Raises `Unavailable`, or Twisted's `TimeoutError`."""
        taking = self._outbox.transact(
            take_status,
            self._outbox.plan,
            self._channels_of(said.centre),
            said,
            utc_now(self._clock).astimezone(self._zone),
        )
        taken = await within(taking, TAKE_WITHIN_S, self._clock)
        if isinstance(taken, Taken):
            log.info("status of a centre", centre=said.centre, status=said.status, incident=taken.incident_id,
                     became=taken.became, is_repeat=taken.is_repeat)  # fmt: skip
        else:
            log.warning(
                "status of a centre not taken", centre=said.centre, status=said.status, reason=taken.name
            )
        return taken
