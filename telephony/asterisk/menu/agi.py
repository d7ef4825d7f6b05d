"""FastAGI on the wire: octets to a request and to replies, commands to octets. Pure: no socket, clock or log.

Asterisk connects, says ``agi_…: value`` lines about the call up to an empty line, and then obeys one command a line,
with one reply to each. The source is Asterisk's ``res/res_agi.c`` (16 to 22).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from telephony.domain.errors import Malformed

MAX_LINE: Final = 4_096
"""Octets of a line that we take. The longest that we ask for is the path of a folder."""
MAX_HEADERS: Final = 64
"""Lines of a request that we take. Asterisk sends 21 and one for each argument."""
MAX_USAGE: Final = 200
"""Lines of the text with which Asterisk explains a command that it did not understand."""

MAX_COMMAND: Final = 2_000
"""Octets of a command. What goes beyond Asterisk's buffer (2,048, later 8,192) it reads as another command."""

DIGITS: Final = "0123456789*#ABCD"

_FORBIDDEN: Final = ("\r", "\n", "\0")
_VERB: Final = re.compile(r"[A-Z]+( [A-Z]+)*")
_NUMBER: Final = re.compile(r"[+*#0-9]{1,32}", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"([a-z0-9][a-z0-9-]{0,31})-[0-9]{10}\.[0-9]{1,10}", re.ASCII)
"""``<systemname>-<Unix time>.<counter>``; the system name is that of ``[[asterisk]]`` in our settings."""
_SUCCESS: Final = re.compile(
    r"200 result=(?P<result>-?[0-9]{1,9})?(?: \([^)]*\))?(?: endpos=(?P<endpos>[0-9]{1,18}))?", re.ASCII
)
_OTHER: Final = re.compile(r"(?P<code>[15][0-9]{2})(?P<more>[ -]).*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Request:
    """The variables that Asterisk sends about a call before the first command.

    ``caller`` and ``dialled`` are what can be dialled, at most 32 digits, and otherwise empty. ``arguments`` are those
    of AGI() in the dialplan.
    """

    script: str
    server: str
    unique_id: str
    caller: str = field(repr=False)
    dialled: str = field(repr=False)
    arguments: tuple[str, ...] = field(repr=False)

    @property
    def reference(self) -> str:
        """The call's name among all calls of all our Asterisk servers."""
        return f"{self.server}/{self.unique_id}"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command.

    ``code`` is 200 for a command that was carried out, whatever came of it; 510 unknown, 511 not on a dead channel,
    520 wrong usage. ``result`` is None where Asterisk names none. ``endpos`` is how far a prompt was played, in
    samples.
    """

    code: int
    result: int | None = None
    endpos: int | None = None


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call is over; Asterisk says so unasked."""


Message = Request | Reply | HangUp


class AgiStream:
    r"""Cuts what Asterisk sends into its request and, after that, replies.

    However the stream is cut on its way, the messages are the same. Octets that are no UTF-8 become ``\xNN``. What
    breaks a bound or the grammar sets ``broken``, and nothing more is read: the caller closes the connection.
    """

    def __init__(self) -> None:
        self.broken: Malformed | None = None
        self._held = bytearray()
        """The beginning of a line."""
        self._headers: dict[str, str] | None = {}
        """Of the request; None after it."""
        self._usage = 0
        """Lines of an explanation so far."""

    def feed(self, octets: bytes) -> list[Message]:
        """Take octets as they came; give the messages they complete, in order. Never raises."""
        messages: list[Message] = []
        if self.broken is not None:
            return messages
        *lines, rest = (bytes(self._held) + octets).split(b"\n")
        self._held[:] = rest
        try:
            for line in lines:
                message = self._read(line)
                if message is not None:
                    messages.append(message)
            _bound(rest)
        except Malformed as error:
            self.broken = error
            self._held.clear()
        return messages

    def _read(self, line: bytes) -> Message | None:
        _bound(line)
        text = line.decode("utf-8", "backslashreplace").removesuffix("\r")
        if self._headers is None:
            return self._read_reply(text)
        if text:
            self._add(text)
            return None
        headers, self._headers = self._headers, None
        return read_request(headers)

    def _add(self, text: str) -> None:
        assert self._headers is not None
        key, colon, value = text.partition(":")
        if not colon or not key.startswith("agi_"):
            raise Malformed("a line of the request is no agi_ variable")
        if key in self._headers:
            # A caller's name with a line end in it could otherwise say a second number.
            raise Malformed("a variable of the request comes twice")
        if len(self._headers) == MAX_HEADERS:
            raise Malformed(f"a request of more than {MAX_HEADERS} lines")
        self._headers[key] = value.removeprefix(" ")

    def _read_reply(self, text: str) -> Message | None:
        if text == "HANGUP":
            return HangUp()
        success = _SUCCESS.fullmatch(text)
        if success is not None and not self._usage:
            return Reply(200, _number(success["result"]), _number(success["endpos"]))
        other = _OTHER.fullmatch(text)
        if other is not None and other["more"] == " ":
            self._usage = 0
            code = int(other["code"])
            return None if code < 200 else Reply(code)  # noqa: PLR2004 - 1xx: it has begun, the reply is to come
        if other is None and not self._usage:
            raise Malformed("a line that is no reply")
        self._usage += 1  # "520-Invalid command syntax", then the usage, then "520 End of proper usage."
        if self._usage > MAX_USAGE:
            raise Malformed("an explanation without an end")
        return None


def read_request(headers: Mapping[str, str]) -> Request:
    """Read the variables of a request. Raises `Malformed` without repeating anything that they say."""
    unique_id = headers.get("agi_uniqueid", "")
    named = _UNIQUE_ID.fullmatch(unique_id)
    if named is None:
        raise Malformed("the call's unique id does not begin with a systemname as in asterisk.conf")
    arguments: list[str] = []
    while (argument := headers.get(f"agi_arg_{len(arguments) + 1}")) is not None:
        arguments.append(argument)
    return Request(
        script=headers.get("agi_network_script", ""),
        server=named[1],
        unique_id=unique_id,
        caller=_given(headers.get("agi_callerid", "")),
        dialled=_given(headers.get("agi_dnid", "")),
        arguments=tuple(arguments),
    )


def encode_command(verb: str, *arguments: str) -> bytes:
    """Write a command, each of its arguments in quotes.

    Raises `Malformed` for what would become another command: a line end or NUL in an argument, too long a line, a
    verb that is none.
    """
    if _VERB.fullmatch(verb) is None:
        raise Malformed("a verb of AGI is made of capital letters")
    if any(character in argument for argument in arguments for character in _FORBIDDEN):
        raise Malformed(f"an argument of {verb} holds CR, LF or NUL")
    try:
        line = " ".join([verb, *map(_quoted, arguments)]).encode() + b"\n"
    except UnicodeEncodeError as error:
        raise Malformed(f"an argument of {verb} cannot be written as UTF-8") from error
    if len(line) > MAX_COMMAND:
        raise Malformed(f"{verb} is longer than {MAX_COMMAND} octets")
    return line


def digit_of(result: int | None) -> str:
    """Return the digit whose ASCII code is a result; empty for 0, no digit. Raises `Malformed` for any other."""
    if result == 0:
        return ""
    if result is None or not 0 < result < 128 or chr(result) not in DIGITS:  # noqa: PLR2004 - ASCII
        raise Malformed("a result that is no digit")
    return chr(result)


def _quoted(argument: str) -> str:
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bound(line: bytes) -> None:
    if len(line) > MAX_LINE:
        raise Malformed(f"a line is longer than {MAX_LINE} octets")


def _given(number: str) -> str:
    """Return a number, or nothing: Asterisk writes "unknown" for none, and names are no numbers."""
    return number if _NUMBER.fullmatch(number) else ""


def _number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)
