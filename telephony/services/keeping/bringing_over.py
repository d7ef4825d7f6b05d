"""Brings the rest of a damaged store over into the fresh one: people first, then history, in small pieces beside presses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from telephony.alarms import Alarms
from telephony.background import Runner, handed_to, run_in_background
from telephony.clock import Clock, pause
from telephony.domain.errors import Unavailable
from telephony.services.keeping.damaged_store import DamagedStoreWatch
from telephony.store.database import Database
from telephony.store.people import Registry
from telephony.store.salvage.reading import DamagedStore
from telephony.store.salvage.runs import PEOPLE, Outcome, TableReport, TableSalvage, outcome_of, put
from telephony.store.salvage.shapes import Row, Shape
from telephony.store.unfinished import Unfinished

log = structlog.get_logger()

T = TypeVar("T")

DAMAGED_ALARM = "store-damaged"
DAMAGED_ALARM_S: Final = 86_400.0
"""How long it stands after all is done: the disk has to be looked at, whatever could be saved."""
BREATH_S: Final = 0.05
"""Between two pieces: a tenth of the store's time at most is ours."""
PRESSED_S: Final = 1.0
AGAIN_S: Final = 5.0
"""Between two tries to write into a store that is away."""


class BringingOver:
    """Goes through the damaged stores of the note, table by table. `go_on` may be called at any time."""

    def __init__(
        self,
        watch: DamagedStoreWatch,
        database: Database,
        registry: Registry,
        *,
        runner: Runner,
        clock: Clock,
        alarms: Alarms,
        is_pressed: Callable[[], bool],
    ) -> None:
        self._watch = watch
        self._database = database
        self._registry = registry
        self._runner = runner
        self._clock = clock
        self._alarms = alarms
        self._is_pressed = is_pressed
        self._running: Deferred[None] | None = None
        self._is_stopped = False

    def go_on(self) -> None:
        """Do what the note says is left, unless that is under way or the daemon stops."""
        if self._is_stopped or (self._running is not None and not self._running.called):
            return
        self._running = run_in_background(self._all(), "bringing over what a damaged store holds")

    async def stop(self) -> None:
        """End between two pieces; the next start goes on."""
        self._is_stopped = True
        if self._running is not None:
            self._running.cancel()
        await self._runner.stop()

    async def _all(self) -> None:
        while unfinished := self._watch.note.read():
            await self._one(unfinished[0])
        self._watch.lacks_people = False

    async def _one(self, unfinished: Unfinished) -> None:
        place = self._watch.note.place(unfinished)
        self._alarms.raise_(DAMAGED_ALARM, "store", kept=str(place))
        store = await self._on_thread(lambda: DamagedStore(place))
        try:
            reports = [await self._table(store, unfinished.name, table) for table in unfinished.left]
        finally:
            self._runner.run(store.close, _nothing)
        outcome = outcome_of(reports, store.unplaced)
        say = log.warning if outcome is Outcome.WHOLE else log.critical
        say("damaged store brought over", kept=str(place), outcome=outcome.value, unplaced=store.unplaced)
        self._alarms.note(DAMAGED_ALARM, "store", DAMAGED_ALARM_S, kept=str(place), outcome=outcome.value)

    async def _table(self, store: DamagedStore, name: str, table: str) -> TableReport:
        salvage = await self._on_thread(
            lambda: TableSalvage(store, table, is_merged=True, keys=self._registry.keys)
        )
        slices = salvage.slices()
        while (rows := await self._on_thread(lambda: next(slices, None))) is not None:
            salvage.wrote(await self._written(salvage.shape, rows))
            await pause(self._clock, BREATH_S)
            # People first: who presses is looked up for every new press.
            while table not in PEOPLE and self._is_pressed():
                await pause(self._clock, PRESSED_S)
        report = salvage.report
        if table == PEOPLE[-1] and store.losses(PEOPLE):
            await self._index_people()
        self._watch.note.finished(name, table)
        self._watch.lacks_people = self._watch.note.lacks_people()
        _tell(report)
        return report

    async def _index_people(self) -> None:
        """Make the look-up tables of people again, out of what stands sealed in their own rows."""
        found: tuple[int, int] | None = (0, 0)
        while found is not None:
            after = found[0]
            found = await self._patiently(
                lambda after=after: self._database.transact(self._registry.index_again, after)  # type: ignore[misc]
            )
            await pause(self._clock, BREATH_S)

    async def _written(self, shape: Shape, rows: Sequence[Row]) -> int:
        (written,) = await self._patiently(
            lambda: self._database.batch(_put, [(shape, rows)], is_urgent=False)
        )
        count: int = written
        return count

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it, and again while the store is away."""
        while True:
            try:
                return await work()
            except Unavailable:
                await pause(self._clock, AGAIN_S)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await handed_to(self._runner, work)


def _put(connection: Connection, items: Sequence[tuple[Shape, Sequence[Row]]]) -> list[int]:
    driver: Any = connection.connection.driver_connection
    return [put(driver, shape, rows) for shape, rows in items]


def _tell(report: TableReport) -> None:
    if not report.read and not report.lost:
        return
    say = log.critical if report.lost or report.pages_lost else log.info
    say(
        "rows brought over",
        table=report.table,
        read_count=report.read,
        written_count=report.written,
        lost_count=report.lost,
        lost_pages=report.pages_lost,
    )


def _nothing(_: object) -> None:
    """Wait for nothing: the file is closed."""
