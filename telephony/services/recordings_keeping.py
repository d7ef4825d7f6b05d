"""Seals the recordings of calls soon after their end, keeps the register of them, and destroys those whose time is over.

It works beside presses and behind them: files are touched on a thread of each folder's own, a MiB at a time, and while presses
come fast with a second between two steps. What it cannot seal stays plain, and is an alarm. Of several daemons that
see one folder one works there.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import structlog
from twisted.internet.defer import CancelledError

from telephony.alarms import Alarms
from telephony.background import Runner, handed_to
from telephony.clock import Clock, pause
from telephony.domain.errors import Malformed, OnetouchError, Unavailable
from telephony.domain.recording import Recording, call_of, is_call_back
from telephony.periodic import Periodic
from telephony.services.retention import RETENTION_ALARM
from telephony.store.call_names import reference_of
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.database import Database
from telephony.store.recordings import register as recordings
from telephony.store.recordings.files import (
    SEALED,
    Plain,
    Sealed,
    Seen,
    erasing,
    look,
    names,
    read_sealed,
    sealing,
    set_aside,
    take_hold,
    take_up,
)
from telephony.store.recordings.sealed import ENDING, destroy, reseal

log = structlog.get_logger()

T = TypeVar("T")

LOOK_S: Final = 1.0
BREATH_S: Final = 0.005
"""Between two steps."""
PRESSED_S: Final = 1.0
"""Between two steps while presses come fast."""
AGAIN_S: Final = 30.0
"""After something has failed."""
REGISTER_S: Final = 5.0
"""Between two looks into the register for recordings whose time is over, or that are under an older key."""
COMPARE_S: Final = 3_600.0
"""Between two comparisons of the folder with the register."""
HANGS_S: Final = 60.0
"""A folder that has not answered for so long does not answer."""
AT_ONCE: Final = 100
UNSEALED_ALARM: Final = "recording-unsealed"
EXPOSED_ALARM: Final = "recording-exposed"


class Place(Protocol):
    """The folder of one Asterisk's recordings as it is seen from here, and the calls of it that stand."""

    @property
    def server(self) -> str:
        """The server's name."""
        ...

    async def folder(self) -> Path | None:
        """Return the folder; None while it is not known."""
        ...

    def standing(self) -> frozenset[str] | None:
        """Return the names of calls that stand; None while Asterisk cannot say."""
        ...


@dataclass(slots=True)
class _Folder:
    """The state of one folder."""

    path: Path
    hold: int
    unregistered: list[Recording] = field(default_factory=list)
    failed_at: dict[str, float] = field(default_factory=dict)
    """When a file could not be sealed."""
    compared_at: float | None = None
    asked_at: float | None = None
    is_refused: bool = False
    """The store did not take the last entries."""


class RecordingsKeeping:
    """Keeps the recordings of one Asterisk. ``host`` is the name of this machine, as the register has it."""

    def __init__(
        self,
        place: Place,
        database: Database,
        *,
        host: str,
        utc_offset: timedelta,
        keys: Callable[[], KeyRing],
        runner: Runner,
        clock: Clock,
        alarms: Alarms,
        is_pressed: Callable[[], bool],
        fold_back: Callable[[], Awaitable[bool]],
    ) -> None:
        self._place = place
        self._database = database
        self._host = host
        self._utc_offset = utc_offset
        self._keys = keys
        self._runner = runner
        self._clock = clock
        self._alarms = alarms
        self._is_pressed = is_pressed
        self._fold_back = fold_back
        self._folder: _Folder | None = None
        self._rounds = Periodic(self._round, "keeping recordings", every_s=LOOK_S, clock=clock)

    def start(self) -> None:
        """Look now, and go on looking."""
        self._rounds.startService()

    def stop(self) -> None:
        """Stop between two steps; what is under way is found again by the next start. A folder that hangs is not waited for."""
        self._rounds.stopService()
        self._rounds.give_up()
        self._let_go()
        self._runner.stop()

    def _let_go(self) -> None:
        if self._folder is not None:
            os.close(self._folder.hold)
            self._folder = None

    async def _round(self) -> float:
        """Look; returns the seconds until the next look."""
        try:
            await self.look()
        except CancelledError:
            raise
        except (OSError, OnetouchError) as error:
            self._complain(error)
            self._let_go()  # it may have been moved, or another disk mounted in its place
            return AGAIN_S
        except Exception as error:  # one defect must not leave recordings plain for ever
            log.exception("recordings not kept", server=self._place.server)
            self._complain(error)
            return AGAIN_S
        return LOOK_S

    async def look(self) -> None:
        """Seal, register and destroy what is due now. Raises `OSError` or `OnetouchError`."""
        folder = await self._held()
        if folder is None:
            return
        seen = await self._on_thread(partial(_seen, folder.path))
        if seen.exposed:
            self._alarms.raise_(EXPOSED_ALARM, self._place.server, readable=seen.exposed)
        else:
            self._alarms.clear(EXPOSED_ALARM, self._place.server)
        await self._seal_all(folder, sorted(seen.plain, key=lambda each: -each.changed_s))
        await self._tell_the_register(folder)

    # -- the folder ------------------------------------------------------------------------------------------

    async def _held(self) -> _Folder | None:
        """Return the folder once it is ours; None where there is none, or another daemon works there."""
        path = await self._place.folder()
        if self._folder is not None and self._folder.path == path:
            return self._folder
        self._let_go()
        if path is None or not await self._on_thread(path.is_dir):
            return None  # Asterisk makes it with its first recording
        hold = await self._on_thread(partial(take_hold, path))
        if hold is None:
            return None
        for left in await self._on_thread(partial(take_up, path)):
            await self._through(erasing(left))
        self._folder = _Folder(path, hold)
        return self._folder

    async def _seal_all(self, folder: _Folder, plain: list[Plain]) -> None:
        standing = self._place.standing()
        now = self._clock.seconds()
        folder.failed_at = {
            each.path.name: at for each in plain if (at := folder.failed_at.get(each.path.name))
        }
        failed: tuple[Plain, Exception] | None = None
        for each in plain:
            name = each.path.name
            if standing is not None and call_of(name) in standing:
                continue
            if now - folder.failed_at.get(name, -AGAIN_S) < AGAIN_S:
                continue
            try:
                await self._seal(folder, each, is_heard=standing is not None and not is_call_back(name))
            except FileNotFoundError:
                continue  # somebody has taken it away meanwhile
            except (OSError, OnetouchError) as error:
                folder.failed_at[name] = now
                failed = (each, error)
        if failed is not None:
            self._complain(failed[1], incident=call_of(failed[0].path.name), count=len(folder.failed_at))
        elif not folder.failed_at:
            self._alarms.clear(UNSEALED_ALARM, self._place.server)

    async def _seal(self, folder: _Folder, plain: Plain, *, is_heard: bool) -> None:
        """Seal one file, and remove it once its copy is on the disk."""
        began = self._clock.seconds()
        call = reference_of(call_of(plain.path.name), self._utc_offset) or ""
        steps = sealing(plain, self._place.server, call, self._keys(), is_heard=is_heard)
        sealed = await self._through(steps)
        if sealed is None:
            return
        folder.unregistered.append(self._recording(sealed))
        await self._through(erasing(await self._on_thread(partial(set_aside, plain.path))))
        log.info(
            "recording sealed",
            server=self._place.server,
            incident=call_of(plain.path.name),
            call_back=is_call_back(plain.path.name),
            length_s=round(folder.unregistered[-1].length_s, 1),
            took_ms=round((self._clock.seconds() - began) * 1000),
        )

    def _recording(self, sealed: Sealed) -> Recording:
        header = sealed.header
        return Recording(
            sealed.path.name.removesuffix(ENDING),
            header.server,
            header.call,
            header.begun_at,
            header.ended_at,
            header.octets,
            self._host,
            str(sealed.path),
            sealed.key_id,
        )

    # -- the register ----------------------------------------------------------------------------------------

    async def _tell_the_register(self, folder: _Folder) -> None:
        """Register the recordings that were sealed, and destroy those whose time is over. While the store is away it waits."""
        now = self._clock.seconds()
        is_time = folder.asked_at is None or now - folder.asked_at >= REGISTER_S
        is_due = is_time or (folder.unregistered and not folder.is_refused)
        if self._database.is_away or not is_due:
            return
        folder.is_refused = False
        try:
            if folder.compared_at is None or now - folder.compared_at >= COMPARE_S:
                await self._compare(folder)
                folder.compared_at = now
            await self._register(folder)
            if is_time:
                folder.asked_at = now
                await self._destroy_what_is_over(folder)
                await self._reseal()
        except Unavailable as error:
            folder.asked_at, folder.is_refused = now, True
            log.warning("register of recordings not reached", server=self._place.server, reason=str(error))

    async def _compare(self, folder: _Folder) -> None:
        """Find sealed files that the register does not have: killed, or restored from a backup."""
        known = await self._database.read(recordings.known_paths, self._place.server, self._host)
        waiting = {each.path for each in folder.unregistered}
        lost = []
        for name in sorted(await self._on_thread(partial(names, folder.path))):
            path = str(folder.path / SEALED / name)
            if path in known or path in waiting:
                continue
            ring = self._keys()
            try:
                found = await self._on_thread(partial(read_sealed, folder.path, name, ring))
            except (
                OSError,
                Malformed,
                KeysUnavailable,
            ) as error:  # another store's, or damaged: it is in no one's way
                lost.append(f"{name}: {error}")
                continue
            folder.unregistered.append(self._recording(found))
        if lost:
            log.error(
                "sealed recordings cannot be read", server=self._place.server, count=len(lost), first=lost[0]
            )

    async def _register(self, folder: _Folder) -> None:
        while folder.unregistered:
            some = folder.unregistered[:AT_ONCE]
            results = await self._database.batch(recordings.register, some, is_urgent=False)
            for result in results:
                if isinstance(result, Exception):
                    raise result
            del folder.unregistered[: len(some)]

    async def _destroy_what_is_over(self, folder: _Folder) -> None:
        wanted = partial(recordings.over, most=AT_ONCE)
        rows = await self._database.read(wanted, self._place.server, self._host)
        gone: list[int] = []
        failure: OSError | None = None
        for key, path in rows:
            if Path(path).parent != folder.path / SEALED:
                failure = OSError(f"{path} is not in {folder.path / SEALED}")
                continue
            try:
                await self._on_thread(partial(destroy, Path(path)))
            except OSError as error:
                failure = error
            else:
                gone.append(key)
            await self._breathe()
        if gone:
            await self._database.batch(recordings.forget_rows, gone, is_urgent=False)
            await self._fold_back()
            log.info("recordings destroyed", server=self._place.server, count=len(gone))
        if failure is None:
            self._alarms.clear(RETENTION_ALARM, self._place.server)
        else:
            self._alarms.raise_(RETENTION_ALARM, self._place.server, kind="recordings", reason=str(failure))

    async def _reseal(self) -> None:
        """Bring headers under the current key that `onetouch keys rotate` does not reach: it ran on another machine."""
        wanted = partial(recordings.under_another_key, most=AT_ONCE)
        rows = await self._database.read(wanted, self._place.server, self._host)
        done = []
        for key, path in rows:
            with suppress(OSError, Malformed, KeysUnavailable):  # `onetouch keys rotate` tells which and why
                done.append((key, await self._on_thread(partial(reseal, Path(path), self._keys()))))
            await self._breathe()
        if done:
            await self._database.batch(recordings.resealed, done, is_urgent=False)

    # -- steps -----------------------------------------------------------------------------------------------

    async def _through(self, steps: Generator[None, None, T]) -> T:
        """Take the steps, each on the thread."""
        while True:
            is_over, result = await self._on_thread(partial(_step, steps))
            if is_over:
                return result  # type: ignore[no-any-return]
            await self._breathe()

    async def _breathe(self) -> None:
        await pause(self._clock, PRESSED_S if self._is_pressed() else BREATH_S)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        done = handed_to(self._runner, work)
        slow = self._clock.callLater(HANGS_S, self._complain, OSError("the folder does not answer"))
        try:
            result: T = await done
        finally:
            if slow.active():
                slow.cancel()
        return result

    def _complain(self, error: Exception, **about: Any) -> None:
        reason = (getattr(error, "strerror", None) or str(error)) or type(error).__name__
        self._alarms.raise_(UNSEALED_ALARM, self._place.server, reason=reason, **about)


def _seen(folder: Path) -> Seen:
    (folder / SEALED).stat()  # without it this is not the folder that we hold
    return look(folder)


def _step(steps: Generator[None, None, Any]) -> tuple[bool, Any]:
    try:
        next(steps)
    except StopIteration as end:
        return True, end.value
    return False, None
