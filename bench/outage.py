"""Checks a restart after presses that were told past the store, also in another hour: docs/reliability.md.

python -m bench.outage [--callers N] [--hours H]

The store is locked, every caller presses, the daemon is killed and started again with the store well and its clock so
many hours on; the message centre delivers every press again. Run it in the checkout: it borrows house and clock from
the scenarios.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from tests.scenarios.house import House
from tests.scenarios.test_clock_set import HOUR_S, Machine

SETTLED_S = 3.0
"""Time after the last press was told, for its outcome to be recorded."""
LONGEST_S = 600.0


async def measure(house: House, callers: list[str], hours: int) -> dict[str, int]:
    """Run it on an open house; return what 112 saw."""
    machine = Machine(house)
    await house.start()
    other = sqlite3.connect(house.daemon.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for caller in callers:
        house.press(caller)
    await house.until(lambda: len(house.centre.reports) >= len(callers), LONGEST_S)
    await deferLater(house.reactor, SETTLED_S)
    await house.kill9()
    other.execute("ROLLBACK")
    other.close()
    machine.set_by(hours * HOUR_S)
    repeats = house.centre.repeats
    await house.start()
    await house.until(lambda: house.skt.queued == 0, LONGEST_S)
    await house.until(lambda: len(house.logged("delivered", kind="alert")) >= len(callers), LONGEST_S)
    of_caller = [{report.incident for report in house.alerts(caller)} for caller in callers]
    return {
        "callers told directly": len(callers),
        "told again under another name": sum(1 for names in of_caller if len(names) > 1),
        "told again under the same name": house.centre.repeats - repeats,
        "  of these in other octets": len({each.split()[3] for each in house.centre.violations}),
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--callers", type=int, default=200)
    options.add_argument("--hours", type=int, default=0, help="by how much the clock is set on")
    chosen = options.parse_args()

    async def once(reactor: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            house = House(Path(folder), reactor)
            await house.open()
            try:
                callers = [house.caller() for _ in range(chosen.callers)]
                found = await measure(house, callers, chosen.hours)
            finally:
                await house.close()
        for what, count in found.items():
            print(f"{what:<40}{count:>8}")

    react(lambda reactor: Deferred.fromCoroutine(once(reactor)))


if __name__ == "__main__":
    main()
