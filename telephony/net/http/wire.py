"""Codec of the HTTP/1.1 client: writes a POST, reads its answer (RFC 9112).

The usual answer (a whole head in one read, a Content-Length, nothing about the connection) is read here in a few
microseconds; h11 reads every other one, once its head is whole and the habits of live servers that h11 rejects are
repaired. The tests hold the two against each other. Bodies are handed on unwrapped (`http1_coding`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import h11

from telephony.net.http.coding import TooLarge, unwrapped

MAX_HEAD = 16_384
"""Octets of status line and headers that an answer may have."""

MOST_BESIDE_BODY = 65_536
"""Octets of an answer that are not its body: interim answers, heads, the edges of chunks, trailers.

Each of them may go on for ever without a large body. As many in chunks of one octet cost 40 ms, over many reads.
"""

_HEAD_TOO_LARGE = 431
"""How h11 marks a head beyond its limit."""

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110 section 5.6.2, no password
_NAME = re.compile(_TOKEN)
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")
_TARGET = re.compile(r"[\x21-\x7e]+")

# No part of it can match in two ways, so that a hostile head costs no more than its length.
_USUAL = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t\x20-\x7e]*\r\n((?:%b:[\t\x20-\x7e]*\r\n)*)\r\n" % _TOKEN.encode()
)
_LENGTH = re.compile(rb"[0-9]{1,12}")
_UNUSUAL_STATUSES = frozenset({b"204", b"304"})
"""These have no body whatever their headers say (RFC 9112 section 6.3, item 1)."""
_HEAD_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_FIELD = re.compile(rb"(%b)[ \t]*:(.*)" % _TOKEN.encode(), re.DOTALL)
_NO_CODINGS = (b"", b"identity")
"""``identity`` was a transfer coding until RFC 7230, and meant that there is none."""
_UNWRITABLE = re.compile(rb"[\x00\x0b\x0c\r]")
_INTERIM = re.compile(rb"HTTP/1\.[0-9] 1(?!01)[0-9][0-9]\b")
_UNUSUAL_HEADERS = frozenset({b"transfer-encoding", b"connection", b"upgrade"})


class NotReadable(Exception):  # noqa: N818 - what it says of the answer
    """The answer cannot be read; its text says why, without the answer's own octets: they may hold a position."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole answer; header names are in lower case, ``body`` is without content codings and multipart."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status <= 299  # noqa: PLR2004 - the class of statuses (RFC 9110 section 15.3)

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of this (lower-case) name."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: the connection's end, and what the request line and Host say."""

    is_tls: bool
    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def of(cls, url: str) -> Target:
        """Read an http or https URL; a fragment and credentials in it are not sent. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http or https URL")
        is_tls = parts.scheme == "https"
        authority = parts.netloc.rpartition("@")[2]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not (_TARGET.fullmatch(authority) and _TARGET.fullmatch(path)):
            raise ValueError("the URL holds characters that HTTP cannot carry")
        return cls(is_tls, parts.hostname, parts.port or (443 if is_tls else 80), authority, path)


def is_header_value(text: str) -> bool:
    """Whether HTTP can carry this as the value of a header: printable ASCII on one line, no blank at an end."""
    return _VALUE.fullmatch(text) is not None


def encode_post(target: Target, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """Write a whole request. Raises `ValueError` naming a header that HTTP cannot carry, but not its value."""
    lines = [f"POST {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n"]
    for name, value in headers:
        if not (_NAME.fullmatch(name) and is_header_value(value)):
            raise ValueError(f"the header {name!r} is nothing that HTTP can carry")
        lines.append(f"{name}: {value}\r\n")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    return "".join(lines).encode("ascii") + body


class AnswerReader:
    """Reads one answer to a POST, fed in any pieces. Keeps at most ``max_body`` octets and one read.

    One whose head, chunks and the like come to more than `MOST_BESIDE_BODY` is `NotReadable`.
    """

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._fed = 0
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._body = bytearray()
        self._head: bytearray | None = bytearray()
        self._length: int | None = None
        self._http: h11.Connection | None = None
        self._mended = _Head(b"")
        self.has_heard = False
        """Whether at least one octet has come."""
        self.is_reusable = False
        """Whether, once the answer is whole, the connection may carry another request."""

    def feed(self, octets: bytes) -> HttpResponse | None:
        """Take what came; give the answer when it is whole. Raises `NotReadable`."""
        self.has_heard = True
        self._fed += len(octets)
        response = self._take(octets)
        if response is None and self._fed - len(self._body) > MOST_BESIDE_BODY:
            raise NotReadable("answer without end")
        return response

    def _take(self, octets: bytes) -> HttpResponse | None:
        if self._head is not None:
            octets = self._read_head(self._head, octets)
            if self._head is not None:
                return None
        if self._length is None:
            return self._feed_h11(octets)
        self._keep(octets)
        if len(self._body) < self._length:
            return None
        self.is_reusable = len(self._body) == self._length
        return self._response(bytes(self._body[: self._length]))

    def end(self) -> HttpResponse | None:
        """Take the end of the connection: it ends an answer without a length (RFC 9112 section 6.3, item 8)."""
        if self._http is None:
            return None
        try:
            return self._feed_h11(b"")
        except NotReadable:
            return None

    def so_far(self) -> HttpResponse | None:
        """Return an answer that has not ended as far as it came; ``None`` where no octet of its body did."""
        if not (self._status and self._body):
            return None
        try:
            return self._response(bytes(self._body))
        except NotReadable:
            return None

    def _read_head(self, head: bytearray, octets: bytes) -> bytes:
        """Gather a head and take it in; give what follows it. ``_head`` is ``None`` from then on."""
        is_first = not head
        searched = max(0, len(head) - 2)
        head += octets.lstrip(b"\r\n") if is_first else octets
        while (end := _HEAD_END.search(head, searched)) is not None:
            if is_first and (body_at := self._read_usual_head(bytes(head))) is not None:
                self._head = None
                return bytes(head[body_at:])
            if _INTERIM.match(head) is None:
                self._head, self._mended = None, _mended(bytes(head[: end.end()]))
                return bytes(head[end.end() :])
            del head[: end.end()]
            is_first, searched = False, 0
        if len(head) > MAX_HEAD:
            raise NotReadable("answer too large")
        return b""

    def _read_usual_head(self, octets: bytes) -> int | None:
        """Read a usual head and tell where the body begins; ``None`` leaves the answer to h11."""
        match = _USUAL.match(octets)
        if match is None or match.end() > MAX_HEAD or match[1] in _UNUSUAL_STATUSES:
            return None
        headers = []
        length = None
        for line in match[2].split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            name = name.lower()
            value = value.strip(b" \t")
            if name == b"content-length":
                if length is not None or not _LENGTH.fullmatch(value):
                    return None
                length = int(value)
            elif name in _UNUSUAL_HEADERS:
                return None
            headers.append((name, value))
        if length is None:
            return None
        if length > self._max_body:
            raise NotReadable("answer too large")
        self._status, self._headers, self._length = int(match[1]), tuple(headers), length
        return match.end()

    def _feed_h11(self, octets: bytes) -> HttpResponse | None:
        if self._http is None:
            if self._mended.is_chunked:
                octets = octets.lstrip(b" \r\n")
                if not octets:
                    return None
            self._http = _h11_after_a_post()
            octets = self._mended.written(is_chunked=not octets.startswith(b"<")) + octets
        try:
            self._http.receive_data(octets)
            return self._read_events(self._http)
        except h11.RemoteProtocolError as error:
            too_large = error.error_status_hint == _HEAD_TOO_LARGE
            raise NotReadable("answer too large" if too_large else "not HTTP") from error

    def _read_events(self, http: h11.Connection) -> HttpResponse | None:
        while True:
            event: Any = http.next_event()
            if isinstance(event, h11.Data):
                self._keep(event.data)
            elif isinstance(event, h11.Response):
                self._status, self._headers = event.status_code, tuple(event.headers)
            elif isinstance(event, h11.EndOfMessage):
                is_at_rest = http.their_state is h11.DONE and http.trailing_data == (b"", False)
                self.is_reusable = is_at_rest and not self._mended.is_doubtful
                return self._response(bytes(self._body))
            elif not isinstance(event, h11.InformationalResponse):
                return None

    def _keep(self, octets: bytes | bytearray) -> None:
        if len(self._body) + len(octets) > self._max_body:
            raise NotReadable("answer too large")
        self._body += octets

    def _response(self, body: bytes) -> HttpResponse:
        try:
            return HttpResponse(self._status, self._headers, unwrapped(self._headers, body, self._max_body))
        except TooLarge as error:
            raise NotReadable("answer too large") from error


@dataclass(frozen=True, slots=True)
class _Head:
    """The head of an answer for h11, without its transfer coding.

    ``is_doubtful``: whether another reader may see the end of the body elsewhere: the connection ends with it.
    """

    octets: bytes
    is_chunked: bool = False
    is_doubtful: bool = False

    def written(self, *, is_chunked: bool) -> bytes:
        """Write it; a proxy may have undone the chunks and left the header that announces them."""
        return self.octets + (
            b"Transfer-Encoding: chunked\r\n\r\n" if self.is_chunked and is_chunked else b"\r\n"
        )


def _mended(head: bytes) -> _Head:
    """Remove from a head what h11 rejects in live servers, and leave at most one statement of the body's length.

    Folded lines and blanks before a colon hide nothing in an answer. Of several statements chunks win, said once or
    twice (RFC 9112 section 6.3); other codings, and lengths that contradict each other, are left for h11 to refuse.
    """
    status, *lines = _FOLD.sub(b" ", head).split(b"\n")
    kept, codings, lengths = [status.removesuffix(b"\r")], list[bytes](), list[bytes]()
    is_doubtful = False
    length_at = 0
    for line in lines:
        field = _FIELD.fullmatch(line.removesuffix(b"\r"))
        if field is None:
            is_doubtful |= bool(line.strip())
            continue
        name, value = field[1].lower(), field[2].strip(b" \t")
        if name == b"transfer-encoding":
            codings += [coding.strip(b" \t").lower() for coding in value.split(b",")]
        elif name == b"content-length":
            length_at = length_at or len(kept)
            lengths += [length.strip(b" \t") for length in value.split(b",")]
        else:
            is_doubtful |= _UNWRITABLE.search(value) is not None
            kept.append(name + b": " + _UNWRITABLE.sub(b" ", value).strip(b" \t"))
    is_chunked = b"chunked" in codings
    is_doubtful |= bool(codings) and (codings != [b"chunked"] or bool(lengths))
    others = [coding for coding in codings if coding not in _NO_CODINGS]
    if not is_chunked and others:
        kept.append(b"transfer-encoding: " + b", ".join(others))
    if not is_chunked and lengths:
        kept.insert(length_at, b"content-length: " + b", ".join(lengths))
    return _Head(b"\r\n".join(kept) + b"\r\n", is_chunked, is_doubtful)


def _h11_after_a_post() -> h11.Connection:
    """Return an h11 that expects the answer to a POST, as ours are: without Expect or Upgrade."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    http.send(h11.Request(method="POST", target="/", headers=[("Host", ""), ("Content-Length", "0")]))
    http.send(h11.EndOfMessage())
    return http
