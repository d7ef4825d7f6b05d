"""Opens the store beside the lab's daemon, as every command of onetouch does: to register, to look, to give orders."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from twisted.internet.threads import deferToThread

from telephony.domain.errors import Unavailable
from telephony.domain.orders import Close, Ordered, Orderer
from telephony.domain.people.person import Draft
from telephony.settings import Settings
from telephony.settings.key_files import key_file_of
from telephony.store.direction import Answer, give
from telephony.store.engines import one_transaction, open_engines
from telephony.store.incidents import IncidentRow, Story, list_incidents, story
from telephony.store.people import Registry

T = TypeVar("T")

TRIES = 20
"""Each waits half a second for the store, which the daemon may be writing."""
BREATH_S = 0.01
MOST_LISTED = 200
LAST = "last"


class Books:
    """The store of a daemon that has been up. Everything is done in a thread; raises `Unavailable` where it cannot be."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engines: tuple[Engine, Engine] | None = None

    async def sign_up(self, draft: Draft) -> None:
        """Register a person, as a school's file would."""
        registry = Registry(key_file_of(self._settings).ring)
        await self._write(lambda connection: registry.enrol(connection, [draft], datetime.now(UTC)))

    async def incidents(self, limit: int = MOST_LISTED) -> list[IncidentRow]:
        """Return the newest incidents first."""
        return await self._read(lambda connection: list_incidents(connection, limit=limit))

    async def story(self, incident_id: str) -> Story | None:
        """Return all that the store knows of an incident."""
        return await self._read(lambda connection: story(connection, incident_id))

    async def named(self, name: str) -> str:
        """Return the id that begins so; for ``last`` the newest that is open, or else the newest.

        Raises `ValueError` saying what to write instead.
        """
        rows = await self.incidents()
        ids = [row.id for row in rows]
        newest = [row.id for row in rows if row.closed_at is None] or ids
        found = (
            newest[:1] if name.lower() == LAST else [each for each in ids if each.startswith(name.lower())]
        )
        if not ids:
            raise ValueError("there is no incident yet")
        if name.lower() in found:
            return name.lower()  # of two presses on a day one id may begin with the other
        if not found:
            raise ValueError(f"no incident begins with {name!r}; `list` shows them")
        if len(found) > 1:
            raise ValueError(f"{len(found)} incidents begin with {name!r}: write more of it")
        return found[0]

    async def close(self, incident_id: str, reason: str) -> Answer:
        """Close an incident, as an operator of the centre would."""
        orderer = Orderer("lab", "lab")
        ordered = Ordered(incident_id, Close(reason), orderer, datetime.now(self._settings.service.zone))
        return await self._write(lambda connection: give(connection, self._settings.plan, ordered))

    def forget(self) -> None:
        """Close every connection to the store."""
        for engine in self._engines or ():
            engine.dispose()
        self._engines = None

    async def _read(self, work: Callable[[Connection], T]) -> T:
        def read() -> T:
            _, reading = self._opened()
            with reading.connect() as connection:
                return work(connection)

        return await _in_thread(read)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        def write() -> T:
            writing, _ = self._opened()
            with writing.connect() as connection, one_transaction(connection):
                return work(connection)

        return await _in_thread(lambda: _in_turn(write))

    def _opened(self) -> tuple[Engine, Engine]:
        if self._engines is None:
            self._engines = open_engines(self._settings.database_url, key_file_of(self._settings).ring)
        return self._engines


async def _in_thread(work: Callable[[], T]) -> T:
    def told() -> T:
        try:
            return work()
        except (DBAPIError, OSError) as error:
            raise Unavailable(f"the store: {getattr(error, 'orig', None) or error}") from error

    done: Any = deferToThread(told)
    result: T = await done
    return result


def _in_turn(write: Callable[[], T]) -> T:
    """Write once the daemon does not; what fails for another reason fails at once."""
    for _ in range(TRIES - 1):
        try:
            return write()
        except DBAPIError as error:
            if "locked" not in str(error.orig) and "busy" not in str(error.orig):
                raise
        time.sleep(BREATH_S)
    return write()
