"""Tracks the SOS calls of one Asterisk through its events. Pure: packets in, happenings out.

A press is seen at ``Newchannel``, before the dialplan's first step, so that a caller who gives up after a few
milliseconds is one too. Everything after it only adds to the call: ``UserEvent`` of the dialplan (20-sos.conf),
``DialEnd``, ``DTMFEnd`` and ``Hangup`` of Asterisk itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.sip.carried import of_headers
from telephony.asterisk.sip.message import split
from telephony.domain import facts
from telephony.domain.facts import (
    NOTHING_SAID,
    CallFact,
    CallState,
    EndedBy,
    LegState,
    Newer,
    SaidByInvite,
    whole_milliseconds,
)
from telephony.domain.location_token import digest_of, is_digest

_UNIQUEID = re.compile(r"(?P<system>[a-z0-9-]{1,32})-(?P<began>[0-9]{10})\.(?P<count>[0-9]{1,10})")
"""``<systemname>-<Unix time>.<counter>``: how Asterisk names a channel whose server has a systemname."""
_BEGAN = re.compile(r"(?:[^|]{1,64}-)?(?P<began>[0-9]{10})\.[0-9]{1,10}")
"""Any channel that Asterisk has named: the time is there without a systemname too."""

_CENTRE_CHANNEL = re.compile(r"PJSIP/.*-(?P<route>[1-9])-[0-9a-f]{8}")

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""A trunk's name, as the settings allow it."""

NORMAL_CLEARING = "16"
"""ITU-T Q.850 cause 16."""

LONGEST_ID = 40
"""Characters that the store keeps of an incident's id."""

MOST_LEGS = 600
MOST_CALLS = 20_000
"""SOS calls of one server that are remembered at a time; beyond it the oldest is forgotten."""
LONGEST_TEXT = 256
"""Characters that are kept of anything a packet says; Asterisk's own names have at most 150 (AST_MAX_UNIQUEID)."""

DOWN = "0"
"""ChannelState of a channel that was made for a call out; one that came in rings (4)."""


@dataclass(slots=True)
class Leg:
    """One attempt to reach 112: which route, in which round, and what became of it."""

    route: str
    round: str
    began: datetime
    state: LegState | Newer = LegState.DIALLING
    ended: datetime | None = None

    @property
    def known(self) -> facts.Leg:
        """The leg as 112 is told of it."""
        return facts.Leg(
            self.name, self.state, None if self.ended is None else _seconds(self.began, self.ended)
        )

    @property
    def name(self) -> str:
        """The route as people call it; ``112`` alone where it was not heard which it is."""
        return f"{EndedBy.CENTRE}-{self.route}" if self.route else EndedBy.CENTRE


@dataclass(slots=True)
class SosCall:
    """One held key, as far as its Asterisk has told."""

    server: str
    uniqueid: str
    channel: str
    trunk: str
    dialled: str
    caller: str
    started: datetime
    token_digest: str = ""
    """Digest of its token for the location URL: `telephony.domain.location_token`."""
    silence: str = ""
    sip_call_id: str = ""
    is_recorded: bool = False
    """Whether its recording was seen, with more in it than the header."""
    second_leg_of: str = ""
    state: CallState = CallState.ARRIVED
    legs: list[Leg] = field(default_factory=list)
    connected: datetime | None = None
    ended: datetime | None = None
    ended_by: EndedBy | None = None
    caller_hung_up: bool = False
    is_said: bool = False
    """The dialplan has said who calls: it reads more headers than Asterisk's CallerIDNum comes from."""
    is_caller_sealed: bool = False
    """The journal names a caller, and the key that opens the name was not there."""
    utc_offset: timedelta = timedelta(0)
    """Of the clock that it is named by; `SosCalls` knows."""
    carried: SaidByInvite = NOTHING_SAID
    """The phone's place, as its INVITE gave it."""

    @property
    def reference(self) -> str:
        """The press's reference: the same call brings the same one, from whichever daemon."""
        return f"{self.server}/{self.uniqueid}"

    @property
    def incident_id(self) -> str | None:
        """The name that the INVITE to 112 carries."""
        return incident_id(self.uniqueid, self.utc_offset)

    @property
    def is_over(self) -> bool:
        """Whether the phone's leg has ended."""
        return self.ended is not None

    @property
    def leg(self) -> Leg | None:
        """The newest leg, unless it is over."""
        return self.legs[-1] if self.legs and self.legs[-1].ended is None else None

    def dial(self, route: str, round_: str, now: datetime) -> None:
        """Note that a route is dialled."""
        self.leave(now)
        self.legs = [*self.legs, Leg(route, round_, now)][-MOST_LEGS:]
        self.state = CallState.DIALLING

    def answer(self, route: str, now: datetime) -> None:
        """Note that 112 has answered; ``route`` names the leg where its dialling was not heard."""
        if self.leg is None:
            self.dial(route, "", now if self.legs else self.started)
        self.legs[-1].state = LegState.CONNECTED
        self.state = CallState.CONNECTED
        self.connected = self.connected or now

    def leave(self, now: datetime) -> None:
        """Note that the newest leg is over, with an unknown outcome."""
        leg = self.leg
        if leg is not None:
            leg.state = LegState.LOST if leg.state is LegState.CONNECTED else LegState.NOT_ANSWERED
            leg.ended = now

    def is_held_by(self, route: str | None) -> bool:
        """Whether what is known of the call agrees with who has it: 112 on this route, or no one (``None``)."""
        if route is None:
            return self.state is not CallState.CONNECTED
        return self.state is CallState.CONNECTED and self.leg is not None and route in ("", self.leg.route)

    def stand(self, route: str | None, now: datetime) -> bool:
        """Note who has the call after a time in which we did not listen; return whether that is news.

        112 has it on ``route``, which is empty where it cannot be told; ``None``: no one has it.
        """
        was_connected = self.state is CallState.CONNECTED
        if route is None:
            if was_connected:
                self.leave(now)
                self.state = CallState.DIALLING
            return was_connected
        if self.leg is not None and route not in ("", self.leg.route):
            self.leave(now)
            was_connected = False
        self.answer(route, now)
        return not was_connected

    def fact(self, at: datetime) -> CallFact:
        """Return what is known of the call, as 112 is told of it."""
        route = next(
            (leg.name for leg in reversed(self.legs) if leg.state is LegState.CONNECTED and leg.route), ""
        )
        incident = self.incident_id or ""
        return CallFact(
            self.reference,
            at,
            self.state,
            trunk=self.trunk,
            dialled=self.dialled,
            incident=incident,
            second_leg_of=self.second_leg_of,
            silence=self.silence,
            recording=f"{incident}.wav" if self.is_recorded and incident else "",
            sip_call_id=self.sip_call_id,
            legs=facts.folded(leg.known for leg in self.legs),
            route=route,
            started=whole_milliseconds(self.started),
            connected=None if self.connected is None else whole_milliseconds(self.connected),
            ended=None if self.ended is None else whole_milliseconds(self.ended),
            duration_s=None if self.ended is None else _seconds(self.started, self.ended),
            ended_by=self.ended_by,
            said=self.carried,
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """A key was held."""

    call: SosCall


@dataclass(frozen=True, slots=True)
class Changed:
    """A call has changed. ``is_news``: whether 112 should hear of it at once."""

    call: SosCall
    is_news: bool = True


@dataclass(frozen=True, slots=True)
class Tapped:
    """A digit was tapped in a call."""

    call: SosCall
    digit: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """There are too many calls: nothing more will be said of this one."""

    call: SosCall


Happening = Arrived | Changed | Tapped | Forgotten


def incident_id(uniqueid: str, utc_offset: timedelta) -> str | None:
    """Return the id that the dialplan gives the incident of a call.

    ``None`` where the server has no systemname, or one that is too long: then Intake names the incident.

    Both make it of nothing but the channel's Uniqueid, so neither waits for the other. ``utc_offset`` is SOS_UTC_OFFSET of
    globals.conf.
    """
    match = _UNIQUEID.fullmatch(uniqueid)
    if match is None:
        return None
    local = datetime.fromtimestamp(int(match["began"]), UTC) + utc_offset
    day, clock = local.strftime("%Y%m%d %H%M%S").split()
    name = f"sos-{day}-{match['system']}-{clock}-{match['count']}"
    return name if len(name) <= LONGEST_ID else None


def digest_said(text: str) -> str:
    """Return the digest of a call's token from what the dialplan says; one of an earlier release says the token itself."""
    return text if not text or is_digest(text) else digest_of(text.encode("utf-8", "surrogatepass"))


def is_uniqueid(text: str) -> bool:
    """Whether Asterisk could have named a channel so."""
    return _BEGAN.fullmatch(text) is not None


def began_at(uniqueid: str) -> datetime:
    """Read from a Uniqueid when its channel was made (whole seconds); 1970 where it does not tell."""
    match = _BEGAN.fullmatch(uniqueid)
    return datetime.fromtimestamp(0 if match is None else int(match["began"]), UTC)


def route_of(channel: str) -> str:
    """Read from the name of a leg to 112 which route it is: ``PJSIP/centre-1-00000001`` is route 1.

    Empty where the site calls its endpoints otherwise.
    """
    match = _CENTRE_CHANNEL.fullmatch(channel)
    return "" if match is None else match["route"]


class SosCalls:
    """The SOS calls of one Asterisk.

    ``trunks`` gives the trunk of a dialplan context. ``is_service``: whether a dialled number is not a held key.
    """

    def __init__(
        self,
        server: str,
        trunks: Mapping[str, str],
        is_service: Callable[[str], bool],
        now: Callable[[], datetime],
        utc_offset: timedelta,
    ) -> None:
        self._server = server
        self._utc_offset = utc_offset
        self._trunks = trunks
        self._is_service = is_service
        self._now = now
        self._calls: dict[str, SosCall] = {}
        self._on = {
            "Newchannel": self._newchannel,
            "UserEvent": self._user_event,
            "NewCallerid": self._new_callerid,
            "DialEnd": self._dial_end,
            "DTMFEnd": self._dtmf_end,
            "HangupRequest": self._hangup_request,
            "Hangup": self._hangup,
        }

    def __len__(self) -> int:
        return len(self._calls)

    def get(self, uniqueid: str) -> SosCall | None:
        """Return a call that is not over, by its channel's Uniqueid."""
        return self._calls.get(uniqueid)

    def live(self) -> list[SosCall]:
        """Return the calls that are not over."""
        return list(self._calls.values())

    def event(self, packet: Packet) -> list[Happening]:
        """Take one event; nothing in it raises."""
        taken = self._on.get(packet.event)
        if taken is None or len(packet.get("Uniqueid")) > LONGEST_TEXT:
            return []
        return taken(packet)

    def learn(self, call: SosCall) -> list[Happening]:
        """Take a call from the journal that began while we did not listen; nothing happens for one that is known."""
        if call.uniqueid in self._calls:
            return []
        call.utc_offset = self._utc_offset
        return [Arrived(call)] if call.is_over else self._remember(call)

    def complete(self, note: SosCall) -> list[Happening]:
        """Complete a standing call from the journal, with what no event has said."""
        call = self._calls.get(note.uniqueid)
        if call is None or (call.token_digest and call.caller):
            return []
        missing = [
            name
            for name in ("token_digest", "silence", "sip_call_id", "caller")
            if not getattr(call, name) and getattr(note, name)
        ]
        for name in missing:
            setattr(call, name, getattr(note, name))
        return [Changed(call, is_news=False)] if missing else []

    def lost(self, uniqueid: str, ended: datetime | None) -> list[Happening]:
        """Note that a channel is gone whose Hangup was not heard; ``ended`` is when, where the journal tells."""
        call = self._calls.get(uniqueid)
        return [] if call is None else self._end(call, None, ended or self._now())

    def standing(self, uniqueid: str, route: str | None) -> list[Happening]:
        """Note who has the call after a time in which we did not listen, as `SosCall.stand` does."""
        call = self._calls.get(uniqueid)
        return [Changed(call)] if call is not None and call.stand(route, self._now()) else []

    def _remember(self, call: SosCall) -> list[Happening]:
        call.utc_offset = self._utc_offset
        self._calls[call.uniqueid] = call
        if len(self._calls) <= MOST_CALLS:
            return [Arrived(call)]
        return [Arrived(call), Forgotten(self._calls.pop(next(iter(self._calls))))]

    def _newchannel(self, packet: Packet) -> list[Happening]:
        trunk = self._trunks.get(packet.get("Context"))
        # Parameters of the user part are no digits: 1129;phone-context=+82 is 1129 (RFC 3261 section 19.1.6).
        dialled = packet.get("Exten").partition(";")[0]
        if trunk is None or self._is_service(dialled) or packet.get("Uniqueid") in self._calls:
            return []
        if packet.get("ChannelState") == DOWN:
            return []  # a call-back: it begins in the context of the trunk that it goes out by
        return self._arrive(packet, trunk, dialled, packet.get("CallerIDNum"))

    def _arrive(self, packet: Packet, trunk: str, dialled: str, caller: str) -> list[Happening]:
        call = SosCall(
            server=self._server,
            uniqueid=packet.get("Uniqueid"),
            channel=_text(packet, "Channel"),
            trunk=trunk,
            dialled=dialled[:LONGEST_TEXT],
            caller=_known(caller),
            started=self._now(),
        )
        return self._remember(call)

    def _user_event(self, packet: Packet) -> list[Happening]:
        if packet.get("UserEvent") != "SOSCall":
            return []
        happened: list[Happening] = []
        call = self._calls.get(packet.get("Uniqueid"))
        stage = packet.get("Stage")
        if call is None:
            trunk = packet.get("Trunk")
            # Also by a trunk that is not in the settings: the dialplan says that a key was held.
            if stage not in ("start", "drill") or _NAME.fullmatch(trunk) is None:
                return []
            happened = self._arrive(packet, trunk, packet.get("Dialled"), packet.get("Caller"))
            call = self._calls[packet.get("Uniqueid")]
        return happened + self._stage(call, stage, packet)

    def _stage(self, call: SosCall, stage: str, packet: Packet) -> list[Happening]:
        if stage in ("start", "drill"):
            call.is_said = True
            call.caller = _text(packet, "Caller") or call.caller
            call.dialled = _text(packet, "Dialled") or call.dialled
        if stage == "start":
            call.token_digest = digest_said(_text(packet, "TokenDigest") or _text(packet, "Token"))
            call.silence = _text(packet, "Silence")
            call.sip_call_id = _text(packet, "SIPCallID")
        if stage in ("start", "drill"):
            return [Changed(call, is_news=False)]
        if stage == "second-leg":
            call.state, call.second_leg_of = CallState.SECOND_LEG, _text(packet, "Of")
            return [Changed(call, is_news=False)]
        if stage == "carried":
            return self._carried(call, packet)
        if stage == "route":
            call.dial(_text(packet, "Route"), _text(packet, "Round"), self._now())
            return []
        if stage == "route-over":
            return self._route_over(call, packet)
        if stage == "end" and packet.get("By") == EndedBy.CENTRE:
            call.ended_by = EndedBy.CENTRE  # by an order: the end itself follows
        return []

    @staticmethod
    def _carried(call: SosCall, packet: Packet) -> list[Happening]:
        """Take what the dialplan has read of the INVITE, unless it is known in full already."""
        said = of_headers(*(list(split(packet.get(name))) for name in ("Access", "Geolocation", "CallInfo")))
        if not said or call.carried:
            return []
        call.carried = said
        return [Changed(call)]

    def _route_over(self, call: SosCall, packet: Packet) -> list[Happening]:
        status = _text(packet, "Status")
        if status == "ANSWER" and packet.get("Cause") == NORMAL_CLEARING:
            call.ended_by = EndedBy.CENTRE
            return []  # the end of the call follows, and says it
        leg = call.leg
        if leg is None or packet.get("Route") not in ("", leg.route):
            return []  # one whose dialling was not heard
        leg.state = _ended_with(leg, status)
        leg.ended = self._now()
        call.state = CallState.DIALLING
        # The outcome of each route is news once. Where all are dead, the same outcomes come every second.
        return [Changed(call, is_news=leg.round in ("", "1") or leg.state is LegState.LOST)]

    def _new_callerid(self, packet: Packet) -> list[Happening]:
        """Take the number that the dialplan has given the channel, where its own event was not heard."""
        call = self._calls.get(packet.get("Uniqueid"))
        if call is None or call.is_said:
            return []
        call.is_said = True
        call.caller = _known(packet.get("CallerIDNum")) or call.caller
        return [Changed(call, is_news=False)]

    def _dial_end(self, packet: Packet) -> list[Happening]:
        call = self._calls.get(packet.get("Uniqueid"))
        centre = packet.get("DestChannel")
        # The dialplan answers through a Local channel first: that is not 112.
        if call is None or not centre.startswith("PJSIP/"):
            return []
        if packet.get("DialStatus") != "ANSWER":
            return []  # the dialplan says so itself, with its route
        call.answer(route_of(centre), self._now())
        return [Changed(call)]

    def _dtmf_end(self, packet: Packet) -> list[Happening]:
        call = self._calls.get(packet.get("Uniqueid"))
        digit = packet.get("Digit")
        if call is None or packet.get("Direction") != "Received" or len(digit) != 1:
            return []
        return [Tapped(call, digit)]

    def _hangup_request(self, packet: Packet) -> list[Happening]:
        call = self._calls.get(packet.get("Uniqueid"))
        if call is not None:
            call.caller_hung_up = True
        return []

    def _hangup(self, packet: Packet) -> list[Happening]:
        call = self._calls.get(packet.get("Uniqueid"))
        if call is None:
            return []
        return self._end(call, EndedBy.NETWORK, self._now())

    def _end(self, call: SosCall, by_default: EndedBy | None, ended: datetime) -> list[Happening]:
        """End a call; ``by_default`` is who ended it where no event has told."""
        del self._calls[call.uniqueid]
        ended = max(ended, call.started)  # the journal's clock is Asterisk's, and the start was taken by ours
        call.ended = ended
        call.ended_by = call.ended_by or (EndedBy.CALLER if call.caller_hung_up else by_default)
        # 112 had not answered: the press stands all the same.
        if call.state is not CallState.SECOND_LEG:
            call.state = CallState.ENDED if call.connected is not None else CallState.GIVEN_UP
        if call.leg is not None and call.leg.state is LegState.CONNECTED:
            call.leg.ended = ended
        call.leave(ended)
        return [Changed(call)]


_STATUS = {
    "NOANSWER": LegState.NO_ANSWER,
    "BUSY": LegState.BUSY,
    "CONGESTION": LegState.CONGESTION,
    "CHANUNAVAIL": LegState.UNREACHABLE,
    "CANCEL": LegState.CANCELLED,
    "ANSWER": LegState.LOST,
    "LOST": LegState.LOST,
    "": LegState.FAILED,
}
"""By DIALSTATUS of Dial()."""


def _ended_with(leg: Leg, status: str) -> LegState | Newer:
    """Return what became of a leg that is over; a status that this release does not know is told as it is."""
    if leg.state is LegState.CONNECTED:
        return LegState.LOST
    return _STATUS.get(status) or Newer(status.lower())


def _text(packet: Packet, name: str) -> str:
    return packet.get(name)[:LONGEST_TEXT]


def _known(number: str) -> str:
    return "" if number == "<unknown>" else number[:LONGEST_TEXT]


def _seconds(start: datetime, end: datetime) -> int:
    return round((end - start).total_seconds())
