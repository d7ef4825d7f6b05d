"""Accepts presses: returns when they are on disk, or says that they are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import structlog
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from telephony.clock import Clock, wall_s
from telephony.domain.delivery import ALERT, UPDATE, Delivery, Errand
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.plan import Plan, ReportRoute, locating_channel
from telephony.domain.report import EarlierReport, Report, UpdateReason, report_id
from telephony.domain.trigger import Trigger
from telephony.domain.values import Msisdn
from telephony.services.alarms import Alarms
from telephony.services.callers import KnownCallers
from telephony.services.direct import DirectRelay
from telephony.services.naming import IncidentNames
from telephony.services.relay import Relay, Reservation
from telephony.services.reporting import bare_report, first_report
from telephony.services.told import Told, ToldReports
from telephony.store.contention import Contended
from telephony.store.database import Database
from telephony.store.incidents import OpenIncident
from telephony.store.presses import NewPress, PressRecorder, Recorded, caller_key

log = structlog.get_logger()

STORE_ALARM = "store-unavailable"
CONTENDED_ALARM = "store-contended"
CONTENDED_ALARM_S = 60.0
"""How long it stands after the last press that other writers kept from the store; the store itself is well."""
DEFECT_ALARM = "intake-defect"
OUTSIDE_THE_SEQUENCE = 0
"""Number of a report that was made without the store: it numbers the reports of an incident from 1."""
TOLD_ONE_BY_ONE = 4
"""Presses that came in one read and are logged a line each; more share a line."""


class Intake:
    """The one door for presses, whatever way they came.

    What `accept_all` answers with a `Receipt` is durable. What it answers with `Unavailable` is not: it has been
    given to the direct relay, and the sender is to be asked for it again. The redelivery then opens the very
    incident that 112 has already heard of.
    """

    def __init__(
        self,
        database: Database,
        recorder: PressRecorder,
        relay: Relay,
        direct: DirectRelay,
        *,
        told: ToldReports,
        callers: KnownCallers,
        names: IncidentNames,
        plan: Plan,
        clock: Clock,
        alarms: Alarms,
        budget_s: float,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._relay = relay
        self._direct = direct
        self._told = told
        self._names = names
        self._plan = plan
        self._clock = clock
        self._alarms = alarms
        self._budget_s = budget_s
        self._callers = callers
        self._is_store_late = False

    def remember(self, incidents: Iterable[OpenIncident]) -> None:
        """Learn at the start which callers' incidents are open, against an outage that begins later."""
        self._callers.forget_the_earlier_life()
        for each in incidents:
            self._callers.learn(each.caller, each.id, each.opened_at, each.press_count)

    def resume(self) -> None:
        """Go on where an earlier process told 112 past the store: once, before anybody can press.

        What 112 has not acknowledged is told again in the same words, whatever the store and its sender do.
        """
        for told in reversed(self._told.standing()):
            report = told.report
            if told.caller is not None and report is not None and not told.is_taken_up:
                self._callers.learn(
                    told.caller, report.incident_id, report.opened_at, report.press_count,
                    is_told_directly=told.is_alert_of_its_incident or report.kind == UPDATE,
                    heard_at=told.told_at,
                )  # fmt: skip
        for told in self._told.unacknowledged():
            # An update of the store's own waits for the store: told now, it would overtake those before it.
            if told.report is not None and (told.press or told.report.kind == ALERT):
                self._direct.send(told.report, self._routes(told.report))

    def tell_past_the_store(self, report: Report, channel: str) -> None:
        """Tell 112 directly of what the store holds, or held, and does not give back to this channel.

        An alert goes out by every channel; an update by this one alone, as others may not have those before it.
        """
        routes = self._routes(report)
        if report.kind != ALERT:
            routes = [route for route in routes if route.channel == channel]
        self._direct.send(report, routes)

    def is_told_directly(self, number: Msisdn) -> bool:
        """Claim that 112 was told past the store of an emergency of this phone, and nothing of it is on disk yet."""
        known = self._callers.get(number.number if number.is_e164 else f"raw:{number.number}")
        return known is not None and known.is_told_directly

    async def accept(self, trigger: Trigger) -> Receipt:
        """Accept one press; returns after the commit, raises `Unavailable` when there was none."""
        (answer,) = await self.accept_all([trigger])
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    def accept_all(self, triggers: Sequence[Trigger]) -> Deferred[list[Receipt | Unavailable]]:
        """Accept presses that came together; fires with one answer each, in order, and never fails.

        Fires within the commit budget even when the store hangs. A defect of ours on the way to the store costs
        nobody her emergency: 112 is told directly then too.
        """
        try:
            return self._accept_all(triggers)
        except Exception as error:
            log.exception("presses not recorded by a defect", presses=len(triggers))
            return succeed([self._relay_barely(trigger, None, error) for trigger in triggers])

    def _accept_all(self, triggers: Sequence[Trigger]) -> Deferred[list[Receipt | Unavailable]]:
        reserved = self._relay.reserve(self._immediate_channels(triggers), len(triggers))
        try:
            presses = [
                NewPress(*self._named(trigger), reserved.leases_of(number))
                for number, trigger in enumerate(triggers)
            ]
            return self._record(presses, reserved)
        except Exception:
            self._relay.offer(reserved, [])
            raise

    def _record(
        self, presses: Sequence[NewPress], reserved: Reservation
    ) -> Deferred[list[Receipt | Unavailable]]:
        answered: Deferred[list[Receipt | Unavailable]] = Deferred()
        told: list[Unavailable] | None = None
        if self._is_store_late:
            # It let an earlier press wait in vain. 112 hears of this one now; the store may keep it all the same.
            why = Unavailable("the store has not answered in time before")
            told = [self._relay_directly(press, why) for press in presses]

        def committed(results: list[Recorded | Exception]) -> None:
            if late.active():
                late.cancel()
                self._is_store_late = False
                if any(isinstance(result, Recorded) for result in results):
                    self._alarms.clear(STORE_ALARM, "store")
                before: Sequence[Unavailable | None] = told or [None] * len(presses)
                answered.callback(
                    [self._answer(*each) for each in zip(presses, results, before, strict=True)]
                )
            self._hand_over(reserved, presses, results)

        def failed(failure: Failure) -> None:
            self._relay.offer(reserved, [])
            if late.active():
                late.cancel()
                self._fail_open(presses, answered, _error_of(failure), told)

        def defect(failure: Failure) -> None:
            log.error("intake failed after the commit", exc_info=failure.value)
            if not answered.called:
                self._fail_open(presses, answered, Unavailable(repr(failure.value)), told)

        recording = self._database.batch(self._recorder, presses)
        late = self._clock.callLater(self._budget_s, self._too_late, presses, answered, told)
        recording.addCallbacks(committed, failed).addErrback(defect)
        return answered

    def _immediate_channels(self, triggers: Sequence[Trigger]) -> dict[str, None]:
        """Give the channels on which a new incident of these presses has something to do at once."""
        channels: dict[str, None] = {}
        for carrier in {trigger.carrier for trigger in triggers}:
            channels |= {route.channel: None for route in self._plan.reports(carrier) if route.after_s == 0.0}
            channels[locating_channel(carrier)] = None
        for errand in self._plan.errands:
            channels[errand] = None
        return channels

    def _named(self, trigger: Trigger) -> tuple[Trigger, str]:
        told = self._told.of_press(trigger) if self._told.waits_for_presses else None
        if told is None:
            return trigger, trigger.incident_id or self._names.name(trigger.reference, trigger.received_at)
        # 112 was told directly of this very press: the same id, and the time at which it really came. One that is yet to
        # come was written by a clock that has been set back since, and nothing may wait for it.
        received_at = min(told.received_at, trigger.received_at)
        return replace(trigger, received_at=received_at), trigger.incident_id or told.incident_id

    def _answer(
        self, press: NewPress, result: Recorded | Exception, told: Unavailable | None
    ) -> Receipt | Unavailable:
        """Answer a press by what became of it; ``told`` is the answer where 112 was told of it before."""
        if isinstance(result, Recorded):
            try:
                self._note(press.trigger, result.receipt)
            except Exception:
                # It is durable, whatever becomes of our notes.
                log.exception("press recorded and not noted", incident=result.receipt.incident_id)
            return result.receipt
        log.error("press not recorded", incident=press.incident_id, exc_info=result)
        return told or self._relay_directly(press, result)

    def _note(self, trigger: Trigger, receipt: Receipt) -> None:
        was_told = self._told.taken_up(trigger, receipt.incident_id)
        self._callers.pressed(
            caller_key(trigger),
            receipt.incident_id,
            trigger.received_at,
            is_duplicate=receipt.is_duplicate or was_told,
        )

    def _hand_over(
        self, reserved: Reservation, presses: Sequence[NewPress], results: Sequence[Recorded | Exception]
    ) -> None:
        held: list[Delivery] = []
        joined: dict[str, None] = {}
        for press, result in zip(presses, results, strict=True):
            if isinstance(result, Recorded):
                held.extend(_ready(delivery, press.trigger) for delivery in result.held)
                if result.receipt.joined not in (Join.FIRST, Join.REDELIVERED):
                    # It owes an update, which only the store knows, and which may have to wait for the alert.
                    joined[result.receipt.incident_id] = None
        self._relay.offer(reserved, held)
        if not reserved.is_whole:
            self._relay.wake()
        for incident_id in joined:
            self._relay.wake(incident_id)
        _log_presses(presses, results, wall_s(self._clock))

    def _too_late(
        self, presses: Sequence[NewPress], answered: Deferred[Any], told: list[Unavailable] | None
    ) -> None:
        # The commit may still come; the redelivery is then a repeat of a known reference.
        self._fail_open(presses, answered, Unavailable(f"no commit within {self._budget_s} s"), told)
        # Put away, it refuses the next at once, and commits again before it is brought back.
        self._is_store_late = not self._database.give_up_on_a_stall(self._budget_s / 2)

    def _fail_open(
        self,
        presses: Sequence[NewPress],
        answered: Deferred[Any],
        why: Exception,
        told: list[Unavailable] | None,
    ) -> None:
        """Answer that nothing is durable; ``told`` are the answers where 112 was told of them before."""
        answered.callback(told or [self._relay_directly(press, why) for press in presses])

    def _relay_directly(self, press: NewPress, why: Exception) -> Unavailable:
        try:
            return self._relay_in_full(press, why)
        except Exception as error:
            log.exception("press not relayed in full", incident=press.incident_id)
            return self._relay_barely(press.trigger, press.incident_id, error)

    def _relay_barely(self, trigger: Trigger, incident_id: str | None, error: Exception) -> Unavailable:
        """Tell 112 the least there is to tell, by as little code as can be: who pressed, and when."""
        self._alarms.raise_(DEFECT_ALARM, "intake", error=repr(error))
        report = bare_report(trigger, incident_id)
        self._direct.send(report, self._routes(trigger))
        return Unavailable(f"a defect: {error!r}")

    def _relay_in_full(self, press: NewPress, why: Exception) -> Unavailable:
        trigger = press.trigger
        reason = str(why) if isinstance(why, Unavailable) else f"{type(why).__name__}: {why}"
        if isinstance(why, Contended):
            self._alarms.note(CONTENDED_ALARM, "store", CONTENDED_ALARM_S, reason=reason)
        else:
            self._alarms.raise_(STORE_ALARM, "store", reason=reason)
        report = self._report_of(press)
        log.error(
            "press not durable, relayed directly", incident=report.incident_id, report=report.report_id,
            connector=trigger.connector, caller=trigger.msisdn.masked, reason=reason,
        )  # fmt: skip
        self._direct.send(report, self._routes(trigger))
        return Unavailable(reason)

    def _routes(self, of: Trigger | Report) -> list[ReportRoute]:
        """Return the ways to 112; a drill, or what is no alert, wakes nobody who answers a telephone."""
        is_quiet = of.test or (isinstance(of, Report) and of.kind != ALERT)
        return [each for each in self._plan.reports(of.carrier) if not (is_quiet and each.alerts_only)]

    def _report_of(self, press: NewPress) -> Report:
        """Return the report by which 112 hears of this press, now and at each of its redeliveries."""
        trigger = press.trigger
        told = self._told.of_press(trigger)
        if told is not None:
            self._told.again(told)
            if told.report is None:
                told.report = _told_by_name(press.trigger, told)
            return told.report
        report = self._direct_report(press)
        self._told.enter(report, trigger, caller_key(trigger))
        return report

    def _direct_report(self, press: NewPress) -> Report:
        """Give the report of a press that only this process knows of.

        A caller whose incident it remembers is told of under that incident. As an update where the alert went past
        the store too; otherwise as an alert, because the incident may have been closed where we cannot see it.
        """
        trigger = press.trigger
        caller = caller_key(trigger)
        before = self._callers.get(caller)
        if before is None:
            incident_id = self._unused(press)
            self._callers.pressed(caller, incident_id, trigger.received_at, is_told_directly=True)
            return first_report(trigger, incident_id)
        was_told_directly = before.is_told_directly
        known = self._callers.pressed(
            caller, before.incident_id, trigger.received_at, is_told_directly=was_told_directly
        )
        # Of this telling: once the promise is gone, the same press may be told again in other words.
        told = f"{trigger.reference} {trigger.received_at.isoformat()}"
        own = self._names.name(told, trigger.received_at).rpartition("-")[2]
        return replace(
            first_report(trigger, known.incident_id),
            report_id=f"{known.incident_id}-{own}",
            sequence=OUTSIDE_THE_SEQUENCE,
            kind=UPDATE if was_told_directly else ALERT,
            reasons=(UpdateReason.PRESSED_AGAIN,) if was_told_directly else (),
            earlier=(EarlierReport(report_id(known.incident_id, 1), known.opened_at),)
            if was_told_directly
            else (),
            opened_at=known.opened_at,
            press_count=known.presses,
        )

    def _unused(self, press: NewPress) -> str:
        """Return the press's name for an incident, another one where 112 was told under it of an earlier press."""
        trigger = press.trigger
        if self._told.get(report_id(press.incident_id, 1)) is None:
            return press.incident_id
        return self._names.name(f"{trigger.reference} {trigger.received_at.isoformat()}", trigger.received_at)


def _told_by_name(trigger: Trigger, told: Told) -> Report:
    """Return the report of a press of whose telling no more than name and time could be kept; the press has that time."""
    report = first_report(trigger, told.incident_id)
    if told.is_alert_of_its_incident:
        return report
    return replace(report, report_id=told.report_id, sequence=OUTSIDE_THE_SEQUENCE)


def _error_of(failure: Failure) -> Exception:
    """Return why a batch failed; what is no failure of the store is one of ours."""
    error = failure.value
    return error if isinstance(error, Exception) else Unavailable(repr(error))


def _ready(delivery: Delivery, trigger: Trigger) -> Delivery:
    if delivery.sequence:
        return replace(delivery, content=first_report(trigger, delivery.incident_id))
    return replace(delivery, content=Errand(trigger.msisdn, trigger.carrier, trigger.received_at))


def _log_presses(presses: Sequence[NewPress], results: Sequence[Recorded | Exception], now: float) -> None:
    recorded = [
        (p.trigger, r.receipt) for p, r in zip(presses, results, strict=True) if isinstance(r, Recorded)
    ]
    if len(recorded) <= TOLD_ONE_BY_ONE:
        for trigger, receipt in recorded:
            _log_press(trigger, receipt, now)
        return
    # In a flood the log must not cost more than the presses: one line names all incidents.
    log.info(
        "presses accepted",
        count=len(recorded),
        incidents=" ".join(receipt.incident_id for _, receipt in recorded),
        connector=recorded[0][0].connector,
        carrier=recorded[0][0].carrier,
        durable_ms=round((now - recorded[0][0].received_at.timestamp()) * 1000, 2),
    )


def _log_press(trigger: Trigger, receipt: Receipt, now: float) -> None:
    log.info(
        "press accepted",
        incident=receipt.incident_id,
        joined=receipt.joined.value,
        source=trigger.source,
        connector=trigger.connector,
        carrier=trigger.carrier,
        caller=trigger.msisdn.masked,
        test=trigger.test,
        durable_ms=round((now - trigger.received_at.timestamp()) * 1000, 2),
    )
