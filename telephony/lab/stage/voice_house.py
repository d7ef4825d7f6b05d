"""The lab with voice: its own Asterisk runs our dialplans between a simulated phone and 112's telephones."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from telephony.asterisk.instance import Instance
from telephony.clock import pause
from telephony.domain.errors import Unavailable
from telephony.lab.phones.answerer import LabOperator
from telephony.lab.phones.exchange import NAME, SECRET, Surroundings
from telephony.lab.phones.handset import Caller, LabHandset
from telephony.lab.ports import free_port, free_ports
from telephony.lab.stage.apart import apart
from telephony.lab.stage.house import House, Language, Ports
from telephony.settings import Settings
from telephony.shipped import Shipped, folder_of

READY_WITHIN_S = 20.0
AUDIO_PORTS = 200
STOP_WITHIN_S = 5.0
CALLER_NUMBER = "01012345678"
"""As a carrier of Korea writes the lab's victim."""

_VOICE = """
[web]
port = {web}
[[asterisk]]
name = "{name}"
port = {ami}
secret = {{file = "{secret}"}}
[service_menu]
port = {menu}
[[voice.knock]]
meaning = "cannot-speak"
taps = 2
ko = "말을 할 수 없음"
en = "cannot speak"
"""
_TRUNK = """
[[carrier.trunk]]
name = "skt-voice"
"""


class _Asterisk(ProcessProtocol):
    """The process: its terminal output is kept, to tell why it ended."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.is_over = False
        self.said = b""

    def outReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.said = (self.said + data)[-4096:]

    errReceived = outReceived  # noqa: N815 - Twisted's name

    def processEnded(self, reason: Failure) -> None:  # noqa: N802, ARG002 - Twisted's name and signature
        self.is_over = True
        self.ended.callback(None)


class VoiceHouse(House):
    """A house with a line: ``handset`` is the phone in danger, ``operators`` are 112's three routes.

    Raises `Unavailable` where no Asterisk is installed.
    """

    has_voice = True

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        *,
        seed: int = 112,
        ports: Ports | None = None,
        language: Language = "ko",
    ) -> None:
        super().__init__(reactor, folder, seed=seed, ports=ports, language=language)
        rng = random.Random(seed)
        self.operators = [LabOperator(reactor, rng, name="112", ring_s=ring_s) for ring_s in (0.8, 0.3, 0.3)]
        self.guardian = LabOperator(reactor, rng, name="guardian", ring_s=0.5)
        self.surroundings: Surroundings | None = None
        self.handset: LabHandset | None = None
        self.instance: Instance | None = None
        self.web_port, self.menu_port = free_port(), free_port()
        self._process = _Asterisk()

    async def open(self, interval_s: float = 30.0) -> Settings:
        """Open the telephones, Asterisk and everything else; return once the daemon has caught up with both."""
        for telephone in (*self.operators, self.guardian):
            telephone.listen()
        first = free_ports(AUDIO_PORTS)
        dialplans = folder_of(Shipped.DIALPLANS)
        self.surroundings = Surroundings(
            sip=free_port(),
            ami=free_port(),
            rtp=(first, first + AUDIO_PORTS - 1),
            centres=(self.operators[0].port, self.operators[1].port, self.operators[2].port),
            guardians=self.guardian.port,
            agi=self.menu_port,
            location_url=f"http://127.0.0.1:{self.web_port}/v1/location",
            sounds=dialplans / "sounds",
        )
        self.instance = Instance(self.folder / "ast", NAME, dialplans, self.surroundings.files())
        command = apart(self.instance.command)
        self.reactor.spawnProcess(self._process, command[0], command, env=dict(os.environ))
        settings = await super().open(interval_s)
        phone = Caller(CALLER_NUMBER, "SOS")
        self.handset = LabHandset(self.reactor, random.Random(1), phone, ("127.0.0.1", self.surroundings.sip))
        self.handset.listen()
        return settings

    async def start(self) -> None:
        """Start the daemon; return once it is bound and has caught up with Asterisk."""
        caught_up = self.log.wait_for("caught up with Asterisk")
        await super().start()
        end = self.reactor.seconds() + READY_WITHIN_S
        while not caught_up.called:
            if self._process.is_over or self.reactor.seconds() > end:
                said = self._process.said.decode("utf-8", "replace").strip()
                raise Unavailable(f"Asterisk did not come up. It said: {said or 'nothing'}")
            await pause(self.reactor, 0.02)

    @property
    def _voice(self) -> dict[str, str]:
        assert self.surroundings is not None
        secret = self.folder / "ami-secret"
        secret.write_text(SECRET)
        facts = {
            "web": self.web_port,
            "menu": self.menu_port,
            "name": NAME,
            "ami": self.surroundings.ami,
            "secret": secret,
        }
        return {"trunk": _TRUNK, "voice": _VOICE.format(**facts)}

    async def close(self) -> None:
        """Stop the daemon first, then Asterisk, then the telephones."""
        await super().close()
        transport: Any = self._process.transport
        if transport is not None and not self._process.is_over:
            transport.signalProcess("TERM")
            kill = self.reactor.callLater(STOP_WITHIN_S, transport.signalProcess, "KILL")
            await self._process.ended
            if kill.active():
                kill.cancel()
        telephones = [self.handset, *self.operators, self.guardian]
        for telephone in telephones:
            if telephone is not None:
                await telephone.close()
