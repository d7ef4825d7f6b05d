"""Parses a SIP message: first line, headers, the parts of its body (RFC 3261, RFC 2046). Pure.

Total for damaged messages: unreadable parts are left out, so that a call for help is reported with what remains. No
answer is built from it, so it need not be exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

MOST_HEADERS: Final = 300
LONGEST_HEADER: Final = 4_096
"""Characters that are kept of a header; the longest of a carrier are lists of History-Info."""
MOST_VALUES: Final = 20
"""Values that are looked at of a header that may be written again and as a list."""
MOST_PARTS: Final = 20
DEEPEST: Final = 3
"""Multipart bodies within each other."""

_REQUEST = re.compile(r"(?P<method>[A-Z]{1,32}) (?P<uri>\S{1,2048}) SIP/2\.0")
_STATUS = re.compile(r"SIP/2\.0 (?P<status>[1-6][0-9]{2})(?: (?P<reason>.{0,256}))?")
_CSEQ = re.compile(r"(?P<number>[0-9]{1,10})[ \t]+(?P<method>[A-Z]{1,32})")
_TAG = re.compile(r";[ \t]*tag[ \t]*=", re.IGNORECASE)
_BOUNDARY = re.compile(r';[ \t]*boundary[ \t]*=[ \t]*(?:"([^"]{1,70})"|([^";, \t]{1,70}))', re.IGNORECASE)
_COMPACT = {
    "c": "content-type", "f": "from", "i": "call-id", "k": "supported", "l": "content-length", "m": "contact", "t": "to",
    "v": "via", "x": "session-expires",
}  # fmt: skip
"""RFC 3261 section 7.3.3, RFC 4028."""


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A request (``status`` is 0) or a response. ``method`` is that of CSeq in a response; names of headers are small."""

    method: str
    uri: str = field(repr=False)
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def get(self, name: str) -> str:
        """Return the first header of this name in small letters; empty without one."""
        return next((value for key, value in self.headers if key == name), "")

    def values(self, name: str) -> list[str]:
        """Return every value of a header that may be written again and as a list."""
        found = (each for key, value in self.headers if key == name for each in split(value))
        return [value for value, _ in zip(found, range(MOST_VALUES), strict=False)]

    @property
    def call_id(self) -> str:
        """Its Call-ID; empty where it has none."""
        return self.get("call-id")

    @property
    def sequence(self) -> int:
        """Number of its CSeq; -1 where it has none."""
        found = _CSEQ.match(self.get("cseq"))
        return -1 if found is None else int(found["number"])

    @property
    def is_within_dialog(self) -> bool:
        """Whether it belongs to a call that stands already."""
        return _TAG.search(self.get("to")) is not None


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part of a body, without those that only hold others. ``kind`` is its media type in small letters."""

    kind: str
    body: bytes = field(repr=False)


def read(octets: bytes) -> SipMessage | None:
    """Read one message; ``None`` for what is none."""
    head, _, body = octets.partition(b"\r\n\r\n")
    lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "backslashreplace")).split(
        "\r\n", MOST_HEADERS + 1
    )
    headers = tuple(_headers(lines[1 : MOST_HEADERS + 1]))
    if status := _STATUS.fullmatch(lines[0]):
        cseq = next((value for key, value in headers if key == "cseq"), "")
        method = _CSEQ.match(cseq)
        return SipMessage(
            "" if method is None else method["method"],
            "",
            int(status["status"]),
            status["reason"] or "",
            headers,
            body,
        )
    request = _REQUEST.fullmatch(lines[0])
    if request is None:
        return None
    return SipMessage(request["method"], request["uri"], 0, "", headers, body)


def parts(message: SipMessage) -> list[BodyPart]:
    """Return the parts of a body, or the one part that it is; those of a multipart without its last boundary too."""
    waiting = [(message.get("content-type"), message.body, 1)]
    found: list[BodyPart] = []
    while waiting and len(found) < MOST_PARTS:
        kind, body, depth = waiting.pop()
        media_type = kind.partition(";")[0].strip().lower()
        boundary = _BOUNDARY.search(kind)
        if not media_type.startswith("multipart/") or boundary is None:
            if body.strip():
                found.append(BodyPart(media_type, body))
        elif depth <= DEEPEST:
            inner = [(*each, depth + 1) for each in _within(body, boundary[1] or boundary[2])]
            waiting += reversed(inner[:MOST_PARTS])
    return found


def split(value: str) -> Iterator[str]:
    """Return the values of a list: a comma within quotes or angle brackets parts none (RFC 3261 section 7.3.1)."""
    is_quoted, is_within, is_escaped = False, False, False
    first = 0
    for place, sign in enumerate(value):
        if is_escaped:
            is_escaped = False
        elif is_quoted:
            is_escaped = sign == "\\"
            is_quoted = sign != '"'
        elif sign == '"':
            is_quoted = True
        elif sign in "<>":
            is_within = sign == "<"
        elif sign == "," and not is_within:
            if value[first:place].strip():
                yield value[first:place].strip()
            first = place + 1
    if value[first:].strip():
        yield value[first:].strip()


def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            lowered = name.strip().lower()
            yield _COMPACT.get(lowered, lowered), value.strip()[:LONGEST_HEADER]


def _within(body: bytes, boundary: str) -> list[tuple[str, bytes]]:
    """Return type and octets of each part (RFC 2046 clause 5.1.1)."""
    found = []
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "backslashreplace"), MOST_PARTS + 1)
    for piece in pieces[1 : MOST_PARTS + 1]:
        if piece.startswith(b"--"):
            break
        head, blank, content = piece.partition(b"\r\n\r\n")
        if blank:
            lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "backslashreplace")).split(
                "\r\n", MOST_HEADERS
            )
            kinds = [value for name, value in _headers(lines) if name == "content-type"]
            found.append((kinds[0] if kinds else "text/plain", content))
    return found
