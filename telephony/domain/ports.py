"""What the services ask of the floors above and below, as protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from telephony.domain.delivery import Delivery, Outcome
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.position import Position
from telephony.domain.report import Report
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn

AcceptAll = Callable[[Sequence[Trigger]], Awaitable["list[Receipt | Unavailable]"]]
"""All that a way in is ever given: hand over what one read brought, learn one answer per press, in order."""

FAST = "fast"
ACCURATE = "accurate"


class Channel(Protocol):
    """A way out of the house for deliveries."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. Anything raised counts as `Retry`; the relay puts a bound on the time."""
        ...


class ReportSender(Protocol):
    """A way to tell a 112 centre: one attempt, one outcome."""

    async def send(self, report: Report) -> Outcome:
        """Send one report; `Delivered` only when the centre acknowledged it."""
        ...


class NotReached(StrEnum):
    """Why a location service that is well knows nothing of a phone now."""

    ABSENT = "absent"
    """The network does not reach it: switched off, out of coverage."""
    NOT_LOCATED = "not-located"
    """The network tried, and no method gave a position."""
    UNKNOWN = "unknown"
    """No carrier knows the number, or not any more."""


@dataclass(frozen=True, slots=True)
class NoFix:
    """A location service gave no position.

    ``not_reached`` says why, where it is the phone that does not answer; ``None`` where the service did not.
    ``retry_after_s`` is ``None`` where asking the same service again is useless. ``is_unknown_subscriber`` says
    that the number is not this carrier's (ported, roaming), so the other carriers are asked.
    """

    reason: str
    retry_after_s: float | None = None
    is_unknown_subscriber: bool = False
    not_reached: NotReached | None = None


Answered = Callable[["Position | NoFix"], None]
"""Say what a carrier answered; not called where its answer was not waited for."""
Asking = Callable[[str], Answered]
"""Say that a carrier, by its name, is being asked now. Neither raises."""


class Locator(Protocol):
    """Asks one carrier where a number is."""

    async def locate(self, msisdn: Msisdn, quality: str) -> Position | NoFix:
        """Ask once, `FAST` (what is known now) or `ACCURATE`, within the time budget of its settings.

        Returns rather than raises for everything the far end may do.
        """
        ...
