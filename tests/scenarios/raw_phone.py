"""A phone whose INVITE is written out by the test, line by line: what carriers send, and what no SIP stack would write."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import DatagramProtocol

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
)
HEAD = SDP.partition("m=audio")[0]
SDP_TYPE = "application/sdp"
BOUNDARY = "unique-boundary-1"


def offer(*lines: str) -> str:
    """Return an SDP with these lines instead of the audio that every phone offers."""
    return HEAD + "".join(f"{line}\r\n" for line in lines)


def multipart(*parts: tuple[str, str], kind: str = "mixed", is_ended: bool = True) -> tuple[str, str]:
    """Return content type and body of parts of their own types."""
    body = "".join(f"--{BOUNDARY}\r\nContent-Type: {part}\r\n\r\n{said}\r\n" for part, said in parts) + (
        f"--{BOUNDARY}--\r\n" if is_ended else ""
    )
    return f"multipart/{kind};boundary={BOUNDARY}", body


@dataclass(frozen=True)
class Form:
    """How an INVITE is written. ``{host}``, ``{port}`` and ``{caller}`` are filled in."""

    uri: str = "sip:112@{server}"
    to: str = "<sip:112@{server}>"
    from_: str = "<sip:{caller}@{host}>"
    headers: Sequence[str] = ()
    body: tuple[str, str] = (SDP_TYPE, SDP)


@dataclass
class RawCall:
    """What came of one INVITE: every response to it, first lines alone."""

    invite: str
    branch: str
    sequence: int
    statuses: list[str] = field(default_factory=list)
    answer: str = ""
    """The body of the acceptance."""
    remote: str = ""
    target: str = ""
    routes: tuple[str, ...] = ()
    is_over: bool = False
    answers: dict[int, int] = field(default_factory=dict)
    """By their CSeq: the status of what answered the phone's other requests within the call."""

    @property
    def status(self) -> int:
        """The final response; 0 until there is one."""
        final = [int(line.split()[1]) for line in self.statuses if not line.startswith("SIP/2.0 1")]
        return final[0] if final else 0


class RawPhone(DatagramProtocol):
    """Sends each INVITE once, acknowledges what comes, and hangs up when asked."""

    noisy = False

    def __init__(self, reactor: Any, address: str, server: tuple[str, int]) -> None:
        self.server = server
        self._calls: dict[str, RawCall] = {}
        self._port = reactor.listenUDP(0, self, interface=address)
        self.host, self.port = address, self._port.getHost().port

    def close(self) -> Deferred[Any]:
        return maybeDeferred(self._port.stopListening)

    def call(self, caller: str, form: Form, call_id: str = "", cseq: int = 1) -> RawCall:
        """Send it."""
        call_id = call_id or secrets.token_hex(12)
        facts = {
            "server": f"{self.server[0]}:{self.server[1]}",
            "host": self.host,
            "port": self.port,
            "caller": caller,
        }

        def filled(text: str) -> str:
            return re.sub(r"\{(\w+)\}", lambda name: str(facts.get(name[1], name[0])), text)

        branch = f"z9hG4bK{secrets.token_hex(8)}"
        kind, body = form.body[0], filled(form.body[1])
        lines = [
            f"INVITE {filled(form.uri)} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch={branch};rport",
            f"From: {filled(form.from_)};tag={secrets.token_hex(4)}",
            f"To: {filled(form.to)}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} INVITE",
            f"Contact: <sip:phone@{self.host}:{self.port}>",
            "Max-Forwards: 70",
            *map(filled, form.headers),
            *([f"Content-Type: {kind}"] if body else []),
            f"Content-Length: {len(body.encode())}",
        ]
        call = self._calls[call_id] = RawCall("\r\n".join(lines), branch, cseq)
        self.transport.write(f"{call.invite}\r\n\r\n{body}".encode(), self.server)
        return call

    def hang_up(self, call: RawCall) -> None:
        """End a call that was accepted."""
        self._within(call, "BYE", call.sequence + 1, f"{call.branch}bye")

    def ask(self, call: RawCall, cseq: int, method: str, kind: str = "", body: str = "") -> None:
        """Send another request within a call that was accepted."""
        self._within(call, method, cseq, f"{call.branch}ask{cseq}", (kind, body))

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        text = datagram.decode("utf-8", "replace")
        call = self._calls.get(_header(text, "Call-ID"))
        if call is None or not text.startswith("SIP/2.0"):
            return
        if _header(text, "CSeq").endswith("BYE"):
            call.is_over = True
            return
        line, *_ = text.split("\r\n")
        number, method = _header(text, "CSeq").split()
        if method != "INVITE":
            call.answers[int(number)] = int(line.split()[1])
            return
        call.statuses.append(line)
        status = int(line.split()[1])
        if status == 200:
            call.target = _header(text, "Contact").partition("<")[2].partition(">")[0]
            call.routes = tuple(reversed(re.findall(r"(?im)^Record-Route:[ \t]*(.*?)\r?$", text)))
            call.answer = text.partition("\r\n\r\n")[2]
        if status >= 200:
            call.remote = _header(text, "To")
            branch = call.branch if status >= 300 else f"{call.branch}ack"
            self._within(call, "ACK", int(_header(text, "CSeq").split()[0]), branch)

    def _within(
        self, call: RawCall, method: str, cseq: int, branch: str, content: tuple[str, str] = ("", "")
    ) -> None:
        kind, body = content
        copied = [f"{name}: {_header(call.invite, name)}" for name in ("From", "Call-ID")]
        request_uri = call.target or call.invite.split()[1]
        lines = [
            f"{method} {request_uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch={branch};rport",
            *(f"Route: {route}" for route in call.routes),
            *copied,
            f"To: {call.remote}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            *([f"Content-Type: {kind}"] if kind else []),
            f"Content-Length: {len(body.encode())}",
        ]
        self.transport.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.server)


def _header(text: str, name: str) -> str:
    found = re.search(rf"(?im)^{name}:[ \t]*(.*?)\r?$", text)
    return found[1] if found else ""
