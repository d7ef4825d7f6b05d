"""Keeps the store: takes it up at the start, watches that it is still ours, and brings it back when it was away.

What cannot be proven right is a store that is away. Then nothing is promised on it: presses go to 112 directly and their
senders are asked for them again.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure

from telephony.background import run_in_background
from telephony.clock import Clock, pause
from telephony.domain.errors import Unavailable
from telephony.services.alarms import Alarms
from telephony.services.intake import STORE_ALARM
from telephony.services.service_key import ServiceKey
from telephony.store.bulk import execute
from telephony.store.crypto import KeyFile, KeyRing, KeysUnavailable
from telephony.store.database import Database, Runner
from telephony.store.own_files import OwnFiles, StoreAway
from telephony.store.upgrade import prove, take_up

log = structlog.get_logger()

LOOK_S = 1.0
"""Between two looks at what nobody has used meanwhile."""
AGAIN_S = 5.0
"""Pause between two attempts that cost something: to take up a store, to write one anew."""
ASKED_EVERY_S = 5.0
ANSWERS_WITHIN_S = 5.0
"""A store that takes longer to commit nothing at all is in trouble, whether or not anybody presses."""
KEY_ALARM = "key-file-wrong"
SERVICE_KEY_ALARM = "service-key-wrong"


class StoreKeeper:
    """Opens and shuts the door to the store; ``resume`` is what is to be done first each time it has come back."""

    def __init__(
        self,
        database: Database,
        engines: tuple[Engine, Engine],
        files: OwnFiles | None,
        key_file: KeyFile,
        service_key: ServiceKey,
        *,
        runner: Runner,
        clock: Clock,
        alarms: Alarms,
        resume: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._database = database
        self._writing, self._reading = engines
        self._files = files
        self._key_file = key_file
        self._service_key = service_key
        self._runner = runner
        self._clock = clock
        self._alarms = alarms
        self._resume = resume
        self._is_resumed = False
        self._is_taken_up = False
        self._said: str | None = None
        self._asked: Deferred[None] | None = None
        self._asked_at = clock.seconds()
        self._is_silent = False
        """The store was asked and did not answer well; it is the next good answer that ends the alarm."""
        self._rounds: Deferred[None] = succeed(None)
        database.on_away = self._went_away

    def take_up_at_start(self) -> None:
        """Take up the store at once, in this thread. One that cannot be used must not keep us from relaying."""
        try:
            self._take_up()
        except Exception as error:  # noqa: BLE001 - fail open, whatever it is
            log.critical("store not usable at start", error=_in_words(error))
            self._database.put_away(f"not taken up: {_in_words(error)}")

    def start(self) -> None:
        """Begin to look after it."""
        self._rounds = run_in_background(self._go_round(), "keeping the store")

    async def stop(self) -> None:
        """End; what would be lost with this process is set aside first."""
        self._rounds.cancel()
        await self._runner.stop()
        try:
            await self._database.between_groups(self._leave)
        except Exception as error:  # noqa: BLE001 - the rest must stop all the same
            log.critical("store left in trouble", error=_in_words(error))

    def let_go(self) -> None:
        """Close the store's files, as its last user."""
        if self._files is not None:
            self._files.cast_off()

    # -- in the reactor ---------------------------------------------------------------------------------------

    async def _go_round(self) -> None:
        while True:
            await pause(self._clock, await self._round())

    async def _round(self) -> float:
        """Bring the store back or look whether it is still there; returns the seconds until the next time."""
        try:
            if self._database.is_away:
                await self._database.between_groups(self._bring_back)
                self._database.bring_back()
            if not self._is_resumed:
                await self._resume()
                self._is_resumed = True
                self._said = None
                self._alarms.clear(STORE_ALARM, "store")
            await self._look()
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            self._say(_in_words(error))
            return LOOK_S if isinstance(error, StoreAway) else AGAIN_S
        return LOOK_S

    async def _look(self) -> None:
        """See that all is as it was taken up, also while nobody presses."""
        looked: Deferred[str | None] = Deferred()
        self._runner.run(self._look_around, looked.callback)
        trouble = await looked
        self._tell(KEY_ALARM, self._key_file.trouble)
        self._tell(SERVICE_KEY_ALARM, self._service_key.trouble)
        if trouble is not None and not self._database.is_away:
            self._database.put_away(trouble)
        self._ask()

    def _ask(self) -> None:
        """Ask the store for a commit of nothing: the alarm must not wait for the next press."""
        now = self._clock.seconds()
        if self._asked is not None or self._database.is_away or now - self._asked_at < ASKED_EVERY_S:
            return
        self._asked_at = now
        late = self._clock.callLater(
            ANSWERS_WITHIN_S, self._no_answer, f"no answer in {ANSWERS_WITHIN_S:g} s"
        )

        def answered(result: object) -> None:
            self._asked = None
            if late.active():
                late.cancel()
            if isinstance(result, Failure):
                self._no_answer(str(result.value))
            elif self._is_silent:
                self._is_silent = False
                self._alarms.clear(STORE_ALARM, "store")

        self._asked = self._database.transact(_is_there)
        self._asked.addBoth(answered)

    def _no_answer(self, reason: str) -> None:
        self._is_silent = True
        self._alarms.raise_(STORE_ALARM, "store", reason=reason)

    def _tell(self, alarm: str, trouble: str | None) -> None:
        if trouble is None:
            self._alarms.clear(alarm, "store")
        else:
            self._alarms.raise_(alarm, "store", reason=trouble)

    def _went_away(self, reason: str) -> None:
        self._is_resumed = False
        self._alarms.raise_(STORE_ALARM, "store", reason=reason)
        if self._is_taken_up:
            log.critical("store went away under us", reason=reason)

    def _say(self, reason: str) -> None:
        """Say why it is not back, once for every reason."""
        self._alarms.raise_(STORE_ALARM, "store", reason=reason)
        if reason != self._said:
            self._said = reason
            log.warning("store not taken up", error=reason)

    # -- on other threads -------------------------------------------------------------------------------------

    def _look_around(self) -> str | None:
        self._service_key.look()
        try:
            self._key_file.ring()
        except Unavailable as error:
            return str(error)
        return None if self._files is None else self._files.trouble()

    def _take_up(self) -> None:
        """Open the store and prove that it is ours: keys, schema, files. Raises whatever is in the way."""
        files = self._files
        self._is_taken_up = False
        self._database.let_go()
        try:
            if files is not None:
                files.moor()
            take_up(self._writing, self._key_file)
            if files is not None:
                files.require()
        except BaseException:
            self._database.let_go()
            self.let_go()
            raise
        self._key_file.is_proven_by(
            partial(_prove, self._reading, self._key_file), self._service_key.path.parent
        )
        self._is_taken_up = True

    def _bring_back(self) -> None:
        """Bring back a store that is away; raises whatever is in the way."""
        files = self._files
        if not self._is_taken_up or files is None:
            self._take_up()
            return
        trouble = files.trouble()
        if trouble is None:
            self._key_file.ring()
            return
        files.recover()
        self._key_file.ring()  # its file may have gone the same way
        self._take_up()
        log.warning("store written anew where it was lost", was=trouble)

    def _leave(self) -> None:
        files = self._files
        if files is not None and files.is_moored and files.trouble() is not None:
            files.recover()


def _is_there(connection: Connection) -> None:
    execute(connection, "SELECT 1")


def _prove(reading: Engine, key_file: KeyFile, ring: KeyRing) -> None:
    try:
        with reading.connect() as connection:
            is_proven = prove(connection, key_file.path, ring)
    except SQLAlchemyError as error:
        raise KeysUnavailable(
            f"{key_file.path} has changed and cannot be proven now: {_in_words(error)}"
        ) from error
    if not is_proven:
        raise KeysUnavailable(f"{key_file.path} has changed, and the store holds nothing to prove it by")


def _in_words(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return str(original) if isinstance(error, Unavailable) else f"{type(original).__name__}: {original}"
