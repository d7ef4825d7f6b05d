"""``onetouch lab``: everything simulated, one process, no set-up: the way a newcomer meets the product."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from telephony import logs
from telephony.background import run_in_background
from telephony.lab.console import Console
from telephony.lab.house import SOS_NUMBER, VICTIM, House, Ports
from telephony.lab.one_press import in_words, one_press
from telephony.lab.psap import ReceivedReport

START_WITHIN_S = 20.0
LAB_PORTS = Ports(smsc=2775, mlp=9210, psap=8112, psap_fallback=8113)
"""Those of config/onetouch.toml, so that a daemon of one's own can be tried against the same simulators."""


def press_once(reactor: Any, *, as_json: bool) -> int:
    """Make one press through a fresh house, print how it went, give the exit code."""
    exit_code = 1

    async def play() -> None:
        nonlocal exit_code
        with tempfile.TemporaryDirectory(prefix="onetouch-lab-") as folder:
            logs.configure(logs.LogSettings(file=Path(folder) / "log"))
            house = House(reactor, Path(folder))
            await house.open()
            result = await one_press(house, reactor)
            print(json.dumps(result.as_json(), ensure_ascii=False, indent=2) if as_json else in_words(result))
            exit_code = 0 if result.is_ok else 1
            await house.close()

    _run(reactor, play())
    return exit_code


def stay_open(reactor: Any) -> int:
    """Keep a house open and obey the console until it ends; give the exit code."""

    async def play() -> None:
        folder = Path(tempfile.mkdtemp(prefix="onetouch-lab-"))
        logs.configure(logs.LogSettings(file=folder / "log"))
        house = House(reactor, folder, ports=LAB_PORTS)
        try:
            await house.open()
        except OSError as error:
            print(f"the lab could not open its ports: {error}", file=sys.stderr)
            return
        house.on_report(_say_report)
        _welcome(house, folder)
        ended: Deferred[None] = Deferred()

        def end() -> None:
            if not ended.called:
                ended.callback(None)

        StandardIO(_Lines(Console(house, print, end), end), reactor=reactor)
        reactor.addSystemEventTrigger("before", "shutdown", end)
        await ended
        await house.close()
        print(f"The log and the store are kept in {folder}")

    _run(reactor, play())
    return 0


def _run(reactor: Any, play: Any) -> None:
    def ended(result: object) -> None:
        if isinstance(result, Failure):
            print(f"the lab broke down: {result.getTraceback()}", file=sys.stderr)
        if reactor.running:
            reactor.stop()

    def start() -> None:
        Deferred.fromCoroutine(play).addBoth(ended)

    reactor.callWhenRunning(start)
    reactor.run()
    logs.flush()


def _welcome(house: House, folder: Path) -> None:
    print(
        f"""The lab is open; the daemon is bound.
  SMSC             127.0.0.1:{house.smsc_port}   SMPP 3.4
  location server  127.0.0.1:{house.mlp.port}   MLP
  112 centre       127.0.0.1:{house.psap.port}   CAP 1.2 by HTTP, second URL on {house.fallback.port}
  SOS number       {SOS_NUMBER}; the phone in the lab is {VICTIM}
Look on from another terminal:
  bin/onetouch tail --follow {folder / "log"}
  bin/onetouch incidents list --config {house.config}
Press Enter to hold the key. Type help for troubles, quit to end."""
    )


def _say_report(report: ReceivedReport) -> None:
    where = f"  circle {report.circle}" if report.circle else "  no position yet"
    print(f"  112       {report.msg_type:<7} {report.identifier}  {report.headline}{where}", flush=True)


class _Lines(LineReceiver):
    """Standard input, line by line."""

    delimiter = b"\n"

    def __init__(self, console: Console, end: Callable[[], None]) -> None:
        self._console = console
        self._end = end

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        run_in_background(self._console.obey(line.decode("utf-8", "replace").strip()), "console")

    def connectionLost(self, reason: object = None) -> None:  # noqa: ARG002, N802 - Twisted's name
        self._end()
