"""What the 112 side may say of a press. The console, the API and the command line all come through here."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from telephony.clock import Clock, utc_now
from telephony.domain.plan import Plan
from telephony.store.database import Database
from telephony.store.labels import mark_false_alarm

log = structlog.get_logger()


class Labels:
    """Takes labels of the 112 side. Each is durable and audited before it is answered."""

    def __init__(self, database: Database, *, plan: Plan, clock: Clock, wake: Callable[[str], None]) -> None:
        self._database = database
        self._plan = plan
        self._clock = clock
        self._wake = wake

    async def mark_false(self, incident_id: str, by: str, why: str) -> bool:
        """Mark a false alarm; False for an unknown incident. The incident stays open.

        ``by`` is who says so, as the incident's story will tell it. Raises `Unavailable` when the store cannot be used.
        """
        now = utc_now(self._clock)
        entry = await self._database.transact(mark_false_alarm, self._plan, incident_id, by, why, now)
        is_known = entry is not None
        if is_known:
            log.info("marked as a false alarm", incident=incident_id, by=by)
            self._wake(incident_id)
        return is_known
