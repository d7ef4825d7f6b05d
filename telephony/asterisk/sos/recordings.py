"""Watches whether the recordings of SOS calls exist and grow: only such a recording is named to 112."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.python.failure import Failure

from telephony.alarms import Alarms
from telephony.asterisk.ami.client import AmiClient
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos.follower import CallFollower
from telephony.asterisk.sos.sos_call import SosCall
from telephony.clock import Clock, pause, within
from telephony.domain.errors import Refused, Unavailable
from telephony.domain.facts import CallState
from telephony.domain.recording import WAV_HEADER, Record
from telephony.net.places import is_loopback
from telephony.periodic import Periodic

ALARM: Final = "recording-failing"
LOOK_S: Final = 1.0
STANDS_STILL_S: Final = 10.0
"""A recording that has not grown for so long is not counted as one. Asterisk writes 16,000 octets a second, in pieces
of half a second."""
LAST_LOOK_S: Final = 0.3
"""How long the end of a call waits for a recording that has not been seen yet."""
STANDS_STILL: Final = "it does not grow: the disk is full, or the phone sends nothing"
NO_ANSWER: Final = "the folder does not answer"
FOLDER_S: Final = 5.0
"""Bound on one look at the folder, which may be another machine's."""

Look = Callable[[Sequence[Path]], Deferred[list[int | str]]]
"""Runs `sizes` on a thread."""


def sizes(files: Sequence[Path]) -> list[int | str]:
    """Return the size of each file, or why it cannot be seen. Asks the disk."""
    return [_size(file) for file in files]


def _size(file: Path) -> int | str:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return "no such file" if file.parent.is_dir() else f"no folder {file.parent}"
    except PermissionError:
        return f"no right to look into {file.parent}"
    except OSError as error:
        return os.strerror(error.errno or 0)


def can_see(server: AsteriskServer) -> bool:
    """Whether this process can look at the server's recordings: it is on the same host, or a folder is named."""
    return server.recordings is not None or is_loopback(server.host)


async def folder_of(client: AmiClient) -> Path | None:
    """Return the folder in which an Asterisk says that it records; None where it does not say."""
    spool = await _variable(client, "ASTSPOOLDIR")
    return Path(spool, "monitor") if spool else None


async def record_of(client: AmiClient) -> Record:
    """Return what the dialplan of an Asterisk records; everything where it does not say."""
    return Record.of(await _variable(client, "SOS_RECORD") or "")


async def _variable(client: AmiClient, name: str) -> str | None:
    try:
        return (await client.action("Getvar", [("Variable", name)])).get("Value")
    except (Refused, Unavailable):
        return None


@dataclass(slots=True)
class _Watched:
    """The recording of one call."""

    since: float
    """When it was first watched, or last grew."""
    size: int = WAV_HEADER
    fault: str = ""
    is_alarmed: bool = False


class Recordings:
    """Watches the recordings of one Asterisk's calls that stand.

    ``folder`` is where they are seen from here; ``None``: where Asterisk says that it writes them.
    """

    def __init__(self, server: str, folder: Path | None, *, look: Look, alarms: Alarms, clock: Clock) -> None:
        self._server = server
        self._folder = folder
        self._look = look
        self._alarms = alarms
        self._clock = clock
        self._watched: dict[str, _Watched] = {}
        self._record = Record.ON
        """Which calls the dialplan records, as read when the newest call was first seen."""
        self._seen: set[str] = set()
        self._rounds: Periodic | None = None
        self._is_looking = False

    def start(self, client: AmiClient, follower: CallFollower) -> None:
        """Begin to watch."""
        watch = partial(self._watch, client, follower)
        self._rounds = Periodic(watch, "watching recordings", every_s=LOOK_S, clock=self._clock)
        self._rounds.startService()

    def stop(self) -> None:
        """Watch no more."""
        if self._rounds is not None:
            self._rounds.stopService()
            self._rounds = None

    async def _watch(self, client: AmiClient, follower: CallFollower) -> None:
        calls = [
            call
            for call in follower.calls.live()
            if call.token_digest and call.state is not CallState.SECOND_LEG
        ]
        await self.look(calls, client)

    async def last_look(self, call: SosCall, client: AmiClient) -> None:
        """Look once more before the end of a call is told: a short one may not have been seen."""
        if (
            call.is_recorded
            or not call.token_digest
            or call.state is CallState.SECOND_LEG
            or self._rounds is None
        ):
            return
        await self.look([call], client, is_last=True)
        if not call.is_recorded and call.uniqueid in self._watched:
            await pause(self._clock, LAST_LOOK_S)
            await self.look([call], client, is_last=True)

    async def look(self, calls: Sequence[SosCall], client: AmiClient, *, is_last: bool = False) -> None:
        """Look at the recordings of these calls; without ``is_last`` they are all that stand."""
        calls = await self._recorded(calls, client, is_last=is_last)
        if not is_last:
            known = {call.uniqueid for call in calls}
            self._watched = {one: watched for one, watched in self._watched.items() if one in known}
        for call in calls:
            self._watched.setdefault(call.uniqueid, _Watched(self._clock.seconds()))
        if not calls:
            return
        folder = self._folder = self._folder or await folder_of(client)
        if folder is None:
            found: list[int | str] = ["Asterisk does not say where it records"] * len(calls)
        else:
            files = [folder / f"{call.incident_id}.wav" for call in calls]
            found = await self._sizes(files, LAST_LOOK_S if is_last else FOLDER_S)
        has_grown = False
        for call, size in zip(calls, found, strict=True):
            watched = self._watched.get(call.uniqueid)
            if watched is not None and self._take(watched, size):
                has_grown = True
                call.is_recorded = True  # told with the next fact
        if not is_last:
            self._complain(calls, has_grown=has_grown)

    async def _recorded(
        self, calls: Sequence[SosCall], client: AmiClient, *, is_last: bool
    ) -> Sequence[SosCall]:
        """Return those of the calls that are being recorded, as the dialplan has it."""
        these = {call.uniqueid for call in calls}
        if these - self._seen:
            self._record = await record_of(client)
        self._seen = self._seen | these if is_last else these
        if self._record is Record.OFF:
            return []
        if self._record is Record.FROM_ANSWER:
            return [
                call for call in calls if call.state is CallState.CONNECTED or (is_last and call.connected)
            ]
        return calls

    async def _sizes(self, files: Sequence[Path], within_s: float) -> list[int | str]:
        """Return what is seen of the files, in bounded time and with one look at the folder at a time."""
        if self._is_looking:
            return [NO_ANSWER] * len(files)
        self._is_looking = True
        seen: Deferred[Any] = Deferred()

        def come_back(found: list[int | str] | Failure) -> list[int | str] | Failure | None:
            self._is_looking = False
            if seen.called:
                return found  # nobody waits; a defect is logged by Twisted
            seen.callback(found)
            return None

        self._look(files).addBoth(come_back)
        try:
            found: list[int | str] = await within(seen, within_s, self._clock)
        except GaveUp:
            return [NO_ANSWER] * len(files)
        return found

    def _take(self, watched: _Watched, size: int | str) -> bool:
        """Take what was seen of a recording; return whether it has grown."""
        if isinstance(size, int) and size > watched.size:
            watched.size, watched.since = size, self._clock.seconds()
            watched.is_alarmed = False
            return True
        watched.fault = size if isinstance(size, str) else STANDS_STILL
        return False

    def _complain(self, calls: Sequence[SosCall], *, has_grown: bool) -> None:
        now = self._clock.seconds()
        for call in calls:
            watched = self._watched[call.uniqueid]
            if now - watched.since >= STANDS_STILL_S and not watched.is_alarmed:
                watched.is_alarmed = True
                self._alarms.raise_(ALARM, self._server, incident=call.incident_id, reason=watched.fault)
        if has_grown and not any(watched.is_alarmed for watched in self._watched.values()):
            self._alarms.clear(ALARM, self._server)
