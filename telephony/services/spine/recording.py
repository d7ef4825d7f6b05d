"""Puts presses into the store, and hands what follows from them to the relay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from telephony.alarms import Alarms
from telephony.clock import Clock, wall_s
from telephony.domain.delivery import Delivery, Errand
from telephony.domain.errors import Unavailable
from telephony.domain.incident import Join, Receipt
from telephony.domain.plan import Plan, locating_channel
from telephony.domain.trigger import Trigger
from telephony.services.spine.incident_names import IncidentNames
from telephony.services.spine.open_callers import KnownCallers
from telephony.services.spine.relay import Relay, Reservation
from telephony.services.spine.reporting import first_report
from telephony.services.spine.telling import STORE_ALARM
from telephony.services.spine.told import ToldReports
from telephony.store.database import Database
from telephony.store.journal_position import JournalPlace
from telephony.store.presses import NewPress, PressRecorder, Recorded, caller_key

log = structlog.get_logger()

TOLD_ONE_BY_ONE = 4
"""Presses that were recorded together and are logged a line each; more share a line."""

Results = Sequence[Recorded | Exception]
"""What became of presses, one each: an exception is why that press is not in the store."""


@dataclass(frozen=True, slots=True)
class Press:
    """A press under the name that its incident gets if it opens one.

    ``place`` is where it stands in the journal; ``durable_at`` is the Unix time since when it is there.
    """

    trigger: Trigger
    incident_id: str
    place: JournalPlace | None = None
    durable_at: float | None = None


class Recording:
    """Records presses in one commit: its deliveries that have room in this process are held by it from then on."""

    def __init__(
        self,
        database: Database,
        recorder: PressRecorder,
        relay: Relay,
        *,
        told: ToldReports,
        callers: KnownCallers,
        names: IncidentNames,
        plan: Plan,
        clock: Clock,
        alarms: Alarms,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._relay = relay
        self._told = told
        self._callers = callers
        self._names = names
        self._plan = plan
        self._clock = clock
        self._alarms = alarms

    def go_by(self, plan: Plan) -> None:
        """Tell 112 by this plan from the next press on."""
        self._plan = plan

    def named(self, trigger: Trigger) -> Press:
        """Return a press with the name of its incident, and as 112 was told of it if it was."""
        name = trigger.incident_id or self._names.name(trigger.reference, trigger.received_at)
        return self.as_told(Press(trigger, name))

    def as_told(self, press: Press) -> Press:
        """Return a press as 112 was told of it directly, if it was: the same name, and the time at which it really came."""
        trigger = press.trigger
        told = self._told.of_press(trigger) if self._told.waits_for_presses else None
        if told is None:
            return press
        # A time that is yet to come was written by a clock that has been set back since, and nothing may wait for it.
        received_at = min(told.received_at, trigger.received_at)
        name = trigger.incident_id or told.incident_id
        return replace(press, trigger=replace(trigger, received_at=received_at), incident_id=name)

    def record(
        self,
        presses: Sequence[Press],
        recorded: Callable[[Results], None],
        failed: Callable[[Exception], None],
    ) -> Deferred[None]:
        """Record presses; call ``recorded`` after the commit, before anything follows from it, or ``failed`` with why not.

        Fires when what follows is handed over, and never fails.
        """
        reserved = self._relay.reserve(self._immediate_channels(presses), len(presses))

        def committed(results: Results) -> None:
            try:
                if any(isinstance(result, Recorded) for result in results):
                    self._alarms.clear(STORE_ALARM, "store")
                recorded(results)
            finally:
                self._hand_over(reserved, presses, results)

        def not_committed(failure: Failure) -> None:
            self._relay.offer(reserved, [])
            # What is no failure of the store is one of ours.
            why = failure.value
            failed(why if isinstance(why, Exception) else Unavailable(repr(why)))

        def defect(failure: Failure) -> None:
            log.error("intake failed after the commit", exc_info=failure.value)
            failed(Unavailable(repr(failure.value)))

        try:
            items = [
                NewPress(each.trigger, each.incident_id, reserved.leases_of(number), each.place)
                for number, each in enumerate(presses)
            ]
            recording = self._database.batch(self._recorder, items)
        except Exception:
            self._relay.offer(reserved, [])
            raise
        return recording.addCallbacks(committed, not_committed).addErrback(defect)

    def sets_out(self, trigger: Trigger) -> None:
        """See a press of the journal on its way to the store: until `has_arrived` silence holds for its phone all the same."""
        self._callers.sets_out(caller_key(trigger))

    def has_arrived(self, trigger: Trigger) -> None:
        """See it in the store, or given up."""
        self._callers.has_arrived(caller_key(trigger))

    def note(self, trigger: Trigger, result: Recorded) -> None:
        """Note that the store has a press; never raises: it is durable, whatever becomes of our notes."""
        receipt = result.receipt
        try:
            was_told = self._told.taken_up(trigger, receipt.incident_id)
            self._callers.pressed(
                caller_key(trigger),
                receipt.incident_id,
                trigger.received_at,
                is_duplicate=receipt.is_duplicate or was_told,
            )
        except Exception:
            log.exception("press recorded and not noted", incident=receipt.incident_id)

    def _immediate_channels(self, presses: Sequence[Press]) -> dict[str, None]:
        """Return the channels on which a new incident of these presses has something to do at once."""
        channels: dict[str, None] = {}
        for carrier in dict.fromkeys(press.trigger.carrier for press in presses):
            channels |= {route.channel: None for route in self._plan.reports(carrier) if route.after_s == 0.0}
            channels[locating_channel(carrier)] = None
        for errand in self._plan.errands:
            channels[errand] = None
        return channels

    def _hand_over(self, reserved: Reservation, presses: Sequence[Press], results: Results) -> None:
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


def _ready(delivery: Delivery, trigger: Trigger) -> Delivery:
    if delivery.sequence:
        return replace(delivery, content=first_report(trigger, delivery.incident_id))
    return replace(delivery, content=Errand(trigger.msisdn, trigger.carrier, trigger.received_at))


def _log_presses(presses: Sequence[Press], results: Results, now: float) -> None:
    recorded = [
        (press, result.receipt)
        for press, result in zip(presses, results, strict=True)
        if isinstance(result, Recorded)
    ]
    if len(recorded) <= TOLD_ONE_BY_ONE:
        for press, receipt in recorded:
            _log_press(press, receipt, now)
        return
    # In a flood the log must not cost more than the presses: one line names all incidents.
    first = recorded[0][0]
    log.info(
        "presses accepted",
        count=len(recorded),
        incidents=" ".join(receipt.incident_id for _, receipt in recorded),
        connector=first.trigger.connector,
        carrier=first.trigger.carrier,
        durable_ms=_durable_ms(first, now),
    )


def _log_press(press: Press, receipt: Receipt, now: float) -> None:
    trigger = press.trigger
    log.info(
        "press accepted",
        incident=receipt.incident_id,
        joined=str(receipt.joined),
        source=trigger.source,
        connector=trigger.connector,
        carrier=trigger.carrier,
        caller=trigger.msisdn.masked,
        test=trigger.test,
        durable_ms=_durable_ms(press, now),
    )


def _durable_ms(press: Press, now: float) -> float:
    """Return after how long it was on disk, in the journal or in the store."""
    at = now if press.durable_at is None else press.durable_at
    return round((at - press.trigger.received_at.timestamp()) * 1000, 2)
