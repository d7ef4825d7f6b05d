"""Keeps the store: takes it up at the start, watches that it is still ours, and brings it back when it was away.

What cannot be proven right is a store that is away. Then nothing is promised on it: presses go to 112 directly and their
senders are asked for them again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed  # noqa: A004 - Twisted's name
from twisted.python.failure import Failure

from telephony.background import run_in_background
from telephony.clock import Clock, pause, within
from telephony.domain.errors import Unavailable
from telephony.services.alarms import Alarms
from telephony.services.bringing_over import DAMAGED_ALARM
from telephony.services.damaged_store import DamagedStoreWatch
from telephony.services.intake import STORE_ALARM
from telephony.services.service_key import ServiceKey
from telephony.store.bounds import Access, prove_commit
from telephony.store.bulk import execute
from telephony.store.contention import Contended
from telephony.store.crypto import KeyFile, KeyRing, KeysUnavailable
from telephony.store.database import Database, Runner
from telephony.store.own_files import OwnFiles, StoreAway
from telephony.store.upgrade import prove, take_up

log = structlog.get_logger()

LOOK_S = 1.0
"""Between two looks at what nobody has used meanwhile."""
AGAIN_S = 5.0
"""Pause between two attempts that cost something: to take up a store, to write one anew."""
START_S = 5.0
"""How long a start waits for a server, whose schema it may have to make. Links are opened then, with the store or without."""
LONGEST_PAUSE_S = 60.0
"""Between two attempts to replace a damaged store, each of which reads it through."""
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
        access: Access | None = None,
        budget_s: float,
        runner: Runner,
        clock: Clock,
        alarms: Alarms,
        resume: Callable[[], Coroutine[Any, Any, None]],
        damaged: DamagedStoreWatch | None = None,
    ) -> None:
        """``access`` is that of a server, which may vanish, and is asked every second whether it still commits."""
        self._access = access
        self._budget_s = budget_s
        self._starting: Deferred[Exception | None] = succeed(None)
        self._database = database
        self._damaged = damaged
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
        self._pause_s = 0.0
        self._asked: Deferred[None] | None = None
        self._asked_at = clock.seconds()
        self._is_silent = False
        """The store was asked and did not answer well; it is the next good answer that ends the alarm."""
        self._rounds: Deferred[None] = succeed(None)
        self._asking: Deferred[None] = succeed(None)
        database.on_away = self._went_away
        if damaged is not None:
            database.sees = damaged.see

    def take_up_at_start(self) -> None:
        """Take up the store at once. One that cannot be used must not keep us from relaying.

        A file is taken up in this thread, a server on another: it may hang for as long as it likes.
        """
        error = self._tried_to_take_up() if self._access is None else self._take_up_beside()
        if error is not None:
            log.critical("store not usable at start", error=_in_words(error))
            self._database.sees(error)
            self._database.put_away(f"not taken up: {_in_words(error)}")

    def start(self) -> None:
        """Begin to look after it."""
        self._rounds = run_in_background(self._go_round(), "keeping the store")
        if self._access is not None:
            self._asking = run_in_background(self._keep_asking(), "asking the store's server")

    async def stop(self) -> None:
        """End; what would be lost with this process is set aside first."""
        self._rounds.cancel()
        self._asking.cancel()
        await self._runner.stop()
        try:
            await self._database.between_groups(self._leave)
        except Exception as error:  # noqa: BLE001 - the rest must stop all the same
            log.critical("store left in trouble", error=_in_words(error))

    def let_go(self) -> None:
        """Close the store's files, as its last user."""
        if self._files is not None:
            self._files.cast_off()

    def _take_up_beside(self) -> Exception | None:
        self._starting = Deferred()
        outcome: list[Exception | None] = []
        is_over = threading.Event()

        def take_up() -> Exception | None:
            outcome.append(self._tried_to_take_up())
            is_over.set()
            return outcome[0]

        self._runner.run(take_up, self._starting.callback)
        if is_over.wait(START_S):
            return outcome[0]
        return Unavailable("it has not answered yet")

    def _tried_to_take_up(self) -> Exception | None:
        try:
            self._take_up()
        except Exception as error:  # noqa: BLE001 - fail open, whatever it is
            return error
        return None

    # -- in the reactor ---------------------------------------------------------------------------------------

    async def _go_round(self) -> None:
        while True:
            await pause(self._clock, await self._round())

    async def _round(self) -> float:
        """Bring the store back or look whether it is still there; returns the seconds until the next time."""
        try:
            await self._starting
            self._starting = succeed(None)
            if self._damage is not None and not self._database.is_away:
                self._database.put_away(self._damage)
            if self._database.is_away:
                await self._database.between_groups(self._bring_back)
                self._database.bring_back()
            if not self._is_resumed:
                self._pause_s = 0.0
                await self._resume()
                self._is_resumed = True
                self._said = None
                self._alarms.clear(STORE_ALARM, "store")
            await self._look()
        except CancelledError:
            raise
        except Contended as error:
            log.warning("store busy with other writers", error=str(error))
            return LOOK_S
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
            self._say(_in_words(error))
            if self._damage is not None:
                # The first attempt to replace it is made at once.
                pause_s, self._pause_s = self._pause_s, min(max(LOOK_S, 2 * self._pause_s), LONGEST_PAUSE_S)
                return pause_s
            # A server that comes back is to be used at once; to ask for it costs no more than a look.
            return LOOK_S if isinstance(error, StoreAway) or self._access is not None else AGAIN_S
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
        if self._access is None:
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

    async def _keep_asking(self) -> None:
        while True:
            await pause(self._clock, LOOK_S)
            if not self._database.is_away:
                await self._ask_server()

    async def _ask_server(self) -> None:
        """See that the server still commits, before the next press has to find out."""
        asked = self._database.batch(prove_commit, [None], is_urgent=False)
        try:
            await within(asked, self._budget_s, self._clock)
        except CancelledError:
            raise
        except TimeoutError:
            self._database.give_up_on_a_stall(self._budget_s / 2)
        except Exception as error:  # noqa: BLE001 - what cannot be shown to commit is away, whatever the reason
            if not self._database.is_away:
                self._database.put_away(_in_words(error))

    def _tell(self, alarm: str, trouble: str | None) -> None:
        if trouble is None:
            self._alarms.clear(alarm, "store")
        else:
            self._alarms.raise_(alarm, "store", reason=trouble)

    def _went_away(self, reason: str) -> None:
        self._is_resumed = False
        if self._access is not None:
            self._access.cut()  # what is under way there would hold threads, and locks, for nothing
        self._alarms.raise_(STORE_ALARM, "store", reason=reason)
        if self._damage is not None:
            self._alarms.raise_(DAMAGED_ALARM, "store", reason=self._damage)
            log.critical("store damaged", reason=self._damage)
        elif self._is_taken_up:
            log.critical("store went away under us", reason=reason)

    def _say(self, reason: str) -> None:
        """Say why it is not back, once for every reason."""
        self._alarms.raise_(STORE_ALARM, "store", reason=reason)
        if reason != self._said:
            self._said = reason
            log.warning("store not taken up", error=reason)

    @property
    def _damage(self) -> str | None:
        return None if self._damaged is None else self._damaged.damage

    # -- on other threads -------------------------------------------------------------------------------------

    def _look_around(self) -> str | None:
        self._service_key.look()
        try:
            self._key_file.ring()
        except Unavailable as error:
            return str(error)
        trouble = None if self._files is None else self._files.trouble()
        if trouble is None and self._damaged is not None and not self._database.is_away:
            return self._damaged.look()
        return trouble

    def _take_up(self) -> None:
        """Open the store and prove that it is ours: keys, schema, files. Raises whatever is in the way."""
        files = self._files
        self._is_taken_up = False
        self._database.let_go()
        try:
            if self._damaged is not None:
                self._damaged.finish()
            if files is not None:
                files.moor()
            take_up(self._writing, self._key_file)
            if self._access is not None:
                with self._writing.begin() as connection:
                    prove_commit(connection, [])
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
        try:
            self._try_to_bring_back()
        except Exception as error:
            self._database.sees(error)
            raise

    def _try_to_bring_back(self) -> None:
        files = self._files
        if (
            self._damaged is not None
            and self._damage is not None
            and (files is None or files.trouble() is None)
        ):
            self._replace(self._damaged)
            return
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

    def _replace(self, damaged: DamagedStoreWatch) -> None:
        """Have a fresh store in the place of a damaged one, with all that is owed in it."""
        if damaged.is_sound_after_all():
            self._take_up()
            log.warning("store found sound when it was opened again")
            return
        self._key_file.ring()  # under other keys a fresh store would be of no use
        before = damaged.replace(self._database.memory)
        try:
            self._take_up()
        finally:
            before.close()

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
