"""The Asterisk Manager Interface on the wire: octets to packets, actions to octets. Pure: no socket, clock or log.

A packet is a run of ``Key: value`` lines up to an empty line; its kind is its first key. The source is Asterisk's
``main/manager.c`` (16 to 22) and its page "AMI v2 Specification".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telephony.domain.errors import Malformed

MAX_LINE: Final = 65_536
"""Octets of a line that we take. Asterisk keeps a caller's header within 64 KiB (PJSIP_MAX_PKT_LEN)."""
MAX_HEADERS: Final = 32_768
"""Lines of a packet that we take; a long ``Command`` brings one ``Output`` for each line of its text."""
MAX_PACKET: Final = 4 * 1024 * 1024
"""Characters of a packet that we take."""

MAX_ACTION_LINE: Final = 1_022
"""Octets of a line that Asterisk takes, line end not counted; a longer one loses the action (``inbuf``)."""
MAX_ACTION_LINES: Final = 128
"""Lines of an action that Asterisk takes (``AST_MAX_MANHEADERS``)."""

_FORBIDDEN: Final = ("\r", "\n", "\0")
_LINE_END: Final = b"\r\n"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Packet:
    """One event, response or action. Keys keep their order and may repeat: ``Output``, ``ChanVariable``."""

    headers: tuple[tuple[str, str], ...]

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of this key, in whatever case it is written."""
        lowered = name.lower()
        for key, value in self.headers:
            if key == name or key.lower() == lowered:
                return value
        return default

    def all(self, name: str) -> list[str]:
        """Return every value of this key, in order."""
        lowered = name.lower()
        return [value for key, value in self.headers if key.lower() == lowered]

    @property
    def event(self) -> str:
        """Name of the event; empty for everything else. Asterisk writes it first: a later ``Event`` is forged."""
        key, value = self.headers[0] if self.headers else ("", "")
        return value if key == "Event" else ""

    @property
    def action_id(self) -> str:
        """Id of the action that caused this packet; empty where none did."""
        return self.get("ActionID")

    @property
    def is_response(self) -> bool:
        """Whether it answers an action, and is no event."""
        return bool(self.headers) and self.headers[0][0] == "Response"

    @property
    def is_success(self) -> bool:
        """Whether it says ``Response: Success``, as an answer or as an event with the outcome of an action."""
        return self.get("Response").lower() == "success"


class AmiStream:
    r"""Cuts a stream of octets into packets; however the stream is cut on its way, the packets are the same.

    The first line is the banner, unless ``expects_banner`` is false (a server reads actions). Only CRLF ends a line: a
    caller can put a bare LF or CR into a value (``%0a`` in the user part of From), so in a packet they stand as
    ``\x0a`` and ``\x0d``, like every other control character and like octets that are not UTF-8. A line without a
    colon is a key without a value. Where a line or a packet grows over its bound, ``broken`` says so and nothing more
    is read: the caller closes the link.
    """

    def __init__(self, *, expects_banner: bool = True) -> None:
        self.banner: str | None = None
        self.broken: Malformed | None = None
        self._expects_banner = expects_banner
        self._held = bytearray()
        """The beginning of a line."""
        self._headers: list[tuple[str, str]] = []
        self._characters = 0

    def feed(self, octets: bytes) -> list[Packet]:
        """Take octets as they came; give the packets they complete, in order. Never raises."""
        if self.broken is not None:
            return []
        # The CR may be the last octet of what came before.
        unseen = max(len(self._held) - 1, 0)
        self._held += octets
        end = self._held.rfind(_LINE_END, unseen)
        if end < 0:
            self._bound_held()
            return []
        lines = bytes(self._held[: end + len(_LINE_END)])
        del self._held[: end + len(_LINE_END)]
        packets = self._read(lines) if len(lines) <= MAX_LINE else self._read_within_bounds(lines)
        self._bound_held()
        return packets

    def _bound_held(self) -> None:
        if len(self._held) > MAX_LINE:
            self._break(f"a line is longer than {MAX_LINE} octets")

    def _read_within_bounds(self, lines: bytes) -> list[Packet]:
        """Read lines of which one may be too long; those before it count."""
        position = 0
        while position < len(lines):
            end = lines.index(_LINE_END, position)
            if end - position > MAX_LINE:
                packets = self._read(lines[:position]) if position else []
                self._break(f"a line is longer than {MAX_LINE} octets")
                return packets
            position = end + len(_LINE_END)
        return self._read(lines)

    def _read(self, octets: bytes) -> list[Packet]:
        """Read whole lines. A bad octet never takes a line end with it, so they can be decoded together."""
        # Not splitlines(): a name may hold U+2028, which ends no line here.
        lines = octets.decode("utf-8", "backslashreplace").split("\r\n")
        del lines[-1]
        if not "".join(lines).isprintable():
            lines = [_CONTROL.sub(_escaped, line) for line in lines]
        packets: list[Packet] = []
        for line in lines:
            if self._expects_banner and self.banner is None:
                self.banner = line
            elif line:
                self._add(line)
                if self.broken is not None:
                    break
            elif self._headers:
                packets.append(Packet(tuple(self._headers)))
                self._headers, self._characters = [], 0
        return packets

    def _add(self, line: str) -> None:
        key, _, value = line.partition(":")
        # One space belongs to the colon; further ones indent an Output.
        self._headers.append((key, value[1:] if value[:1] == " " else value))
        self._characters += len(line)
        if len(self._headers) > MAX_HEADERS:
            self._break(f"a packet has more than {MAX_HEADERS} lines")
        elif self._characters > MAX_PACKET:
            self._break(f"a packet is longer than {MAX_PACKET} characters")

    def _break(self, reason: str) -> None:
        if self.broken is None:
            self.broken = Malformed(reason)
            self._headers = []
            self._held.clear()


def _escaped(control: re.Match[str]) -> str:
    return f"\\x{ord(control[0]):02x}"


def encode_action(name: str, action_id: str, fields: Sequence[tuple[str, str]] = ()) -> bytes:
    """Write an action.

    Raises `Malformed`, naming the field, for a key or value that would become another line (CR, LF), end the text
    early (NUL) or shift the colon, and for what Asterisk would throw away: too long a line, too many lines.
    """
    lines = [("Action", name), ("ActionID", action_id), *fields]
    if len(lines) > MAX_ACTION_LINES:
        raise Malformed(f"an action of {len(lines)} lines: Asterisk takes {MAX_ACTION_LINES}")
    return b"".join(_encode_line(key, value) for key, value in lines) + b"\r\n"


def encode_packet(fields: Sequence[tuple[str, str]]) -> bytes:
    """Write a response or event, as a server does. Raises `Malformed` for a field that would forge a line."""
    return b"".join(_encode_field(key, value) for key, value in fields) + b"\r\n"


def _encode_line(key: str, value: str) -> bytes:
    line = _encode_field(key, value)
    if len(line) > MAX_ACTION_LINE + len(b"\r\n"):
        raise Malformed(f"field {key!r} is longer than the {MAX_ACTION_LINE} octets that Asterisk takes")
    return line


def _encode_field(key: str, value: str) -> bytes:
    if not key or ":" in key:
        raise Malformed(f"field {key!r}: a key is not empty and holds no colon")
    if any(character in key or character in value for character in _FORBIDDEN):
        raise Malformed(f"field {key!r} holds CR, LF or NUL")
    try:
        return f"{key}: {value}\r\n".encode()
    except UnicodeEncodeError as error:
        raise Malformed(f"field {key!r} cannot be written as UTF-8") from error
