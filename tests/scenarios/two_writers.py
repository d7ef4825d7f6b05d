"""Two equal daemons on one PostgreSQL, each with a message centre of its own, and what must be true of both afterwards."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Engine, select, text
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from telephony.domain.delivery import DELIVERED, Delivery
from telephony.lab.carrier.smsc import LabSmsc
from telephony.lab.centre.psap import ReceivedReport
from telephony.psap.cap import encode
from telephony.store.crypto import KeyFile
from telephony.store.engines import open_engines
from telephony.store.reports import load_reports
from telephony.store.schema import delivery, incident
from telephony.store.times import from_us
from tests.doubles import KST
from tests.scenarios.daemon_process import DaemonProcess
from tests.scenarios.house import HELP, PATIENCE_S, House

TOGETHER = 10
"""Callers who press at the same moment."""
LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class Races:
    """What two writers did to each other, in numbers; all of them must be 0."""

    callers_told_of_twice: int
    """112 heard of one emergency under two names."""
    open_twice: int
    """Callers with more than one open incident in the store."""
    doubled_numbers: int
    """Presses whose number another press of their incident has."""
    missing_numbers: int
    """Numbers up to the highest that no press has, and counts that are not those of the presses."""
    untold: int
    """Presses that stand in no report which 112 received."""
    altered: int
    """Delivered reports that 112 received in other octets than their rows say."""
    told_directly: int
    """Presses for which a daemon took the store to be away."""

    @property
    def happened(self) -> dict[str, int]:
        return {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name)}


class TwoWriters:
    """The house's daemon and another one, on one database; ``centres`` are the message centre of each."""

    def __init__(self, house: House, database: str) -> None:
        self._house = house
        self._database = database
        self.other = DaemonProcess(house.folder / "other")
        self.centres: tuple[LabSmsc, LabSmsc] = (house.skt, house._smsc(9))
        self._rng = random.Random(2)
        self._words: list[str] = []
        """What was written with each press."""

    async def start(self, **choices: Any) -> None:
        """Start both; return when each is bound to its own message centre."""
        house, second = self._house, self.centres[1]
        second.startService()
        # A busy machine must not make a press late: late ones are told directly, and races are hidden behind it.
        house.choose(more=f'[store]\nurl = "{self._database}"\ncommit_budget_s = {PATIENCE_S}', **choices)
        await house.start()
        other = self.other
        other.store.parent.mkdir(parents=True)
        # Daemons that share a store share its keys.
        shutil.copy(house.daemon.store.with_name("data.keys"), other.store.with_name("data.keys"))
        other.config.write_text(
            house.daemon.config.read_text()
            .replace(str(house.folder), str(other.folder))
            .replace("[service]", '[service]\nname = "other"')
            .replace(f"port = {house.skt.port.getHost().port}", f"port = {second.port.getHost().port}")
        )
        other.start()
        await house.until(lambda: len(second.links) == 2)

    async def stop(self) -> None:
        """End the other daemon and its message centre; the house closes its own."""
        if self.other.is_running:
            self.other.kill()
        await self.centres[1].stopService()

    async def press_at_both(self, callers: Sequence[str], times: int) -> None:
        """Let each caller press so many times, each time at both daemons at once; return when all is acknowledged.

        `TOGETHER` callers press at a time, at each daemon in another order: one transaction never holds what another does.
        """
        for time in range(times):
            for first in range(0, len(callers), TOGETHER):
                together = callers[first : first + TOGETHER]
                await self._house.soon(gatherResults(self._pressed(together, time)))
        for centre in self.centres:
            await self._house.soon(centre.when_empty())

    def _pressed(self, callers: Sequence[str], time: int) -> list[Deferred[int]]:
        pressed = []
        for side, centre in zip("ab", self.centres, strict=True):
            for caller in self._rng.sample(callers, len(callers)):
                words = f"{HELP} {caller[-4:]}-{time}{side}."
                self._words.append(words)
                pressed.append(centre.send_mo(caller, "112", text=words))
        return pressed

    async def all_told(self, within_s: float = PATIENCE_S) -> None:
        """Wait until no report is owed any more."""
        owed = "SELECT count(*) FROM delivery WHERE state = 'pending' AND sequence > 0"
        end = self._house.reactor.seconds() + within_s
        while self.ask(owed) != [(0,)]:
            if self._house.reactor.seconds() > end:
                raise AssertionError(f"{self.ask(owed)} reports are owed after {within_s} s")
            await deferLater(self._house.reactor, LOOK_EVERY_S)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        engine = self._engine()
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(text(query))]
        engine.dispose()
        return rows

    def _engine(self) -> Engine:
        keys = KeyFile(self._house.daemon.store.with_name("data.keys"))
        writing, reading = open_engines(self._database, keys.ring)
        writing.dispose()
        return reading

    def races(self) -> Races:
        """Look for everything that two writers can do to each other."""
        received = [
            report for centre in (self._house.centre, self._house.second) for report in centre.reports
        ]
        named: dict[str, set[str]] = {}
        for report in received:
            named.setdefault(report.parameters["callback"][0], set()).add(report.incident)
        raw = b"\n".join(report.raw for report in received).decode()
        twice = "SELECT count(*) FROM (SELECT 1 FROM incident WHERE state <> 'closed' GROUP BY caller HAVING count(*) > 1) x"
        numbers: dict[int, list[int]] = {}
        for key, number in self.ask("SELECT incident_key, number FROM press"):
            numbers.setdefault(key, []).append(number)
        counts = dict(self.ask("SELECT key, press_count FROM incident"))
        return Races(
            callers_told_of_twice=sum(len(names) > 1 for names in named.values()),
            open_twice=self.ask(twice)[0][0],
            doubled_numbers=sum(count - 1 for each in numbers.values() for count in Counter(each).values()),
            missing_numbers=sum(
                len(set(range(1, max(each) + 1)) - set(each)) + (counts[key] != len(each))
                for key, each in numbers.items()
            ),
            untold=sum(words not in raw for words in self._words),
            altered=sum(report.raw != owed for report, owed in self._delivered({r.key: r for r in received})),
            told_directly=sum(
                line["event"] == "press not durable, relayed directly"
                for daemon in (self._house.daemon, self.other)
                for line in daemon.log_lines()
            ),
        )

    def _delivered(self, received: dict[str, ReceivedReport]) -> Iterator[tuple[ReceivedReport, bytes]]:
        """Return each delivered report as 112 received it, and as its row says it is."""
        wanted = (
            select(delivery, incident.c.id)
            .join(incident, incident.c.key == delivery.c.incident_key)
            .where(delivery.c.state == DELIVERED, delivery.c.sequence > 0)
        )
        engine = self._engine()
        with engine.connect() as connection:
            rows = connection.execute(wanted).all()
            sent = [
                Delivery(
                    row.incident_key, row.id, row.channel, row.sequence, row.kind,
                    json.loads(row.payload), from_us(row.created_at),
                )
                for row in rows
            ]  # fmt: skip
            reports = load_reports(connection, sent)
        engine.dispose()
        for report in reports:
            assert report is not None
            octets = encode(
                report, sender="onetouch.example", addresses="112.seoul.example", language="ko", zone=KST
            )
            yield received[report.report_id], octets
