"""The report to 112: one model, from which every format is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from telephony.domain.facts import Fact
from telephony.domain.position import Position
from telephony.domain.values import Msisdn


class ReportKind(StrEnum):
    """The kinds of report: one opens an incident at 112, tells more of it, or ends it."""

    ALERT = "alert"
    UPDATE = "update"
    CLOSING = "closing"


class UpdateReason(StrEnum):
    """Why a report was written after the alert: what in it is news."""

    PRESSED_AGAIN = "pressed-again"
    SEEN_AGAIN = "seen-again"
    """The same message came once more: a redelivery, or the key pressed again; the sender does not say which."""
    POSITION = "position"
    """A position that is better, or that shows her to be elsewhere."""
    SIGN_OF_LIFE = "sign-of-life"
    """The phone answers still, and is where 112 knows it to be."""
    NOT_ANSWERING = "phone-not-answering"
    """The location service cannot reach the phone any more."""
    ANSWERING = "phone-answering"
    CALL = "call"
    KNOCK = "knock"
    SILENCE = "silence"
    GUARDIAN = "guardian"
    PERSON = "person"
    SCORE = "score"
    FALSE_ALARM = "false-alarm"
    ACKNOWLEDGED = "acknowledged"
    """Somebody at 112 has taken the incident."""
    DISPATCHED = "dispatched"
    """A unit is on its way."""
    ARRIVED = "arrived"
    """A unit is there."""
    NOTE = "note"
    """Somebody at 112 has noted something."""
    CLOSED = "closed"


class Part(StrEnum):
    """The parts of a report, by which it names those that could not be read."""

    DELIVERY = "delivery"
    INCIDENT = "incident"
    NUMBER = "number"
    PRESSES = "presses"
    POSITION = "position"
    FACTS = "facts"
    EARLIER = "earlier reports"
    CLOSE_REASON = "close reason"


UNREADABLE_NUMBER = Msisdn("?", is_e164=False)
"""Stands for a number that was damaged, which is not one that was withheld."""
NUMBER_LOST = "number cannot be read"
DETAILS_LOST = "details cannot be read"
"""Labels of such reports."""
SHORTENED = "shortened"
"""Label of a report that the centre refused as it was."""


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
    typed, oldest first. ``position`` is the best known one; ``None`` is said plainly, never as 0,0. ``newest`` and
    ``sharpest`` are the fix that was measured last and the one with the smallest circle, where they are others.
    ``facts`` hold the newest of each kind and subject.
    ``reasons`` say what in an update is news; an alert has none. ``seen_again_at`` is when a press came again
    that may have been a redelivery or the key pressed again: it cannot be told which.
    ``labels`` are remarks in words (``unlisted destination`` …), made beside the relay, never in front of it.
    ``unread`` names what is left out because its rows are damaged.
    """

    report_id: str
    kind: ReportKind
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
    reasons: tuple[UpdateReason, ...] = ()
    newest: Position | None = None
    sharpest: Position | None = None
    seen_again_at: datetime | None = None
    unread: tuple[Part, ...] = ()


def report_id(incident_id: str, sequence: int) -> str:
    """Id of an incident's n-th report: no blank, comma, ``<`` or ``&`` (CAP 1.2 clause 3.2.1)."""
    return f"{incident_id}-{sequence}"


def opening_report(
    incident_id: str,
    *,
    opened_at: datetime,
    test: bool,
    msisdn: Msisdn,
    carrier: str,
    source: str,
    destination: str,
    texts: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    facts: tuple[Fact, ...] = (),
    position: Position | None = None,
) -> Report:
    """Return the alert of the press that opened an incident: what no later press or position is in.

    ``position`` is the fix that came with that press.

    It is made here alone, from memory and from the store, so that 112 is told one and the same by both. A later report is
    this one with what became known since.
    """
    return Report(
        report_id(incident_id, 1),
        ReportKind.ALERT,
        incident_id,
        sequence=1,
        earlier=(),
        sent_at=opened_at,
        test=test,
        msisdn=msisdn,
        carrier=carrier,
        source=source,
        destination=destination,
        opened_at=opened_at,
        press_count=1,
        last_press_at=opened_at,
        texts=texts,
        labels=labels,
        facts=facts,
        position=position,
    )
