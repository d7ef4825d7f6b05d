"""The daemon between a simulated carrier and a simulated 112 centre, in one process, each speaking its real wire."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from telephony.daemon import Daemon, on_threads
from telephony.domain.people import Device, Draft, GuardianEntry
from telephony.domain.values import Msisdn
from telephony.lab.mlp import LabMlp
from telephony.lab.psap import LabPsap
from telephony.lab.smsc import LabSmsc
from telephony.settings import Settings, load
from telephony.store.people import Registry

SOS_NUMBER = "112"
SOS_CODE = "*112#"
VICTIM = "821012345678"
MOTHER = "821087654321"
CITY_HALL = (37.5663, 126.9779)
CALLER = Draft(
    name="김하나",
    birth_date=date(2015, 3, 2),
    devices=(Device(Msisdn(VICTIM), "skt", "phone"),),
    guardians=(GuardianEntry(Msisdn(MOTHER), "어머니"),),
    texts={
        "address": "서울특별시 중구 세종대로 110",
        "medical": "천식, 흡입기를 가지고 다님",
        "family": "어머니와 둘이 삶",
        "language": "ko",
        "school": "한빛초등학교",
    },
    consent_by="김어진",
    consent_means="서면",
)
"""Who is invented, as everything here."""
FAST_AFTER_S, ACCURATE_AFTER_S = 0.4, 2.0
"""How long the simulated location server thinks; live ones take 1.4 s and more."""


SETTINGS = """\
# Settings of a lab: they lead to the simulators of one `onetouch lab`.
[service]
name = "lab"
state_dir = "{state_dir}"

[recognition]
sos_numbers = ["112"]
test_numbers = ["1129"]
test_words = ["TEST", "시험"]
ussd_codes = ["*112#"]

[locating]
interval_s = {interval_s}

[log]
file = "{log}"

[[carrier]]
name = "skt"
mncs = ["05"]

[[carrier.smpp]]
name = "skt-1"
host = "127.0.0.1"
port = {smsc}
system_id = "lab"
{trunk}
[carrier.lbs]
url = "{mlp}"
client_id = "lab"

[[psap]]
name = "seoul"
addresses = "112.seoul.example"

[[psap.channel]]
name = "seoul-a"
url = "{psap}"

[[psap.channel]]
name = "seoul-b"
url = "{fallback}"
after_s = 5.0
{voice}"""


@dataclass(frozen=True)
class Ports:
    """Where the simulators listen; 0 takes a free port."""

    smsc: int = 0
    mlp: int = 0
    psap: int = 0
    psap_fallback: int = 0


class House:
    """SMSC, location server, 112 centre with two URLs, and the daemon bound to them.

    Everything it writes, its settings too, is in ``folder``.
    """

    def __init__(self, reactor: Any, folder: Path, *, seed: int = 112, ports: Ports | None = None) -> None:
        self.reactor = reactor
        self._folder = folder
        self.config = folder / "onetouch.toml"
        self._ports = ports or Ports()
        self.smsc = LabSmsc(reactor=reactor, rng=random.Random(seed), port=self._ports.smsc)
        self.mlp = LabMlp(reactor, fast_after_s=FAST_AFTER_S, accurate_after_s=ACCURATE_AFTER_S)
        self.psap = LabPsap(reactor)
        self.fallback = LabPsap(reactor)
        self.daemon: Daemon | None = None

    @property
    def smsc_port(self) -> int:
        """The TCP port of the SMSC."""
        return int(self.smsc.port.getHost().port)

    async def open(self, interval_s: float = 30.0) -> Settings:
        """Open the simulators, start the daemon, and return once it is bound."""
        self.smsc.startService()
        await self.mlp.listen(port=self._ports.mlp)
        await self.psap.listen(port=self._ports.psap)
        await self.fallback.listen(port=self._ports.psap_fallback)
        self.mlp.place(VICTIM, *CITY_HALL)
        settings = self.settings(interval_s)
        self.daemon = Daemon(settings, on_threads(self.reactor))
        self.daemon.startService()
        await self.smsc.when_bound()
        await self._sign_up()
        return settings

    async def _sign_up(self) -> None:
        """Register the lab's caller, as a school's file would."""
        assert self.daemon is not None
        registry = Registry(self.daemon.key_file.ring)
        await self.daemon.database.transact(registry.enrol, [CALLER], datetime.now(UTC))

    def settings(self, interval_s: float) -> Settings:
        """Write settings that lead to the simulators, so that other commands can be tried on them, and load them."""
        self.config.write_text(
            SETTINGS.format(
                state_dir=self._folder / "state",
                log=self._folder / "log",
                interval_s=interval_s,
                smsc=self.smsc_port,
                mlp=self.mlp.url,
                psap=self.psap.url,
                fallback=self.fallback.url,
                **self._voice,
            ),
            encoding="utf-8",
        )
        return load(self.config)

    @property
    def _voice(self) -> dict[str, str]:
        """What the settings say of voice: nothing in this house."""
        return {"trunk": "", "voice": ""}

    async def close(self) -> None:
        """Stop everything, the daemon first."""
        if self.daemon is not None:
            await self.daemon.stopService()
        await self.smsc.stopService()
        for server in (self.mlp, self.psap, self.fallback):
            await server.close()

    def on_report(self, heard: Callable[[Any], None]) -> None:
        """Call with every report that the centre takes, by either URL, as it arrives."""
        for centre in (self.psap, self.fallback):
            self._follow(centre, heard)

    @staticmethod
    def _follow(centre: LabPsap, heard: Callable[[Any], None]) -> None:
        told = 0

        def look(_: LabPsap) -> bool:
            nonlocal told
            new, told = centre.reports[told:], len(centre.reports)
            for report in new:
                heard(report)
            return False

        centre.wait_for(look)
