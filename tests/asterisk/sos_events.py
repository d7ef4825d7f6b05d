"""Events of SOS calls as Asterisk 16 sends them with our dialplans: captured ones, and ones made in their shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.sos.sos_call import incident_id
from telephony.domain.location_token import digest_of
from tests.doubles import NINE_HOURS

SERVER = "voice-1"
CAPTURED = Path(__file__).parent / "captured"
"""One JSON object a line, in the order of the wire; numbers and tokens are a laboratory's."""


def packet(**headers: str) -> Packet:
    return Packet(tuple((name.replace("_", "-"), value) for name, value in headers.items()))


def captured(name: str) -> list[Packet]:
    lines = (CAPTURED / f"{name}.jsonl").read_text().splitlines()
    return [Packet(tuple(json.loads(line).items())) for line in lines]


def without(packets: Sequence[Packet], *, event: str, **headers: str) -> list[Packet]:
    """Leave out the events that were not heard."""
    return [
        each
        for each in packets
        if each.event != event or any(each.get(name) != value for name, value in headers.items())
    ]


class Held:
    """One held key: what its Asterisk says of it, step by step."""

    def __init__(
        self,
        count: int = 0,
        *,
        began: int = 1_795_464_999,
        trunk: str = "skt-voice",
        dialled: str = "112",
        caller: str = "01012345678",
        silence: str = "no-rtp",
        server: str = SERVER,
    ) -> None:
        self.uniqueid = f"{server}-{began}.{count}"
        self.reference = f"{server}/{self.uniqueid}"
        self.incident = incident_id(self.uniqueid, NINE_HOURS) or ""
        self.channel = f"PJSIP/{trunk}-{count:08x}"
        self.trunk, self.dialled, self.caller, self.silence = trunk, dialled, caller, silence
        self.token = f"{count:045d}"
        self.token_digest = digest_of(self.token.encode())
        self.sip_call_id = f"{count}@127.0.0.1"
        self._about = self._channel(self.channel, self.uniqueid)

    def _channel(self, name: str, uniqueid: str) -> dict[str, str]:
        """What an event says of a channel, in Asterisk's order."""
        return {
            "Privilege": "call,all",
            "Channel": name,
            "ChannelState": "6",
            "ChannelStateDesc": "Up",
            "CallerIDNum": self.caller,
            "CallerIDName": "SOS",
            "ConnectedLineNum": "<unknown>",
            "ConnectedLineName": "<unknown>",
            "Language": "en",
            "AccountCode": "",
            "Context": "sos",
            "Exten": "s",
            "Priority": "1",
            "Uniqueid": uniqueid,
            "Linkedid": self.uniqueid,
        }

    def arrives(self, **changes: str) -> Packet:
        """The channel is there; the dialplan has not run yet."""
        facts = {
            "ChannelState": "4",
            "ChannelStateDesc": "Ring",
            "CallerIDNum": self.caller,
            "Context": f"from-{self.trunk}",
            "Exten": self.dialled,
        }
        return packet(Event="Newchannel", **(self._about | facts | changes))

    def _says(self, stage: str, **fields: str) -> Packet:
        said = {"UserEvent": "SOSCall", "Stage": stage, "SOSID": self.incident}
        return packet(Event="UserEvent", **(self._about | {"Privilege": "user,all"} | said | fields))

    def starts(self, **changes: str) -> Packet:
        facts = {
            "Trunk": self.trunk,
            "Dialled": self.dialled,
            "Caller": self.caller,
            "TokenDigest": self.token_digest,
            "Silence": self.silence,
            "SIPCallID": self.sip_call_id,
        }
        return self._says("start", **(facts | changes))

    def drills(self) -> Packet:
        return self._says("drill", Trunk=self.trunk, Dialled=self.dialled, Caller=self.caller)

    def dials(self, route: int, round_: int = 1) -> Packet:
        return self._says("route", Route=str(route), Round=str(round_))

    def route_over(self, route: int, status: str, cause: str = "17") -> Packet:
        return self._says("route-over", Route=str(route), Round="1", Status=status, Cause=cause)

    def is_answered(self, by: str = "PJSIP/centre-1-000000aa", status: str = "ANSWER") -> Packet:
        there = {f"Dest{key}": value for key, value in self._channel(by, f"{self.uniqueid}9").items()}
        del there["DestPrivilege"]
        return packet(Event="DialEnd", **self._about, **there, DialStatus=status)

    def taps(self, digit: str, direction: str = "Received") -> Packet:
        return packet(Event="DTMFEnd", **self._about, Digit=digit, DurationMs="120", Direction=direction)

    def hangs_up(self) -> list[Packet]:
        """The caller ends the call."""
        return [packet(Event="HangupRequest", **self._about), *self.is_over()]

    def is_over(self, by: str = "") -> list[Packet]:
        said = {"By": by} if by else {}
        return [self._says("end", Cause="16", **said), packet(Event="Hangup", **self._about, Cause="16")]

    def note(self, ended: str = "") -> str:
        """The journal's note of it (20-sos.conf)."""
        call = f"{self.uniqueid}|{self.trunk}|{self.dialled}|{self.caller}"
        return f"{call}|{self.token_digest}|{self.silence}|{self.sip_call_id}|{ended}"

    def row(self, **changes: str) -> tuple[tuple[str, str], ...]:
        """The phone's channel in CoreShowChannels."""
        about = {key: value for key, value in self._about.items() if key != "Privilege"}
        return tuple((about | {"Application": "Dial"} | changes).items())

    def centre_row(self, route: int = 1, *, name: str = "", **changes: str) -> tuple[tuple[str, str], ...]:
        """The channel of 112's leg in CoreShowChannels."""
        facts = {
            "Channel": name or f"PJSIP/centre-{route}-000000aa",
            "Uniqueid": f"{self.uniqueid}9",
            "Linkedid": self.uniqueid,
            "ChannelState": "6",
            "ChannelStateDesc": "Up",
            "Context": "from-112",
        }
        return tuple((facts | changes).items())


def local_row(held: Held) -> tuple[tuple[str, str], ...]:
    """Half of the Local channel by which a call is answered."""
    return held.centre_row(name="Local/s@sos-up-00000000;1")
