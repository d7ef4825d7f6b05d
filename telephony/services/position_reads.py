"""Positions that 112 reads by an incident's location URL, in the audit chain.

A centre asks every few seconds for hours. The first look is an entry at once; the looks of each following minute are
one entry together, which says how many there were.
"""

from __future__ import annotations

from typing import Final

from telephony.clock import Call, Clock
from telephony.domain.audit import SAW_POSITION
from telephony.services.audit import Audit

WHO: Final = "112 by token"
TOGETHER_S: Final = 60.0
MOST_COUNTED: Final = 10_000
"""Incidents whose looks are counted together; beyond, each look is an entry of its own."""


class PositionReads:
    """Counts the looks at each incident's position, and has them written."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._counted: dict[str, int] = {}
        """By incident: looks since its last entry."""
        self._calls: dict[str, Call] = {}

    def saw(self, incident_id: str) -> None:
        """Note that the position of an incident was given to whoever has its token; never waits, never raises."""
        if incident_id in self._counted:
            self._counted[incident_id] += 1
            return
        self._audit.note(WHO, SAW_POSITION, incident_id, "asked by the location URL")
        if len(self._counted) < MOST_COUNTED:
            self._count(incident_id)

    def stop(self) -> None:
        """Hand over what was counted."""
        for incident_id in list(self._counted):
            self._calls[incident_id].cancel()
            self._write(incident_id)

    def _count(self, incident_id: str) -> None:
        self._counted[incident_id] = 0
        self._calls[incident_id] = self._clock.callLater(TOGETHER_S, self._over, incident_id)

    def _over(self, incident_id: str) -> None:
        if self._write(incident_id):
            self._count(incident_id)

    def _write(self, incident_id: str) -> bool:
        count = self._counted.pop(incident_id)
        del self._calls[incident_id]
        if count:
            why = f"asked by the location URL, {count} times since the entry before"
            self._audit.note(WHO, SAW_POSITION, incident_id, why)
        return count > 0
