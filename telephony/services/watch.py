"""The watch: every few seconds it checks for overdue reports, incidents to close, rows to mend, and a clock that was set."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from telephony.alarms import Alarms
from telephony.clock import Clock, age_s, ago, due_s, utc_now, wall_s
from telephony.domain.errors import Unavailable
from telephony.domain.plan import Plan
from telephony.periodic import Periodic
from telephony.services.spine.channel_loop import DAMAGE_ALARM, DAMAGE_ALARM_S
from telephony.services.spine.outbox import Outbox
from telephony.store.incidents import close_incident, quiet_incidents
from telephony.store.mending import Mending
from telephony.store.noticed import Noticed, Row
from telephony.store.outbox.claiming import oldest_reports

log = structlog.get_logger()

OVERDUE_S = 10.0
"""A report that 112 has not acknowledged after this time raises an alarm: our own goal for the first is 1 s."""

CLOCK_ALARM = "clock-set"

CHANGED_ALARM = "rows-changed"
CHANGED_ALARM_S = 86_400.0
"""How long it stands after the last row: an operator must see it, and find out who can write into the database."""

EVERY_S = 5.0
QUIET_EVERY_S = 60.0
SET_S = 0.5
"""What the machine's clock must gain or lose between two looks to have been set: NTP slews 0.5 ms a second."""
SET_ALARM_S = 600.0
"""How long the alarm stands after a clock was set: an operator must see it, and times of reports may have to be explained."""
MENDING_EVERY_S = 60.0
MENDED_BACK_AT_START_S = 7 * 86_400.0
MENDED_BACK_S = 3_600.0
"""How old incidents are that are looked through for rows that would never be sent: at the start, and then every minute."""
QUIET_REASON = "closed by itself: no press for the longest quiet time"


class Watch(Periodic):
    """Raises and clears the alarms that depend on the passing of time, and closes incidents that have long been quiet."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        channels: Collection[str],
        quiet_close_s: float,
        clock: Clock,
        alarms: Alarms,
        noticed: Noticed,
    ) -> None:
        """``noticed``: where reading the store notes rows that another hand has changed."""
        super().__init__(self._round, "watch", every_s=EVERY_S, clock=clock)
        self._outbox = outbox
        self._mending = Mending(outbox.plan, channels)
        self._next_mending = 0.0
        self._mended_back_s = MENDED_BACK_AT_START_S
        self._quiet_close_s = quiet_close_s
        self._alarms = alarms
        self._noticed = noticed
        self._overdue: set[str] = set()
        self._next_quiet = 0.0
        self._offset_s = wall_s(clock) - clock.seconds()

    def wait_for_the_store(self) -> None:
        """Mend nothing until it is to be looked far back: what is due may have to be brought forward first."""
        self._next_mending = math.inf

    def go_by(self, channels: Collection[str]) -> None:
        """Mend by the plan of the outbox as it is now, which has these channels."""
        self._mending = Mending(self._outbox.plan, channels)

    def look_far_back(self) -> None:
        """Look through older incidents too, next time: the store may be another one, and lack rows of them."""
        self._mended_back_s = MENDED_BACK_AT_START_S
        self._next_mending = 0.0

    async def _round(self) -> None:
        now = self._clock.seconds()
        self._see_whether_clock_was_set(now)
        try:
            await self._overdue_reports()
            if now >= self._next_quiet:
                self._next_quiet = now + QUIET_EVERY_S
                await self._quiet_incidents(utc_now(self._clock))
            if now >= self._next_mending:
                self._next_mending = now + MENDING_EVERY_S
                await self._mend(due_s(self._clock))
        except Unavailable as error:
            log.warning("watch cannot see the store", error=str(error))
        finally:
            self._tell_of_another_hand()

    def _see_whether_clock_was_set(self, now: float) -> None:
        """Say that the machine's clock stepped. Nothing waits for it; only times that people read are touched."""
        offset_s = wall_s(self._clock) - now
        by_s, self._offset_s = offset_s - self._offset_s, offset_s
        if abs(by_s) > SET_S:
            log.warning("clock was set", by_s=round(by_s, 1))
            self._alarms.note(CLOCK_ALARM, "machine", SET_ALARM_S, by_s=round(by_s, 1))

    def _tell_of_another_hand(self) -> None:
        """Say which rows are not as they were written: one alarm for each table, with the number of its rows."""
        found: dict[str, list[Row]] = {}
        for row in self._noticed.take():
            found.setdefault(row.table, []).append(row)
        for table, rows in found.items():
            first = {"row": rows[0].key, "column": rows[0].column}
            self._alarms.note(CHANGED_ALARM, table, CHANGED_ALARM_S, rows=len(rows), **first)

    async def _overdue_reports(self) -> None:
        oldest = await self._outbox.database.read(oldest_reports)
        ages = {
            channel: age_s(self._clock, datetime.fromtimestamp(since, UTC))
            for channel, since in oldest.items()
        }
        overdue = {channel: owed_s for channel, owed_s in ages.items() if owed_s > OVERDUE_S}
        for channel, owed_s in overdue.items():
            self._alarms.raise_("report-overdue", channel, age_s=round(owed_s, 1))
        for channel in sorted(self._overdue - set(overdue)):
            self._alarms.clear("report-overdue", channel)
        self._overdue = set(overdue)

    async def _mend(self, now: float) -> None:
        """Find what no loop would find, and have 112 told again of incidents that lack a report for it."""
        since = now - self._mended_back_s
        if await self._outbox.database.read(self._mending.finds, now, since):
            mended = await self._outbox.transact(self._mending.mend, now, since)
            if not mended.is_nothing:
                found = {
                    "times": mended.times,
                    "states": mended.states,
                    "keys": mended.keys,
                    "channels": mended.channels,
                    "counts": mended.counts,
                    "changed": mended.changed,
                }
                log.critical("outbox mended", **found, incidents=list(mended.incidents))
                self._alarms.note(
                    DAMAGE_ALARM, "outbox", DAMAGE_ALARM_S, **found, incidents=len(mended.incidents)
                )
        self._mended_back_s = MENDED_BACK_S

    async def _quiet_incidents(self, now: datetime) -> None:
        before = ago(self._clock, self._quiet_close_s)
        for incident_id in await self._outbox.database.read(quiet_incidents, before):
            if await self._outbox.transact(_close, self._outbox.plan, incident_id, now, before):
                log.warning("incident closed", incident=incident_id, reason=QUIET_REASON)


def _close(
    connection: Connection, plan: Plan, incident_id: str, now: datetime, quiet_since: datetime
) -> bool:
    return close_incident(connection, plan, incident_id, QUIET_REASON, now, quiet_since=quiet_since)
