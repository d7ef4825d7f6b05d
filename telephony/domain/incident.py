"""One emergency of one caller: its states, and what a press is told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from telephony.domain.values import Msisdn

OPEN = "open"
ACKNOWLEDGED = "acknowledged"
DISPATCHED = "dispatched"
CLOSED = "closed"

TRANSITIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        OPEN: frozenset({ACKNOWLEDGED, DISPATCHED, CLOSED}),
        ACKNOWLEDGED: frozenset({DISPATCHED, CLOSED}),
        DISPATCHED: frozenset({CLOSED}),
        CLOSED: frozenset(),
    }
)
"""From a state to the states it may become; location progress is data, not a state."""

JOIN_FIRST = "first press"
JOIN_REPEAT = "repeat press"
JOIN_PART = "another part of a long SMS"
JOIN_OTHER_WAY = "same caller by another way"
JOIN_SEEN_AGAIN = "seen again: redelivery or the very same press"


@dataclass(frozen=True, slots=True)
class Incident:
    """An emergency as 112 hears of it."""

    id: str
    state: str
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
    """What `Intake.accept` promises once it returns: the press is on disk, under this incident."""

    incident_id: str
    joined: str
    is_duplicate: bool = False
