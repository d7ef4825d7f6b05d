"""The lanes beside that of a press to 112, each of which can be broken and mended while the daemon runs."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Awaitable, Callable
from itertools import combinations

from telephony.smpp.wire.constants import ESME_RBINDFAIL, ESME_RSYSERR
from tests.scenarios.house import SEOUL, House
from tests.scenarios.name_server import NameServers

NAMES = {
    "centre": "112.example",
    "second": "112-second.example",
    "skt_lbs": "lbs.skt.example",
    "kt_lbs": "lbs.kt.example",
}
GUARDIAN = "821098760001"
LISTED = '[[guardians.listed]]\nof = "{of}"\nphone = "{phone}"\n'

Change = Callable[[], Awaitable[None]]


class Lanes:
    """A house whose caller has a guardian, and its lanes by their names: how each is broken, how it is mended.

    Use `start`, then `told_after_s` for each of the `cases`.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.callers = [house.caller(SEOUL) for _ in self.cases]
        self._names = NameServers(house.daemon)
        self._other: sqlite3.Connection | None = None
        self._flag = house.folder / "readers-hang"

    @property
    def _lanes(self) -> dict[str, tuple[Change, Change]]:
        return {
            "name servers hang": (self._hang_names, self._lead_names),
            "location service talks for ever": (self._talk, self._behave),
            "another carrier down": (self._drop_kt, self._accept_kt),
            "log disk full": (self._fill_log, self._empty_log),
            "readers of the store hang": (self._hang_readers, self._free_readers),
            "store locked": (self._lock, self._unlock),
            "guardians' texts refused": (self._refuse_texts, self._accept_texts),
            "112's second URL down": (self._second_down, self._second_up),
        }

    @property
    def cases(self) -> list[tuple[str, ...]]:
        """Nothing, each lane alone, each two of them: as many as there are callers."""
        return [(), *((lane,) for lane in self._lanes), *combinations(self._lanes, 2)]

    async def start(self) -> None:
        for name in NAMES.values():
            self._names.lead(name)
        listed = "".join(LISTED.format(of=caller, phone=GUARDIAN) for caller in self.callers)
        self.house.keep_secret("98760001")
        self.house.choose(
            hosts=tuple(NAMES.items()),
            second_after_s=0.5,
            recognition='service_numbers = ["1588112"]',
            more=f'[sms]\nsender = "1588112"\n[guardians]\nby = ["sms"]\nrounds = 1\n{listed}',
        )
        await self.house.start("readers-hang")

    async def told_after_s(self, number: int) -> float:
        """Break the lanes of a case, press, and mend them; give how long it took until 112 had the first report."""
        caller, broken = self.callers[number], [self._lanes[lane] for lane in self.cases[number]]
        for break_, _ in broken:
            await break_()
        pressed_at = self.house.reactor.seconds()
        self.house.press(caller).addErrback(lambda _: None)
        await self.house.until(lambda: self.house.alerts(caller))
        told_after_s = self.house.alerts(caller)[0].at - pressed_at
        for _, mend in broken:
            await mend()
        return told_after_s

    async def _hang_names(self) -> None:
        self._names.hang(*NAMES.values())
        # The next report needs a new connection, and so the name.
        await self.house.centre.go_down()
        await self.house.centre.come_back()

    async def _lead_names(self) -> None:
        for name in NAMES.values():
            self._names.lead(name)

    async def _talk(self) -> None:
        self.house.lbs["skt"].talk_for_ever(b"", b"HTTP/1.1 102 Processing\r\n\r\n")

    async def _behave(self) -> None:
        self.house.lbs["skt"].behave()

    async def _drop_kt(self) -> None:
        self.house.kt.refuse_bind(ESME_RBINDFAIL)
        self.house.kt.drop_link()

    async def _accept_kt(self) -> None:
        # Not waited for: after a refusal the daemon rests before it binds again.
        self.house.kt.accept_binds()

    async def _fill_log(self) -> None:
        self._log_to("/dev/full")

    async def _empty_log(self) -> None:
        self._log_to(None)

    def _log_to(self, device: str | None) -> None:
        log, kept = self.house.daemon.log, self.house.daemon.log.with_name("log-kept")
        if device is not None:
            log.rename(kept)
            log.symlink_to(device)
        else:
            log.unlink()
            kept.rename(log)
        self.house.daemon.signal(signal.SIGHUP)

    async def _hang_readers(self) -> None:
        self._flag.touch()

    async def _free_readers(self) -> None:
        self._flag.unlink()

    async def _lock(self) -> None:
        self._other = sqlite3.connect(self.house.daemon.store, isolation_level=None)
        self._other.execute("PRAGMA busy_timeout = 30000")
        self._other.execute("BEGIN IMMEDIATE")

    async def _unlock(self) -> None:
        assert self._other is not None
        self._other.close()
        await self.house.soon(self.house.skt.when_empty())

    async def _refuse_texts(self) -> None:
        for smsc in (self.house.skt, self.house.kt):
            smsc.refuse_texts(ESME_RSYSERR)

    async def _accept_texts(self) -> None:
        for smsc in (self.house.skt, self.house.kt):
            smsc.accept_texts()

    async def _second_down(self) -> None:
        await self.house.second.go_down()

    async def _second_up(self) -> None:
        await self.house.second.come_back()
