"""One emergency of one caller: its states, and what a press is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from telephony.domain.values import Msisdn


class IncidentState(StrEnum):
    """What stands of an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    DISPATCHED = "dispatched"
    CLOSED = "closed"


OPEN: Final = IncidentState.OPEN
ACKNOWLEDGED: Final = IncidentState.ACKNOWLEDGED
DISPATCHED: Final = IncidentState.DISPATCHED
CLOSED: Final = IncidentState.CLOSED

TRANSITIONS: Mapping[IncidentState, frozenset[IncidentState]] = MappingProxyType(
    {
        OPEN: frozenset({ACKNOWLEDGED, DISPATCHED, CLOSED}),
        ACKNOWLEDGED: frozenset({DISPATCHED, CLOSED}),
        DISPATCHED: frozenset({CLOSED}),
        CLOSED: frozenset(),
    }
)
"""From a state to the states it may become; location progress is data, not a state.

Whatever is not closed is open to presses, to positions and to orders: 112 having taken an incident ends nothing of ours.
"""


def is_entered(state: IncidentState, wanted: IncidentState) -> bool:
    """Whether an incident has reached a state already, or went past it: one that is dispatched was acknowledged."""
    return wanted not in TRANSITIONS.get(state, ())


class Join(StrEnum):
    """What a press is to its caller's open incident; recorded with it."""

    FIRST = "first press"
    REPEAT = "repeat press"
    PART = "another part of a long SMS"
    OTHER_WAY = "same caller by another way"
    REDELIVERED = "redelivered"
    """No press of its own, and told to nobody."""
    SEEN_AGAIN = "seen again: redelivery or pressed again"
    """Counted as no press of its own, and 112 is told what it may be."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An emergency as 112 hears of it."""

    id: str
    state: IncidentState
    msisdn: Msisdn
    carrier: str
    connector: str
    source: str
    destination: str
    opened_at: datetime
    test: bool
    press_count: int
    last_press_at: datetime
    closed_at: datetime | None = None
    close_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `Intake.accept` promises once it returns: the press is on disk.

    ``joined`` is None while only the journal has it: ``incident_id`` is then the name of the incident that it opens unless its
    caller has an open one.
    """

    incident_id: str
    joined: Join | None = None

    @property
    def is_duplicate(self) -> bool:
        """Whether it is not counted as a press of its own."""
        return self.joined in (Join.REDELIVERED, Join.SEEN_AGAIN)
