"""Accepts presses: returns when they are on disk, or says that they are not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
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
from telephony.store.contention import Contended
from telephony.store.database import Database
from telephony.store.incidents import OpenIncident
from telephony.store.presses import NewPress, PressRecorder, Recorded, caller_key

log = structlog.get_logger()

MOST_PROMISES = 100_000
PROMISE_KEPT_S = 6 * 3600.0
"""After a direct relay, the same content is its redelivery for so long. Later it is a new press of the same key: under
the old time its incident would be followed no more and closed as long quiet."""
STORE_ALARM = "store-unavailable"
CONTENDED_ALARM = "store-contended"
CONTENDED_ALARM_S = 60.0
"""How long it stands after the last press that other writers kept from the store; the store itself is well."""
DEFECT_ALARM = "intake-defect"
OUTSIDE_THE_SEQUENCE = 0
"""Number of a report that was made without the store: it numbers the reports of an incident from 1."""
TOLD_ONE_BY_ONE = 4
"""Presses that came in one read and are logged a line each; more share a line."""


@dataclass(frozen=True, slots=True)
class _Promise:
    """Under which id and time 112 was told directly of a press, in which words, and when last (Unix time)."""

    incident_id: str
    received_at: datetime
    told_at: float
    report: Report


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
        self._names = names
        self._plan = plan
        self._clock = clock
        self._alarms = alarms
        self._budget_s = budget_s
        self._promised: OrderedDict[str, _Promise] = OrderedDict()
        self._callers = KnownCallers(clock)
        self._is_store_late = False

    def remember(self, incidents: Iterable[OpenIncident]) -> None:
        """Learn at the start which callers' incidents are open, against an outage that begins later."""
        for each in incidents:
            self._callers.learn(each.caller, each.id, each.opened_at, each.press_count)

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
        if self._is_store_late:
            # It let an earlier press wait in vain. 112 hears of this one now; the store may keep it all the same.
            for press in presses:
                self._relay_directly(press, Unavailable("the store has not answered in time before"))

        def committed(results: list[Recorded | Exception]) -> None:
            if late.active():
                late.cancel()
                self._is_store_late = False
                if any(isinstance(result, Recorded) for result in results):
                    self._alarms.clear(STORE_ALARM, "store")
                answered.callback(
                    [self._answer(press, result) for press, result in zip(presses, results, strict=True)]
                )
            self._hand_over(reserved, presses, results)

        def failed(failure: Failure) -> None:
            self._relay.offer(reserved, [])
            if late.active():
                late.cancel()
                self._fail_open(presses, answered, _error_of(failure))

        def defect(failure: Failure) -> None:
            log.error("intake failed after the commit", exc_info=failure.value)
            if not answered.called:
                self._fail_open(presses, answered, Unavailable(repr(failure.value)))

        recording = self._database.batch(self._recorder, presses)
        late = self._clock.callLater(self._budget_s, self._too_late, presses, answered)
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
        promise = self._promised.get(trigger.reference) if self._promised else None
        if promise is None or self._clock.seconds() - promise.told_at > PROMISE_KEPT_S:
            return trigger, trigger.incident_id or self._names.name(trigger.reference, trigger.received_at)
        # 112 was told directly of this very press: the same id, and the time at which it really came.
        return replace(trigger, received_at=promise.received_at), trigger.incident_id or promise.incident_id

    def _answer(self, press: NewPress, result: Recorded | Exception) -> Receipt | Unavailable:
        if isinstance(result, Recorded):
            try:
                self._note(press.trigger, result.receipt)
            except Exception:
                # It is durable, whatever becomes of our notes.
                log.exception("press recorded and not noted", incident=result.receipt.incident_id)
            return result.receipt
        log.error("press not recorded", incident=press.incident_id, exc_info=result)
        return self._relay_directly(press, result)

    def _note(self, trigger: Trigger, receipt: Receipt) -> None:
        # Kept until the sender hears ESME_ROK: till then it may come again, even twice at once.
        self._promised.pop(trigger.reference, None)
        self._callers.pressed(
            caller_key(trigger),
            receipt.incident_id,
            trigger.received_at,
            is_duplicate=receipt.is_duplicate,
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

    def _too_late(self, presses: Sequence[NewPress], answered: Deferred[Any]) -> None:
        # The commit may still come; the redelivery is then a repeat of a known reference.
        self._fail_open(presses, answered, Unavailable(f"no commit within {self._budget_s} s"))
        # Put away, it refuses the next at once, and commits again before it is brought back.
        self._is_store_late = not self._database.give_up_on_a_stall(self._budget_s / 2)

    def _fail_open(self, presses: Sequence[NewPress], answered: Deferred[Any], why: Exception) -> None:
        answered.callback([self._relay_directly(press, why) for press in presses])

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
        report = self._promise(press).report
        log.error(
            "press not durable, relayed directly", incident=report.incident_id, report=report.report_id,
            connector=trigger.connector, caller=trigger.msisdn.masked, reason=reason,
        )  # fmt: skip
        self._direct.send(report, self._routes(trigger))
        return Unavailable(reason)

    def _routes(self, trigger: Trigger) -> list[ReportRoute]:
        """Return the ways to 112; a drill wakes nobody who answers a telephone."""
        return [
            each for each in self._plan.reports(trigger.carrier) if not (trigger.test and each.alerts_only)
        ]

    def _promise(self, press: NewPress) -> _Promise:
        """Give the report by which 112 hears of this press now and at each of its redeliveries."""
        reference, now = press.trigger.reference, self._clock.seconds()
        promise = self._promised.pop(reference, None)
        if promise is None or now - promise.told_at > PROMISE_KEPT_S:
            report = self._direct_report(press)
            promise = _Promise(report.incident_id, press.trigger.received_at, now, report)
        self._promised[reference] = replace(promise, told_at=now)
        while len(self._promised) > MOST_PROMISES:
            self._promised.popitem(last=False)
        return promise

    def _direct_report(self, press: NewPress) -> Report:
        """Give the report of a press that only this process knows of.

        A caller whose incident it remembers is told of under that incident. As an update where the alert went past
        the store too; otherwise as an alert, because the incident may have been closed where we cannot see it.
        """
        trigger = press.trigger
        caller = caller_key(trigger)
        before = self._callers.get(caller)
        if before is None:
            self._callers.pressed(caller, press.incident_id, trigger.received_at, is_told_directly=True)
            return first_report(trigger, press.incident_id)
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
