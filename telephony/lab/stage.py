"""``onetouch lab``: everything simulated, one process, no set-up: the way a newcomer meets the product."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
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
from telephony.asterisk.instance import find_asterisk
from telephony.background import run_in_background
from telephony.domain.errors import Unavailable
from telephony.lab.console import Console
from telephony.lab.house import SOS_NUMBER, VICTIM, House, Ports
from telephony.lab.one_call import audio_in_words, one_call
from telephony.lab.one_press import PressReport, in_words, one_press
from telephony.lab.psap import ReceivedReport
from telephony.lab.voice_house import VoiceHouse

START_WITHIN_S = 20.0
LAB_PORTS = Ports(smsc=2775, mlp=9210, psap=8112, psap_fallback=8113)
"""Those of config/onetouch.toml, so that a daemon of one's own can be tried against the same simulators."""


EXIT_NO_ASTERISK = 3


def press_once(reactor: Any, press: str, *, as_json: bool) -> int:
    """Make one press (``sms``, ``ussd`` or ``call``) through a fresh house, print how it went, give the exit code."""
    if press == "call":
        try:
            have_asterisk()
        except Unavailable as error:
            print(error, file=sys.stderr)
            return EXIT_NO_ASTERISK
    exit_code = 1

    async def play() -> None:
        nonlocal exit_code
        # Below /tmp whatever TMPDIR says: the path of Asterisk's control socket must be short.
        with tempfile.TemporaryDirectory(prefix="onetouch-", dir="/tmp") as folder:
            logs.configure(logs.LogSettings(file=Path(folder) / "log"))
            result = await _played(reactor, press, Path(folder))
            if as_json:
                print(json.dumps(result.as_json(), ensure_ascii=False, indent=2))
            else:
                print(in_words(result))
                if result.audio:
                    print(audio_in_words(result.audio))
            exit_code = 0 if result.is_ok else 1

    _run(reactor, play())
    return exit_code


async def _played(reactor: Any, press: str, folder: Path) -> PressReport:
    if press == "call":
        voice = VoiceHouse(reactor, folder)
        try:
            await voice.open()
            return await one_call(voice, reactor)
        finally:
            await voice.close()
    house = House(reactor, folder)
    try:
        await house.open()
        return await one_press(house, reactor, press)
    finally:
        await house.close()


def have_asterisk() -> None:
    """Make sure that Asterisk is here: installed, or installed now. Raises `Unavailable` saying what to do."""
    installer = Path(__file__).parents[2] / "bin" / "asterisk"
    try:
        find_asterisk()
    except Unavailable:
        if os.getuid() != 0 or not installer.exists() or shutil.which("apt-get") is None:
            raise
        subprocess.run([str(installer)], check=False, stdout=sys.stderr)  # noqa: S603 - our own script, no input in it
        find_asterisk()


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
