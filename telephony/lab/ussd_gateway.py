"""A carrier's USSD gateway, simulated in each of the ways that real ones are known to differ.

It writes what a dialled code becomes on the wire, and judges what comes back as that gateway would: a text with
another operation or session than it waits for is not shown, and a text without a session would be a message that
makes the phone sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from telephony.lab.mobile_originated import Content, encode_mo
from telephony.smpp.constants import (
    ESM_TYPE_CONVERSATION_ABORT,
    TAG_ITS_SESSION_INFO,
    TAG_USER_MESSAGE_REFERENCE,
    TAG_USSD_SERVICE_OP,
)
from telephony.smpp.pdus import Message, Tlv
from telephony.smpp.text import read_text

PSSR_INDICATION: Final = 0x01
USSR_CONFIRM: Final = 0x12
RELEASE: Final = 0x81
END: Final = 0x0001
_NUMBER_OF_SERVICE: Final = "8112"
"""Where a gateway that writes the code into the text sends its messages."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of gateway: how it writes a message, and the operation by which it lets us end a session."""

    service_type: str = "USSD"
    has_operation: bool = True
    session_tag: int | None = TAG_ITS_SESSION_INFO
    code_in_text: bool = True
    destination: str | None = _NUMBER_OF_SERVICE
    """``None``: the dialled code."""
    data_coding: int = 0x00
    end: int | None = 0x11


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "generic": Kind(),
        "korits": Kind(service_type="", has_operation=False, end=None),
        "tata": Kind(code_in_text=False, destination=None, end=0x02),
        "sixdee": Kind(),
        "mica": Kind(service_type="", session_tag=TAG_USER_MESSAGE_REFERENCE, destination=""),
        "service-op": Kind(service_type="P2", session_tag=None, data_coding=0x0F),
        "huawei": Kind(session_tag=None, data_coding=0x0F),
        "nowsms": Kind(has_operation=False, session_tag=None, code_in_text=False, destination=None, end=None),
    }
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A text on a phone. ``octets`` and ``data_coding`` are as they came."""

    number: str = field(repr=False)
    text: str
    octets: int
    data_coding: int
    ends_session: bool


@dataclass(slots=True)
class _Session:
    kind: str
    number: int
    code: str


class UssdGateway:
    """Sessions of phones. ``shown`` is what phones have shown; ``strays`` what reached a gateway without a session."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.strays: list[Message] = []
        self._open: dict[str, _Session] = {}
        self._next = 0

    def dial(self, source: str, code: str, kind: str = "generic") -> bytes:
        """Give the deliver_sm of a phone that dials a code, and open its session."""
        self._next += 1
        session = self._open[source] = _Session(kind, self._next, code)
        return self._message(source, session, PSSR_INDICATION, code)

    def type(self, source: str, words: str) -> bytes:
        """Give the deliver_sm of words that are typed within the session of a phone."""
        return self._message(source, self._open[source], USSR_CONFIRM, words)

    def abort(self, source: str) -> bytes:
        """Give the deliver_sm that tells of a session ended by the phone or the network."""
        return self._message(source, self._open.pop(source), RELEASE, "")

    def take(self, message: Message) -> None:
        """Take what an ESME submits: show it, or keep it as a stray."""
        session = self._open.get(message.destination)
        looks_like_ussd = (
            message.tlv(TAG_USSD_SERVICE_OP) is not None
            or message.tlv(TAG_ITS_SESSION_INFO) is not None
            or bool(message.service_type)
        )
        if not looks_like_ussd:
            return
        if session is None or not _belongs(message, session):
            self.strays.append(message)
            return
        ends = _ends(message, session)
        if ends:
            del self._open[message.destination]
        self.shown.append(
            Shown(
                message.destination, _text_of(message), len(message.short_message), message.data_coding, ends
            )
        )

    def _message(self, source: str, session: _Session, operation: int, text: str) -> bytes:
        kind = KINDS[session.kind]
        is_dialled = operation == PSSR_INDICATION
        tlvs = [Tlv(TAG_USSD_SERVICE_OP, bytes([operation]))] if kind.has_operation else []
        if kind.session_tag is not None:
            tlvs.append(Tlv(kind.session_tag, _session_value(session, is_over=operation == RELEASE)))
        octets = text.encode("latin-1") if kind.code_in_text or not is_dialled else b""
        is_abort_by_class = operation == RELEASE and not kind.has_operation
        return encode_mo(
            source,
            session.code if kind.destination is None else kind.destination,
            Content(octets, kind.data_coding, ESM_TYPE_CONVERSATION_ABORT if is_abort_by_class else 0),
            service_type=kind.service_type,
            tlvs=tlvs,
        )


def _session_value(session: _Session, *, is_over: bool) -> bytes:
    if KINDS[session.kind].session_tag == TAG_USER_MESSAGE_REFERENCE:
        return session.number.to_bytes(2)
    if session.kind == "korits":
        return bytes([session.number & 0xFF, END if is_over else 0])
    return (session.number << 1 & 0xFFFE | (END if is_over else 0)).to_bytes(2)


def _belongs(message: Message, session: _Session) -> bool:
    """Claim that a text names the session that is open, in the way of this gateway."""
    kind = KINDS[session.kind]
    if message.service_type != kind.service_type:
        return False
    if kind.session_tag is None:
        return True
    value = message.uint_tlv(kind.session_tag)
    expected = int.from_bytes(_session_value(session, is_over=False))
    return value is not None and (
        value == expected if kind.session_tag == TAG_USER_MESSAGE_REFERENCE else value & ~END == expected
    )


def _ends(message: Message, session: _Session) -> bool:
    kind = KINDS[session.kind]
    if message.uint_tlv(TAG_USSD_SERVICE_OP) != kind.end:
        return False
    if kind.session_tag == TAG_ITS_SESSION_INFO:
        return bool((message.uint_tlv(TAG_ITS_SESSION_INFO) or 0) & END)
    return True


def _text_of(message: Message) -> str:
    read = read_text(
        message.data_coding, message.esm_class, message.short_message, default_alphabet="gsm0338", sar=None
    )
    return read.text or ""
