"""Gives a 112 centre a sign of life by one channel, again and again, and notices when it is not taken.

Behind reports always: while one is being sent on the channel a heartbeat waits, and it has a connection of its own. A
heartbeat that is not taken is lost. The next one says everything, and a late one would say something false.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TooLate

from telephony.alarms import Alarms
from telephony.clock import Clock, within
from telephony.domain.delivery import Outcome, Rejected, Retry
from telephony.domain.heartbeat import MISSES, Heartbeat
from telephony.domain.ports import HeartbeatSender
from telephony.periodic import Periodic
from telephony.service import Service
from telephony.services.spine.noted import NotedSender

log = structlog.get_logger()

ALARM: Final = "heartbeat-failing"
"""Alarm about a channel: the centre has not taken `MISSES` heartbeats in a row; over with the next that it takes."""
FIRST_S: Final = 5.0
"""After the start: the links need a moment, and the centre has waited while we were down."""
BUSY_S: Final = 1.0
"""How long a heartbeat waits before it looks again whether a report is being sent."""


@dataclass(slots=True)
class HeartbeatRecord:
    """What became of the heartbeats of one channel since the start. It outlives a changed channel of the same name."""

    number: int = 0
    """Heartbeats that were sent, taken or not."""
    misses: int = 0
    """Those in a row, up to the last one, that were not taken."""
    taken_s: float | None = None
    """When the last one was taken, in seconds that never step."""


@dataclass(frozen=True, slots=True)
class BeatingChannel:
    """A channel by which heartbeats go. Equal to another where its heartbeats may go on as they do."""

    name: str
    every_s: float
    sender: HeartbeatSender
    attempt_s: float
    reports: NotedSender
    """What sends its reports, and knows whether one is being sent right now."""
    record: HeartbeatRecord

    def is_busy(self) -> bool:
        """Whether a report is being sent by it."""
        return self.reports.in_flight > 0


class Heartbeats(Service):
    """The heartbeats of one channel: one every ``every_s``, as long as this runs.

    ``make`` returns the heartbeat of a channel as it is now with a number; it may wait for the store for a moment.
    """

    def __init__(
        self,
        channel: BeatingChannel,
        make: Callable[[BeatingChannel, int], Awaitable[Heartbeat]],
        *,
        alarms: Alarms,
        clock: Clock,
    ) -> None:
        self.channel = channel
        self._make = make
        self._alarms = alarms
        self._clock = clock
        self._periodic = Periodic(
            self._round,
            f"heartbeats on {channel.name}",
            every_s=channel.every_s,
            clock=clock,
            first_s=FIRST_S,
        )

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Begin."""
        super().startService()
        self._periodic.startService()

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Send no more; the one that is under way is given up, and the alarm about this channel ends."""
        super().stopService()
        ended = self._periodic.stopService()
        self._periodic.give_up()
        self._alarms.clear(ALARM, self.channel.name)
        return ended

    async def _round(self) -> float:
        began_s, record = self._clock.seconds(), self.channel.record
        if self.channel.is_busy():
            return BUSY_S
        heartbeat = await self._make(self.channel, record.number + 1)
        if self.channel.is_busy():
            return BUSY_S
        record.number += 1
        self._note(await self._outcome_of(heartbeat))
        return max(BUSY_S, self.channel.every_s - (self._clock.seconds() - began_s))

    async def _outcome_of(self, heartbeat: Heartbeat) -> Outcome:
        attempt = Deferred.fromCoroutine(self.channel.sender.send_heartbeat(heartbeat))
        try:
            return await within(attempt, self.channel.attempt_s, self._clock)
        except TooLate:
            return Retry("no answer in time")
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect of ours is a heartbeat that did not arrive
            return Retry(f"{type(error).__name__}: {error}")

    def _note(self, outcome: Outcome) -> None:
        record, name = self.channel.record, self.channel.name
        match outcome:
            case Retry(reason) | Rejected(reason):
                record.misses += 1
                log.warning("heartbeat not taken", channel=name, number=record.number, reason=reason)
                if record.misses >= MISSES:
                    self._alarms.raise_(ALARM, name, misses=record.misses, reason=reason)
            case _:
                record.misses, record.taken_s = 0, self._clock.seconds()
                log.debug("heartbeat taken", channel=name, number=record.number)
                self._alarms.clear(ALARM, name)
