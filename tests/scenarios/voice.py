"""The house with voice: a real Asterisk with our dialplans, phones and 112's telephones around it, our daemon beside it."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredList
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from telephony.asterisk.instance import Instance
from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.clock import within
from telephony.lab.centre.psap import ReceivedReport
from telephony.lab.phones.answerer import Invite, LabOperator, OperatorCall
from telephony.lab.phones.exchange import CARRIER_ADDRESSES, NAME, SECRET, Surroundings
from telephony.lab.phones.handset import PITCHES, Caller, LabHandset, PhoneCall
from telephony.lab.phones.rtp import Rtp
from telephony.lab.phones.sip import address_of
from telephony.lab.ports import free_ports, give_back, is_free
from tests.scenarios.daemon_process import ROOT
from tests.scenarios.house import PATIENCE_S, House
from tests.scenarios.raw_phone import Form, RawCall, RawPhone
from tests.scenarios.sipp_process import Sipp

SKT, KT = "skt-voice", "kt-voice"
"""Trunks: on SKT's not one RTP packet reaches the phone, on KT's exact zeros do (onetouch/10-carriers.conf)."""

BOOTS_WITHIN_S = 30.0
CHANNELS_GONE_WITHIN_S = 3.0
RING_S = 0.15
"""How long 112 lets its telephones ring here."""

BOTH_ENDS_AT_ONCE = "An async goto just messed up our execution location"
"""In a room, the end of 112's leg sends the phone on to the next route. Where she hangs up in the same few milliseconds,
that hits the end of her leg: its note in the journal and its UserEvent are left out, and Hangup alone tells of it."""

_TRUNK = '[[carrier.trunk]]\nname = "{}"\n'
_MIRROR = 'mirror = {{port = {}, password = {{file = "{}"}}}}'
_KT_ADDRESSES = 'addresses = ["127.0.0.2"]\n'
"""SKT's are those of 112's telephones too, whose refusals are none of a caller's."""
_VOICE = """
[web]
port = {web}
[[asterisk]]
name = "{name}"
port = {ami}
ping_s = {ping_s}
ping_timeout_s = {ping_timeout_s}
secret = {{file = "{secret}"}}
{mirror}
[[voice.knock]]
meaning = "cannot-speak"
taps = 2
ko = "말을 할 수 없음"
en = "cannot speak"
"""


class Exchange:
    """Asterisk for some tests, on ports of its own. ``knobs`` are those of globals.conf that are to differ.

    The ports of everybody around it are chosen here too, because its configuration names them.
    """

    def __init__(self, knobs: Mapping[str, str]) -> None:
        self._first = first = free_ports(PORTS)
        self.sip, self.ami, self.web = first, first + 1, first + 2
        self.centres = (first + 3, first + 4, first + 5)
        self.callable = {SKT: first + 6, KT: first + 7}
        """Where a trunk's phones are called back."""
        self.mirror = first + 8
        """Where Asterisk mirrors its SIP to."""
        self.spare = [first + offset for offset in range(9, 20)]
        """Ports for sipp."""
        self.root = Path(tempfile.mkdtemp(prefix="onetouch-voice-", dir="/tmp"))
        around = Surroundings(
            sip=self.sip,
            ami=self.ami,
            rtp=(first + 20, first + PORTS - 1),
            centres=self.centres,
            guardians=0,
            agi=first + 19,
            location_url=f"http://127.0.0.1:{self.web}/v1/location",
            sounds=ROOT / "dialplans" / "sounds",
            globals=knobs,
            contacts=self.callable,
            mirror=self.mirror,
            aloud=(KT,),
        )
        self.instance = Instance(self.root, NAME, ROOT / "dialplans", around.files())
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; it is not ready when this returns."""
        self._process = subprocess.Popen(
            self.instance.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait_for_boot(self) -> None:
        end = time.monotonic() + BOOTS_WITHIN_S
        while "fully booted" not in self.cli("core waitfullybooted"):
            assert self._process is not None
            assert self._process.poll() is None, "Asterisk did not start"
            assert time.monotonic() < end, "Asterisk did not boot in time"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as an operator would: it says goodbye to its calls."""
        self.cli("core stop now")
        assert self._process is not None
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL: not a word to anybody."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def remove(self) -> None:
        """Stop it and leave nothing behind."""
        if self.is_running:
            self.stop()
        shutil.rmtree(self.root)
        give_back(self._first, PORTS)

    def cli(self, line: str) -> str:
        done = subprocess.run(
            self.instance.cli(line), capture_output=True, text=True, check=False, timeout=30
        )
        return done.stdout

    def channels(self) -> list[str]:
        """Return the names of those that there are now."""
        with self._terminal() as ami:
            return [row.get("Channel") for row in ami.listing("CoreShowChannels")]

    def forget_calls(self) -> None:
        """Empty the journal, so that the next test's daemon does not hear of this one's calls."""
        for name in self.journal():
            self.note(name, "")

    def journal(self) -> dict[str, str]:
        """Return the slots of the journal that are not empty."""
        with self._terminal() as ami:
            said = ami.action("Command", [("Command", "dialplan show globals")]).all("Output")
        pairs = [line.strip().partition("=") for line in said]
        return {name: value for name, _, value in pairs if name.startswith("SOS_JOURNAL_") and value}

    def note(self, slot: str, notes: str) -> None:
        """Write into a slot of the journal."""
        with self._terminal() as ami:
            ami.action("Setvar", [("Variable", slot), ("Value", notes)])

    def _terminal(self) -> BlockingAmi:
        return BlockingAmi("127.0.0.1", self.ami, "operator", SECRET)

    def new_log_lines(self) -> list[str]:
        """Return what Asterisk has logged since this was last asked."""
        lines = self.instance.log.read_text("utf-8", "replace").splitlines()
        new, self._read = lines[self._read :], len(lines)
        return new


class VoiceHouse(House):
    """``operators`` are 112's three telephones in the order of the routes."""

    def __init__(self, folder: Path, reactor: Any, exchange: Exchange) -> None:
        super().__init__(folder, reactor)
        self.exchange = exchange
        self.asterisk_log: list[str] = []
        self.expected_errors: tuple[str, ...] = ()
        """Words of errors that Asterisk may complain of in this test."""
        self.ping_s, self.ping_timeout_s = 10.0, 1.0
        self.retention = ""
        """A table ``[retention]`` of the settings."""
        self.hears_mirror = False
        """Whether the daemon takes what Asterisk mirrors of its SIP."""
        self._rng = random.Random(str(folder))
        """Asterisk takes a second call with the same ids for the first: no two tests may draw the same."""
        # As many lines as anybody wants: a call of an earlier test that still knocks must not make 112 busy.
        self.operators = [
            LabOperator(reactor, self._rng, name="112", ring_s=RING_S, lines=500) for _ in exchange.centres
        ]
        self.phones = {
            trunk: LabHandset(reactor, self._rng, Caller(""), (address, exchange.sip))
            for trunk, address in CARRIER_ADDRESSES.items()
        }
        self._sipps: list[Sipp] = []
        self._rtps: list[Rtp] = []
        self._raw_phones: list[RawPhone] = []

    async def open(self) -> None:
        await super().open()
        for operator, port in zip(self.operators, self.exchange.centres, strict=True):
            operator.listen(port=port)
        for trunk, phone in self.phones.items():
            phone.listen(CARRIER_ADDRESSES[trunk])
        self.exchange.new_log_lines()

    async def close(self) -> None:
        """Hang up whatever stands, stop the daemon, and see that Asterisk has no channel left."""
        try:
            if not self.exchange.is_running:
                await self.restart_asterisk()
            await self._hang_up_everything()
        finally:
            await super().close()
            for each in (*self._sipps, *self._rtps):
                each.close()
            for telephone in (*self._raw_phones, *self.phones.values(), *self.operators):
                await telephone.close()
        try:
            await self.until(lambda: not self.exchange.channels(), CHANNELS_GONE_WITHIN_S)
        finally:
            left = self.exchange.channels() and self.exchange.cli("core show channels concise").splitlines()
            self.exchange.cli("channel request hangup all")
            self.exchange.forget_calls()
            self.asterisk_log += self.exchange.new_log_lines()
            assert not left, [*left, *self.asterisk_log]

    async def _hang_up_everything(self) -> None:
        calls = [call for phone in self.phones.values() for call in phone.calls if not call.is_over]
        await within(DeferredList([call.hang_up() for call in calls], consumeErrors=True), 3.0, self.reactor)

    async def start(self, moment: str | None = None, *, until_bound: bool = True, ami: int = 0) -> None:
        """Start the daemon; return when it has caught up with Asterisk too.

        ``ami`` is where it looks for the manager interface, if that is not where it is.
        """
        before = len(self.logged("caught up with Asterisk"))
        secret = self.folder / "ami-secret"
        secret.write_text(SECRET)
        voice = _VOICE.format(
            web=self.exchange.web,
            name=NAME,
            ami=ami or self.exchange.ami,
            ping_s=self.ping_s,
            ping_timeout_s=self.ping_timeout_s,
            secret=secret,
            mirror=_MIRROR.format(self.exchange.mirror, secret) if self.hears_mirror else "",
        )
        self.choose(
            more=self.retention + voice,
            skt_trunk=_TRUNK.format(SKT),
            kt_trunk=_TRUNK.format(KT) + _KT_ADDRESSES,
        )
        await super().start(moment, until_bound=until_bound)
        if until_bound:
            await self.until(lambda: self.logged("caught up with Asterisk")[before:])

    async def stop_asterisk(self) -> None:
        """Stop it as an operator would."""
        await deferToThread(self.exchange.stop)

    async def restart_asterisk(self) -> None:
        """Start it again after it was stopped or killed."""
        self.exchange.start()
        await deferToThread(self.exchange.wait_for_boot)

    # Phones.

    def call(self, caller: str, trunk: str = SKT, *, dialled: str = "112", **who: Any) -> PhoneCall:
        """Hold the key: dial 112."""
        return self.phones[trunk].call(dialled, caller=Caller(national(caller), **who))

    async def connected_call(self, caller: str, trunk: str = SKT) -> tuple[PhoneCall, OperatorCall]:
        """Hold the key, and have 112 on the line; give both ends."""
        phone = self.call(caller, trunk)
        return phone, await self.answered(caller)

    async def answered(self, caller: str, route: int = 1, within_s: float = PATIENCE_S) -> OperatorCall:
        """Wait until 112 has picked up a call of this caller on a route; give it."""
        await self.until(lambda: any(call.is_up for call in self.rung(caller, route)), within_s)
        return next(call for call in self.rung(caller, route) if call.is_up)

    def rung(self, caller: str, route: int = 1) -> list[OperatorCall]:
        """Return the calls of this caller for which 112's telephone has rung."""
        return [call for call in self.operators[route - 1].calls if caller_of(call.invite) == caller]

    def invites(self, caller: str, route: int = 1) -> list[Invite]:
        """Return the INVITEs about this caller that came to a route."""
        return [invite for invite in self.operators[route - 1].invites if caller_of(invite) == caller]

    def ears(self, tone_hz: int | None, interface: str = "127.0.0.1") -> Rtp:
        """Return ears and a mouth for a sipp."""
        rtp = Rtp(self.reactor, self._rng, tone_hz=tone_hz, pitches=PITCHES, interface=interface)
        self._rtps.append(rtp)
        return rtp

    def sipp_phone(
        self, scenario: str, trunk: str = SKT, *, options: Sequence[str | int] = ("-m", 1), **keys: str | int
    ) -> Sipp:
        """Let sipp be the phone."""
        address = CARRIER_ADDRESSES[trunk]
        local = (address, self.exchange.spare.pop())
        return self._sipp(
            scenario, local=local, remote=(address, self.exchange.sip), options=options, keys=keys
        )

    async def sipp_centre(
        self, scenario: str, *, options: Sequence[str | int] = ("-m", 1), **keys: str | int
    ) -> Sipp:
        """Let sipp be 112's first telephone, in the place of ours."""
        await self.operators[0].close()
        local = ("127.0.0.1", self.exchange.centres[0])
        sipp = self._sipp(scenario, local=local, options=options, keys=keys)
        await self.until(lambda: not is_free(local[1], [socket.SOCK_DGRAM]))
        return sipp

    def raw_phone(
        self, address: str = CARRIER_ADDRESSES[KT], server: tuple[str, int] | None = None
    ) -> RawPhone:
        """Return a phone of KT whose INVITEs the test writes out."""
        phone = RawPhone(self.reactor, address, server or (CARRIER_ADDRESSES[KT], self.exchange.sip))
        self._raw_phones.append(phone)
        return phone

    async def answered_and_hung_up(
        self, phone: RawPhone, forms: Mapping[str, Form]
    ) -> tuple[dict[str, str], dict[str, RawCall]]:
        """Call once in each form, from a number of its own; see it answered by 112 and told, and hang up.

        Gives the callers and the calls, by the names of the forms.
        """
        callers = {name: self.caller() for name in forms}
        calls = {name: phone.call(national(callers[name]), form) for name, form in forms.items()}
        for name, call in calls.items():
            await self.until(lambda call=call: call.status)
            assert call.status == 200, (name, call.statuses)
            await self.answered(callers[name])
            await self.until_told(callers[name], call_state="connected")
            phone.hang_up(call)
        return callers, calls

    def _sipp(self, scenario: str, **how: Any) -> Sipp:
        sipp = Sipp(self.folder / f"sipp-{len(self._sipps)}", scenario, **how)
        self._sipps.append(sipp)
        return sipp

    # What can be seen from outside.

    def told(self, caller: str, **facts: str) -> list[ReceivedReport]:
        """Return the reports about a caller that tell these facts, `call_state` being CAP's parameter call-state."""
        wanted = {name.replace("_", "-"): (value,) for name, value in facts.items()}
        return [report for report in self.reports(caller) if wanted.items() <= report.parameters.items()]

    async def until_told(self, caller: str, within_s: float = PATIENCE_S, **facts: str) -> ReceivedReport:
        """Wait until 112 is told these facts; give the report."""
        try:
            await self.until(lambda: self.told(caller, **facts), within_s)
        except AssertionError as fault:
            told = [dict(report.parameters) for report in self.reports(caller)]
            raise AssertionError(f"112 was not told {facts}, but {told}") from fault
        return self.told(caller, **facts)[0]

    async def recording(self, incident: str) -> Path:
        """Wait until the recording of a call is sealed, and give it as it was, played into a file."""
        await self.until(lambda: self.logged("recording sealed", incident=incident))
        await self.until(lambda: self.daemon.rows(f"SELECT 1 FROM recording WHERE call_name = '{incident}'"))
        played = self.folder / f"{incident}.wav"
        await self.onetouch("recordings", "play", incident, "-o", str(played), "--why", "drill: listen to it")
        return played

    def tokens(self) -> set[str]:
        """Return every location token that 112 was given."""
        invites = [invite for operator in self.operators for invite in operator.invites]
        locations = [invite.headers.get("geolocation") for invite in invites]
        return {location.strip("<>").rpartition("/")[2] for location in locations if location}

    def leaks(self) -> list[str]:
        """Return every log line, Asterisk's too, that tells a whole number, a text, a place or a token."""
        lines = (
            [*self.daemon.log.read_text().splitlines(), *self.asterisk_log]
            if self.daemon.log.exists()
            else []
        )
        return super().leaks() + [line for line in lines if any(token in line for token in self.tokens())]

    async def hears(self, claim: Callable[[], Any]) -> None:
        """Wait for something that is heard; two seconds are a hundred packets."""
        await self.until(claim)

    async def listen_on(self, seconds: float) -> None:
        """Let some audio pass: what is to be shown is that something does not come."""
        await deferLater(self.reactor, seconds)


def national(caller: str) -> str:
    """Write a number as a carrier of Korea does: 010… for 8210…."""
    return caller.replace("82", "0", 1)


def caller_of(invite: Invite) -> str:
    """Return the asserted caller of an INVITE to 112, as E.164 without +."""
    user = address_of(invite.headers.get("p-asserted-identity")).uri.removeprefix("sip:").partition("@")[0]
    return user.replace("0", "82", 1) if user.startswith("0") else user


PORTS = 220
