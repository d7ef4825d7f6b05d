"""Accepts presses: returns when they are on disk, or says that they are not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.clock import Clock
from telephony.domain.delivery import Delivery
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Receipt
from telephony.domain.plan import Plan
from telephony.domain.trigger import Trigger
from telephony.services.alarms import Alarms
from telephony.services.direct import DirectRelay
from telephony.services.naming import IncidentNames
from telephony.services.relay import Relay
from telephony.services.reporting import first_report
from telephony.store.database import Database
from telephony.store.presses import NewPress, PressRecorder, Recorded

log = structlog.get_logger()

MOST_PROMISES = 100_000
STORE_ALARM = "store-unavailable"


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
        self._promised: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    async def accept(self, trigger: Trigger) -> Receipt:
        """Accept one press; returns after the commit, raises `Unavailable` when there was none."""
        (answer,) = await self.accept_all([trigger])
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    def accept_all(self, triggers: Sequence[Trigger]) -> Deferred[list[Receipt | Unavailable]]:
        """Accept presses that came together; fires with one answer each, in order, and never fails.

        Fires within the commit budget even when the store hangs.
        """
        channels = self._immediate_channels(triggers)
        reserved, lease_until = self._relay.reserve(channels, len(triggers))
        presses = [
            NewPress(*self._named(trigger), lease_until if number < reserved else 0.0)
            for number, trigger in enumerate(triggers)
        ]
        answered: Deferred[list[Receipt | Unavailable]] = Deferred()
        late = self._clock.callLater(self._budget_s, self._too_late, presses, answered)

        def committed(results: list[Recorded | Exception]) -> None:
            if late.active():
                late.cancel()
                answers = [
                    self._answer(press, result) for press, result in zip(presses, results, strict=True)
                ]
                self._alarms.clear(STORE_ALARM, "store")
                answered.callback(answers)
            self._hand_over(channels, reserved, presses, results)

        def failed(failure: Failure) -> None:
            self._relay.offer(channels, reserved, [])
            if late.active():
                late.cancel()
                self._fail_open(presses, answered, str(failure.value))

        self._database.batch(self._recorder, presses).addCallbacks(committed, failed).addErrback(_log_defect)
        return answered

    def _immediate_channels(self, triggers: Sequence[Trigger]) -> list[str]:
        carriers = {trigger.carrier for trigger in triggers}
        routes = {
            route.channel: None for c in carriers for route in self._plan.reports(c) if route.after_s == 0.0
        }
        return list(routes)

    def _named(self, trigger: Trigger) -> tuple[Trigger, str]:
        promise = self._promised.pop(trigger.reference, None) if self._promised else None
        if promise is None:
            return trigger, self._names.name(trigger.reference, trigger.received_at)
        # 112 was told directly of this very press: the same id, and the time at which it really came.
        incident_id, received_at = promise
        return replace(trigger, received_at=received_at), incident_id

    def _answer(self, press: NewPress, result: Recorded | Exception) -> Receipt | Unavailable:
        if isinstance(result, Recorded):
            return result.receipt
        log.error("press not recorded", incident=press.incident_id, exc_info=result)
        return self._relay_directly(press, f"{type(result).__name__}: {result}")

    def _hand_over(
        self,
        channels: Sequence[str],
        reserved: int,
        presses: Sequence[NewPress],
        results: Sequence[Recorded | Exception],
    ) -> None:
        held: list[Delivery] = []
        must_wake = False
        for press, result in zip(presses, results, strict=True):
            if isinstance(result, Recorded):
                incident_id = result.receipt.incident_id
                held.extend(
                    replace(item, report=first_report(press.trigger, incident_id)) for item in result.held
                )
                must_wake = must_wake or not result.receipt.is_duplicate
        self._relay.offer(channels, reserved, held)
        if must_wake:
            self._relay.wake()
        now = self._clock.seconds()
        for press, result in zip(presses, results, strict=True):
            if isinstance(result, Recorded):
                _log_press(press.trigger, result.receipt, now)

    def _too_late(self, presses: Sequence[NewPress], answered: Deferred[Any]) -> None:
        # The commit may still come; the redelivery is then a repeat of a known reference.
        self._fail_open(presses, answered, f"no commit within {self._budget_s} s")

    def _fail_open(self, presses: Sequence[NewPress], answered: Deferred[Any], reason: str) -> None:
        answered.callback([self._relay_directly(press, reason) for press in presses])

    def _relay_directly(self, press: NewPress, reason: str) -> Unavailable:
        trigger = press.trigger
        self._alarms.raise_(STORE_ALARM, "store", reason=reason)
        log.error(
            "press not durable, relayed directly", incident=press.incident_id, connector=trigger.connector,
            caller=trigger.msisdn.masked, reason=reason,
        )  # fmt: skip
        self._promised[trigger.reference] = (press.incident_id, trigger.received_at)
        while len(self._promised) > MOST_PROMISES:
            self._promised.popitem(last=False)
        channels = [route.channel for route in self._plan.reports(trigger.carrier)]
        self._direct.send(first_report(trigger, press.incident_id), channels)
        return Unavailable(reason)


def _log_press(trigger: Trigger, receipt: Receipt, now: float) -> None:
    log.info(
        "press accepted",
        incident=receipt.incident_id,
        joined=receipt.joined,
        source=trigger.source,
        connector=trigger.connector,
        carrier=trigger.carrier,
        caller=trigger.msisdn.masked,
        reference=trigger.reference,
        test=trigger.test,
        durable_ms=round((now - trigger.received_at.timestamp()) * 1000, 2),
    )


def _log_defect(failure: Failure) -> None:
    log.error("intake failed after the commit", exc_info=failure.value)
