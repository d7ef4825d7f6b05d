"""Writes the daemon's entries of the audit chain, each before its look, and names every entry in the log.

An attacker who can cut off the end of the table cannot reach a log that is kept elsewhere: each line `audited` holds an
entry's number and the beginning of its digest, also of entries that a command at a terminal has written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.alarms import Alarms
from telephony.background import run_in_background
from telephony.clock import Clock, utc_now, within
from telephony.domain.audit import Looked
from telephony.domain.errors import OnetouchError, Unavailable
from telephony.periodic import Periodic
from telephony.store.audit import Entry, append, head, read, rows_after
from telephony.store.database import Database
from telephony.store.sealing import keys_of

log = structlog.get_logger()

EVERY_S: Final = 5.0
"""How long an entry may stand in the chain before the log names it, and a note wait before it is tried again."""
MOST_WAITING: Final = 2_000
"""Notes kept in memory while the store is away."""
AT_ONCE: Final = 100
STOP_WITHIN_S: Final = 2.0
AUDIT_ALARM = "audit-missing"

Named = tuple[Entry, str]
"""An entry as the log names it, with its act."""


class Audit(Periodic):
    """Writes entries. `looked` is for all who may be refused, `note` for 112 alone.

    From its start on it names the head of the chain, and every entry soon after it was written.
    """

    def __init__(self, database: Database, *, clock: Clock, alarms: Alarms) -> None:
        super().__init__(self._round, "audit", every_s=EVERY_S, clock=clock)
        self._database = database
        self._alarms = alarms
        self._notes: deque[Looked] = deque()
        self._lost = 0
        self._is_writing = False
        self._named: int | None = None

    # -- writing ---------------------------------------------------------------------------------------------

    async def looked(self, who: str, what: str, subject: str, why: str) -> Entry:
        """Have the entry on disk. Raises `Unavailable`: then nothing may be shown."""
        (entry,) = await self._append([self._now(who, what, subject, why)])
        return entry

    def note(self, who: str, what: str, subject: str, why: str) -> None:
        """Write the entry beside the answer, which does not wait for it: for 112's own requests, where safety is first.

        An entry that cannot be written is logged as an error, kept in memory, and written when the store is back.
        """
        if len(self._notes) >= MOST_WAITING:
            self._lost += 1
            log.error("look not audited", what=what, waiting_count=len(self._notes), lost_count=self._lost)
            return
        self._notes.append(self._now(who, what, subject, why))
        self._write_notes()

    def _now(self, who: str, what: str, subject: str, why: str) -> Looked:
        return Looked(who, what, subject, why, utc_now(self._clock))

    async def _append(self, looked: Sequence[Looked]) -> list[Entry]:
        """Not urgent: a press must not find the writer busy with it."""
        results = await self._database.batch(_append_all, looked, is_urgent=False)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results

    def _write_notes(self) -> None:
        if self._notes and not self._is_writing:
            self._is_writing = True
            run_in_background(self._writing_notes(), "audit entries")

    async def _writing_notes(self) -> None:
        try:
            while self._notes:
                some = [self._notes[index] for index in range(min(AT_ONCE, len(self._notes)))]
                await self._append(some)
                for _ in some:
                    self._notes.popleft()
        except OnetouchError as error:
            self._alarms.raise_(AUDIT_ALARM, "store", reason=str(error))
            log.error(  # noqa: TRY400 - the reason is the whole of it; a traceback each time would hide it
                "look not audited",
                what=self._notes[0].what,
                waiting_count=len(self._notes),
                lost_count=self._lost,
                reason=str(error),
            )
        else:
            self._alarms.clear(AUDIT_ALARM, "store")
        finally:
            self._is_writing = False

    # -- naming in the log -----------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Write the notes that wait, for a moment, and name the last entries."""
        return Deferred.fromCoroutine(self._end(super().stopService()))

    async def _end(self, round_over: Deferred[None]) -> None:
        try:
            await within(Deferred.fromCoroutine(self._last_round(round_over)), STOP_WITHIN_S, self._clock)
        except GaveUp:
            log.warning("audit entries not named", reason="the store was too slow")
        if self._notes or self._lost:
            log.critical("looks stay without an audit entry", lost_count=len(self._notes) + self._lost)

    async def _last_round(self, round_over: Deferred[None]) -> None:
        await round_over
        if not self._is_writing:
            self._is_writing = True
            await self._writing_notes()
        await self._name_entries()

    async def _round(self) -> None:
        self._write_notes()
        await self._name_entries()

    async def _name_entries(self) -> None:
        try:
            if self._named is None:
                self._named = await self._database.read(_before_the_head)
            while named := await self._database.read(_named_after, self._named):
                for entry, what in named:
                    log.info("audited", audit_entry=entry.number, digest=entry.short, what=what)
                self._named = named[-1][0].number
                if len(named) < AT_ONCE:
                    return
        except Unavailable as error:
            log.warning("audit entries not named", reason=str(error))


def _append_all(connection: Connection, items: Sequence[Looked]) -> list[Entry | Unavailable]:
    """Add entries. Missing keys are the answer of these items, and not a failure of the presses beside them."""
    entries: list[Entry | Unavailable] = []
    for looked in items:
        try:
            entries.append(append(connection, looked))
        except Unavailable as error:
            entries.append(error)
    return entries


def _before_the_head(connection: Connection) -> int:
    """Return the number before the last: the last stands for all before it, and is the first to be named."""
    last = head(connection)
    return 0 if last is None else last.number - 1


def _named_after(connection: Connection, number: int) -> list[Named]:
    """Return the next entries after a number."""
    ring = keys_of(connection)
    named = []
    for row in rows_after(connection, number, AT_ONCE):
        try:
            what = read(ring, row)[1].what
        except OnetouchError as error:
            what = f"cannot be read: {type(error).__name__}"
        named.append((Entry(row.number, row.digest), what))
    return named
