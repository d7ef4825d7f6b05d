"""The control socket as a part: answers how everything stands, and has far ends tried again."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache, partial
from importlib import metadata
from typing import Any, Final

import structlog
from twisted.internet.interfaces import IReactorUNIX

from telephony.alarms import Alarm
from telephony.assembly.part import CANNOT_BE_MADE, Ground, Part
from telephony.background import OnDemand, handed_to, run_in_background
from telephony.clock import utc_now
from telephony.control.messages import (
    MOST_ALARMS,
    Answer,
    AskRetry,
    AskStatus,
    CertificateTerm,
    InJournal,
    Refusal,
    Release,
    RetryAnswer,
    StandingAlarm,
    Status,
    Volume,
)
from telephony.control.messages import StoreLook as StoreSays
from telephony.control.place import SOCKET_FILE
from telephony.control.server import ControlServer
from telephony.logs.masking import mask, safe
from telephony.periodic import Periodic
from telephony.services.keeping.disk import DiskWatch
from telephony.services.keeping.store_look import NoAnswer, StoreLook
from telephony.settings import Settings
from telephony.settings.certificates import Term, certificate_files, terms
from telephony.store.database import Database
from telephony.store.outbox.owed import Owed
from telephony.store.upgrade import HEAD

log = structlog.get_logger()

CERTIFICATES_EVERY_S: Final = 3_600.0

InJournalNow = Callable[[], InJournal | None]


class ControlPart(Part):
    """Answers from what the reactor knows already; only the store is asked, by a reader of its own that may hang.

    ``house`` is the part whose far ends are told and tried.
    """

    def __init__(
        self, ground: Ground, house: Part, database: Database, disk: DiskWatch, journal: InJournalNow
    ) -> None:
        super().__init__()
        self._ground = ground
        self._settings = ground.settings
        self._house = house
        self._disk = disk
        self._journal = journal
        # Neither may hold up the other, and neither what presses need.
        self._store_reader = OnDemand(partial(ground.outside.thread, "status-store"))
        self._file_reader = OnDemand(partial(ground.outside.thread, "status-files"))
        self.store_look = StoreLook(database, self._store_reader, ground.clock)
        """Asks the store how much is owed and open."""
        self._terms: list[Term] = []
        self._started_at = utc_now(ground.clock)
        self._certificates = Periodic(
            self._read_certificates,
            "reading certificates",
            every_s=CERTIFICATES_EVERY_S,
            clock=ground.clock,
        )
        # The simulation's reactor has no sockets of this kind, and nobody who would ask.
        if IReactorUNIX.providedBy(ground.clock):
            self.add(
                ControlServer(
                    ground.settings.service.state_dir / SOCKET_FILE,
                    answer=self.answer,
                    reactor=ground.clock,
                    alarms=ground.alarms,
                )
            )

    def start(self) -> None:
        """Read the certificates, now and every hour."""
        self._certificates.startService()

    async def stop(self) -> None:
        """Read no more. What hangs keeps its own thread, and is not waited for."""
        self._certificates.stopService()
        self._store_reader.stop()
        self._file_reader.stop()

    def take(self, settings: Settings) -> None:
        """Look at the certificates of these settings from now on."""
        self._settings = settings
        run_in_background(self._read_certificates(), "reading certificates")

    async def answer(self, request: AskStatus | AskRetry) -> Answer:
        """Answer a request."""
        match request:
            case AskStatus():
                return await self._status()
            case AskRetry(name=name):
                return self._retry(name)

    def _retry(self, name: str) -> RetryAnswer | Refusal:
        try:
            answer = self._house.retry(name)
        except CANNOT_BE_MADE as error:
            return Refusal(refused=f"{name} goes on as it was: {error}")
        if answer is None:
            names = ", ".join(each.name for each in self._house.far_ends())
            return Refusal(refused=f"there is no {name} here; the names are: {names}")
        log.warning("retry asked for", link=name, retried=answer.retried, secret=answer.secret)
        return answer

    async def _status(self) -> Status:
        store = await self.store_look()
        alarms = self._ground.alarms.standing()
        return Status(
            at=utc_now(self._ground.clock),
            service=self._ground.settings.service.name,
            release=self._release(),
            far_ends=tuple(self._house.far_ends()),
            alarms=tuple(_alarm(each) for each in alarms[:MOST_ALARMS]),
            more_alarms=max(0, len(alarms) - MOST_ALARMS),
            store=_store_says(store),
            journal=self._journal(),
            volumes=tuple(self._volumes()),
            certificates=tuple(
                CertificateTerm(
                    setting=each.setting,
                    file=str(each.file),
                    expires_at=each.expires_at,
                    problem=each.problem,
                )
                for each in self._terms
            ),
        )

    def _release(self) -> Release:
        return Release(
            onetouch=_version(),
            python=platform.python_version(),
            schema_version=HEAD,
            pid=os.getpid(),
            started_at=self._started_at,
        )

    def _volumes(self) -> Iterable[Volume]:
        for directory, room in self._disk.rooms.items():
            yield Volume(
                directory=str(directory),
                size_bytes=room.bytes,
                free_bytes=room.free_bytes,
                is_low=self._disk.is_low(room),
                is_full=room.is_full(),
            )

    async def _read_certificates(self) -> None:
        if any(certificate_files(self._settings)):
            self._terms = await handed_to(self._file_reader, partial(terms, self._settings))
        else:
            self._terms = []


@cache
def _version() -> str:
    return metadata.version("onetouch")


def _alarm(alarm: Alarm) -> StandingAlarm:
    return StandingAlarm(
        alarm=alarm.name,
        about=str(safe(alarm.about)),
        since=datetime.fromtimestamp(alarm.since, UTC),
        last_at=datetime.fromtimestamp(alarm.last_at, UTC),
        count=alarm.count,
        facts={key: _plain(value) for key, value in mask(None, "", dict(alarm.facts)).items()},
    )


def _plain(fact: Any) -> str | bool | int | float | None:
    """Return a fact of an alarm that is masked already as the socket carries it."""
    return fact if fact is None or isinstance(fact, str | bool | int | float) else str(fact)


def _store_says(seen: Owed | NoAnswer) -> StoreSays:
    if isinstance(seen, NoAnswer):
        return StoreSays(is_answering=False, reason=seen.reason)
    return StoreSays(
        is_answering=True,
        owed=seen.reports,
        oldest_owed_at=seen.oldest_at,
        open_incidents=seen.open_incidents,
        is_more=seen.is_more,
        schema_version=seen.schema_version,
    )
