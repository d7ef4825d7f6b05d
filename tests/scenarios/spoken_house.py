"""The house in which we speak: a telephone for spoken reports at 112, phones of guardians, and the service number's menu."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredList

from telephony.asterisk.instance import Instance
from telephony.clock import within
from telephony.domain.errors import Unavailable
from telephony.lab.phones.answerer import Invite, LabOperator, OperatorCall
from telephony.lab.phones.exchange import NAME, Surroundings
from telephony.lab.phones.handset import CENTRE_HZ, PHONE_HZ, RINGBACK_HZ
from telephony.lab.phones.rtp import RATE, SAMPLES, tone
from telephony.lab.phones.sip_agent import Leg
from telephony.settings.model import KEY_FILE
from telephony.store.crypto import KeyFile
from telephony.store.sealed_rows import unseal_error
from tests.scenarios.daemon_process import ROOT, DaemonProcess
from tests.scenarios.voice import PORTS, RING_S, Exchange, VoiceHouse

VOICE = "seoul-voice"
"""The channel that speaks to 112."""
AFTER_S = 0.8
SPOKEN_RING_S = 5
"""The shortest that the settings allow."""
WAIT_S = 2
KNOBS = {"VOICE_TIMES": "1", "VOICE_WAIT": str(WAIT_S)}
OUR_NUMBER = "0215881120"
SERVICE_NUMBER, DRILL_NUMBER = "1588112", "1129"

LAST_WORD_HZ = PHONE_HZ
"""The prompt that ends every message is this tone: a listener who hears it has heard everything."""
MENU_HZ, RECORDED_HZ = RINGBACK_HZ[1], CENTRE_HZ
OVER_HZ = CENTRE_HZ
"""The prompt that says that it is over; no one who hears that hears of a test that was recorded."""
_TONES = {
    "key": LAST_WORD_HZ, "service-menu": MENU_HZ, "service-recorded": RECORDED_HZ, "closed": OVER_HZ
}  # fmt: skip
_TONE_S = 0.3
_CUT = slice(400, 880)
"""Of every other prompt 60 ms are kept: the voice is real, a test need not hear it out."""
AUDIBLE_PACKETS = 15
"""A third of a second of speech."""

_NUMBERS = 'sos_numbers = ["112"]\n'
_MORE_NUMBERS = f'test_numbers = ["{DRILL_NUMBER}"]\nservice_numbers = ["{SERVICE_NUMBER}"]\n'
_SPOKEN = """
[[psap.channel]]
kind = "voice"
name = "{voice}"
after_s = {after_s}
ring_s = {ring_s}
caller_id = "{our_number}"
[service_menu]
port = {agi}
[guardians]
ring_s = {ring_s}
pause_s = {pause_s}
caller_id = "{our_number}"
"""
_GUARDIAN = """
[[guardians.listed]]
of = "{of}"
phone = "{phone}"
relation = "{relation}"
"""


class SpokenExchange(Exchange):
    """With short prompts, a line to the guardians' phones and one to the daemon's menu."""

    def __init__(self) -> None:
        super().__init__(KNOBS)
        self.guardians, self.agi = self.spare.pop(), self.spare.pop()
        around = Surroundings(
            sip=self.sip,
            ami=self.ami,
            rtp=(self.sip + 20, self.sip + PORTS - 1),
            centres=self.centres,
            guardians=self.guardians,
            agi=self.agi,
            location_url=f"http://127.0.0.1:{self.web}/v1/location",
            sounds=_short_prompts(self.root / "sounds"),
            globals=KNOBS,
            contacts=self.callable,
        )
        self.instance = Instance(self.root, NAME, ROOT / "dialplans", around.files())


class SpokenDaemon(DaemonProcess):
    """The daemon with all that speaks in its settings."""

    def __init__(self, folder: Path, agi: int) -> None:
        super().__init__(folder)
        self._agi = agi
        self.pause_s = 0.0
        """Between two calls to guardians."""
        self.guardians: list[Mapping[str, str]] = []

    def start(self, moment: str | None = None) -> None:
        """Start it, with these settings on top of what the house has written."""
        written = self.config.read_text()
        assert _NUMBERS in written
        spoken = _SPOKEN.format(
            voice=VOICE,
            after_s=AFTER_S,
            ring_s=SPOKEN_RING_S,
            our_number=OUR_NUMBER,
            agi=self._agi,
            pause_s=self.pause_s,
        )
        guardians = "".join(_GUARDIAN.format(**guardian) for guardian in self.guardians)
        self.config.write_text(written.replace(_NUMBERS, _NUMBERS + _MORE_NUMBERS) + spoken + guardians)
        super().start(moment)


class SpokenHouse(VoiceHouse):
    """``family`` is the phone that rings for every guardian; a spoken report rings 112's first telephone."""

    exchange: SpokenExchange

    def __init__(self, folder: Path, reactor: Any, exchange: SpokenExchange) -> None:
        super().__init__(folder, reactor, exchange)
        self.daemon: SpokenDaemon = SpokenDaemon(folder, exchange.agi)
        self.family = LabOperator(reactor, self._rng, name="guardian", ring_s=RING_S, lines=50)

    async def open(self) -> None:
        await super().open()
        self.family.listen(port=self.exchange.guardians)

    async def close(self) -> None:
        """Hang up what still speaks before the rest is closed."""
        try:
            standing = [
                call for each in (*self.operators, self.family) for call in each.calls if not call.is_over
            ]
            await within(DeferredList([call.hang_up() for call in standing]), 3.0, self.reactor)
        finally:
            try:
                await super().close()
            finally:
                await self.family.close()

    async def data_link_fails(self) -> None:
        """Let neither address of 112 be reached."""
        await self.centre.go_down()
        await self.second.go_down()

    async def data_link_returns(self) -> None:
        await self.centre.come_back()
        await self.second.come_back()

    # Spoken reports.

    @property
    def reports_spoken(self) -> list[OperatorCall]:
        """The calls about reports for which 112's telephone has rung; the call of a held key names its incident."""
        return [call for call in self.operators[0].calls if not call.invite.headers.get("x-incident-id")]

    @property
    def invites_to_112(self) -> list[Invite]:
        """Every call that asked to come in at 112, whatever it was about."""
        return [invite for operator in self.operators for invite in operator.invites]

    async def report_is_spoken(self, time: int = 1) -> OperatorCall:
        """Wait until 112 has picked up a spoken report for the first, second … time; give the call."""
        await self.until(lambda: len(self.reports_spoken) >= time and self.reports_spoken[time - 1].is_up)
        return self.reports_spoken[time - 1]

    async def is_audible(self, call: Leg) -> None:
        """Wait until some speech was heard."""
        await self.until(lambda: call.ears.loud >= AUDIBLE_PACKETS)

    def press_and_listen_no_more(self, call: Leg, digit: str) -> None:
        """Press a key; Asterisk may hang up before it is quite released."""
        call.press(digit).addErrback(lambda failure: failure.trap(Unavailable))

    def delivered(self, channel: str) -> list[dict[str, Any]]:
        """Return the log lines about alerts that this channel delivered."""
        return self.logged("delivered", channel=channel, kind="alert")

    def owed(self, channel: str) -> list[tuple[Any, ...]]:
        """Return sequence, kind, state and attempts of every delivery on a channel, as the store has them."""
        return self._deliveries(channel, "sequence, kind, state, attempts")

    def next_attempts(self, channel: str) -> list[tuple[Any, ...]]:
        """Return attempts so far, Unix time of the next and why the last was in vain, of what a channel has to deliver."""
        rows = self._deliveries(
            channel, "state, incident_key, sequence, attempts, due_at / 1000000.0, last_error"
        )
        ring = KeyFile(self.folder / "state" / KEY_FILE).ring()
        return [
            (*due, unseal_error(ring, key, sequence, why))
            for state, key, sequence, *due, why in rows
            if state == "pending"
        ]

    def _deliveries(self, channel: str, columns: str) -> list[tuple[Any, ...]]:
        return self.daemon.rows(
            f"SELECT {columns} FROM delivery WHERE channel = '{channel}' ORDER BY created_at"
        )

    async def story(self, incident: str) -> list[dict[str, Any]]:
        """Return the lines of an incident's story."""
        told = json.loads(await self.onetouch("incidents", "show", incident, "--json"))
        lines: list[dict[str, Any]] = told["story"]
        return lines

    def incidents(self) -> list[tuple[Any, ...]]:
        """Return id, state and whether it is a drill of every incident in the store."""
        return self.daemon.rows("SELECT id, state, test FROM incident")

    # Guardians.

    def list_guardians(self, caller: str, phones: Mapping[str, str]) -> None:
        """Write down who is told when this caller presses: a number by what they are to the caller, in order."""
        for relation, phone in phones.items():
            self.daemon.guardians.append({"of": f"+{caller}", "phone": phone, "relation": relation})
            self._secrets.add(phone)

    @property
    def guardians_called(self) -> list[str]:
        """The numbers for which a guardian's phone was asked to ring, in order, without plus."""
        return [invite.request.uri.partition("@")[0].removeprefix("sip:+") for invite in self.family.invites]

    def guardian_states(self, caller: str) -> Sequence[tuple[str, str, str]]:
        """Return what 112 was last told of the guardians: place, state and relation of each."""
        known = self.reports(caller)[-1].parameters if self.reports(caller) else {}
        names = ("guardian", "guardian-state", "guardian-relation")
        return tuple(zip(*(known.get(name, ()) for name in names), strict=True))


def _short_prompts(folder: Path) -> Path:
    for prompt in (ROOT / "dialplans" / "sounds").glob("*/*.ulaw"):
        copy = folder / prompt.parent.name / prompt.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        hz = _TONES.get(prompt.stem)
        copy.write_bytes(prompt.read_bytes()[_CUT] if hz is None else _tone(hz))
    return folder


def _tone(hz: int) -> bytes:
    period = tone(hz)[:-SAMPLES]
    length = int(RATE * _TONE_S)
    return (period * (length // len(period) + 1))[:length]
