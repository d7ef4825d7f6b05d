"""What 112 is told: one model, from which every format is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from telephony.domain.fact import Fact
from telephony.domain.position import Position
from telephony.domain.values import Msisdn


@dataclass(frozen=True, slots=True)
class EarlierReport:
    """A report that this one updates: what CAP needs to refer to it."""

    report_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """One alert, update or closing of an incident, complete in itself.

    ``report_id`` stays the same over every attempt and every channel: the centre discards repeats by it.
    ``sent_at`` is the time the report was written down, not that of the attempt. ``texts`` are what the caller
    typed, oldest first. ``position`` is the best known one; ``None`` is said plainly, never as 0,0.
    ``facts`` hold the newest of each kind and subject.
    ``labels`` are remarks in words (``unlisted destination`` …), made beside the relay, never in front of it.
    """

    report_id: str
    kind: str
    incident_id: str
    sequence: int
    earlier: tuple[EarlierReport, ...]
    sent_at: datetime
    test: bool
    msisdn: Msisdn
    carrier: str
    source: str
    destination: str
    opened_at: datetime
    press_count: int
    last_press_at: datetime
    texts: tuple[str, ...] = field(default=(), repr=False)
    position: Position | None = field(default=None, repr=False)
    labels: tuple[str, ...] = ()
    close_reason: str | None = None
    facts: tuple[Fact, ...] = ()


def report_id(incident_id: str, sequence: int) -> str:
    """Id of an incident's n-th report: no blank, comma, ``<`` or ``&`` (CAP 1.2 clause 3.2.1)."""
    return f"{incident_id}-{sequence}"
