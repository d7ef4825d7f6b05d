"""Measures when 112 has the first report while one other lane is broken, or two: the table of docs/reliability.md.

python -m bench.lanes [--times N]

Prints Markdown: a lane alone on the diagonal, two of them where their row and column meet, the slowest of all times.
Run it in the checkout: it borrows house and lanes from the scenarios.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from tests.scenarios.house import House
from tests.scenarios.lanes import Lanes


async def measured(reactor: Any, slowest: dict[tuple[str, ...], float]) -> None:
    """Try every case once, on a fresh daemon."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder), reactor)
        await house.open()
        try:
            lanes = Lanes(house)
            await lanes.start()
            for number, case in enumerate(lanes.cases):
                slowest[case] = max(slowest.get(case, 0.0), await lanes.told_after_s(number))
        finally:
            await house.close()


def print_matrix(slowest: dict[tuple[str, ...], float]) -> None:
    """Print milliseconds, each pair once."""
    lanes = [case[0] for case in slowest if len(case) == 1]
    print("| broken, ms | " + " | ".join(f"{number}" for number in range(1, len(lanes) + 1)) + " |")
    print("|---|" + "---|" * len(lanes))
    for number, lane in enumerate(lanes, 1):
        cells = [
            f"{slowest[(lane,) if other == lane else (other, lane)] * 1000:.0f}" for other in lanes[:number]
        ]
        print(f"| {number} {lane} | " + " | ".join(cells + [""] * (len(lanes) - number)) + " |")
    print(f"\nNothing broken: {slowest[()] * 1000:.0f} ms. Slowest: {max(slowest.values()) * 1000:.0f} ms.")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--times", type=int, default=3, help="daemons, one after another")
    times = options.parse_args().times
    slowest: dict[tuple[str, ...], float] = {}

    async def all_times(reactor: Any) -> None:
        for _ in range(times):
            await measured(reactor, slowest)
        print_matrix(slowest)

    react(lambda reactor: Deferred.fromCoroutine(all_times(reactor)))


if __name__ == "__main__":
    main()
