"""Keeps the store: takes it up at the start, watches that it is still ours, and brings it back when it was away.

A store that cannot be proven ours and well is put away. Then nothing is promised on it: presses go to 112 directly and their
senders are asked for them again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import CancelledError, Deferred, succeed

from telephony.alarms import Alarms
from telephony.background import Runner, handed_to
from telephony.clock import Call, Clock
from telephony.domain.errors import Unavailable
from telephony.periodic import Periodic
from telephony.services.keeping.bringing_over import DAMAGED_ALARM
from telephony.services.keeping.damaged_store import DamagedStoreWatch
from telephony.services.keeping.service_key import ServiceKey
from telephony.services.spine.telling import STORE_ALARM
from telephony.store.bounds import Access, prove_commit
from telephony.store.contention import Contended
from telephony.store.crypto import KeyFile, KeyRing, KeysUnavailable
from telephony.store.database import Database
from telephony.store.keys.proof import prove
from telephony.store.own_files import OwnFiles, StoreAway
from telephony.store.upgrade import take_up

log = structlog.get_logger()

LOOK_S = 1.0
"""Between two looks at a store that has not been used meanwhile."""
AGAIN_S = 5.0
"""Pause between two attempts that cost something: to take up a store, to write one again."""
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
        """``access`` is that of a server, which may vanish: it is asked more often whether it still commits, and is away when not."""
        self._access = access
        self._asked_every_s = ASKED_EVERY_S if access is None else LOOK_S
        self._answers_within_s = ANSWERS_WITHIN_S if access is None else budget_s
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
        self._is_silent = False
        """The store was asked and did not answer well; it is the next good answer that ends the alarm."""
        self._rounds = Periodic(self._round, "keeping the store", every_s=LOOK_S, clock=clock)
        self._asking = Periodic(
            self._ask,
            "asking the store",
            every_s=self._asked_every_s,
            clock=clock,
            first_s=self._asked_every_s,
        )
        database.on_away = self._went_away
        if damaged is not None:
            database.sees = damaged.see

    def take_up_at_start(self) -> None:
        """Take up the store at once. One that cannot be used must not keep us from relaying.

        A file is taken up in this thread, a server on another: it may hang for as long as it likes.
        """
        error = self._tried_to_take_up() if self._access is None else self._take_up_beside()
        self._service_key.look(is_proven=self._is_taken_up)
        if error is not None:
            log.critical("store not usable at start", error=_in_words(error))
            self._database.sees(error)
            self._database.put_away(f"not taken up: {_in_words(error)}")

    def start(self) -> None:
        """Begin to look after it."""
        for each in (self._rounds, self._asking):
            each.startService()

    async def stop(self) -> None:
        """End; what would be lost with this process is set aside first."""
        for each in (self._rounds, self._asking):
            each.stopService()
            each.give_up()
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
        """See that all is as it was taken up, also while no presses come."""
        trouble = await handed_to(self._runner, self._look_around)
        self._service_key.hand_over()
        self._tell(KEY_ALARM, self._key_file.trouble)
        self._tell(SERVICE_KEY_ALARM, self._service_key.trouble)
        if trouble is not None and not self._database.is_away:
            self._database.put_away(trouble)

    async def _ask(self) -> None:
        """Ask the store for a commit of nothing, before the next press has to find out that there is none."""
        if self._database.is_away:
            return
        late: Call

        def is_late() -> None:
            nonlocal late
            late = self._clock.callLater(self._answers_within_s, is_late)
            self._no_answer()

        late = self._clock.callLater(self._answers_within_s, is_late)
        try:
            await self._database.batch(prove_commit, [None], is_urgent=False)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the reason, it does not commit
            self._refused(error)
        else:
            if self._is_silent:
                self._is_silent = False
                self._alarms.clear(STORE_ALARM, "store")
        finally:
            late.cancel()

    def _no_answer(self) -> None:
        """Give up a server, which may never answer; of a file say so: its writer goes on when the disk does."""
        if self._access is None:
            self._say_silent(f"no answer in {self._answers_within_s:g} s")
        else:
            self._database.give_up_on_a_stall(self._budget_s / 2)

    def _refused(self, error: Exception) -> None:
        if self._access is None:
            self._say_silent(str(error))
        elif not self._database.is_away:
            # A store that cannot be shown to commit is put away.
            self._database.put_away(_in_words(error))

    def _say_silent(self, reason: str) -> None:
        self._is_silent = True
        self._alarms.raise_(STORE_ALARM, "store", reason=reason)

    def _tell(self, alarm: str, trouble: str | None) -> None:
        if trouble is None:
            self._alarms.clear(alarm, "store")
        else:
            self._alarms.raise_(alarm, "store", reason=trouble)

    def _went_away(self, reason: str) -> None:
        self._is_resumed = False
        if self._access is not None:
            self._access.cut()  # statements under way there would hold threads, and locks, for nothing
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
        self._service_key.look(is_proven=self._is_taken_up)
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
