"""The ports of the services: protocols for what they need of the floors above and below."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from telephony.domain.delivery import Delivery, Outcome
from telephony.domain.errors import Unavailable
from telephony.domain.facts import NotReached
from telephony.domain.heartbeat import Heartbeat
from telephony.domain.incident import Receipt
from telephony.domain.position import Position
from telephony.domain.report import Report
from telephony.domain.silence import Output, Silenced
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


class HeartbeatSender(Protocol):
    """A way to give a 112 centre a sign of life: one attempt, one outcome."""

    async def send_heartbeat(self, heartbeat: Heartbeat) -> Outcome:
        """Send one heartbeat, never at the cost of a report; `Delivered` only when the centre took it."""
        ...


@dataclass(frozen=True, slots=True)
class NoFix:
    """A location service gave no position.

    ``not_reached`` says why, where it is the phone that does not answer; ``None`` where the service did not.
    ``retry_after_s`` is ``None`` where asking the same service again is useless. ``is_unknown_subscriber`` says
    that the number is not this carrier's (ported, roaming), so the other carriers are asked. ``is_without_service`` says
    that the carrier has no location service at all: it is a state of ours, and no news of the phone.
    """

    reason: str
    retry_after_s: float | None = None
    is_unknown_subscriber: bool = False
    not_reached: NotReached | None = None
    is_without_service: bool = False


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


class Guard(Protocol):
    """Stands before every way to a phone: `telephony.services.silence.SilenceGuard`."""

    async def may_reach(
        self, numbers: Sequence[Msisdn] | Msisdn, output: Output, text: str | None = None
    ) -> Silenced | None:
        """Return ``None`` where the output may reach these phones, all of them one person's; otherwise why not.

        Raises `Unavailable` where this cannot be known: then nothing is sent.
        """
        ...
