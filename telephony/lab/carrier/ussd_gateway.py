"""Simulates a carrier's USSD gateway in each of the ways that real ones are known to differ.

It writes the messages that a dialled code becomes, and judges the answers as that gateway would: a text with
another operation or session than it waits for is not shown, and a text without a session would be a message that
makes the phone sound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from twisted.internet.defer import Deferred

from telephony.lab.carrier.mobile_originated import Content, encode_mo
from telephony.smpp.wire.constants import (
    DATA_CODING_UCS2,
    ESM_TYPE_CONVERSATION_ABORT,
    TAG_ITS_SESSION_INFO,
    TAG_USER_MESSAGE_REFERENCE,
    TAG_USSD_SERVICE_OP,
)
from telephony.smpp.wire.pdus import Message, Tlv
from telephony.smpp.wire.text import read_text
from telephony.smpp.wire.ussd import CBS_GSM, CBS_UCS2

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
    ask: int | None = 0x02
    """The operation of a text that it shows and lets be answered; ``None``: the end bit alone tells."""
    counts_units: bool = False
    """A text must count its unit in its_session_info; an answer repeats the count of what it answers."""


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "generic": Kind(),
        "korits": Kind(service_type="", has_operation=False, end=None, ask=None, counts_units=True),
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
    may_be_answered: bool = False


@dataclass(slots=True)
class _Session:
    kind: str
    number: int
    code: str
    unit: int = 0
    """The count of the last text, in steps of 2."""


class UssdGateway:
    """Sessions of phones. ``shown`` is what phones have shown; ``strays`` what reached a gateway without a session."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.strays: list[Message] = []
        self._open: dict[str, _Session] = {}
        self._next = 0

    def dial(self, source: str, code: str, kind: str = "generic", *, bare: bool = False) -> bytes:
        """Return the deliver_sm of a phone that dials a code, and open its session; ``bare``: without parameters."""
        self._next += 1
        session = self._open[source] = _Session(kind, self._next, code)
        return self._message(source, session, PSSR_INDICATION, code, bare=bare)

    def type(self, source: str, words: str, *, bare: bool = False) -> bytes:
        """Return the deliver_sm of words that are typed within the session of a phone."""
        return self._message(source, self._open[source], USSR_CONFIRM, words, bare=bare)

    def drop(self, source: str) -> None:
        """Forget a session silently, as a gateway does that has waited too long: texts for it become strays."""
        self._open.pop(source, None)

    def has_session(self, source: str) -> bool:
        """Whether a phone is in a session."""
        return source in self._open

    def abort(self, source: str) -> bytes:
        """Return the deliver_sm that tells of a session ended by the phone or the network."""
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
        ends, asks = _ends(message, session), _asks(message, session)
        if ends:
            del self._open[message.destination]
        elif asks:
            session.unit = (message.uint_tlv(TAG_ITS_SESSION_INFO) or 0) & 0xFE
        self.shown.append(
            Shown(
                message.destination,
                _text_of(message),
                len(message.short_message),
                message.data_coding,
                ends,
                asks,
            )
        )

    def _message(
        self, source: str, session: _Session, operation: int, text: str, *, bare: bool = False
    ) -> bytes:
        kind = KINDS[session.kind]
        is_dialled = operation == PSSR_INDICATION
        tlvs = [Tlv(TAG_USSD_SERVICE_OP, bytes([operation]))] if kind.has_operation else []
        if kind.session_tag is not None:
            tlvs.append(Tlv(kind.session_tag, _session_value(session, is_over=operation == RELEASE)))
        octets, data_coding = (
            _octets_of(text, kind) if kind.code_in_text or not is_dialled else (b"", kind.data_coding)
        )
        is_abort_by_class = operation == RELEASE and not kind.has_operation
        return encode_mo(
            source,
            session.code if kind.destination is None else kind.destination,
            Content(octets, data_coding, ESM_TYPE_CONVERSATION_ABORT if is_abort_by_class else 0),
            service_type=kind.service_type,
            tlvs=[] if bare else tlvs,
        )


class UssdPhone:
    """A phone on such a gateway: it dials, reads its screen and answers.

    ``send`` puts requests on the wire and fires with the status of their answers: `LabSmsc.send_pdus`.
    """

    def __init__(
        self,
        gateway: UssdGateway,
        send: Callable[[Sequence[bytes]], Deferred[int]],
        number: str,
        kind: str = "generic",
    ) -> None:
        self.number = number
        self._gateway = gateway
        self._send = send
        self._kind = kind
        self._read = 0
        self._last = b""

    @property
    def screen(self) -> Shown | None:
        """The page that has come since the phone last sent; ``None`` while it waits."""
        mine = self._shown
        return mine[-1] if len(mine) > self._read else None

    @property
    def pages(self) -> list[str]:
        """Every text that the phone has shown, in order."""
        return [each.text for each in self._shown]

    def dial(self, code: str, *, bare: bool = False) -> Deferred[int]:
        """Dial a code; ``bare``: the gateway leaves out every optional parameter."""
        return self._go(self._gateway.dial(self.number, code, self._kind, bare=bare))

    def answer(self, words: str, *, bare: bool = False) -> Deferred[int]:
        """Answer the page."""
        return self._go(self._gateway.type(self.number, words, bare=bare))

    def repeat(self) -> Deferred[int]:
        """Let the gateway deliver the last message once more, as if its acknowledgement had been lost."""
        return self._send([self._last])

    def hang_up(self) -> Deferred[int]:
        """End the session; the gateway tells of it."""
        return self._go(self._gateway.abort(self.number))

    def lose_session(self) -> None:
        """Let the gateway give up waiting, silently."""
        self._gateway.drop(self.number)

    @property
    def _shown(self) -> list[Shown]:
        return [each for each in self._gateway.shown if each.number == self.number]

    def _go(self, pdu: bytes) -> Deferred[int]:
        self._read, self._last = len(self._shown), pdu
        return self._send([pdu])


def _octets_of(text: str, kind: Kind) -> tuple[bytes, int]:
    """Write what was typed: in the alphabet of the gateway, or in UCS-2 by its name for that."""
    if text.isascii():
        return text.encode("ascii"), kind.data_coding
    return text.encode("utf-16-be"), CBS_UCS2 if kind.data_coding == CBS_GSM else DATA_CODING_UCS2


def _session_value(session: _Session, *, is_over: bool) -> bytes:
    if KINDS[session.kind].session_tag == TAG_USER_MESSAGE_REFERENCE:
        return session.number.to_bytes(2)
    if session.kind == "korits":
        return bytes([session.number & 0xFF, session.unit | (END if is_over else 0)])
    return (session.number << 1 & 0xFFFE | (END if is_over else 0)).to_bytes(2)


def _belongs(message: Message, session: _Session) -> bool:
    """Whether a text names the session that is open, in the way of this gateway."""
    kind = KINDS[session.kind]
    if message.service_type != kind.service_type:
        return False
    if kind.session_tag is None:
        return True
    value = message.uint_tlv(kind.session_tag)
    if kind.counts_units:
        return value is not None and value >> 8 == session.number & 0xFF
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


def _asks(message: Message, session: _Session) -> bool:
    """Whether a text waits for an answer, in the way of this gateway."""
    kind = KINDS[session.kind]
    if kind.ask is not None and message.uint_tlv(TAG_USSD_SERVICE_OP) != kind.ask:
        return False
    if kind.session_tag != TAG_ITS_SESSION_INFO:
        return True
    info = message.uint_tlv(TAG_ITS_SESSION_INFO) or 0
    is_next = not kind.counts_units or info & 0xFE == (session.unit + 2) & 0xFE
    return is_next and not info & END


def _text_of(message: Message) -> str:
    read = read_text(
        message.data_coding, message.esm_class, message.short_message, default_alphabet="gsm0338", sar=None
    )
    return read.text or ""
