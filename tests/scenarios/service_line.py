"""A real Asterisk with our dialplans, a phone that hears which prompt is played, and a menu that is alive, or is not."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from telephony.asterisk.instance import Instance
from telephony.clock import within
from telephony.lab.phones.exchange import NAME, Surroundings
from telephony.lab.phones.handset import Caller, LabHandset, PhoneCall
from telephony.lab.phones.rtp import HEARD_PACKETS, PACKET_S, RATE, SAMPLES, tone
from telephony.lab.ports import free_port, free_ports, give_back

ROOT = Path(__file__).resolve().parent.parent.parent
SERVICE_NUMBER = "1588112"
CALLER = "01012345678"

PROMPT_S = 0.4
PROMPTS = (
    "service-language", "service-menu", "service-recorded", "service-not-recorded", "service-goodbye", "service-sorry",
)  # fmt: skip
PITCH = {
    f"{language}/{prompt}": 500 + 120 * place
    for place, (language, prompt) in enumerate(
        (language, prompt) for language in ("ko", "en") for prompt in PROMPTS
    )
}
"""Each prompt is a tone of its own, in Hz: who hears the tone knows what was played."""

BOOTS_WITHIN_S = 30.0
STARTS_WITHIN_S = 15.0
SOON_S = 120.0
"""For what a test waits for without measuring it: a busy machine is slow."""
CHANNELS_GONE_WITHIN_S = 1.0
"""Less than any bound, so that it is the end of the call that frees them."""


class ServiceLine:
    """Asterisk for the time of some tests; FastAGI is expected on ``agi_port``, where nothing listens at first."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.agi_port = free_port()
        self.phone: LabHandset | None = None
        self._root = Path(tempfile.mkdtemp(prefix="onetouch-line-"))
        self._rng = random.Random(1)
        """One for all calls: Asterisk takes a second call with the same ids for the first."""
        self._sip = free_port()
        self._first = first = free_ports(200)
        around = Surroundings(
            sip=self._sip,
            ami=free_port(),
            rtp=(first, first + 199),
            centres=(0, 0, 0),
            guardians=0,
            agi=self.agi_port,
            location_url="https://onetouch.example/v1/location",
            sounds=self._root / "sounds",
        )
        for prompt, hz in PITCH.items():
            file = self._root / "sounds" / f"{prompt}.ulaw"
            file.parent.mkdir(parents=True, exist_ok=True)
            period = tone(hz)[:-SAMPLES]
            file.write_bytes((period * (RATE // len(period) + 1))[: int(RATE * PROMPT_S)])
        self._instance = Instance(self._root / "asterisk", NAME, ROOT / "dialplans", around.files())
        self._asterisk = subprocess.Popen(
            self._instance.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_for_boot()

    def close(self) -> None:
        """Stop it."""
        self._cli("core stop now")
        try:
            self._asterisk.wait(10)
        except subprocess.TimeoutExpired:
            self._asterisk.kill()
            self._asterisk.wait()
        shutil.rmtree(self._root)
        give_back(self._first, 200)

    @property
    def log(self) -> str:
        """What Asterisk has written into its log."""
        return self._instance.log.read_text()

    @property
    def channels(self) -> int:
        """How many there are now."""
        found = re.search(r"^(\d+) active channels?$", self._cli("core show channels count"), re.MULTILINE)
        assert found is not None
        return int(found[1])

    def call(self, caller: Caller | None = None) -> PhoneCall:
        """Dial the service number, on a new phone."""
        self.phone = LabHandset(
            self.reactor,
            self._rng,
            caller or Caller(CALLER),
            ("127.0.0.1", self._sip),
            tone_hz=0,
            pitches=tuple(PITCH.values()),
        )
        self.phone.listen()
        return self.phone.call(SERVICE_NUMBER)

    async def hears(self, call: PhoneCall, prompt: str, within_s: float = SOON_S, *, time: int = 1) -> float:
        """Wait until a prompt is heard for the first, second … time; give the seconds since the call began."""
        hz = PITCH[prompt]
        enough = (time - 1) * round(PROMPT_S / PACKET_S) + HEARD_PACKETS
        await within(call.hears(lambda ears: ears.sounding[hz] >= enough), within_s, self.reactor)
        return self.reactor.seconds() - call.began_at

    async def channels_are_gone(self) -> bool:
        """Whether no channel is left, soon."""
        end = self.reactor.seconds() + CHANNELS_GONE_WITHIN_S
        while self.channels:
            if self.reactor.seconds() > end:
                return False
            await deferLater(self.reactor, 0.1, lambda: None)
        return True

    async def hang_up(self) -> None:
        """End the call if it goes on, and switch the phone off."""
        if self.phone is not None:
            phone, self.phone = self.phone, None
            if not phone.newest.is_over:
                await phone.hang_up()
            await phone.close()

    def _cli(self, line: str) -> str:
        done = subprocess.run(
            self._instance.cli(line), capture_output=True, text=True, check=False, timeout=30
        )
        return done.stdout

    def _wait_for_boot(self) -> None:
        end = time.monotonic() + BOOTS_WITHIN_S
        while "fully booted" not in self._cli("core waitfullybooted"):
            assert self._asterisk.poll() is None, "Asterisk did not start"
            assert time.monotonic() < end, "Asterisk did not boot in time"
            time.sleep(0.1)


def heard(call: PhoneCall) -> set[str]:
    """Return all prompts that were heard."""
    return {prompt for prompt, hz in PITCH.items() if call.ears.heard(hz)}


class MenuProcess:
    """The menu as a process of its own, which can be stopped in the middle of a word and killed."""

    def __init__(self, port: int, *, idle_s: float, answer: str = "recorded") -> None:
        program = [sys.executable, "-m", "tests.scenarios.service_menu_process"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._file = tempfile.NamedTemporaryFile("w+", prefix="onetouch-menu-")  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            [*program, str(port), str(idle_s), answer], cwd=ROOT, env=environment, stdout=self._file
        )
        end = time.monotonic() + STARTS_WITHIN_S
        while not self.lines("ready"):
            assert self._process.poll() is None, "the menu did not start"
            assert time.monotonic() < end, "the menu did not start in time"
            time.sleep(0.05)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Everything of this kind that it has said so far."""
        whole = [
            line
            for line in Path(self._file.name).read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]
        return [line for line in map(json.loads, whole) if line["event"] == event]

    @property
    def said(self) -> str:
        """Everything that it has said so far, as it said it."""
        return Path(self._file.name).read_text()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def close(self) -> None:
        """End it, whatever state it is in."""
        self._process.kill()
        self._process.wait()
        self._file.close()


def hanging(port: int) -> socket.socket:
    """Listen like a daemon that hangs: the kernel takes connections, and nothing is ever sent on them."""
    return socket.create_server(("127.0.0.1", port), backlog=50)


async def eventually(clock: Any, claim: Any, within_s: float = 120.0) -> None:
    """Wait until a claim is true."""
    end = clock.seconds() + within_s
    while not claim():
        assert clock.seconds() < end, "it did not become true"
        await _pause(clock)


def _pause(clock: Any) -> Deferred[None]:
    return deferLater(clock, 0.05, lambda: None)
