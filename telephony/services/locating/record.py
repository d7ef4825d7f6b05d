"""Writes down each request to a carrier where a phone is, beside the request: never in its way, and never failing it.

What is to be written is gathered for a second and leaves in one transaction behind the presses. While the store is away
it waits in memory, and in a file beside the store, which the next start takes up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from zlib import crc32

import structlog
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as GaveUp

from telephony.alarms import Alarms
from telephony.background import run_in_background
from telephony.clock import Call, Clock, utc_now, within
from telephony.domain.delivery import LOCATE, Delivery, Errand
from telephony.domain.errors import OnetouchError, Unavailable
from telephony.domain.locating import Locating, Purpose, kind_of
from telephony.domain.ports import Answered, Asking, NoFix
from telephony.domain.position import Position
from telephony.services.locating.file import LocatingFile
from telephony.store.database import Database
from telephony.store.locatings import Kept, keep_locatings
from telephony.store.times import to_us

log = structlog.get_logger()

GATHER_S: Final = 1.0
"""A request and its answer mostly become one row; a kill costs the record of so long, in an outage until it is in the file."""
AGAIN_S: Final = 5.0
"""Pause after the store has not taken it."""
AT_ONCE: Final = 100
STOP_WITHIN_S: Final = 2.0
MOST_WAITING: Final = 20_000
"""Requests kept in memory while the store is away: an hour of 150 followed phones."""
LOCATING_ALARM = "locating-not-recorded"
_NODE_BITS: Final = 10


class LocatingRecord:
    """The record of one service. ``asked_by`` is its name, unlike that of every other over the same store."""

    def __init__(
        self, database: Database, asked_by: str, *, file: LocatingFile, clock: Clock, alarms: Alarms
    ) -> None:
        self._database = database
        self._asked_by = asked_by
        self._file = file
        self._clock = clock
        self._alarms = alarms
        self._node = crc32(asked_by.encode()) & ((1 << _NODE_BITS) - 1)
        self._last_key = 0
        self._waiting: dict[int, Locating] = {}
        self._lost = 0
        self._call: Call | None = None
        self._is_writing = False
        self._reading: Call | None = None

    def start(self) -> None:
        """Take up what an earlier process could not record."""
        self._reading = None
        self._file.read(self._take_up)

    def of(self, delivery: Delivery, errand: Errand, quality: str) -> Asking:
        """Return the listener that is told as carriers are asked for a location errand."""
        purpose = Purpose.AT_THE_PRESS if delivery.kind == LOCATE else Purpose.FOLLOWING

        def asking(carrier: str) -> Answered:
            now = utc_now(self._clock)
            asked = Locating(
                delivery.incident_id, errand.msisdn, carrier, self._asked_by, purpose, quality, now
            )
            key = max(self._last_key + (1 << _NODE_BITS), to_us(now) << _NODE_BITS | self._node)
            self._last_key = key
            self._put(key, asked)

            def answered(found: Position | NoFix) -> None:
                method = found.method if isinstance(found, Position) else ""
                at = utc_now(self._clock)
                self._put(key, replace(asked, answer=kind_of(found), method=method, answered_at=at))

            return answered

        return asking

    async def stop(self) -> None:
        """Write the requests that wait, as far as the store takes them within a moment."""
        try:
            await within(Deferred.fromCoroutine(self._last_round()), STOP_WITHIN_S, self._clock)
        except GaveUp:
            log.warning("locatings not recorded yet", reason="the store was too slow")
        for call in (self._call, self._reading):
            if call is not None and call.active():
                call.cancel()
        failure = await self._set_aside() if self._waiting else None
        if self._lost or failure is not None:
            lost_count = self._lost + (0 if failure is None else len(self._waiting))
            log.critical("locatings stay unrecorded", lost_count=lost_count, reason=failure)

    async def _set_aside(self) -> str | None:
        """Write the requests that wait into the file, as far as its disk takes them within a moment; return the fault."""
        try:
            failure = await within(self._file.keep(self._waiting), STOP_WITHIN_S, self._clock)
        except GaveUp:
            failure = "its disk was too slow"
        if failure is None:
            log.warning("locatings wait for the next start", waiting_count=len(self._waiting))
        return failure

    def _take_up(self, left: Mapping[int, Locating] | None) -> None:
        if left is None:
            self._reading = self._clock.callLater(AGAIN_S, self.start)
            return
        for key, asked in left.items():
            self._put(key, asked)

    async def _last_round(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        if not self._is_writing:
            self._is_writing = True
            await self._write()

    def _put(self, key: int, asked: Locating) -> None:
        if key not in self._waiting and len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        self._waiting[key] = asked
        self._write_in(GATHER_S)

    def _write_in(self, seconds: float) -> None:
        if self._call is None and not self._is_writing:
            self._call = self._clock.callLater(seconds, self._begin)

    def _begin(self) -> None:
        self._call = None
        self._is_writing = True
        run_in_background(self._write(), "record of locatings")

    async def _write(self) -> None:
        pause_s = GATHER_S
        try:
            while self._waiting:
                await self._keep(list(self._waiting.items())[:AT_ONCE])
            self._file.empty()
            self._alarms.clear(LOCATING_ALARM, "store")
        except OnetouchError as error:
            pause_s = AGAIN_S
            self._file.keep(self._waiting)
            self._alarms.raise_(LOCATING_ALARM, "store", reason=str(error))
            log.warning(
                "locatings not recorded yet",
                waiting_count=len(self._waiting),
                lost_count=self._lost,
                reason=str(error),
            )
        finally:
            self._is_writing = False
            if self._waiting:
                self._write_in(pause_s)

    async def _keep(self, some: list[Kept]) -> None:
        """Write some. Raises `Unavailable`; what the store will never take is given up, said once."""
        try:
            results = await self._database.batch(keep_locatings, some, is_urgent=False)
        except (OnetouchError, CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - a row that no database takes must not keep the others out
            results = [error] * len(some)
        for (key, asked), result in zip(some, results, strict=True):
            if isinstance(result, Unavailable):
                raise result
            if isinstance(result, Exception):
                self._lost += 1
                log.error("locating not recorded", incident=asked.incident_id, error=type(result).__name__)
            # An answer that came meanwhile waits for the next transaction.
            if self._waiting.get(key) is asked:
                del self._waiting[key]
