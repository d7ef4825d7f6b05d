"""SIP and SDP codec of the lab's phones: octets to values and back, without a socket.

RFC 3261 (messages), RFC 3581 (rport), RFC 4566 (SDP). Header text is UTF-8; octets that are not survive a round trip.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from urllib.parse import quote

from telephony.domain.errors import Malformed

PCMU = 0
TELEPHONE_EVENT = 101
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"

REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 404: "Not Found", 405: "Method Not Allowed",
    408: "Request Timeout", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 500: "Server Internal Error", 503: "Service Unavailable",
    603: "Decline",
}  # fmt: skip

_COMPACT = {
    "c": "content-type", "e": "content-encoding", "f": "from", "i": "call-id", "k": "supported", "l": "content-length",
    "m": "contact", "s": "subject", "t": "to", "v": "via",
}  # fmt: skip
"""RFC 3261 section 7.3.3."""

_NEEDED = ("via", "from", "to", "call-id", "cseq")
"""RFC 3261 section 8.1.1; Max-Forwards is not missed."""

_TOKEN = r"[A-Za-z0-9.!%*_+`'~-]+"  # noqa: S105 - the grammar's word (RFC 3261 section 25.1)
_REQUEST = re.compile(rf"({_TOKEN}) (\S+) SIP/2\.0")
_STATUS = re.compile(r"SIP/2\.0 ([1-6]\d\d)(?: (.*))?")
_HEADER = re.compile(rf"({_TOKEN})[ \t]*:[ \t]*(.*?)[ \t]*", re.DOTALL)
_CSEQ = re.compile(rf"(\d{{1,10}})[ \t]+({_TOKEN})")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_RPORT = re.compile(r";[ \t]*rport(?![ \t]*=)(?=[ \t]*(?:[;,]|$))", re.IGNORECASE)


class Headers:
    """Headers in their order; names are found whatever their case, and by their long form."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of this name."""
        return next(iter(self.all(name)), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of this name, in order."""
        wanted = name.lower()
        return tuple(value for key, value in self.pairs if _COMPACT.get(key.lower(), key.lower()) == wanted)


@dataclass(frozen=True)
class Address:
    """A From, To or Contact: display name as shown (unquoted), URI, and the parameters behind it."""

    display: str
    uri: str
    parameters: dict[str, str]

    @property
    def tag(self) -> str:
        """The dialog's tag; empty without one."""
        return self.parameters.get("tag", "")


@dataclass(frozen=True)
class Request:
    """A request. One that was parsed has the headers of `_NEEDED`, in a readable form."""

    method: str
    uri: str
    headers: Headers
    body: bytes = b""

    @property
    def cseq(self) -> int:
        """Number of its CSeq."""
        return cseq_of(self.headers)[0]

    def octets(self) -> bytes:
        """Return it as it goes over the wire."""
        return _octets(f"{self.method} {self.uri} SIP/2.0", self.headers, self.body)


@dataclass(frozen=True)
class Response:
    """A response, with the same promise about its headers."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""

    @property
    def is_final(self) -> bool:
        """Whether it ends its transaction."""
        return self.status >= 200  # noqa: PLR2004 - RFC 3261 section 7.2

    def octets(self) -> bytes:
        """Return it as it goes over the wire."""
        return _octets(f"SIP/2.0 {self.status} {self.reason}", self.headers, self.body)


@dataclass(frozen=True, slots=True)
class Media:
    """The audio of an SDP: where it is received, payload types offered, that of RFC 4733 digits, direction."""

    host: str
    port: int
    payloads: tuple[int, ...]
    digits: int | None
    direction: str = "sendrecv"

    @property
    def is_open(self) -> bool:
        """Whether audio may be sent there."""
        return self.port > 0 and self.host != "0.0.0.0" and self.direction in ("sendrecv", "recvonly")


def parse(datagram: bytes) -> Request | Response:
    """Read one datagram. Raises `Malformed` for whatever is not a whole SIP message."""
    head, found, body = datagram.partition(b"\r\n\r\n")
    if not found:
        raise Malformed("no empty line ends the headers")
    text = head.decode("utf-8", "surrogateescape")
    start, *lines = re.sub(r"\r\n[ \t]+", " ", text).split("\r\n")
    headers = Headers(_header(line) for line in lines)
    for name in _NEEDED:
        if not headers.get(name):
            raise Malformed(f"no {name}")
    address_of(headers.get("to"))
    method = cseq_of(headers)[1]
    body = _bounded(headers, body)
    if status := _STATUS.fullmatch(start):
        return Response(int(status[1]), status[2] or "", headers, body)
    request = _REQUEST.fullmatch(start)
    if request is None:
        raise Malformed("neither a request line nor a status line")
    if request[1] != method:
        raise Malformed("CSeq names another method")
    address_of(headers.get("from"))  # a response repeats our own, which may be broken on purpose
    return Request(request[1], request[2], headers, body)


def cseq_of(headers: Headers) -> tuple[int, str]:
    """Return number and method of the CSeq. Raises `Malformed`."""
    found = _CSEQ.fullmatch(headers.get("cseq"))
    if found is None:
        raise Malformed("an unreadable CSeq")
    return int(found[1]), found[2]


def branch_of(headers: Headers) -> str:
    """Return the branch of the topmost Via: the name of the transaction (RFC 3261 section 17). Empty without one."""
    topmost = headers.get("via").partition(",")[0]
    found = re.search(r";[ \t]*branch[ \t]*=[ \t]*([^;,\s]+)", topmost, re.IGNORECASE)
    return found[1] if found else ""


def address_of(value: str) -> Address:
    """Read a name-addr or addr-spec (RFC 3261 section 20.10). Raises `Malformed`."""
    display, rest = "", value.strip()
    if quoted := _QUOTED.match(rest):
        display, rest = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), rest[quoted.end() :]
        if not rest.startswith("<"):
            raise Malformed("a quoted name without <address>")
    elif rest.startswith('"'):
        raise Malformed("a quoted name that does not end")
    before, bracket, behind = rest.partition("<")
    if not bracket:
        uri, _, parameters = rest.partition(";")
        return Address("", uri.strip(), _parameters(parameters))
    uri, closed, parameters = behind.partition(">")
    if not closed:
        raise Malformed("an address that does not end")
    return Address(display or before.strip(), uri.strip(), _parameters(parameters))


def name_addr(display: str, uri: str) -> str:
    """Write a display name, quoted, and a URI. Raises `ValueError` for a line break, which no quoting allows."""
    if "\r" in display or "\n" in display:
        raise ValueError("a quoted name holds no line break (RFC 3261 section 25.1)")
    if not display:
        return f"<{uri}>"
    escaped = display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{uri}>'


def sip_uri(user: str, host: str, port: int | None = None) -> str:
    """Write a SIP URI; what the grammar does not allow in a user is escaped (RFC 3261 section 25.1)."""
    return f"sip:{quote(user, safe='-_.!~*()&=+$,;?/')}@{host}" + ("" if port is None else f":{port}")


def answer(
    request: Request,
    status: int,
    *,
    tag: str,
    source: tuple[str, int],
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """Return the response to a request that came from ``source`` (RFC 3261 section 8.2.6, RFC 3581 section 4).

    ``tag`` is ours in the dialog; it is put on a To that has none, except in a 100.
    """
    vias = request.headers.all("via")
    via = _RPORT.sub(f";rport={source[1]};received={source[0]}", vias[0], count=1)
    to = request.headers.get("to")
    if not address_of(to).tag and status != 100:  # noqa: PLR2004 - Trying, which makes no dialog
        to = f"{to};tag={tag}"
    copied = [("From", request.headers.get("from")), ("To", to)]
    copied += [(name, request.headers.get(name)) for name in ("Call-ID", "CSeq")]
    copied += [("Record-Route", route) for route in request.headers.all("record-route")]
    return Response(
        status,
        REASONS.get(status, "Unnamed"),
        Headers([("Via", via), *(("Via", other) for other in vias[1:]), *copied, *headers]),
        body,
    )


def session_description(
    host: str, port: int, session: int, *, digits: int | None = TELEPHONE_EVENT, direction: str = "sendrecv"
) -> bytes:
    """Write an SDP (RFC 4566) for PCMU and, where ``digits`` is a payload type, RFC 4733; offers and answers alike."""
    events = [] if digits is None else [f"a=rtpmap:{digits} telephone-event/8000", f"a=fmtp:{digits} 0-15"]
    lines = [
        "v=0",
        f"o=lab {session} {session} IN IP4 {host}",
        "s=-",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {PCMU}" + ("" if digits is None else f" {digits}"),
        f"a=rtpmap:{PCMU} PCMU/8000",
        *events,
        "a=ptime:20",
        f"a={direction}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def facing(direction: str) -> str:
    """Return the direction that answers an offer's (RFC 3264 section 6.1)."""
    return {"sendonly": "recvonly", "recvonly": "sendonly"}.get(direction, direction)


def media_of(message: Request | Response) -> Media | None:
    """Return the audio of a message's SDP, alone or in a multipart body; ``None`` without SDP. Raises `Malformed`."""
    kind = message.headers.get("content-type")
    if kind.lower().startswith("application/sdp"):
        return _media(message.body)
    boundary = _BOUNDARY.search(kind) if kind.lower().startswith("multipart/") else None
    if boundary is None:
        return None
    for part in message.body.split(b"--" + boundary[1].strip().encode("utf-8", "surrogateescape")):
        head, _, body = part.partition(b"\r\n\r\n")
        if re.search(rb"^content-type[ \t]*:[ \t]*application/sdp", head, re.IGNORECASE | re.MULTILINE):
            return _media(body)
    return None


def _octets(start: str, headers: Headers, body: bytes) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers.pairs), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def _header(line: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(line)
    if found is None:
        raise Malformed("a line that is no header")
    return found[1], found[2]


def _bounded(headers: Headers, body: bytes) -> bytes:
    """Cut the body to its Content-Length; over UDP it may be missing (RFC 3261 section 18.3)."""
    declared = headers.get("content-length")
    if not declared:
        return body
    if not re.fullmatch(r"[0-9]{1,9}", declared) or int(declared) > len(body):
        raise Malformed("Content-Length does not fit the datagram")
    return body[: int(declared)]


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _media(body: bytes) -> Media:
    """Read the first audio of an SDP; its own lines win over those of the session (RFC 4566 section 5)."""
    host, direction, section = "", "sendrecv", "session"
    port: int | None = None
    payloads: tuple[int, ...] = ()
    digits: int | None = None
    for line in body.decode("utf-8", "replace").splitlines():
        kind, _, value = line.strip().partition("=")
        words = value.split()
        if kind == "m":
            if section == "audio":
                break
            section = "audio" if words[:1] == ["audio"] else "other"
            if section == "audio":
                port, payloads = _audio(words)
        elif section == "other":
            continue
        elif kind == "c":
            host = _ipv4(words)
        elif kind == "a" and value in ("sendrecv", "sendonly", "recvonly", "inactive"):
            direction = value
        elif kind == "a" and (
            event := re.fullmatch(r"rtpmap:(\d{1,3}) telephone-event/8000.*", value, re.IGNORECASE)
        ):
            digits = int(event[1])
    if port is None or not host:
        raise Malformed("an SDP without audio over IPv4")
    return Media(host, port, payloads, digits, direction)


def _audio(words: list[str]) -> tuple[int, tuple[int, ...]]:
    if len(words) < 4 or not all(re.fullmatch(r"[0-9]{1,5}", word) for word in (words[1], *words[3:])):  # noqa: PLR2004 - RFC 4566 section 5.14
        raise Malformed("an unreadable m=audio")
    port = int(words[1])
    if port > 65_535:  # noqa: PLR2004 - of UDP
        raise Malformed("no such port")
    return port, tuple(int(word) for word in words[3:])


def _ipv4(words: list[str]) -> str:
    if words[:2] != ["IN", "IP4"] or len(words) < 3:  # noqa: PLR2004 - RFC 4566 section 5.7
        raise Malformed("a connection that is not IPv4")
    try:
        return str(IPv4Address(words[2].partition("/")[0]))
    except ValueError as fault:
        raise Malformed("a connection that is no IPv4 address") from fault
