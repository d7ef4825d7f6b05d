"""Delivers reports to 112 through one sender."""

from __future__ import annotations

from hashlib import blake2b

import structlog

from telephony.domain.delivery import Delivered, Delivery, Outcome, Rejected
from telephony.domain.ports import ReportSender
from telephony.domain.report import Report, opening_report
from telephony.domain.trigger import Trigger
from telephony.services.spine.told import ToldReports
from telephony.store.fact_rows import storable_fact, told
from telephony.store.texts import storable

log = structlog.get_logger()


def first_report(trigger: Trigger, incident_id: str) -> Report:
    """Return the alert of a press that opened an incident: exactly what the store would give for it."""
    return opening_report(
        incident_id,
        opened_at=trigger.received_at,
        test=trigger.test,
        msisdn=trigger.msisdn,
        carrier=trigger.carrier,
        source=trigger.source,
        destination=trigger.destination,
        texts=_texts(trigger, storable(trigger.text)),
        labels=trigger.labels,
        facts=told([storable_fact(known) for known in trigger.facts]) if trigger.facts else (),
        position=trigger.position,
    )


def bare_report(trigger: Trigger, incident_id: str | None) -> Report:
    """Return the least that 112 must hear of a press, where a defect of ours stands in the way of everything else.

    Without a name the incident is known by one that follows from the press, so that telling it again is a repeat.
    """
    received_at = trigger.received_at
    if incident_id is None:
        reference = trigger.reference.encode("utf-8", "surrogatepass")
        incident_id = f"sos-{received_at:%Y%m%d}-{blake2b(reference, digest_size=8).hexdigest()}"
    return opening_report(
        incident_id,
        opened_at=received_at,
        test=trigger.test,
        msisdn=trigger.msisdn,
        carrier=trigger.carrier,
        source=trigger.source,
        destination=trigger.destination,
    )


def _texts(trigger: Trigger, text: str | None) -> tuple[str, ...]:
    part = trigger.part
    if part is None:
        return (text,) if text else ()
    return ("".join((text or "") if number == part.number else "…" for number in range(1, part.total + 1)),)


class ReportChannel:
    """A channel to 112: hands the report of a delivery to its sender.

    What 112 was told of past the store has the words and the time it had then, and is not told again by a channel that 112 has it of.
    """

    def __init__(self, sender: ReportSender, told: ToldReports) -> None:
        self._sender = sender
        self._told = told

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Send the report once."""
        report = delivery.content
        if not isinstance(report, Report):
            return Rejected(f"a delivery of kind {delivery.kind} carries no report")
        told = self._told.get(report.report_id)
        if told is None:
            return await self._sender.send(report)
        if delivery.channel in told.channels:
            outcome: Outcome = Delivered("told past the store")
        else:
            outcome = await self._sender.send(told.report or report)
        if isinstance(outcome, Delivered):
            try:
                self._told.settled(report.report_id, delivery.channel)
            except Exception:
                # 112 has it: a failure to note that must not look like a failed delivery.
                log.exception("delivered and not noted", incident=report.incident_id)
        return outcome
