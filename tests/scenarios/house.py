"""Everything a press meets between a phone and 112, on loopback: carriers, 112, and our daemon as a real process."""

from __future__ import annotations

import inspect
import random
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater

from telephony.lab.carrier.mlp import LabMlp
from telephony.lab.carrier.smsc import LabSmsc
from telephony.lab.centre.psap import LabPsap, ReceivedReport
from telephony.smpp.wire.constants import ESME_ROK
from tests.scenarios.daemon_process import DaemonProcess
from tests.smpp.people import Witness

PATIENCE_S = 120.0
"""What must come is waited for until it is there; the bound is for what never comes, also on a busy machine."""
SEOUL = (37.5665, 126.9780)
HELP = "살려주세요 집이에요"
LONG_HELP = "남편이 문을 부수고 있어요. 말을 할 수 없어요. " * 4 + "빨리 와 주세요."
"""Two segments of 67 characters in UCS-2."""

SETTINGS = """
[service]
state_dir = "{folder}/state"
[recognition]
sos_numbers = ["112"]
{recognition}
[locating]
interval_s = {interval_s}
[journal]
ack_after = "{ack_after}"
[relay]
poll_s = 0.2
[log]
file = "{folder}/log"
{more}
[[carrier]]
name = "skt"
[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
port = {skt}
system_id = "onetouch"
{skt_link}
[[carrier.smpp]]
name = "skt-2"
host = "127.0.0.1"
port = {skt}
system_id = "onetouch"
{skt_link}
{skt_trunk}
[carrier.lbs]
url = "{skt_lbs}"
client_id = "onetouch"
retry_after_s = 0.5
fast = {{resp_timer_s = 1, budget_s = 1.0}}
accurate = {{resp_timer_s = 1, budget_s = 1.0}}
[[carrier]]
name = "kt"
[[carrier.smpp]]
name = "kt-1"
host = "127.0.0.1"
port = {kt}
system_id = "onetouch"
{kt_peer}
{kt_trunk}
[carrier.lbs]
url = "{kt_lbs}"
client_id = "onetouch"
retry_after_s = 0.5
fast = {{resp_timer_s = 1, budget_s = 1.0}}
accurate = {{resp_timer_s = 1, budget_s = 1.0}}
[[psap]]
name = "seoul"
addresses = "112.seoul.example"
{centre_more}
[[psap.channel]]
name = "seoul-a"
url = "{centre}"
timeout_s = {timeout_s}
[[psap.channel]]
name = "seoul-b"
url = "{second}"
after_s = {second_after_s}
"""


@dataclass(frozen=True)
class Choices:
    """What a scenario may want otherwise, as TOML has it."""

    interval_s: float = 3600.0
    timeout_s: float = 10.0
    second_after_s: float = 600.0
    ack_after: str = "journal"
    skt_port: int | None = None
    """Where another message centre than the simulated one listens for skt's links."""
    recognition: str = ""
    """Further keys of ``[recognition]``."""
    skt_link: str = ""
    skt_trunk: str = ""
    kt_peer: str = ""
    kt_trunk: str = ""
    more: str = ""
    centre_more: str = ""
    """Further keys of the centre."""
    hosts: tuple[tuple[str, str], ...] = ()
    """Names instead of 127.0.0.1 for ``skt_lbs``, ``kt_lbs``, ``centre`` and ``second``."""


class House:
    """``skt`` (two links) and ``kt`` (one) are message centres, ``lbs`` the carriers' location servers by name,
    ``centre`` and ``second`` the two addresses of 112."""

    def __init__(self, folder: Path, reactor: Any, *, seed: int = 1) -> None:
        self.folder = folder
        self.reactor = reactor
        self.daemon = DaemonProcess(folder)
        self.skt = self._smsc(seed)
        self.kt = self._smsc(seed + 1)
        self.lbs = {"skt": LabMlp(reactor), "kt": LabMlp(reactor)}
        self.centre = LabPsap(reactor)
        self.second = LabPsap(reactor)
        self.choices = Choices()
        self._callers = 0
        self._secrets: set[str] = {HELP, LONG_HELP[:20], LONG_HELP[67:]}

    def _smsc(self, seed: int, **how: Any) -> LabSmsc:
        rng = random.Random(seed)
        return LabSmsc(reactor=self.reactor, rng=rng, window=100, redelivery_s=0.5, observer=Witness(), **how)

    async def open(self) -> None:
        """Open everything but the daemon."""
        for smsc in (self.skt, self.kt):
            smsc.startService()
        for server in (*self.lbs.values(), self.centre, self.second):
            await server.listen()

    async def close(self) -> None:
        """Stop the daemon as an operator would, then the rest."""
        try:
            if self.daemon.is_running:
                await self.stop()
        finally:
            if self.daemon.is_running:
                self.daemon.kill()
            for smsc in (self.skt, self.kt):
                await maybeDeferred(smsc.stopService)
            for server in (*self.lbs.values(), self.centre, self.second):
                await server.close()

    # The daemon.

    def choose(self, **changes: Any) -> None:
        """Set what the next `start` writes into the settings."""
        self.choices = replace(self.choices, **changes)

    async def secure_skt(self, certificate: Path, key: Path) -> None:
        """Let the message centre of skt speak TLS only."""
        await maybeDeferred(self.skt.stopService)
        settings = self.skt.settings.model_copy(update={"tls_certificate": certificate, "tls_key": key})
        self.skt = self._smsc(1, settings=settings)
        self.skt.startService()

    async def start(self, moment: str | None = None, *, until_bound: bool = True) -> None:
        """Start the daemon; return when its three links are bound."""
        facts = vars(self.choices) | {
            "folder": self.folder,
            "skt": self.choices.skt_port or self.skt.port.getHost().port,
            "kt": self.kt.port.getHost().port,
            "skt_lbs": self.lbs["skt"].url,
            "kt_lbs": self.lbs["kt"].url,
            "centre": self.centre.url,
            "second": self.second.url,
        }
        for key, host in self.choices.hosts:
            facts[key] = facts[key].replace("127.0.0.1", host)
        self.daemon.config.write_text(SETTINGS.format(**facts))
        self.daemon.start(moment)
        if until_bound:
            await self.until(lambda: self._is_bound or not self.daemon.is_running)
            assert self.daemon.is_running

    @property
    def _is_bound(self) -> bool:
        return len(self.skt.links) == 2 and len(self.kt.links) == 1

    async def kill9(self) -> None:
        """SIGKILL the daemon; return when the carriers have noticed."""
        self.daemon.kill()
        await self.until(lambda: not self.skt.links and not self.kt.links)

    async def died(self) -> None:
        """Wait until the daemon has killed itself."""
        await self.until(lambda: not self.daemon.is_running)
        assert self.daemon.exit_code == -signal.SIGKILL
        await self.until(lambda: not self.skt.links and not self.kt.links)

    async def stop(self) -> None:
        """Stop the daemon in good order."""
        self.daemon.signal(signal.SIGTERM)
        await self.until(lambda: not self.daemon.is_running)
        assert self.daemon.exit_code == 0

    async def restart(self) -> None:
        """Stop it in good order and start it again."""
        await self.stop()
        await self.start()

    async def onetouch(self, *arguments: str) -> str:
        """Run another subcommand of `onetouch`; give what it printed."""
        exit_code, said = await self._said(self.daemon.command(*arguments))
        assert exit_code == 0, said
        return said

    async def refused_onetouch(self, *arguments: str) -> str:
        """Run a subcommand that is to fail; give what it said."""
        exit_code, said = await self._said(self.daemon.command(*arguments, stderr=subprocess.STDOUT))
        assert exit_code != 0, said
        return said

    async def _said(self, running: subprocess.Popen[bytes]) -> tuple[int, str]:
        await self.until(lambda: running.poll() is not None)
        assert running.stdout is not None
        with running.stdout as printed:
            return running.returncode, printed.read().decode()

    # Phones.

    def caller(self, place: tuple[float, float] | None = None, carrier: str = "skt") -> str:
        """Return the number of a new phone, somewhere where its carrier finds it or nowhere."""
        self._callers += 1
        digits = f"10{73_310_000 + self._callers}"
        self._secrets |= {digits, f"0{digits}", f"82{digits}"}
        if place is not None:
            self.lbs[carrier].place(f"82{digits}", *place)
            self.see(*place)
        return f"82{digits}"

    def see(self, *degrees: float) -> None:
        """Learn a place that no log may tell: in degrees, or in degrees and minutes as location servers write it."""
        self._secrets |= {f"{each:.4f}"[:-1] for each in degrees}
        self._secrets |= {f"{int(each)} {int(each % 1 * 60):02d} " for each in degrees}

    def keep_secret(self, *words: str) -> None:
        """Learn words that no log may tell."""
        self._secrets |= set(words)

    def press(
        self, caller: str, text: str = HELP, *, smsc: LabSmsc | None = None, **more: Any
    ) -> Deferred[int]:
        """Press the key: an SMS to 112. Fires with the first status that the daemon answers."""
        self._secrets.add(text)
        return (smsc or self.skt).send_mo(caller, "112", text=text, **more)

    async def accepted_press(self, caller: str, text: str = HELP, **more: Any) -> None:
        """Press, and have it acknowledged."""
        assert await self.soon(self.press(caller, text, **more)) == ESME_ROK

    # What can be seen from outside.

    def reports(self, caller: str, centre: LabPsap | None = None) -> list[ReceivedReport]:
        """Return what 112 knows of a caller, in order of arrival."""
        callback = (f"tel:+{caller}",)
        return [
            report
            for report in (centre or self.centre).reports
            if report.parameters.get("callback") == callback
        ]

    def alerts(self, caller: str, centre: LabPsap | None = None) -> list[ReceivedReport]:
        """Return the first words 112 got of a caller: never more than one of an emergency."""
        return [report for report in self.reports(caller, centre) if report.msg_type == "Alert"]

    def located(self, caller: str) -> list[ReceivedReport]:
        """Return the reports that say where the caller is."""
        return [report for report in self.reports(caller) if report.circle is not None]

    def logged(self, event: str, **facts: Any) -> list[dict[str, Any]]:
        """Return the log lines of this event with these facts."""
        wanted = {"event": event, **facts}
        return [line for line in self.daemon.log_lines() if wanted.items() <= line.items()]

    # Waiting.

    async def until(self, claim: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
        """Wait for the claim to come true, looking every few milliseconds."""
        end = self.reactor.seconds() + within_s
        while not claim():
            if self.reactor.seconds() > end:
                words = inspect.getsource(claim).strip() if inspect.isfunction(claim) else repr(claim)
                raise AssertionError(f"not true within {within_s} s: {words}")
            await deferLater(self.reactor, 0.005)

    async def soon(self, waiting: Deferred[Any], within_s: float = PATIENCE_S) -> Any:
        """Wait for a Deferred, with a bound."""
        return await waiting.addTimeout(within_s, self.reactor)

    # Privacy.

    def leaks(self) -> list[str]:
        """Return every log line that tells a whole number, a text or a place."""
        lines = self.daemon.log.read_text().splitlines() if self.daemon.log.exists() else []
        lines += self.daemon.stderr.read_text().splitlines()
        forms = {form for secret in self._secrets for form in (secret, ascii(secret)[1:-1])}
        # The seconds of a time may read like the degrees of a place.
        told = [(line, TIMESTAMP.sub("", line)) for line in lines]
        return [
            line for line, words in told if ANY_NUMBER.search(words) or any(form in words for form in forms)
        ]


TIMESTAMP = re.compile(r'"timestamp":"[^"]*"')
ANY_NUMBER = re.compile(r"(?<![0-9a-z])(?:82|0)?10\d{8}(?!\d)")
"""A mobile number of Korea in any spelling; letters before it mean a hexadecimal reference."""
