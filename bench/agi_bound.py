"""Measures how long a caller of the service number waits for the first word: daemon well, down, and hanging.

python -m bench.agi_bound [--calls N] [--json FILE]

From the phone's INVITE to the first audible RTP packet at the phone, through a real Asterisk with our dialplans. Run it
in the checkout: it borrows Asterisk, phone and prompts (a tone each) from the scenarios.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from bench.surroundings import print_table, quantile, save
from tests.scenarios.service_line import MenuProcess, ServiceLine, hanging, heard

LONGEST_S = 10.0
IDLE_S = 30.0
MENU, SORRY = "ko/service-language", "ko/service-sorry"


@contextmanager
def well(port: int) -> Iterator[None]:
    """Run the menu."""
    with closing(MenuProcess(port, idle_s=IDLE_S)):
        yield


@contextmanager
def down(_port: int) -> Iterator[None]:
    """Run nothing: the connection is refused."""
    yield


DAEMONS: tuple[tuple[str, Callable[[int], Any], str], ...] = (
    ("alive", well, MENU),
    ("refused", down, SORRY),
    ("hanging", hanging, SORRY),
)
"""A case: its name, the server on the port, and the prompt that a caller then hears first."""


async def measure(line: ServiceLine, name: str, expected: str, calls: int) -> dict[str, Any]:
    """Call so many times, one after the other, and hang up at the first word."""
    waits = []
    for _ in range(calls):
        call = line.call()
        await line.hears(call, expected, LONGEST_S)
        assert heard(call) == {expected}
        assert call.ears.first_loud_at is not None
        waits.append(call.ears.first_loud_at - call.began_at)
        await line.hang_up()
    is_clean = await line.channels_are_gone()
    return {
        "daemon": name,
        "calls": calls,
        "first word": expected,
        "median_ms": quantile(waits, 0.5),
        "worst_ms": quantile(waits, 1.0),
        "channels left": 0 if is_clean else line.channels,
    }


async def run(reactor: Any, arguments: argparse.Namespace) -> None:
    """Measure and print."""
    rows = []
    with closing(ServiceLine(reactor)) as line:
        for name, daemon, expected in DAEMONS:
            with daemon(line.agi_port):
                rows.append(await measure(line, name, expected, arguments.calls))
    print_table("from INVITE to the first word of the service number", rows)
    save(rows, arguments.json)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    react(lambda reactor: Deferred.fromCoroutine(run(reactor, arguments)))


if __name__ == "__main__":
    main()
