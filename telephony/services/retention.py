"""The job that deletes data whose time is over, beside presses and behind them.

Two of these run in a daemon: one for all that is found by an index, every hour or so, and one for people, whose rows
must all be opened, once in as many runs as a day has hours. Every transaction is small, and while presses come fast
there is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection
from twisted.internet.defer import CancelledError, Deferred

from telephony.alarms import Alarms
from telephony.clock import Clock, ago, pause, utc_now
from telephony.domain.errors import Unavailable
from telephony.periodic import Periodic
from telephony.store.database import Database
from telephony.store.retention.notes import RetentionNotes
from telephony.store.retention.runs import Done, Kind, Read, Step, WentThrough, Write, forget

log = structlog.get_logger()

FIRST_AFTER_S: Final = 30.0
"""After a start there is more urgent work."""
BREATH_S: Final = 0.05
"""Between two steps: a tenth of the store's time at most is ours."""
PRESSED_S: Final = 1.0
FOLD_TRIES: Final = 10
BELIEVED_AFTER: Final = timedelta(days=7)
"""A machine's clock that was set forward is believed by what deletes once it has stood so long."""
PEOPLE_RUNS: Final = 24
"""One walk through all people for so many runs over the rest."""
CLOSING_EVERY_S: Final = 15.0
"""Between two looks for data that goes as soon as an incident is closed."""
FAILURES_BEFORE_ALARM: Final = 3
NOTE_EVERY: Final = 200
"""Pages between two notes of how far a walk has come."""
RETENTION_ALARM = "retention-overdue"


class Retention(Periodic):
    """Runs over kinds, one after the other, again and again.

    ``read`` runs a reading function beside the relay's own reads, ``fold_back`` empties the store's log of what was.
    """

    def __init__(
        self,
        about: str,
        kinds: Sequence[Kind],
        database: Database,
        read: Callable[[Callable[[Connection], Any]], Awaitable[Any]],
        *,
        every_s: float,
        clock: Clock,
        alarms: Alarms,
        notes: RetentionNotes,
        is_pressed: Callable[[], bool],
        fold_back: Callable[[], Awaitable[bool]],
    ) -> None:
        first_s = min(FIRST_AFTER_S, every_s)
        super().__init__(self._round, "retention", every_s=every_s, clock=clock, first_s=first_s)
        self._about = about
        self._kinds = kinds
        self._database = database
        self._read = read
        self._alarms = alarms
        self._notes = notes
        self._is_pressed = is_pressed
        self._fold_back = fold_back
        self._begin: dict[str, int] = {}
        self._failures = 0

    def stopService(self) -> Deferred[None]:  # noqa: N802 - Twisted's name
        """Run no more; what is under way stops between two steps and is found again by the next start."""
        ended = super().stopService()
        self.give_up()
        return ended

    async def _round(self) -> None:
        failed: tuple[str, str] | None = None
        for kind in self._kinds:
            try:
                await self._over(kind)
            except CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - one kind that fails must not keep the others for ever
                reason = f"{type(error).__name__}: {error}"
                log.warning("retention failed", kind=kind.name, reason=reason)
                failed = (kind.name, reason)
        self._judge(failed)

    async def _over(self, kind: Kind) -> None:
        # A clock that was set forward deletes nothing before it has stood for long.
        believed = ago(self._clock, BELIEVED_AFTER.total_seconds()) + BELIEVED_AFTER
        begin = self._begin.get(kind.name) or self._notes.begin(kind.name)
        done = await self._take(kind, forget(kind, believed, begin))
        self._begin[kind.name] = done.begin
        self._notes.ran(kind.name, utc_now(self._clock), done.deleted)
        if done.deleted:
            log.info("forgotten", kind=kind.name, deleted_count=done.deleted)
            await self._empty_the_log()

    async def _take(self, kind: Kind, run: Any) -> Done:
        """Take the steps of a run, one after the other."""
        pages = 0
        try:
            step: Step = next(run)
            while True:
                if isinstance(step, WentThrough):
                    pages += 1
                    if pages % NOTE_EVERY == 0:
                        self._notes.went_through(kind.name, step.after)
                    step = run.send(None)
                    continue
                await self._wait_for_presses()
                step = run.send(await self._result(step))
        except StopIteration as end:
            done: Done = end.value
            return done

    async def _result(self, step: Read | Write) -> Any:
        if isinstance(step, Read):
            return await self._read(step.work)
        (result,) = await self._database.batch(_shielded, [step.work], is_urgent=False)
        if isinstance(result, Exception):
            raise result
        return result

    async def _empty_the_log(self) -> None:
        """Let nothing of it stay in SQLite's log; readers may be in the way for a moment."""
        for _ in range(FOLD_TRIES):
            if await self._fold_back():
                return
            await pause(self._clock, PRESSED_S)
        log.warning("log still holds what was deleted")

    async def _wait_for_presses(self) -> None:
        await pause(self._clock, BREATH_S)
        while self._is_pressed():
            await pause(self._clock, PRESSED_S)

    def _judge(self, failed: tuple[str, str] | None) -> None:
        if failed is None:
            self._failures = 0
            self._alarms.clear(RETENTION_ALARM, self._about)
            return
        self._failures += 1
        if self._failures >= FAILURES_BEFORE_ALARM:
            kind, reason = failed
            self._alarms.raise_(RETENTION_ALARM, self._about, kind=kind, reason=reason)


def _shielded(connection: Connection, items: Sequence[Callable[[Connection], Any]]) -> list[Any]:
    """Run work; missing keys are its own answer, and not a failure of the presses in the same commit."""
    results: list[Any] = []
    for work in items:
        try:
            results.append(work(connection))
        except Unavailable as error:
            results.append(error)
    return results
