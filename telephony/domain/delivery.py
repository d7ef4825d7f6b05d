"""A delivery: a row of the transactional outbox, its states and outcomes, and the times at which it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from telephony.domain.facts import Newer
from telephony.domain.report import Report, ReportKind
from telephony.domain.values import Msisdn

ALERT: Final = ReportKind.ALERT
UPDATE: Final = ReportKind.UPDATE
CLOSING: Final = ReportKind.CLOSING
REPORTS: Final = frozenset(ReportKind)
"""Kinds that tell a 112 centre."""
FIRST_REPORT: Final = 1
"""The number of an incident's first report, which is its alert; errands have 0."""


class ErrandKind(StrEnum):
    """The kinds of errand: something to find out, or to tell someone other than 112. Most are also the name of their channel."""

    LOCATE = "locate"
    """Ask at once for what the carrier knows now, and beside it for the accurate position."""
    TRACK = "track"
    """Ask for the accurate position, again and again until the incident is closed."""
    GUARDIANS = "guardians"
    """Tell the caller's guardians, one after the other, until one confirms."""
    GUARDIANS_RELEASED = "guardians-over"
    """Tell those guardians who were told of an incident that it is over."""
    PERSON = "person"
    """Find out who presses and how likely it is meant, after the first report."""
    TEST_RESULT = "test-result"
    """Tell the person who tried the key in calm whether 112 has it, and close the drill."""


LOCATE: Final = ErrandKind.LOCATE
TRACK: Final = ErrandKind.TRACK
GUARDIANS: Final = ErrandKind.GUARDIANS
GUARDIANS_RELEASED: Final = ErrandKind.GUARDIANS_RELEASED
PERSON: Final = ErrandKind.PERSON
TEST_RESULT: Final = ErrandKind.TEST_RESULT


class OrderKind(StrEnum):
    """Orders of the 112 side about an incident's calls."""

    LIFT_SILENCE = "lift-silence"
    HOLD_SILENCE = "hold-silence"
    HANG_UP = "hang-up"
    CALL_BACK = "call-back"


LIFT_SILENCE: Final = OrderKind.LIFT_SILENCE
HOLD_SILENCE: Final = OrderKind.HOLD_SILENCE
HANG_UP: Final = OrderKind.HANG_UP
CALL_BACK: Final = OrderKind.CALL_BACK
CALL_CONTROL: Final = "call-control"
"""The channel of these orders."""

DeliveryKind = ReportKind | ErrandKind | OrderKind


class DeliveryState(StrEnum):
    """The states of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    """A fallback that was not needed, or a location request of a closed incident."""


PENDING: Final = DeliveryState.PENDING
DELIVERED: Final = DeliveryState.DELIVERED
REJECTED: Final = DeliveryState.REJECTED
SUPERSEDED: Final = DeliveryState.SUPERSEDED

RETRY_DELAYS_S = (1.0, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds after the first, second … failed attempt; the last repeats for as long as the incident is open."""

UPDATE_PAUSES_S = ((10, 0.0), (30, 5.0), (100, 30.0))
"""Up to so many presses, an update about another one comes so many seconds after the report before it."""
LONGEST_UPDATE_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Errand:
    """The caller whom a location errand is about, and the time at which her incident was opened."""

    msisdn: Msisdn
    carrier: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that must leave the house; known by its incident, channel and sequence.

    ``incident_key`` is the store's own number of the incident, ``incident_id`` the name that people know.
    ``channel`` names the configured way out. ``sequence`` numbers the reports of one incident from 1 and is the
    same for a report on its first and on its fallback channel; it is 0 for what is no report. ``payload`` holds
    the facts that were fixed when the row was written, so that every attempt sends the same content.
    ``lease_until`` is the Unix time until which this process alone may send it, ``lease_token`` the number of this
    acquisition: the next holder has a higher one, and what an earlier holder says is then ignored.
    ``content`` is ready to send or to do: the report of a report, the errand of a location errand.
    """

    incident_key: int
    incident_id: str
    channel: str
    sequence: int
    kind: DeliveryKind | Newer
    payload: Mapping[str, Any]
    created_at: datetime
    attempts: int = 0
    lease_until: float = 0.0
    content: Report | Errand | None = None
    is_damaged: bool = False
    """Rows of it cannot be read: its report tells what is left, its errand has no content."""
    lease_token: int = 0
    written: str = field(default="{}", compare=False)
    """``payload`` as its row holds it."""

    @property
    def is_report(self) -> bool:
        """Whether this tells 112; its kind says so, as the sequence of a damaged row may not."""
        return self.kind in REPORTS


@dataclass(frozen=True, slots=True)
class Delivered:
    """The far end has it and said so. ``detail`` is what it said, for the story."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. ``after_s`` overrides the schedule when the far end named a time.

    ``is_doubtful``: the far end answered, but not so that it is known whether it took the report.
    """

    reason: str
    after_s: float | None = None
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """The far end will never take this content. ``reason`` goes to the operator."""

    reason: str


@dataclass(frozen=True, slots=True)
class Again:
    """Done for now, and due again after so many seconds, as another kind on another channel: how a phone is followed."""

    after_s: float
    kind: DeliveryKind
    channel: str
    detail: str = ""


Outcome = Delivered | Retry | Rejected | Again


_KINDS: Final[Mapping[str, DeliveryKind]] = MappingProxyType(
    {kind.value: kind for kinds in (ReportKind, ErrandKind, OrderKind) for kind in kinds}
)


def kind_of(word: str) -> DeliveryKind | Newer:
    """Return the kind of a delivery by its word in a row; one that is not known is a newer release's, or damaged."""
    return _KINDS.get(word) or Newer(word)


def retry_delay_s(attempts: int) -> float:
    """Seconds to wait after the given number of attempts (1 or more) have failed."""
    return RETRY_DELAYS_S[min(max(attempts, 1), len(RETRY_DELAYS_S)) - 1]


def update_pause_s(presses: int) -> float:
    """Return the seconds between a report and an update that tells only of another press, by the number of presses so far.

    The first are told at once. A key that is stuck is pressed all the time: 112 hears of it, and of everything else.
    """
    for most, pause_s in UPDATE_PAUSES_S:
        if presses <= most:
            return pause_s
    return LONGEST_UPDATE_PAUSE_S
