"""The way to 112 that needs no store: used when a press could not be made durable, or when the store is lost after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from twisted.internet.defer import CancelledError, Deferred

from telephony.background import run_in_background
from telephony.clock import Clock, age_s, pause, within
from telephony.domain.delivery import ALERT, Delivered, Outcome, Retry, retry_delay_s
from telephony.domain.plan import Plan, ReportRoute
from telephony.domain.ports import ReportSender
from telephony.domain.report import Report
from telephony.domain.trigger import Trigger
from telephony.services.spine.told import ToldReports

log = structlog.get_logger()

MOST_AT_ONCE = 10_000
"""Reports kept in memory. Beyond it the sender's own redelivery is the only memory left, and the log says so."""

LONGEST_ATTEMPT_S = 60.0
LONGEST_SPOKEN_S = 600.0
"""Senders have time-outs of their own; these are for the sender that forgets. A person takes her time."""


class DirectRelay:
    """Sends an alert on all channels of its carrier, from memory, until one of each has it.

    Everything is tried at once: it is not known how long this process will live without its store. Only a channel that a
    person listens to waits its time, so that a healthy data link keeps the telephones free. The outcome is in
    ``told``, which outlives this process; no report waits for that.
    """

    def __init__(self, senders: Mapping[str, ReportSender], *, clock: Clock, told: ToldReports) -> None:
        self._senders = senders
        self._clock = clock
        self._told = told
        self._in_hand: set[str] = set()

    def send(self, report: Report, routes: Sequence[ReportRoute]) -> None:
        """Begin to send; a report that is in hand already, or that 112 has acknowledged to us, is not begun again."""
        if report.report_id in self._in_hand or self._told.is_acknowledged(report.report_id):
            return
        if len(self._in_hand) >= MOST_AT_ONCE:
            log.critical("not relayed directly: too many in hand", incident=report.incident_id)
            return
        self._in_hand.add(report.report_id)
        try:
            if self._told.get(report.report_id) is None:
                self._told.enter(report)
        except Exception:
            # It is told all the same.
            log.exception("told directly and not remembered", incident=report.incident_id)
        run_in_background(self._until_told(report, routes), "direct relay")

    async def _until_told(self, report: Report, routes: Sequence[ReportRoute]) -> None:
        waiting = [
            run_in_background(self._on(route, report), f"direct relay on {route.channel}") for route in routes
        ]
        for one in waiting:
            await one
        self._in_hand.discard(report.report_id)

    async def _on(self, route: ReportRoute, report: Report) -> None:
        channel, attempt = route.channel, 0
        if route.alerts_only and route.after_s:
            await pause(self._clock, route.after_s)
        while report.report_id in self._in_hand and not self._told.is_acknowledged(report.report_id):
            attempt += 1
            outcome = await self._attempt(route, report)
            if isinstance(outcome, Delivered):
                log.warning(
                    "relayed directly", incident=report.incident_id, channel=channel, attempt=attempt,
                    since_ms=round(age_s(self._clock, report.opened_at) * 1000, 1),
                )  # fmt: skip
                self._in_hand.discard(report.report_id)
                self._told.acknowledged(report.report_id, channel)
                return
            wait_s = retry_delay_s(attempt)
            if isinstance(outcome, Retry) and outcome.after_s is not None:
                wait_s = outcome.after_s
            await pause(self._clock, wait_s)

    async def _attempt(self, route: ReportRoute, report: Report) -> Outcome:
        channel = route.channel
        attempt = Deferred.fromCoroutine(self._senders[channel].send(report))
        bound_s = LONGEST_SPOKEN_S if route.alerts_only else LONGEST_ATTEMPT_S
        try:
            return await within(attempt, bound_s, self._clock)
        except CancelledError:
            raise
        except Exception as error:
            # There is no row to bring this report back: it is tried again even when a sender raises.
            log.exception("direct attempt failed", incident=report.incident_id, channel=channel)
            return Retry(type(error).__name__)


def direct_routes(plan: Plan, of: Trigger | Report) -> list[ReportRoute]:
    """Return the ways to 112; a drill, or a report that is no alert, wakes no one who answers a telephone."""
    is_quiet = of.test or (isinstance(of, Report) and of.kind != ALERT)
    return [each for each in plan.reports(of.carrier) if not (is_quiet and each.alerts_only)]


class PastTheStore:
    """Tells 112 directly of what the store holds, or held, and does not give back to a channel."""

    def __init__(self, direct: DirectRelay, plan: Plan) -> None:
        self._direct = direct
        self._plan = plan

    def go_by(self, plan: Plan) -> None:
        """Tell 112 by this plan from now on."""
        self._plan = plan

    def tell(self, report: Report, channel: str) -> None:
        """Send it: an alert by every channel, an update by this one alone, as others may not have those before it."""
        routes = direct_routes(self._plan, report)
        if report.kind != ALERT:
            routes = [route for route in routes if route.channel == channel]
        self._direct.send(report, routes)
