"""Tells 112 at once, past the store, of presses that it does not have: in the words that each keeps from then on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from telephony.alarms import Alarms
from telephony.domain.delivery import ALERT, UPDATE
from telephony.domain.errors import Unavailable
from telephony.domain.plan import Plan
from telephony.domain.report import EarlierReport, Report, UpdateReason, report_id
from telephony.domain.trigger import Trigger
from telephony.services.spine.direct import DirectRelay, direct_routes
from telephony.services.spine.incident_names import IncidentNames
from telephony.services.spine.open_callers import KnownCallers
from telephony.services.spine.reporting import bare_report, first_report
from telephony.services.spine.told import Told, ToldReports
from telephony.store.contention import Contended
from telephony.store.presses import caller_key

log = structlog.get_logger()

STORE_ALARM: Final = "store-unavailable"
CONTENDED_ALARM: Final = "store-contended"
CONTENDED_ALARM_S: Final = 60.0
"""How long it stands after the last press that other writers kept from the store; the store itself is well."""
DEFECT_ALARM: Final = "intake-defect"
OUTSIDE_THE_SEQUENCE: Final = 0
"""Number of a report that was made without the store: it numbers the reports of an incident from 1."""


class Telling:
    """Makes and sends the report of a press that the store does not have. A defect on the way costs nobody her emergency."""

    def __init__(
        self,
        direct: DirectRelay,
        *,
        told: ToldReports,
        callers: KnownCallers,
        names: IncidentNames,
        plan: Plan,
        alarms: Alarms,
    ) -> None:
        self._direct = direct
        self._told = told
        self._callers = callers
        self._names = names
        self._plan = plan
        self._alarms = alarms

    def go_by(self, plan: Plan) -> None:
        """Tell 112 by this plan from the next press on."""
        self._plan = plan

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
                self._direct.send(told.report, direct_routes(self._plan, told.report))

    def tell(
        self, trigger: Trigger, incident_id: str, why: Exception, *, is_kept: bool = False, left: str = ""
    ) -> Unavailable:
        """Tell 112 of a press; return why the store does not have it. ``is_kept`` says that the journal does.

        ``incident_id`` is the name of the incident that it would open. ``left`` names this life where an earlier one has left the
        press: that one may have told it and put its words away, so that it is told by another name here.
        """
        try:
            return self._in_full(trigger, incident_id, why, is_kept=is_kept, left=left)
        except Exception as error:
            log.exception("press not relayed in full", incident=incident_id)
            return self.barely(trigger, incident_id, error)

    def barely(self, trigger: Trigger, incident_id: str | None, error: Exception) -> Unavailable:
        """Tell 112 the least there is to tell, by as little code as can be: who pressed, and when."""
        self._alarms.raise_(DEFECT_ALARM, "intake", error=repr(error))
        report = bare_report(trigger, incident_id)
        self._direct.send(report, direct_routes(self._plan, trigger))
        return Unavailable(f"a defect: {error!r}")

    def _in_full(
        self, trigger: Trigger, incident_id: str, why: Exception, *, is_kept: bool, left: str
    ) -> Unavailable:
        reason = str(why) if isinstance(why, Unavailable) else f"{type(why).__name__}: {why}"
        if isinstance(why, Contended):
            self._alarms.note(CONTENDED_ALARM, "store", CONTENDED_ALARM_S, reason=reason)
        else:
            self._alarms.raise_(STORE_ALARM, "store", reason=reason)
        report = self._report_of(trigger, incident_id, left)
        log.error(
            "press in the journal alone, relayed directly" if is_kept else "press not durable, relayed directly",
            incident=report.incident_id, report=report.report_id,
            connector=trigger.connector, caller=trigger.msisdn.masked, reason=reason,
        )  # fmt: skip
        self._direct.send(report, direct_routes(self._plan, trigger))
        return Unavailable(reason)

    def _report_of(self, trigger: Trigger, incident_id: str, left: str) -> Report:
        """Return the report by which 112 hears of this press, now and at each of its redeliveries."""
        told = self._told.of_press(trigger)
        if told is not None:
            self._told.again(told)
            if told.report is None:
                told.report = _told_by_name(trigger, told)
            return told.report
        report = self._direct_report(trigger, incident_id, left)
        if self._told.get(report.report_id) is None:
            self._told.enter(report, trigger, caller_key(trigger))
        return report

    def _direct_report(self, trigger: Trigger, named: str, left: str) -> Report:
        """Return the report of a press that only this process knows of.

        A caller whose incident it remembers is told of under that incident. As an update where the alert went past
        the store too; otherwise as an alert, because the incident may have been closed where we cannot see it.
        """
        caller = caller_key(trigger)
        before = self._callers.get(caller)
        if before is None:
            incident_id = self._unused(trigger, named)
            self._callers.pressed(caller, incident_id, trigger.received_at, is_told_directly=True)
            return first_report(trigger, incident_id)
        if before.opened_at == trigger.received_at and before.incident_id == self._names.name(
            trigger.reference, trigger.received_at
        ):
            # It has opened that incident: an earlier life recorded it and could not say so, and the store tells it in these words.
            return first_report(trigger, before.incident_id)
        # Of this telling: once the promise is gone, the same press may be told again in other words.
        told = f"{trigger.reference} {trigger.received_at.isoformat()}{left}"
        own_id = f"{before.incident_id}-{self._names.name(told, trigger.received_at).rpartition('-')[2]}"
        same = self._told.get(own_id)
        if same is not None and same.report is not None:
            # The store has taken it up meanwhile, from its other bind: under one name 112 is told in one wording.
            return same.report
        was_told_directly = before.is_told_directly
        known = self._callers.pressed(
            caller, before.incident_id, trigger.received_at, is_told_directly=was_told_directly
        )
        return replace(
            first_report(trigger, known.incident_id),
            report_id=own_id,
            sequence=OUTSIDE_THE_SEQUENCE,
            kind=UPDATE if was_told_directly else ALERT,
            reasons=(UpdateReason.PRESSED_AGAIN,) if was_told_directly else (),
            earlier=(EarlierReport(report_id(known.incident_id, 1), known.opened_at),)
            if was_told_directly
            else (),
            opened_at=known.opened_at,
            press_count=known.presses,
        )

    def _unused(self, trigger: Trigger, named: str) -> str:
        """Return the press's name for an incident, another one where 112 was told under it of an earlier press."""
        if self._told.get(report_id(named, 1)) is None:
            return named
        return self._names.name(f"{trigger.reference} {trigger.received_at.isoformat()}", trigger.received_at)


def _told_by_name(trigger: Trigger, told: Told) -> Report:
    """Return the report of a press of whose telling no more than name and time could be kept; the press has that time."""
    report = first_report(trigger, told.incident_id)
    if told.is_alert_of_its_incident:
        return report
    return replace(report, report_id=told.report_id, sequence=OUTSIDE_THE_SEQUENCE)
