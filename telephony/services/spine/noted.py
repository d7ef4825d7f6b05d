"""Notes how each channel to 112 stands, whoever sends by it: the relay, or the direct relay past the store."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from telephony.clock import Clock
from telephony.domain.delivery import Delivered, Outcome, Rejected, Retry
from telephony.domain.ports import ReportSender
from telephony.domain.report import Report
from telephony.net.standing import Asked


class NotedSender:
    """A sender whose outcomes are noted. It never changes one."""

    def __init__(self, sender: ReportSender, clock: Clock) -> None:
        self.asked = Asked(clock.seconds)
        self.sender = sender
        """May be changed for another: the next report goes by that."""
        self.in_flight = 0
        """Reports that are being sent now."""

    async def send(self, report: Report) -> Outcome:
        """Send one report."""
        self.in_flight += 1
        try:
            outcome = await self.sender.send(report)
        except CancelledError:
            self.asked.failed("no answer in time")
            raise
        except Exception as error:
            self.asked.failed(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.in_flight -= 1
        match outcome:
            case Delivered():
                self.asked.answered()
            case Rejected(reason):
                self.asked.failed(reason, is_heard=True)
            case Retry(reason, is_doubtful=is_doubtful):
                self.asked.failed(reason, is_heard=is_doubtful)
        return outcome
