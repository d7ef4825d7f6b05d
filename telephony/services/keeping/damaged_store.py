"""Notices that the store's file is damaged, and has a fresh store take its place.

Damage is noticed by any error of SQLite that says so, on whichever thread, and by a look through the whole file soon
after the start and then every hour. Damage is not mended in place: SQLite may write into pages that
are in use twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from telephony.clock import Clock, utc_now
from telephony.domain.errors import Unavailable
from telephony.journal.journal import entries_in
from telephony.store.crypto import KeysUnavailable
from telephony.store.damage import is_damage, may_be_damage
from telephony.store.own_files import StoreAway
from telephony.store.salvage.carrying import Carried, OtherSchema, carry_over
from telephony.store.salvage.journaled import JournaledPresses
from telephony.store.salvage.reading import DamagedStore, damage_of
from telephony.store.salvage.setting_aside import drop_fresh, finish, fresh_place, kept_place, set_aside
from telephony.store.sealing import Keys
from telephony.store.unfinished import UnfinishedNote

log = structlog.get_logger()

FIRST_LOOK_S: Final = 10.0
"""After the start: what was damaged while no daemon ran is found before it costs much."""
AGAIN_S: Final = 60.0
"""After a look that gave way to presses, or that was locked out."""
TRUSTED_S: Final = 60.0
"""A store that was found sound after an error is not found so again within this time."""


class PressesFirst(Exception):  # noqa: N818 - what is to be done
    """Presses come fast: the look is left for another time."""


class DamagedStoreWatch:
    """Watches the store's file for damage. `see` may be called on any thread, `look` on the keeper's, the rest on the writer's."""

    def __init__(
        self,
        file: Path,
        *,
        every_s: float,
        clock: Clock,
        is_pressed: Callable[[], bool],
        journal: Path,
        keys: Keys,
    ) -> None:
        """``every_s`` stands between two looks: one reads the whole file, 1.5 s per GiB of it on a thread of its own.

        ``journal`` is the journal's folder, which may have the presses of incidents whose rows are lost.
        """
        self._journal = journal
        self._keys = keys
        self._every_s = every_s
        self._file = file
        self._clock = clock
        self._is_pressed = is_pressed
        self._is_suspected = False
        self._next_look = clock.seconds() + min(FIRST_LOOK_S, every_s)
        self._trusted_at: float | None = None
        self.damage: str | None = None
        """The damage of the file; None while none is known."""
        self.note = UnfinishedNote(file)
        self.lacks_people = self.note.lacks_people()
        """Whether people are still to be brought over from a damaged store."""

    def see(self, error: BaseException) -> str | None:
        """Take an error of the store; returns the damage of the file where the error says it."""
        if is_damage(error):
            self.damage = str(getattr(error, "orig", error))
            return self.damage
        if may_be_damage(error):
            self._is_suspected = True
        return None

    def look(self) -> str | None:
        """Look through the file when it is time to, or after trouble of the disk; returns the damage."""
        now = self._clock.seconds()
        if self.damage is None and (self._is_suspected or now >= self._next_look):
            is_asked_for, self._is_suspected = self._is_suspected, False
            self._next_look = now + self._every_s
            try:
                self.damage = damage_of(self._file, _never if is_asked_for else self._give_way)
            except PressesFirst:
                self._next_look = now + AGAIN_S
            except sqlite3.Error as error:
                log.warning("store not looked through", error=str(error))
                self._next_look = now + AGAIN_S
        return self.damage

    def is_sound_after_all(self) -> bool:
        """Whether nothing is wrong with the file when it is opened again: what a process had in memory may have been."""
        now = self._clock.seconds()
        if self._trusted_at is not None and now - self._trusted_at < TRUSTED_S:
            return False
        try:
            found = damage_of(self._file)
        except sqlite3.Error as error:
            raise StoreAway(f"the damaged store cannot be looked through: {error}") from error
        if found is not None:
            self.damage = found
            return False
        self._trusted_at = now
        self.damage = None
        return True

    def finish(self) -> None:
        """Do the rest of a switch that a killed process had begun."""
        kept = finish(self._file)
        if kept is not None:
            self.lacks_people = self.note.lacks_people()
            log.critical("fresh store put in place", kept=str(kept))

    def replace(self, memory: sqlite3.Connection | None) -> DamagedStore:
        """Put a fresh store with all that is owed in the place of the damaged one; ``memory`` as for `carry_over`.

        Returns the damaged one, which is to be closed when every connection to it is. Raises `StoreAway` where it cannot
        be done: then nothing has changed.
        """
        began = self._clock.seconds()
        now = utc_now(self._clock)
        try:
            damaged = DamagedStore(self._file)
        except OSError as error:
            raise StoreAway(f"the damaged store cannot be read: {error.strerror}") from error
        try:
            carried = self._fresh_store(damaged, now, memory)
            kept = set_aside(self._file, now)
        except BaseException as error:
            damaged.close()
            drop_fresh(self._file)
            if isinstance(error, OSError | sqlite3.Error | OtherSchema):
                raise StoreAway(f"no fresh store could be made: {error}; was: {self.damage}") from error
            raise
        was, self.damage = self.damage, None
        self.lacks_people = True
        self._next_look = self._clock.seconds() + self._every_s
        log.critical(
            "fresh store in use",
            was=was,
            kept=str(kept),
            incidents=carried.incidents,
            open=carried.open,
            owed=carried.owed,
            lost_incidents=list(carried.stand_ins),
            restored_incidents=list(carried.restored),
            damaged_tables=list(carried.damaged_tables),
            took_s=round(self._clock.seconds() - began, 2),
        )
        return damaged

    def require_people(self) -> None:
        """Raise `Unavailable` while who presses may stand in the damaged store: not found would be a false answer."""
        if self.lacks_people:
            raise Unavailable("people are being brought over from a damaged store")

    def _fresh_store(
        self, damaged: DamagedStore, now: datetime, memory: sqlite3.Connection | None
    ) -> Carried:
        carried = carry_over(damaged, fresh_place(self._file), now.timestamp(), memory, self._journaled)
        self.note.add(kept_place(self._file, now))
        return carried

    def _journaled(self) -> JournaledPresses | None:
        try:
            ring = self._keys()
            return JournaledPresses(ring, [entry[1:] for entry in entries_in(self._journal, ring)])
        except (OSError, KeysUnavailable) as error:
            # What is left of the rows has to do.
            log.warning("journal not read for lost incidents", error=str(error))
            return None

    def _give_way(self) -> None:
        if self._is_pressed():
            raise PressesFirst


def _never() -> None:
    """Give way to nothing: after trouble of the disk it must be known."""
