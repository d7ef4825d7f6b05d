"""Measures a gateway's binds while strangers crowd our SMPP listener: how many fail, and how long the others take.

python -m bench.strangers [--strangers N] [--listed]

Strangers open connections from 20 addresses of loopback and say nothing, one after the other, as fast as they are
accepted; beside them a gateway binds and leaves, again and again. ``--listed`` gives every gateway an address list.
Run it in the checkout: it borrows house and strangers from the scenarios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as GaveUp
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.gateway import Gateway
from tests.scenarios.house import House
from tests.scenarios.strangers import Strangers
from tests.scenarios.test_strangers import FEW, LISTED, start

GIVEN_UP_S = 2.0


async def bind_s(house: House, port: int) -> float | None:
    """Bind and leave; give the seconds from the connection to the answer, None where there was none."""
    began = time.monotonic()
    try:
        gateway = await house.soon(Gateway.connect(house.reactor, port, LISTED), GIVEN_UP_S)
    except (ConnectError, ConnectingCancelledError, GaveUp):
        return None
    try:
        answer = gateway.request("bind_transceiver", system_id="listed", password="s3cret")
        status = (await house.soon(answer, GIVEN_UP_S)).status
    except GaveUp:
        return None
    finally:
        gateway.close()
    return time.monotonic() - began if status == ESME_ROK else None


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(reactor: Any, count: int, *, is_listed: bool) -> None:
    """Measure once, and print."""
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder), reactor)
        await house.open()
        try:
            peers = {"listed": '["127.0.7.0/24"]'} | ({} if is_listed else {"unlisted": "[]"})
            port = await start(house, **peers)
            alone = [await bind_s(house, port) for _ in range(20)]
            strangers = Strangers(port, FEW)
            began, cpu_s = time.monotonic(), cpu_of(house.daemon.pid)
            coming = deferToThread(strangers.come, count)
            binds = []
            while not coming.called:
                binds.append(await bind_s(house, port))
            took_s = time.monotonic() - began
            cpu_s = cpu_of(house.daemon.pid) - cpu_s
            kept, lines = strangers.standing(), len(house.daemon.log.read_text().splitlines())
            strangers.leave()
        finally:
            await house.close()
    good = sorted(bind for bind in binds if bind is not None)
    print(f"alone: {statistics.median(bind or GIVEN_UP_S for bind in alone) * 1000:.1f} ms")
    print(f"strangers: {strangers.tried} in {took_s:.1f} s, {kept} of them kept, {lines} lines of log")
    print(f"CPU of the daemon: {cpu_s:.1f} s")
    print(f"binds beside them: {len(binds)}, failed {len(binds) - len(good)}")
    if good:
        print(f"median {statistics.median(good) * 1000:.1f} ms, slowest {good[-1] * 1000:.1f} ms")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--strangers", type=int, default=10_000)
    options.add_argument("--listed", action="store_true", help="strangers are on no list")
    chosen = options.parse_args()
    react(
        lambda reactor: Deferred.fromCoroutine(measured(reactor, chosen.strangers, is_listed=chosen.listed))
    )


if __name__ == "__main__":
    main()
