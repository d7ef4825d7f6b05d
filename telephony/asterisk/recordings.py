"""Whether the recordings of the SOS calls are there and grow: only such a one is named to 112."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.asterisk.client import AmiClient
from telephony.asterisk.desk import CallDesk
from telephony.asterisk.settings import AsteriskServer
from telephony.asterisk.sos_call import SECOND_LEG, SosCall
from telephony.background import run_in_background
from telephony.clock import Clock, pause, within
from telephony.domain.errors import Refused, Unavailable
from telephony.places import is_loopback
from telephony.services.alarms import Alarms

ALARM: Final = "recording-failing"
LOOK_S: Final = 1.0
STANDS_STILL_S: Final = 10.0
"""A recording that has not grown for so long is none. Asterisk writes 16,000 octets a second, in pieces of half a second."""
HEADER: Final = 44
"""Octets of a WAV file before its first sample."""
LAST_LOOK_S: Final = 0.3
"""How long the end of a call waits for a recording that nobody has seen yet."""
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


@dataclass(slots=True)
class _Watched:
    """The recording of one call."""

    since: float
    """When it was begun to watch, or has last grown."""
    size: int = HEADER
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
        self._is_running = False
        self._is_looking = False

    def start(self, client: AmiClient, desk: CallDesk) -> None:
        """Begin to watch."""
        self._is_running = True
        run_in_background(self._watch(client, desk), "watching recordings")

    def stop(self) -> None:
        """Watch no more."""
        self._is_running = False

    async def _watch(self, client: AmiClient, desk: CallDesk) -> None:
        while self._is_running:
            calls = [call for call in desk.calls.live() if call.token and call.state != SECOND_LEG]
            await self.look(calls, client)
            await pause(self._clock, LOOK_S)

    async def last_look(self, call: SosCall, client: AmiClient) -> None:
        """Look once more before the end of a call is told: a short one may not have been seen."""
        if call.is_recorded or not call.token or call.state == SECOND_LEG or not self._is_running:
            return
        await self.look([call], client, is_last=True)
        if not call.is_recorded:
            await pause(self._clock, LAST_LOOK_S)
            await self.look([call], client, is_last=True)

    async def look(self, calls: Sequence[SosCall], client: AmiClient, *, is_last: bool = False) -> None:
        """Look at the recordings of these calls; without ``is_last`` they are all that stand."""
        if not is_last:
            known = {call.uniqueid for call in calls}
            self._watched = {one: watched for one, watched in self._watched.items() if one in known}
        for call in calls:
            self._watched.setdefault(call.uniqueid, _Watched(self._clock.seconds()))
        if not calls:
            return
        folder = self._folder = self._folder or await self._folder_of(client)
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
                call.is_recorded = True  # told with whatever is told next
        if not is_last:
            self._complain(calls, has_grown=has_grown)

    async def _folder_of(self, client: AmiClient) -> Path | None:
        try:
            spool = (await client.action("Getvar", [("Variable", "ASTSPOOLDIR")])).get("Value")
        except (Refused, Unavailable):
            return None
        return Path(spool, "monitor") if spool else None

    async def _sizes(self, files: Sequence[Path], within_s: float) -> list[int | str]:
        """Return what is seen of the files, in bounded time and with one look at the folder at a time."""
        if self._is_looking:
            return [NO_ANSWER] * len(files)
        self._is_looking = True
        seen: Deferred[list[int | str]] = Deferred()

        def come_back(found: list[int | str]) -> None:
            self._is_looking = False
            if not seen.called:
                seen.callback(found)

        self._look(files).addCallback(come_back)
        try:
            return await within(seen, within_s, self._clock)
        except GaveUp:
            return [NO_ANSWER] * len(files)

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
