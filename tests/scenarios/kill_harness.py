"""SIGKILL the daemon at random instants under load, again and again, and look for anybody who was forgotten.

    python tests/scenarios/kill_harness.py                        50 kills, as the tests do
    python tests/scenarios/kill_harness.py --kills 500 --rate 200 --seed 7

Presses come over two links at a steady rate, whether the daemon lives or not; the message centre delivers again what
was not acknowledged; the daemon is started again at once. Exits with 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from twisted.internet.defer import Deferred, ensureDeferred  # noqa: E402 - the path comes first
from twisted.internet.task import LoopingCall, deferLater, react  # noqa: E402

from telephony.journal.journal import JOURNAL_FOLDER  # noqa: E402
from telephony.journal.looking import look_at  # noqa: E402
from telephony.smpp.wire.constants import ESME_ROK  # noqa: E402
from tests.scenarios.house import SEOUL, House  # noqa: E402

TICK_S = 0.02
REPEATS = 0.15
"""Share of presses that come from somebody who has pressed before."""
LIVES_S = 0.8
"""A daemon is killed at the latest so long after it has started up."""
SETTLED_WITHIN_S = 240.0
LIFE_OF_PRESSES_S = 2.5
"""No more presses come in one life than in so long: on a busy machine a life lasts longer, and what comes has to be settled too."""

CALLBACK = re.compile(rb"tel:\+(\d+)<")
TEXT = re.compile(rb"help (\d+)")


@dataclass
class Harvest:
    """What came of it."""

    seed: int
    kills: int = 0
    kills_before_bound: int = 0
    kills_with_reports_owed: int = 0
    most_reports_owed: int = 0
    start_up_s: list[float] = field(default_factory=list)
    presses: int = 0
    refused: int = 0
    callers: int = 0
    delivered_again: int = 0
    """Presses that were committed by a daemon that died before it could say so."""
    reports: int = 0
    repeated_reports: int = 0
    """Reports that 112 had from a daemon that died before it could write that down."""
    took_s: float = 0.0
    forgotten: list[str] = field(default_factory=list)
    """Callers whose presses were acknowledged, and of whom 112 has never heard."""
    unheard: list[str] = field(default_factory=list)
    """Texts that were acknowledged, and that are in no report."""
    doubled: list[str] = field(default_factory=list)
    """Callers with two incidents, at 112 or in the store."""
    alerted_again: int = 0
    """Callers with a second alert of the same incident: of a further press that the store did not take in time."""
    violations: list[str] = field(default_factory=list)
    store: str = ""
    """What SQLite's integrity check says."""

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.forgotten or self.unheard or self.doubled or self.violations) and self.store == "ok"

    def table(self) -> str:
        """Return it for people."""
        starts = [1000 * each for each in self.start_up_s]
        rows = {
            "seed": self.seed,
            "kills": self.kills,
            "  before a link was bound": self.kills_before_bound,
            "  with acknowledged presses not yet reported": self.kills_with_reports_owed,
            "  most of them at one kill": self.most_reports_owed,
            "start-up, ms (median, longest)": f"{statistics.median(starts):.0f}, {max(starts):.0f}"
            if starts
            else "-",
            "presses acknowledged": self.presses,
            "  committed, acknowledged only after a redelivery": self.delivered_again,
            "  answered with the transient status first": self.refused,
            "callers": self.callers,
            "reports at 112": self.reports,
            "  repeated after a kill": self.repeated_reports,
            "seconds": round(self.took_s, 1),
            "callers with a second alert of their incident": self.alerted_again,
            "CALLERS FORGOTTEN": len(self.forgotten),
            "TEXTS FORGOTTEN": len(self.unheard),
            "CALLERS WITH TWO INCIDENTS": len(self.doubled),
            "VIOLATIONS SEEN BY 112": len(self.violations),
            "store": self.store,
        }
        return "\n".join(f"{name:<52}{value:>14}" for name, value in rows.items())


class Load:
    """Callers who press, first for themselves and some of them again."""

    def __init__(self, house: House, rng: random.Random, rate: float) -> None:
        self._house = house
        self._rng = rng
        self._rate = rate
        self._owed = 0.0
        self._left = rate * LIFE_OF_PRESSES_S
        self._read = 0
        self.callers: list[str] = []
        self.texts: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.acknowledged: set[str] = set()
        self.reported: set[str] = set()

    def tick(self) -> None:
        """Send what is due."""
        due = min(self._rate * TICK_S, self._left)
        self._left -= due
        self._owed += due
        while self._owed >= 1:
            self._owed -= 1
            self._press()

    def next_life(self) -> None:
        """Go on pressing."""
        self._left = self._rate * LIFE_OF_PRESSES_S

    def _press(self) -> None:
        if self.callers and self._rng.random() < REPEATS:
            caller = self._rng.choice(self.callers[-200:])
        else:
            caller = f"8210{50_000_000 + len(self.callers)}"
            self.callers.append(caller)
            self._house.lbs["skt"].place(caller, *SEOUL)
        self.texts.append(f"{len(self.texts):07d}")
        answered = self._house.skt.send_mo(caller, "112", text=f"help {self.texts[-1]}")
        answered.addCallback(self._answered, caller)

    def _answered(self, status: int, caller: str) -> None:
        self.statuses[status] += 1
        if status == ESME_ROK:
            self.acknowledged.add(caller)

    @property
    def unreported(self) -> int:
        """How many callers have been acknowledged whom 112 does not know at this moment."""
        reports = self._house.centre.reports
        for report in reports[self._read :]:
            self.reported.update(number.decode() for number in CALLBACK.findall(report.raw))
        self._read = len(reports)
        return len(self.acknowledged - self.reported)


async def kill_again_and_again(house: House, *, kills: int, seed: int, rate: float) -> Harvest:
    """Do it, on a house that is open and whose daemon does not run. Leaves the daemon stopped."""
    reactor, rng, harvest = house.reactor, random.Random(seed), Harvest(seed)
    load = Load(house, rng, rate)
    began = reactor.seconds()
    await house.start()
    harvest.start_up_s.append(reactor.seconds() - began)
    ticking = LoopingCall(load.tick)
    ticking.clock = reactor
    ticking.start(TICK_S).addErrback(lambda failure: failure.raiseException())
    for _ in range(kills):
        await deferLater(reactor, rng.uniform(0, LIVES_S))
        await _kill(house, load, harvest)
        started = reactor.seconds()
        # Some die before they have come up: their whole life is start-up.
        patience_s = rng.uniform(0, 2 * harvest.start_up_s[0])
        await house.start(until_bound=False)
        await house.until(lambda: house.skt.links or reactor.seconds() - started > patience_s)  # noqa: B023 - awaited here
        if house.skt.links:
            harvest.start_up_s.append(reactor.seconds() - started)
    await house.until(lambda: len(house.skt.links) == 2)
    ticking.stop()
    await house.until(lambda: house.skt.queued == 0, SETTLED_WITHIN_S)
    # A caller whom 112 does not know of when journal and store owe it nothing more is forgotten for good.
    await house.until(lambda: not _in_the_journal_alone(house.daemon.store), SETTLED_WITHIN_S)
    await house.until(lambda: _owed(house.daemon.store) == 0, SETTLED_WITHIN_S)
    await house.stop()
    harvest.took_s = reactor.seconds() - began
    _look_for_the_forgotten(house, load, harvest)
    return harvest


async def _kill(house: House, load: Load, harvest: Harvest) -> None:
    unreported = load.unreported
    harvest.kills += 1
    harvest.kills_before_bound += not house.skt.links
    harvest.kills_with_reports_owed += unreported > 0
    harvest.most_reports_owed = max(harvest.most_reports_owed, unreported)
    await house.kill9()
    load.next_life()


def _in_the_journal_alone(store: Path) -> int:
    taken_up = dict(_ask(store, "SELECT journal, number FROM journal_position"))
    standing = look_at(store.with_name(JOURNAL_FOLDER)).standing
    return sum(each.number > taken_up.get(each.journal, 0) for each in standing)


def _owed(store: Path) -> int:
    return _ask(store, "SELECT count(*) FROM delivery WHERE state = 'pending' AND channel = 'seoul-a'")[0][0]


def _ask(store: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(store, timeout=10.0)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _look_for_the_forgotten(house: House, load: Load, harvest: Harvest) -> None:
    heard, alerts = set(), defaultdict[str, list[str]](list)
    for report in house.centre.reports:
        heard.update(text.decode() for text in TEXT.findall(report.raw))
        if b"<msgType>Alert<" in report.raw:
            for number in {each.decode() for each in CALLBACK.findall(report.raw)}:
                alerts[number].append(report.incident)
    in_store = {
        caller.hex()
        for (caller,) in _ask(
            house.daemon.store, "SELECT caller FROM incident GROUP BY caller HAVING count(*) > 1"
        )
    }
    harvest.presses = house.skt.counts.acked
    harvest.refused = sum(load.statuses.values()) - load.statuses[ESME_ROK]
    harvest.callers = len(load.callers)
    harvest.delivered_again = _ask(house.daemon.store, "SELECT count(*) FROM press WHERE seen > 1")[0][0]
    harvest.reports = len(house.centre.reports)
    harvest.repeated_reports = house.centre.repeats
    harvest.forgotten = [caller for caller in load.callers if caller not in alerts]
    harvest.unheard = [text for text in load.texts if text not in heard]
    harvest.doubled = sorted(in_store | {caller for caller, names in alerts.items() if len(set(names)) > 1})
    harvest.alerted_again = sum(len(names) > len(set(names)) for names in alerts.values())
    harvest.violations = list(house.centre.violations)
    ((harvest.store,),) = _ask(house.daemon.store, "PRAGMA integrity_check")


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--rate", type=float, default=150.0, help="presses per second")
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments.add_argument("--keep", action="store_true", help="keep the daemon's folder and say where it is")
    chosen = arguments.parse_args()
    results: list[Harvest] = []

    async def run(reactor: Any) -> None:
        folder = Path(tempfile.mkdtemp(prefix="onetouch-kill-"))
        house = House(folder, reactor)
        await house.open()
        try:
            results.append(
                await kill_again_and_again(house, kills=chosen.kills, seed=chosen.seed, rate=chosen.rate)
            )
        finally:
            await house.close()
            if chosen.keep:
                print(f"log and store are in {folder}")
            else:
                shutil.rmtree(folder)
        print(results[0].table())

    def start(reactor: Any) -> Deferred[None]:
        return ensureDeferred(run(reactor))

    print(f"seed {chosen.seed}")
    try:
        react(start)
    finally:
        sys.exit(0 if results and results[0].is_clean else 1)


if __name__ == "__main__":
    main()
