"""Assembles the lab: the daemon as a process of its own between a simulated carrier and a 112 centre, on real protocols."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from socket import SOCK_STREAM
from typing import Any, Final, Literal

from twisted.internet.error import CannotListenError

from telephony.clock import pause
from telephony.domain.errors import Unavailable
from telephony.domain.people.person import Device, Draft, GuardianEntry
from telephony.domain.values import Msisdn
from telephony.lab.carrier.mlp import LabMlp
from telephony.lab.carrier.smsc import LabSmsc
from telephony.lab.centre.psap import LabPsap
from telephony.lab.ports import is_free
from telephony.lab.stage.books import Books
from telephony.lab.stage.daemon_log import DaemonLog
from telephony.lab.stage.daemon_process import DaemonProcess
from telephony.settings import Settings, load

Language = Literal["ko", "en"]

SOS_NUMBER = "112"
SOS_CODE = "*112#"
TEST_NUMBER = "1129"
SERVICE_NUMBER = "1588112"
MENU_CODE = "*1120#"
VICTIM = "821012345678"
MOTHER = "821087654321"
CITY_HALL = (37.5663, 126.9779)
FAST_AFTER_S, ACCURATE_AFTER_S = 0.4, 2.0
"""How long the simulated location server thinks; live ones take 1.4 s and more."""
BOUND_WITHIN_S = 60.0
"""A busy machine is slow; a daemon that ends is noticed at once."""


def caller(language: Language) -> Draft:
    """Return the caller, invented like everything here."""
    is_korean = language == "ko"
    return Draft(
        name="김하나" if is_korean else "Kim Hana",
        birth_date=date(2015, 3, 2),
        devices=(Device(Msisdn(VICTIM), "skt", "phone"),),
        guardians=(GuardianEntry(Msisdn(MOTHER), "어머니" if is_korean else "mother", language),),
        texts={
            "address": "서울특별시 중구 세종대로 110" if is_korean else "110 Sejong-daero, Jung-gu, Seoul",
            "medical": "천식, 흡입기를 가지고 다님" if is_korean else "asthma, carries an inhaler",
            "family": "어머니와 둘이 삶" if is_korean else "lives with her mother",
            "language": language,
            "school": "한빛초등학교" if is_korean else "Hanbit primary school",
        },
        consent_by="김어진" if is_korean else "Kim Eojin",
        consent_means="서면" if is_korean else "in writing",
    )


SETTINGS = """\
# Settings of a lab: they lead to the simulators of one `onetouch lab`.
[service]
name = "lab"
language = "{language}"
state_dir = "{state_dir}"

[recognition]
sos_numbers = ["{sos_number}"]
test_numbers = ["{test_number}"]
test_words = ["TEST", "시험"]
ussd_codes = ["{sos_code}"]
service_numbers = ["{service_number}", "{menu_code}"]

[sms]
sender = "{service_number}"

[guardians]
pause_s = 1.0

[locating]
interval_s = {interval_s}

[relay]
poll_s = 0.2

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
language = "{language}"
heartbeat_s = 60.0

[[psap.channel]]
name = "{first}"
url = "{psap}"

[[psap.channel]]
name = "{second}"
url = "{fallback}"
after_s = 5.0
{voice}"""
FIRST, SECOND = "seoul-a", "seoul-b"
"""The channels of the two URLs."""


@dataclass(frozen=True)
class Ports:
    """Where the simulators listen; 0 takes a free port."""

    smsc: int = 0
    mlp: int = 0
    psap: int = 0
    psap_fallback: int = 0

    @property
    def named(self) -> tuple[tuple[str, int], ...]:
        """Each with the server that listens there."""
        return (
            ("the SMSC", self.smsc),
            ("the location server", self.mlp),
            ("the 112 centre", self.psap),
            ("the second URL of 112", self.psap_fallback),
        )


LAB_PORTS: Final = Ports(smsc=2775, mlp=9210, psap=8112, psap_fallback=8113)
"""Those of config/onetouch.toml, so that a daemon of one's own can be tried against the same simulators."""


class House:
    """SMSC, location server, 112 centre with two URLs, and the daemon bound to them.

    Everything it writes, its settings too, is in ``folder``.
    """

    has_voice = False

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        *,
        seed: int = 112,
        ports: Ports | None = None,
        language: Language = "ko",
    ) -> None:
        self.reactor = reactor
        self.language: Language = language
        self.folder = folder
        self.config = folder / "onetouch.toml"
        self.log_file = folder / "log"
        self._ports = ports or Ports()
        self.smsc = LabSmsc(reactor=reactor, rng=random.Random(seed), port=self._ports.smsc)
        self.mlp = LabMlp(reactor, fast_after_s=FAST_AFTER_S, accurate_after_s=ACCURATE_AFTER_S)
        self.psap = LabPsap(reactor)
        self.fallback = LabPsap(reactor)
        self.log = DaemonLog(self.log_file)
        self.daemon = DaemonProcess(reactor, self.config, self.log)
        self._books: Books | None = None

    @property
    def books(self) -> Books:
        """The store, once the house is open."""
        assert self._books is not None
        return self._books

    @property
    def smsc_port(self) -> int:
        """The TCP port of the SMSC."""
        return int(self.smsc.port.getHost().port)

    async def open(self, interval_s: float = 30.0) -> Settings:
        """Open the simulators, start the daemon, and return once it is bound.

        Raises `Unavailable`, in one sentence, where a port is in use or the daemon does not come up.
        """
        for name, port in self._ports.named:
            if port and not is_free(port, [SOCK_STREAM]):
                raise Unavailable(taken(port, name))
        try:
            self.smsc.startService()
            await self.mlp.listen(port=self._ports.mlp)
            await self.psap.listen(port=self._ports.psap)
            await self.fallback.listen(port=self._ports.psap_fallback)
        except CannotListenError as error:
            raise Unavailable(taken(error.port, "the lab")) from error
        self.mlp.place(VICTIM, *CITY_HALL)
        settings = self.settings(interval_s)
        await self.start()
        self._books = Books(settings)
        await self._books.sign_up(caller(self.language))
        return settings

    async def start(self) -> None:
        """Start the daemon; return once it is bound. Raises `Unavailable` where it ends before that."""
        self.daemon.start()
        end = self.reactor.seconds() + BOUND_WITHIN_S
        while not self.smsc.links:
            if not self.daemon.is_running or self.reactor.seconds() > end:
                raise Unavailable(f"the daemon did not come up; see {self.log_file}")
            await pause(self.reactor, 0.01)

    def settings(self, interval_s: float) -> Settings:
        """Write settings that lead to the simulators, so that other commands can be tried on them, and load them."""
        self.config.write_text(
            SETTINGS.format(
                language=self.language,
                state_dir=self.folder / "state",
                interval_s=interval_s,
                sos_number=SOS_NUMBER,
                sos_code=SOS_CODE,
                test_number=TEST_NUMBER,
                service_number=SERVICE_NUMBER,
                menu_code=MENU_CODE,
                first=FIRST,
                second=SECOND,
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
        """The voice part of the settings: empty in this lab."""
        return {"trunk": "", "voice": ""}

    async def close(self) -> None:
        """Stop everything, the daemon first."""
        if self._books is not None:
            self._books.forget()
        await self.daemon.stop()
        await self.smsc.stopService()
        for server in (self.mlp, self.psap, self.fallback):
            await server.close()


def taken(port: int, name: str) -> str:
    """Say that a port is in use, and what to do."""
    return (
        f"port {port} for {name} is in use, perhaps by another lab: end what listens there, "
        "or give --free-ports"
    )
