"""Audits the positions that 112 reads by an incident's location URL.

A centre asks every few seconds for hours. The first look is an entry at once; the looks of each following minute are
one entry together, which says how many there were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from telephony.clock import Clock
from telephony.domain.audit import SAW_POSITION
from telephony.services.audit import Audit
from telephony.summed import Summed

WHO: Final = "112 by token"
TOGETHER_S: Final = 60.0
MOST_COUNTED: Final = 10_000
"""Incidents whose looks are counted together; beyond, each look is an entry of its own."""


@dataclass(slots=True)
class _Looks:
    """Looks at one incident's position since its last entry."""

    count: int = 0


class PositionReads:
    """Counts the looks at each incident's position, and has them written."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._looks: Summed[str, _Looks] = Summed(clock, TOGETHER_S, _Looks, self._write, most=MOST_COUNTED)

    def saw(self, incident_id: str) -> None:
        """Note that the position of an incident was given to the holder of its token; never waits, never raises."""
        looks = self._looks.sum_of(incident_id)
        if looks is None:
            self._audit.note(WHO, SAW_POSITION, incident_id, "asked by the location URL")
        else:
            looks.count += 1

    def stop(self) -> None:
        """Hand over the counts."""
        self._looks.stop()

    def _write(self, incident_id: str, looks: _Looks) -> None:
        why = f"asked by the location URL, {looks.count} times since the entry before"
        self._audit.note(WHO, SAW_POSITION, incident_id, why)
