"""Runs one trial call on real SIP and RTP, blocking: a phone, the centres, and Asterisk's events.

A select() loop and no reactor: a command at a terminal makes a handful of calls, one after the other, and ends.
Times are Unix times, as Asterisk stamps its events.
"""

from __future__ import annotations

import itertools
import select
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from telephony.asterisk.ami.packets import Packet
from telephony.asterisk.operator.blocking_ami import BlockingAmi
from telephony.domain.errors import Malformed
from telephony.lab.phones.rtp import SAMPLES, Ears, tone
from telephony.lab.phones.sip import (
    Headers,
    Media,
    Request,
    Response,
    address_of,
    answer,
    media_of,
    parse,
    session_description,
    sip_uri,
)
from telephony.lab.trial.far_ends import FarEnds

PHONE_HZ: Final = 440
CENTRE_HZ: Final = 1000
BUSY: Final = 503
PACKET_S: Final = 0.02
MAX_DATAGRAM: Final = 65_535
_RTP = Struct("!BBHII")
_TONES: Final = {hz: tone(hz) for hz in (PHONE_HZ, CENTRE_HZ)}


@dataclass(slots=True)
class Leg:
    """An INVITE that reached a centre."""

    endpoint: str
    at: float
    invite: Request
    source: tuple[str, int]
    tag: str
    media: Media | None
    ears: Ears
    answer: Response | None = None
    """The last response to the INVITE, sent again when it is repeated."""
    is_answered: bool = False
    is_over: bool = False


@dataclass(slots=True)
class Call:
    """The state of a call."""

    trunk: str
    number: str
    caller: str
    invite: Request
    began: float
    ears: Ears
    ringing: list[tuple[int, float]] = field(default_factory=list)
    """Provisional responses that a phone makes audible (180, 183), with their times."""
    answered_at: float | None = None
    refused: int = 0
    is_over: bool = False
    ok: Response | None = None
    media: Media | None = None
    legs: list[Leg] = field(default_factory=list)
    events: list[Packet] = field(default_factory=list)

    @property
    def connected(self) -> Leg | None:
        """The leg that 112 has answered."""
        return next((leg for leg in self.legs if leg.is_answered), None)


class TrialLine:
    """The far ends and the events of one private Asterisk; one call at a time."""

    def __init__(self, far_ends: FarEnds, ami: BlockingAmi) -> None:
        self._far_ends = far_ends
        self._ami = ami
        self._serial = itertools.count(1)
        self._sent = itertools.count(1)
        self._next_packet = 0.0
        self._call: Call | None = None
        self._earlier: set[str] = set()
        """What links the events of calls before this one: on a busy machine some come after the next INVITE."""
        self._by_socket: Mapping[socket.socket, Callable[[bytes, tuple[str, int]], None]] = {
            **{each: self._centre_taker(name) for name, each in far_ends.centres.items()},
            **{each: self._centre_hearer(name) for name, each in far_ends.centre_audio.items()},
            **dict.fromkeys(far_ends.phones.values(), self._phone_takes),
            **dict.fromkeys(far_ends.phone_audio.values(), self._phone_hears),
        }

    def dial(self, trunk: str, number: str, caller: str, uri: str = "") -> Call:
        """Send the INVITE of a phone; ``uri`` is its Request-URI where it is not the number at our address.

        ``{host}`` in it is our address.
        """
        before = [] if self._call is None else self._call.events
        self._earlier.update(each.get("Linkedid") for each in (*before, *self._ami.take_events()))
        self._earlier.discard("")
        host = self._far_ends.addresses[trunk]
        port = self._far_ends.phones[trunk].getsockname()[1]
        serial = f"trial-{next(self._serial)}-{time.time_ns()}"
        own = sip_uri(caller, host, port)
        own_host = f"127.0.0.1:{self._far_ends.asterisk_port}"
        uri = uri.replace("{host}", own_host) or sip_uri(number, "127.0.0.1", self._far_ends.asterisk_port)
        audio = self._far_ends.phone_audio[trunk].getsockname()[1]
        headers = [
            ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{serial}"),
            ("From", f"<{own}>;tag={serial}"),
            ("To", f"<sip:{own_host}>"),
            ("Call-ID", serial),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<{own}>"),
            ("P-Asserted-Identity", f"<{sip_uri(caller, host)}>"),
            ("Max-Forwards", "70"),
            ("Content-Type", "application/sdp"),
        ]
        invite = Request("INVITE", uri, Headers(headers), session_description(host, audio, 1))
        self._call = Call(trunk, number, caller, invite, time.time(), Ears((CENTRE_HZ,)))
        self._next_packet = time.time()
        self._send_phone(invite)
        return self._call

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Let all parties talk until a condition holds, for so many seconds at most; return whether it did."""
        deadline = time.time() + seconds
        while not until():
            now = time.time()
            if now >= deadline:
                return False
            watched: list[socket.socket | BlockingAmi] = [*self._by_socket, self._ami]
            ready, _, _ = select.select(watched, [], [], min(deadline - now, PACKET_S))
            for each in ready:
                if isinstance(each, socket.socket):
                    self._receive(each)
                elif self._call is not None:
                    self._call.events += self._of_this_call(self._ami.take_events())
            self._talk()
        return True

    def _of_this_call(self, events: Iterable[Packet]) -> list[Packet]:
        return [each for each in events if each.get("Linkedid") not in self._earlier]

    def ring(self, leg: Leg) -> None:
        """Let a centre ring."""
        self._answer(leg, 180)

    def refuse(self, leg: Leg) -> None:
        """Let a centre refuse."""
        self._answer(leg, BUSY)
        leg.is_over = True

    def pick_up(self, leg: Leg) -> None:
        """Let a centre answer; from now on it talks."""
        port = self._far_ends.centre_audio[leg.endpoint].getsockname()[1]
        self._answer(leg, 200, session_description("127.0.0.1", port, 2))
        leg.is_answered = True

    def hang_up(self, call: Call) -> None:
        """End the phone's call, answered or not. Its end is waited for with `wait`."""
        if call.is_over:
            return
        branch = call.invite.headers.get("via")
        if call.ok is None:
            # CANCEL has the branch of its INVITE (RFC 3261 section 9.1).
            self._send_phone(self._in_dialog(call, "CANCEL", 1, branch))
        else:
            self._send_phone(self._in_dialog(call, "BYE", 2, f"{branch}-bye"))

    def _answer(self, leg: Leg, status: int, body: bytes = b"") -> None:
        own = self._far_ends.centres[leg.endpoint].getsockname()
        headers = [("Contact", f"<sip:{own[0]}:{own[1]}>")]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        leg.answer = answer(leg.invite, status, tag=leg.tag, source=leg.source, headers=headers, body=body)
        self._far_ends.centres[leg.endpoint].sendto(leg.answer.octets(), leg.source)

    def _in_dialog(self, call: Call, method: str, cseq: int, via: str) -> Request:
        to = call.invite.headers.get("to") if call.ok is None else call.ok.headers.get("to")
        uri = call.invite.uri if call.ok is None else address_of(call.ok.headers.get("contact")).uri
        if method == "CANCEL":
            to = call.invite.headers.get("to")
        headers = [("Via", via), ("From", call.invite.headers.get("from")), ("To", to)]
        headers += [
            ("Call-ID", call.invite.headers.get("call-id")),
            ("CSeq", f"{cseq} {method}"),
            ("Max-Forwards", "70"),
        ]
        return Request(method, uri, Headers(headers))

    def _send_phone(self, message: Request | Response) -> None:
        assert self._call is not None
        self._far_ends.phones[self._call.trunk].sendto(
            message.octets(), ("127.0.0.1", self._far_ends.asterisk_port)
        )

    def _receive(self, from_socket: socket.socket) -> None:
        try:
            datagram, source = from_socket.recvfrom(MAX_DATAGRAM)
        except OSError:
            return  # an ICMP error of what was sent before: the far end has gone
        try:
            self._by_socket[from_socket](datagram, source)
        except Malformed:
            return  # not for us: the check judges what did come

    def _phone_hears(self, datagram: bytes, source: tuple[str, int]) -> None:
        del source
        if self._call is not None:
            self._call.ears.hear(time.time(), datagram)

    def _phone_takes(self, datagram: bytes, source: tuple[str, int]) -> None:
        message, call = parse(datagram), self._call
        if call is None or message.headers.get("call-id") != call.invite.headers.get("call-id"):
            return  # the end of an earlier call
        if isinstance(message, Request):
            if message.method != "ACK":
                self._send_phone(answer(message, 200, tag="phone", source=source))
            call.is_over = call.is_over or message.method == "BYE"
        elif message.headers.get("cseq").endswith("INVITE"):
            self._phone_answered(call, message)
        elif message.headers.get("cseq").endswith("BYE"):
            call.is_over = True

    def _phone_answered(self, call: Call, message: Response) -> None:
        via = call.invite.headers.get("via")
        if message.status in (180, 183):
            call.ringing.append((message.status, time.time()))
        elif message.status == 200:  # noqa: PLR2004 - RFC 3261: OK
            if call.ok is None:
                call.ok, call.answered_at, call.media = message, time.time(), media_of(message)
            self._send_phone(self._in_dialog(call, "ACK", 1, f"{via}-ack"))
        elif message.is_final:
            call.refused, call.is_over = message.status, True
            headers = self._in_dialog(call, "ACK", 1, via).headers.pairs
            to = ("To", message.headers.get("to"))
            named = [to if pair[0] == "To" else pair for pair in headers]
            self._send_phone(Request("ACK", call.invite.uri, Headers(named)))

    def _centre_hearer(self, endpoint: str) -> Callable[[bytes, tuple[str, int]], None]:
        def hear(datagram: bytes, source: tuple[str, int]) -> None:
            del source
            for leg in self._call.legs if self._call is not None else ():
                if leg.endpoint == endpoint and leg.is_answered:
                    leg.ears.hear(time.time(), datagram)

        return hear

    def _centre_taker(self, endpoint: str) -> Callable[[bytes, tuple[str, int]], None]:
        def take(datagram: bytes, source: tuple[str, int]) -> None:
            message = parse(datagram)
            if isinstance(message, Request) and self._call is not None:
                self._centre_takes(self._call, endpoint, message, source)

        return take

    def _centre_takes(self, call: Call, endpoint: str, request: Request, source: tuple[str, int]) -> None:
        sip_call = request.headers.get("call-id")
        leg = next((each for each in call.legs if each.invite.headers.get("call-id") == sip_call), None)
        centre = self._far_ends.centres[endpoint]
        if request.method == "INVITE" and leg is None:
            tag = f"centre-{next(self._serial)}"
            call.legs.append(
                Leg(endpoint, time.time(), request, source, tag, media_of(request), Ears((PHONE_HZ,)))
            )
        elif request.method == "INVITE" and leg is not None and leg.answer is not None:
            centre.sendto(leg.answer.octets(), source)
        elif request.method != "ACK":
            centre.sendto(
                answer(request, 200, tag="centre" if leg is None else leg.tag, source=source).octets(), source
            )
            if leg is not None and request.method in ("BYE", "CANCEL"):
                leg.is_over = True
            if leg is not None and request.method == "CANCEL" and not leg.is_answered:
                self._answer(leg, 487)

    def _talk(self) -> None:
        """Send a packet of tone from every party in a call, every 20 ms."""
        call, now = self._call, time.time()
        if call is None or now < self._next_packet:
            return
        self._next_packet = now + PACKET_S
        if call.media is not None and not call.is_over:
            self._say(self._far_ends.phone_audio[call.trunk], call.media, PHONE_HZ)
        leg = call.connected
        if leg is not None and leg.media is not None and not leg.is_over:
            self._say(self._far_ends.centre_audio[leg.endpoint], leg.media, CENTRE_HZ)

    def _say(self, mouth: socket.socket, peer: Media, hz: int) -> None:
        number = next(self._sent)
        audio = _TONES[hz][:SAMPLES]
        header = _RTP.pack(0x80, 0, number & 0xFFFF, (number * SAMPLES) & 0xFFFFFFFF, hz)
        if peer.is_open:
            mouth.sendto(header + audio, (peer.host, peer.port))
