"""Simulates phones and a 112 centre for measured calls, lightly: three UDP sockets for SIP, two for audio.

One process, one thread, no reactor. What arrives is timed by the kernel (SO_TIMESTAMPNS) and what leaves just before
it is handed over, so how busy this process is does not show in the times. All calls of one side share one audio
socket: Asterisk tells them apart by its own ports.
"""

from __future__ import annotations

import heapq
import itertools
import random
import re
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

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
)

SO_TIMESTAMPNS = 35
"""Of Linux (asm-generic/socket.h); the ancillary message that brings the time has the same number."""
TIMESPEC = struct.Struct("@qq")
RTP = struct.Struct("!BBHII")
PACKET_S, SAMPLES = 0.02, 160
NOISE = bytes(random.Random(112).choices(range(0x80, 0xF0), k=SAMPLES))
"""A packet of something to hear, in PCMU."""
ZEROS = b"\xff\x7f"
"""Both zeros of PCMU."""
T1_S = 0.5
"""RFC 3261 section 17.1.1.1: an INVITE without any answer is repeated after so long, then twice as long."""
GIVE_UP_S = 10.0
RECEIVE_BUFFER = 4 << 20

Place = tuple[str, int]
Taker = Callable[[bytes, float, Place], None]


@dataclass(slots=True)
class Kind:
    """A way to call: from which address, which number, with or without RTP from the phone."""

    name: str
    address: str
    number: str
    phone_talks: bool = False
    centre_talks: bool = True


@dataclass(slots=True, eq=False)
class Call:
    """One call. Times are seconds of the wall clock; ``None``: it did not happen."""

    kind: Kind
    caller: str
    hold_s: float
    invite: Request
    sent_at: float = 0.0
    invited_at: float | None = None
    """The INVITE reached the centre."""
    answered_at: float | None = None
    """200 OK reached the phone."""
    alerted_at: float | None = None
    """The CAP Alert reached 112; filled in by the listener there."""
    status: int | None = None
    trying: bool = False
    ack: Request | None = None
    remote: str = ""
    target: str = ""
    phone_media: Media | None = None
    centre_media: Media | None = None
    centre_is_up: bool = False
    is_leaving: bool = False
    is_over: bool = False
    rtp: int = 0
    repeats: int = 0

    @property
    def to_centre_s(self) -> float | None:
        """From the phone's INVITE to the centre's."""
        return None if self.invited_at is None else self.invited_at - self.sent_at

    @property
    def to_answer_s(self) -> float | None:
        """From the phone's INVITE to its 200 OK."""
        return None if self.answered_at is None else self.answered_at - self.sent_at

    @property
    def to_alert_s(self) -> float | None:
        """From the phone's INVITE to the CAP Alert."""
        return None if self.alerted_at is None else self.alerted_at - self.sent_at


class CallEnds:
    """All phones and the centre. The owner of the selector serves them in its ``turn``; `tick` must be called between."""

    def __init__(self, selector: selectors.BaseSelector, phones: Iterable[str]) -> None:
        self._selector = selector
        self.asterisk = ("127.0.0.1", 0)
        self._serial = itertools.count(1)
        self._timer = itertools.count(1)
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._phones = {address: self._bind(address, self._phone_takes) for address in phones}
        self._centre = self._bind("127.0.0.1", self._centre_takes)
        self._audio = {address: self._bind(address, self._hearer(address)) for address in phones}
        self._centre_audio = self._bind("127.0.0.1", self._centre_hears)
        self._by_id: dict[str, Call] = {}
        self._by_caller: dict[str, Call] = {}
        self._centre_said: dict[str, Response] = {}
        self._next_packet = 0.0
        self.calls: list[Call] = []
        self.heard: Counter[str] = Counter()
        """Packets that reached the phones of an address."""
        self.audible: Counter[str] = Counter()
        """Those of them that were not exact zeros."""
        self.heard_at_centre = 0
        self.repeats = 0
        """SIP requests or answers that came twice: something was late or lost."""

    @property
    def centre_port(self) -> int:
        """The UDP port of the centre's SIP."""
        return int(self._centre.getsockname()[1])

    def dial(self, kind: Kind, hold_s: float) -> Call:
        """Send a phone's INVITE, of a caller who has never called before."""
        serial = next(self._serial)
        caller = f"010{serial:08d}"
        name = f"b{serial}-{time.time_ns():x}"
        port = self._phones[kind.address].getsockname()[1]
        own = f"sip:{caller}@{kind.address}:{port}"
        uri = f"sip:{kind.number}@127.0.0.1"
        headers = [
            ("Via", f"SIP/2.0/UDP {kind.address}:{port};branch=z9hG4bK{name}"),
            ("Max-Forwards", "70"),
            ("From", f"<{own}>;tag={name}"),
            ("To", f"<{uri}>"),
            ("Call-ID", name),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<{own}>"),
            ("P-Asserted-Identity", f"<sip:{caller}@{kind.address}>"),
            ("Content-Type", "application/sdp"),
        ]
        audio = self._audio[kind.address].getsockname()[1]
        call = Call(
            kind,
            caller,
            hold_s,
            Request("INVITE", uri, Headers(headers), session_description(kind.address, audio, serial)),
        )
        self.calls.append(call)
        self._by_id[name] = self._by_caller[caller] = call
        octets = call.invite.octets()
        call.sent_at = time.time()
        self._phones[kind.address].sendto(octets, self.asterisk)
        self._later(T1_S, lambda: self._repeat(call, octets, 2 * T1_S))
        self._later(GIVE_UP_S + hold_s, lambda: self._leave(call))
        self._later(2 * GIVE_UP_S + hold_s, lambda: self._forget(call))
        return call

    def of_caller(self, caller: str) -> Call | None:
        """Return the call of a caller, as 112 was told the number (E.164 without +)."""
        return self._by_caller.get("0" + caller[2:])

    @property
    def open_calls(self) -> int:
        """How many calls are not over."""
        return len(self._by_id)

    def hang_up(self, call: Call) -> None:
        """End a call before its time."""
        self._leave(call)

    def tick(self) -> float:
        """Do the work that is due; return the seconds until more is due, at most a packet's length."""
        now = time.time()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        if now >= self._next_packet:
            self._next_packet = max(self._next_packet + PACKET_S, now)
            self._talk()
        until = min(self._next_packet, self._due[0][0] if self._due else now + PACKET_S)
        return max(until - time.time(), 0.0)

    def close(self) -> None:
        """Close every socket."""
        for each in (*self._phones.values(), *self._audio.values(), self._centre, self._centre_audio):
            self._selector.unregister(each)
            each.close()

    # -- the phone --------------------------------------------------------------------------------------------------

    def _phone_takes(self, datagram: bytes, at: float, source: Place) -> None:
        message = parse(datagram)
        call = self._by_id.get(message.headers.get("call-id"))
        if isinstance(message, Request):
            self._phone_is_asked(message, call, source)
        elif call is not None and message.headers.get("cseq").endswith("INVITE"):
            self._invite_is_answered(call, message, at)
        elif call is not None and message.status >= 200 and call.is_leaving:
            self._forget(call)

    def _phone_is_asked(self, request: Request, call: Call | None, source: Place) -> None:
        """Asterisk hangs up, or asks anything else."""
        sock = next(iter(self._phones.values())) if call is None else self._phones[call.kind.address]
        sock.sendto(answer(request, 200, tag="phone", source=source).octets(), source)
        if call is not None and request.method == "BYE":
            self._forget(call)

    def _invite_is_answered(self, call: Call, response: Response, at: float) -> None:
        call.trying = True
        if not response.is_final:
            return
        call.repeats += call.status is not None
        self.repeats += call.status is not None
        is_first, call.status = call.status is None, response.status
        call.remote = response.headers.get("to")
        if response.status >= 300:
            self._in_dialog(call, "ACK", 1, call.invite.uri)
            self._forget(call)
            return
        call.target = address_of(response.headers.get("contact")).uri
        self._in_dialog(call, "ACK", 1, call.target)
        if is_first:
            call.answered_at = at
            call.phone_media = media_of(response)
            self._hold(call)

    def _hold(self, call: Call) -> None:
        """Start the time of the call once both ends are in it."""
        if call.answered_at is not None and call.centre_is_up:
            self._later(call.hold_s, lambda: self._leave(call))

    def _leave(self, call: Call) -> None:
        """Hang up."""
        if call.is_leaving or call.is_over or call.answered_at is None:
            return
        call.is_leaving = True
        self._in_dialog(call, "BYE", 2, call.target)
        self._later(2 * T1_S, lambda: None if call.is_over else self._in_dialog(call, "BYE", 2, call.target))

    def _in_dialog(self, call: Call, method: str, cseq: int, uri: str) -> None:
        sock = self._phones[call.kind.address]
        name = call.invite.headers.get("call-id")
        via = f"SIP/2.0/UDP {call.kind.address}:{sock.getsockname()[1]};branch=z9hG4bK{name}{method}"
        headers = [
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", call.invite.headers.get("from")),
            ("To", call.remote),
            ("Call-ID", name),
            ("CSeq", f"{cseq} {method}"),
        ]
        sock.sendto(Request(method, uri, Headers(headers)).octets(), self.asterisk)

    def _repeat(self, call: Call, octets: bytes, pause_s: float) -> None:
        if call.trying or call.is_over or pause_s > GIVE_UP_S:
            return
        self.repeats += 1
        self._phones[call.kind.address].sendto(octets, self.asterisk)
        self._later(pause_s, lambda: self._repeat(call, octets, 2 * pause_s))

    def _forget(self, call: Call) -> None:
        call.is_over = True
        self._by_id.pop(call.invite.headers.get("call-id"), None)

    # -- the centre -------------------------------------------------------------------------------------------------

    def _centre_takes(self, datagram: bytes, at: float, source: Place) -> None:
        message = parse(datagram)
        if isinstance(message, Response) or message.method == "ACK":
            return
        name = f"{message.headers.get('call-id')} {message.headers.get('cseq')}"
        if message.method == "INVITE" and not address_of(message.headers.get("to")).tag:
            said = self._centre_said.get(name)
            self.repeats += said is not None
            if said is None:
                said = self._centre_said[name] = self._picks_up(message, at, source)
        else:
            said = answer(message, 200, tag="centre", source=source)
        self._centre.sendto(said.octets(), source)

    def _picks_up(self, invite: Request, at: float, source: Place) -> Response:
        """Ring and answer at once; note when the INVITE came."""
        found = re.search(r"sip:(\d+)@", invite.headers.get("from"))
        call = self._by_caller.get(found[1]) if found else None
        contact = ("Contact", f"<sip:112@127.0.0.1:{self.centre_port}>")
        ringing = answer(invite, 180, tag="centre", source=source, headers=[contact])
        self._centre.sendto(ringing.octets(), source)
        if call is not None and call.invited_at is None:
            call.invited_at, call.centre_is_up = at, True
            call.centre_media = media_of(invite)
            self._hold(call)
        body = session_description("127.0.0.1", self._centre_audio.getsockname()[1], 1)
        sdp = ("Content-Type", "application/sdp")
        return answer(invite, 200, tag="centre", source=source, headers=[contact, sdp], body=body)

    # -- audio ------------------------------------------------------------------------------------------------------

    def _talk(self) -> None:
        """Send one packet of 20 ms for each party that talks."""
        for call in self._by_id.values():
            if call.is_leaving or call.answered_at is None:
                continue
            call.rtp += 1
            packet = (
                RTP.pack(0x80, 0, call.rtp & 0xFFFF, call.rtp * SAMPLES & 0xFFFFFFFF, id(call) & 0xFFFFFFFF)
                + NOISE
            )
            if call.kind.phone_talks and call.phone_media is not None:
                self._audio[call.kind.address].sendto(packet, (call.phone_media.host, call.phone_media.port))
            if call.kind.centre_talks and call.centre_media is not None:
                self._centre_audio.sendto(packet, (call.centre_media.host, call.centre_media.port))

    def _hearer(self, address: str) -> Taker:
        def hears(datagram: bytes, _at: float, _source: Place) -> None:
            self.heard[address] += 1
            self.audible[address] += bool(datagram[RTP.size :].strip(ZEROS))

        return hears

    def _centre_hears(self, _datagram: bytes, _at: float, _source: Place) -> None:
        self.heard_at_centre += 1

    # -- sockets and time -------------------------------------------------------------------------------------------

    def _bind(self, address: str, take: Taker) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((address, 0))
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, lambda: _drain(sock, take))
        return sock

    def _later(self, seconds: float, what: Callable[[], Any]) -> None:
        heapq.heappush(self._due, (time.time() + seconds, next(self._timer), what))


def _drain(sock: socket.socket, take: Taker) -> None:
    """Return the datagrams that have arrived, each with the time at which the kernel got it."""
    for _ in range(64):
        try:
            datagram, ancillary, _, source = sock.recvmsg(65_535, 64)
        except BlockingIOError:
            return
        seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
        take(datagram, seconds + nanoseconds / 1e9, source)
