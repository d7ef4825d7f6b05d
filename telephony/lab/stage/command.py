"""The command ``onetouch lab``: the daemon between simulators, without set-up, for newcomers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from telephony import logs
from telephony.asterisk.instance import find_asterisk
from telephony.domain.errors import Unavailable
from telephony.lab.stage.card import in_words, keep_reports
from telephony.lab.stage.console import Console
from telephony.lab.stage.console_words import WORDS
from telephony.lab.stage.echo import Echo
from telephony.lab.stage.house import LAB_PORTS, MOTHER, SOS_NUMBER, VICTIM, House, Language, Ports
from telephony.lab.stage.one_call import one_call
from telephony.lab.stage.one_press import PressReport, one_press
from telephony.lab.stage.prompt import Prompt
from telephony.lab.stage.voice_house import VoiceHouse
from telephony.shipped import Shipped, folder_of

EXIT_FAILED = 1
EXIT_NO_ASTERISK = 3


def press_once(
    reactor: Any, press: str, *, language: Language = "en", as_json: bool = False, with_xml: bool = False
) -> int:
    """Make one press (``sms``, ``ussd`` or ``call``) through a fresh house, print how it went, give the exit code."""
    if press == "call":
        try:
            have_asterisk()
        except Unavailable as error:
            print(error, file=sys.stderr)
            return EXIT_NO_ASTERISK

    async def play() -> int:
        # Below /tmp whatever TMPDIR says: the path of Asterisk's control socket must be short.
        with tempfile.TemporaryDirectory(prefix="onetouch-", dir="/tmp") as folder:
            logs.configure(logs.LogSettings(file=Path(folder) / "simulators.log"))
            result = await _played(reactor, press, Path(folder), language)
            logs.flush()
        if as_json:
            print(json.dumps(result.as_json(), ensure_ascii=False, indent=2))
        else:
            print(in_words(result, language, keep_reports(result), with_xml=with_xml))
        return 0 if result.is_ok else EXIT_FAILED

    return _run(reactor, play())


async def _played(reactor: Any, press: str, folder: Path, language: Language) -> PressReport:
    if press == "call":
        voice = VoiceHouse(reactor, folder, language=language)
        try:
            await voice.open()
            return await one_call(voice, reactor)
        finally:
            await voice.close()
    house = House(reactor, folder, language=language)
    try:
        await house.open()
        return await one_press(house, reactor, press)
    finally:
        await house.close()


def have_asterisk() -> None:
    """Make sure that Asterisk is here: installed, or installed now. Raises `Unavailable` saying what to do."""
    installer = folder_of(Shipped.PROGRAMS) / "asterisk"
    try:
        find_asterisk()
    except Unavailable:
        if os.getuid() != 0 or shutil.which("apt-get") is None:
            raise
        subprocess.run(["/bin/sh", str(installer)], check=False, stdout=sys.stderr)  # noqa: S603 - our own script, no input in it
        find_asterisk()


def has_asterisk() -> bool:
    """Whether Asterisk is installed."""
    try:
        find_asterisk()
    except Unavailable:
        return False
    return True


def stay_open(reactor: Any, *, language: Language = "en", ports: Ports = LAB_PORTS) -> int:
    """Keep a house open and obey the prompt until it ends; give the exit code."""

    async def play() -> int:
        folder = Path(tempfile.mkdtemp(prefix="onetouch-lab-", dir="/tmp"))
        logs.configure(logs.LogSettings(file=folder / "simulators.log"))
        kind = VoiceHouse if has_asterisk() else House
        house = kind(reactor, folder, ports=ports, language=language)
        try:
            await house.open()
            with suppress(CancelledError):  # Ctrl-C ends a visit as `quit` does
                await Visit(house).until_over()
        finally:
            await house.close()
        print(WORDS[language].kept.format(folder=folder))
        return 0

    return _run(reactor, play())


class Visit:
    """One person at the prompt of an open house: the lines that are typed are obeyed one after the other."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._typed: deque[str | None] = deque()
        self._next: Deferred[None] | None = None
        terminal = sys.stdin.fileno() if sys.stdin.isatty() and sys.stdout.isatty() else None
        self._prompt = Prompt(self._take, lambda: self._take(None), terminal=terminal)
        echo = Echo(house, self._prompt.say, lambda: self._prompt.width)
        self._console = Console(house, echo, self._prompt.say, lambda: self._typed.appendleft(None))
        if isinstance(house, VoiceHouse):
            for route, operator in enumerate(house.operators, 1):
                echo.watch_telephone(operator, route)
            echo.watch_telephone(house.guardian, None)

    async def until_over(self) -> None:
        """Return once the visitor has left."""
        reactor = self._house.reactor
        self._welcome()
        sys.stdout.flush()
        StandardIO(self._prompt, reactor=reactor)
        signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(self._take, None))
        try:
            while (line := await self._line()) is not None:
                self._prompt.repeat(line)
                await self._console.obey(line.strip())
        finally:
            await self._prompt.leave()
        print(WORDS[self._house.language].closing, flush=True)

    async def _line(self) -> str | None:
        while not self._typed:
            self._next = Deferred()
            await self._next
        return self._typed.popleft()

    def _take(self, line: str | None) -> None:
        self._typed.append(line)
        waiting, self._next = self._next, None
        if waiting is not None:
            waiting.callback(None)

    def _welcome(self) -> None:
        house = self._house
        facts = {
            "pid": house.daemon.pid,
            "smsc": house.smsc_port,
            "mlp": house.mlp.port,
            "psap": house.psap.port,
            "fallback": house.fallback.port,
            "victim": VICTIM,
            "mother": MOTHER,
            "sos": SOS_NUMBER,
            "log": house.log_file,
            "config": house.config,
        }
        print(WORDS[house.language].welcome.format(**facts))


def _run(reactor: Any, play: Coroutine[Any, Any, int]) -> int:
    """Play on the reactor; give the exit code. A signal to stop cancels the play, and waits until it has tidied up."""
    exit_code = EXIT_FAILED
    is_asked_to_stop = False
    over: Deferred[None] = Deferred()

    def ended(result: int | Failure) -> None:
        nonlocal exit_code
        if not isinstance(result, Failure):
            exit_code = result
        elif result.check(BrokenPipeError):
            # Who read us has gone; Python must not try to write the rest when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        elif result.check(Unavailable):
            print(f"onetouch lab: {result.value}", file=sys.stderr)
        elif not result.check(CancelledError):
            print(f"the lab broke down: {result.getTraceback()}", file=sys.stderr)
        over.callback(None)
        if not is_asked_to_stop:
            reactor.stop()

    def start() -> None:
        playing = Deferred.fromCoroutine(play).addBoth(ended)

        def stop() -> Deferred[None]:
            nonlocal is_asked_to_stop
            is_asked_to_stop = True
            if not over.called:
                playing.cancel()
            return over

        reactor.addSystemEventTrigger("before", "shutdown", stop)

    reactor.callWhenRunning(start)
    reactor.run()
    logs.flush()
    return exit_code
