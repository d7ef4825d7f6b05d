"""The store, its keeper, and what is remembered beside it for when it is away."""

from __future__ import annotations

from functools import partial
from typing import Final

import structlog
from sqlalchemy import Engine
from twisted.internet.defer import Deferred, TimeoutError, succeed  # noqa: A004 - Twisted's name

from telephony.assembly.part import Ground, Occasion, Part
from telephony.background import run_in_background
from telephony.clock import within
from telephony.domain.own_lines import hash_of
from telephony.journal.journal import JOURNAL_FOLDER
from telephony.net.names import Names
from telephony.services.keeping.bringing_over import BringingOver
from telephony.services.keeping.damaged_store import DamagedStoreWatch
from telephony.services.keeping.service_key import ServiceKey
from telephony.services.keeping.store_keeper import StoreKeeper
from telephony.services.locating.file import LOCATINGS_FILE, LocatingFile
from telephony.services.spine.incident_names import IncidentNames
from telephony.services.spine.open_callers import KnownCallers
from telephony.services.spine.open_callers_file import CALLERS_FILE, CallersKeeping
from telephony.services.spine.outbox import Outbox
from telephony.services.spine.told import ToldReports
from telephony.services.spine.told_file import TOLD_FILE, ToldKeeping
from telephony.settings.key_files import key_file_of
from telephony.store.bounds import Access
from telephony.store.checkpoint import Checkpointer
from telephony.store.contention import Repeats
from telephony.store.crypto import KeyRing
from telephony.store.database import Database
from telephony.store.engines import open_engines, own_files_of, sqlite_checkpoint_engine
from telephony.store.line_file import LineFile
from telephony.store.people import Registry
from telephony.store.people_erasing import fold_back

log = structlog.get_logger()

READERS: Final = 2
REPEATED_FOR: Final = 0.4
"""The part of a press's commit budget in which the store's writer waits for another daemon's."""
STOP_WITHIN_S: Final = 5.0


class StorePart(Part):
    """Opens the store as it is made, so that the daemon has it, or knows that it has none, before anybody can press."""

    def __init__(self, ground: Ground, names: Names) -> None:
        super().__init__()
        self._ground = ground
        settings, outside = ground.settings, ground.outside
        self.key_file = key_file_of(settings, waits=False, monotonic=outside.reactor.seconds)
        self._service_key = ServiceKey(settings.service.state_dir, self.key_file.ring)
        self.is_taken_up = Occasion()
        """The store is there, again or for the first time: what has to be done before anything else is."""
        self.people_reader = outside.runner("people-reader", READERS)
        self.relay_reader = outside.thread("relay-reader")
        url = settings.database_url
        files = own_files_of(url)
        budget_s = settings.store.commit_budget_s
        access = Access.of_daemon(budget_s, names.known)
        self._damaged = (
            None
            if files is None
            else DamagedStoreWatch(
                files.file,
                every_s=settings.store.look_every_s,
                clock=outside.reactor,
                is_pressed=self._is_pressed,
                journal=settings.service.state_dir / JOURNAL_FOLDER,
                keys=self.key_file.ring,
            )
        )
        writing, reading = open_engines(url, self.key_file.ring, files, access)
        self.database = Database(
            writing,
            reading,
            writer=outside.thread("store-writer"),
            reader=outside.runner("store-reader", READERS),
            clock=outside.reactor,
            prove=None if files is None else files.require,
            repeats=Repeats(budget_s * REPEATED_FOR, now=outside.reactor.seconds, rng=outside.rng),
        )
        self.outbox = Outbox(self.database, settings.plan, ground.bell)
        self.keeper = StoreKeeper(
            self.database,
            (writing, reading),
            files,
            self.key_file,
            self._service_key,
            access=None if writing.dialect.name == "sqlite" else access,
            budget_s=budget_s,
            runner=outside.thread("store-keeper"),
            clock=outside.reactor,
            alarms=ground.alarms,
            resume=self.is_taken_up,
            damaged=self._damaged,
        )
        self._bringing_over = None if self._damaged is None else self._bring_over(self._damaged)
        self.keeper.take_up_at_start()
        self._checkpoint_engine: Engine | None = None
        self._checkpointer: Checkpointer | None = None
        if writing.dialect.name == "sqlite":
            self._checkpoint_engine = sqlite_checkpoint_engine(url, files)
            self._checkpointer = Checkpointer(
                url,
                self._checkpoint_engine,
                self.database,
                runner=outside.thread("store-checkpoint"),
                clock=outside.reactor,
            )
        self.registry = Registry(self._keys_of_people, adult_age=settings.people.adult_age)
        self._remember_past_the_store()

    def incident_names(self) -> IncidentNames:
        """Return how presses are named, also once a key is found that the start could not read.

        What was told past the store until then is known in this process by the name that it was told under.
        """
        names = IncidentNames(self._service_key.octets, self._ground.settings.service.zone)

        def go_by(key: bytes) -> None:
            for each in (names, *self._under_the_service_key):
                each.go_by(key)

        self._service_key.on_found = go_by
        return names

    def locating_file(self) -> LocatingFile:
        """Return where requests to carriers are kept that the store has not taken."""
        file = LocatingFile(
            LineFile(self._ground.settings.service.state_dir / LOCATINGS_FILE),
            key=self._service_key.octets,
            keys=self.key_file.ring,
            runner=self._ground.outside.thread("locatings-file"),
        )
        self._under_the_service_key.append(file)
        return file

    def go_on_bringing_over(self) -> None:
        """Go on with what an earlier process had begun to bring over from a damaged store."""
        if self._bringing_over is not None:
            self._bringing_over.go_on()

    def empty_the_log(self) -> Deferred[bool]:
        """Fold SQLite's log back and cut it, on the writer's own thread: what was deleted stands in it still."""
        engine = self._checkpoint_engine
        if engine is None:
            return succeed(True)

        def empty() -> bool:
            with engine.connect() as connection:
                return fold_back(connection)

        return self.database.between_groups(empty)

    def start(self) -> None:
        """Read what an earlier process remembered, then look after the store."""
        self._callers_keeping.load()
        self._told_keeping.load()
        self.keeper.start()
        if self._checkpointer is not None:
            self._checkpointer.start()

    async def stop(self) -> None:
        """Write the memories down, then close the store."""
        self._callers_keeping.stop()
        await self._told_keeping.stop()
        # With files, saving what would be lost with this process may take its time.
        if self._checkpointer is not None:
            await self._close()
            return
        try:
            await within(self._closed(), STOP_WITHIN_S, self._ground.clock)
        except TimeoutError:
            # Its threads end with the process; acknowledged presses are on disk.
            log.warning("store not closed: it does not answer")

    def _closed(self) -> Deferred[None]:
        """Begin to close the store; fires when it is. A caller that gives up waiting does not disturb the closing."""
        closed: Deferred[None] = Deferred()
        closing = run_in_background(self._close(), "closing the store")
        closing.addCallback(lambda _: None if closed.called else closed.callback(None))
        return closed

    async def _close(self) -> None:
        if self._checkpointer is not None:
            await self._checkpointer.stop()
        await self.people_reader.stop()
        if self._bringing_over is not None:
            await self._bringing_over.stop()
        await self.keeper.stop()
        await self.relay_reader.stop()
        await self.database.stop()
        self.keeper.let_go()

    def _is_pressed(self) -> bool:
        return self._ground.traffic.is_pressed

    def _bring_over(self, damaged: DamagedStoreWatch) -> BringingOver:
        return BringingOver(
            damaged,
            self.database,
            Registry(self.key_file.ring),
            runner=self._ground.outside.thread("salvage"),
            clock=self._ground.clock,
            alarms=self._ground.alarms,
            is_pressed=self._is_pressed,
        )

    def _keys_of_people(self) -> KeyRing:
        """Return the key ring; raises `Unavailable` while people are being brought over from a damaged store."""
        if self._damaged is not None:
            self._damaged.require_people()
        return self.key_file.ring()

    def _remember_past_the_store(self) -> None:
        """Make the memories of reports told past the store and of callers with an open incident; files keep both."""
        clock, key, state_dir = (
            self._ground.clock,
            self._service_key.octets,
            self._ground.settings.service.state_dir,
        )
        self.told = ToldReports(key, clock=clock)
        self.callers = KnownCallers(clock, partial(hash_of, key=key))
        self._told_keeping = ToldKeeping(
            self.told,
            LineFile(state_dir / TOLD_FILE),
            key=key,
            keys=self.key_file.ring,
            runner=self._ground.outside.thread("told-file"),
            clock=clock,
            alarms=self._ground.alarms,
        )
        self._callers_keeping = CallersKeeping(
            self.callers,
            LineFile(state_dir / CALLERS_FILE),
            key=key,
            runner=self._ground.outside.thread("callers-file"),
            clock=clock,
        )
        self._under_the_service_key: list[ToldKeeping | CallersKeeping | LocatingFile] = [
            self._told_keeping,
            self._callers_keeping,
        ]
