"""Reads delivery receipts of messages that we sent (SMPP 3.4 clause 5.2.12 and appendix B).

Nothing that is read here proves that a message is a receipt: anyone may write "id:7 stat:DELIVRD", and message centres
set the parameters and the bits of receipts on what people write. An id that is waited for is the proof
(`telephony.smpp.wire.sorting`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from telephony.alphabets.gsm0338 import AS_ASCII
from telephony.smpp.wire.constants import (
    ESM_TYPE_INTERMEDIATE,
    ESM_TYPE_MASK,
    ESM_TYPE_MC_RECEIPT,
    ESM_TYPE_SME_DELIVERY_ACK,
    ESM_TYPE_SME_USER_ACK,
    TAG_MESSAGE_STATE,
    TAG_NETWORK_ERROR_CODE,
    TAG_RECEIPTED_MESSAGE_ID,
)
from telephony.smpp.wire.pdus import Message
from telephony.smpp.wire.text import Text

ReceiptIdBase = Literal["raw", "hex-to-decimal", "decimal-to-hex"]

# The states as appendix B abbreviates them.
ENROUTE: Final = "ENROUTE"
DELIVRD: Final = "DELIVRD"
EXPIRED: Final = "EXPIRED"
DELETED: Final = "DELETED"
UNDELIV: Final = "UNDELIV"
ACCEPTD: Final = "ACCEPTD"
UNKNOWN: Final = "UNKNOWN"
REJECTD: Final = "REJECTD"
FAILED: Final = "FAILED"
"""Any other word: FAILED, BLOCKED and their like are how vendors say that a phone will not have it."""

FINAL_STATES: Final = frozenset({DELIVRD, EXPIRED, DELETED, UNDELIV, REJECTD, FAILED})
"""Final states: no other receipt follows. UNKNOWN is not one: the SMSC may learn more."""

_STATES: Final = (ENROUTE, DELIVRD, EXPIRED, DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD)
_STATE_OF_NUMBER: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: ENROUTE,
        **dict(enumerate(_STATES, start=1)),
        9: FAILED,
    }
)
"""message_state (SMPP 3.4 clause 5.2.28; 0 SCHEDULED and 9 SKIPPED: SMPP 5.0 clause 4.7.15)."""
_STATE_OF_BEGINNING: Final = (
    ("DELIV", DELIVRD),
    ("DLVRD", DELIVRD),
    ("UNDELIV", UNDELIV),
    ("EXPIR", EXPIRED),
    ("DELET", DELETED),
    ("REJEC", REJECTD),
    ("ACCEP", ACCEPTD),
    ("UNKNO", UNKNOWN),
    ("ENR", ENROUTE),
    ("BUFFE", ENROUTE),
    ("SCHED", ENROUTE),
    ("PENDI", ENROUTE),
    ("QUEUE", ENROUTE),
    ("RETRY", ENROUTE),
)
"""Letters by which a state is known however it is spelt: DELIVRD, DELIVERED, DELIVERED_TO_HANDSET."""

_RECEIPT_TYPES: Final = frozenset(
    {ESM_TYPE_MC_RECEIPT, ESM_TYPE_SME_DELIVERY_ACK, ESM_TYPE_SME_USER_ACK, ESM_TYPE_INTERMEDIATE}
)
"""Values of bits 5-2 of esm_class. Conversation Abort (0x18) has bits in common with them and is none of them."""
_TOLD_BY_CENTRE: Final = frozenset({ESM_TYPE_MC_RECEIPT, ESM_TYPE_INTERMEDIATE})
_ACKNOWLEDGED_BY_PHONE: Final = frozenset({ESM_TYPE_SME_DELIVERY_ACK, ESM_TYPE_SME_USER_ACK})

_LONGEST_RECEIPT_TEXT: Final = 1024
_LONGEST_NUMERIC_ID: Final = 64
_TELLING_ID: Final = 8
"""Digits from which an id is not by chance another one in another base."""
_NETWORK_ERROR_OCTETS: Final = 3
_MOST_STATE_OCTETS: Final = 4
"""Of message_state: one by the specification; some message centres write it as a wider integer."""
_FIELD: Final = re.compile(
    r"(?<![a-z])(?:(?P<id>(?:(?:msg|message)[ _-]?)?id)|(?P<stat>stat(?:e|us)?)|(?P<err>err(?:or)?)|(?P<sub>sub)"
    r"|(?P<dlvrd>dlvrd)|(?P<submitted>submit[ _]?date)|(?P<done>done[ _]?date))[\"']?\s{0,2}[:=]\s{0,2}",
    re.IGNORECASE,
)
"""A field of appendix B, also as vendors write it: ``id:7``, ``message id: 7``, ``"msgid":"7"``."""
_TELLING_FIELDS: Final = frozenset({"stat", "sub", "dlvrd", "submitted", "done"})
_FEWEST_FIELDS: Final = 2
_AROUND_VALUE: Final = " \t\r\n\"',;{}|"
_QUOTED_TEXT: Final = re.compile(r"(?<![a-z])text[\"']?\s{0,2}[:=]", re.IGNORECASE)
_PHRASE: Final = re.compile(
    r"(?:(?:your )?(?:message|sms|short message) (?:is |was |has been )?)?"
    r"(?:not |un)?(?:deliver(?:ed|able)|delivrd|deliv|buffered|enroute|accepte?d|expired|rejecte?d|failed|deleted)"
    r"(?: (?:to|by) (?:the )?(?:handset|phone|mobile|smsc|network|recipient|subscriber))?",
    re.IGNORECASE,
)
"""Words that message centres write in place of the fields. With anything beside them a person wrote it."""
_ERROR: Final = re.compile(r"[0-9a-z]+", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"[0-9]+")
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]+")
_NOT_LETTERS: Final = re.compile(r"[^A-Z]+")


class NetworkError(NamedTuple):
    """network_error_code (SMPP 3.4 clause 5.3.2.31): network 1 is ANSI-136, 2 IS-95, 3 GSM."""

    network: int
    code: int


class DeliveryReceipt(NamedTuple):
    """The fate of a message, as a receipt reports it.

    ``message_id`` is as the SMSC wrote it: compare it with that of submit_sm_resp through `id_forms`. ``state`` is
    one of the constants above. ``error`` is the vendor's code, or empty.
    """

    message_id: str
    state: str
    error: str
    network_error: NetworkError | None

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be heard of this message."""
        return self.state in FINAL_STATES


class Wording(StrEnum):
    """The kind of words in a message, apart from how it was marked."""

    NONE = "none"
    FORM = "form"
    """Fields as in appendix B: ``id:… stat:…``."""
    PHRASE = "phrase"
    """"Delivered to handset", and no more."""
    FREE = "free"
    """Words that a person may have written."""


class Signs(NamedTuple):
    """The parts of a message that may report on a text of ours.

    ``ids`` are what may be the id of that text, the likeliest first. ``state`` is empty where none is told; ``error``
    and ``network_error`` are as in `DeliveryReceipt`. ``has_parameters`` means receipted_message_id and message_state.
    """

    wording: Wording
    begins: bool
    """Whether the first field stands at the beginning: nothing is said before it."""
    ids: tuple[str, ...]
    state: str
    error: str
    network_error: NetworkError | None
    has_state_parameter: bool
    has_parameters: bool
    is_marked: bool
    """By esm_class, as any kind of receipt."""
    is_told_by_centre: bool
    """Marked as a receipt of the message centre, not of the phone."""

    def receipt(self, message_id: str | None) -> DeliveryReceipt | None:
        """Return the receipt of this message; ``None`` where it has no id or tells no state.

        An acknowledgement by the phone itself needs no state.
        """
        state = self.state or (DELIVRD if self.is_marked and not self.is_told_by_centre else "")
        if not message_id or not state:
            return None
        return DeliveryReceipt(message_id, state, self.error, self.network_error)


def read_signs(message: Message, text: Text) -> Signs:
    """Read what a message tells of a text of ours, ``text`` being its words as read. Never raises.

    The optional parameters count before the words; words that are quoted from the text itself do not count.
    """
    kind = message.esm_class & ESM_TYPE_MASK
    named = (message.tlv(TAG_RECEIPTED_MESSAGE_ID) or b"").decode("latin-1").strip("\0 ")
    state = message.tlv(TAG_MESSAGE_STATE)
    number = int.from_bytes(state[:_MOST_STATE_OCTETS]) if state else None
    plain, read = _plain(text.payload), _own_words(text.text or "")
    ids = [named] if named else []
    fields: Mapping[str, str] = {}
    begins = text.part is not None and text.part.number > 1
    for words in dict.fromkeys((plain, read, _plain(message.short_message))):
        found = _fields(words)
        begins = begins or _begins_with_a_field(words)
        for name, value in found:
            ids += _ids_in(value) if name == "id" else ()
        if len(found) > len(fields):
            fields = dict(reversed(found))
    is_form = len(fields) >= _FEWEST_FIELDS and not _TELLING_FIELDS.isdisjoint(fields)
    error = _ERROR.match(fields.get("err", ""))
    return Signs(
        Wording.FORM if is_form else _wording_of(text.payload, plain, read),
        begins,
        tuple(dict.fromkeys(ids)),
        _state(number, fields.get("stat", ""), is_intermediate=kind == ESM_TYPE_INTERMEDIATE),
        error[0] if error else "",
        _network_error(message),
        state is not None,
        bool(named) and state is not None,
        kind in _RECEIPT_TYPES,
        kind in _TOLD_BY_CENTRE,
    )


def normal_id(raw: str, base: ReceiptIdBase) -> str:
    """Return a message id in the form in which submit_sm_resp and receipts of this carrier agree.

    Case and leading zeros never count, nor whether a sign was read as ASCII or as GSM 03.38 (``_`` is ``§``). Apply
    ``"raw"`` to the ids of submit_sm_resp and the carrier's base to those of receipts. An id that is no number of the
    base stays as it is.
    """
    text = raw.translate(AS_ASCII).strip("\0 ").lower()
    if len(text) <= _LONGEST_NUMERIC_ID:
        if base == "hex-to-decimal" and _HEXADECIMAL.fullmatch(text):
            return str(int(text, 16))
        if base == "decimal-to-hex" and _DECIMAL.fullmatch(text):
            return f"{int(text):x}"
    return text.lstrip("0") or text[-1:]


def id_forms(raw: str, base: ReceiptIdBase) -> tuple[str, ...]:
    """Return the forms by which an id is looked for: that of `normal_id` first, and a long one in the other bases."""
    first = normal_id(raw, base)
    if len(first) < _TELLING_ID:
        return (first,)
    return tuple(
        dict.fromkeys(
            (first, *(normal_id(raw, each) for each in ("raw", "hex-to-decimal", "decimal-to-hex")))
        )
    )


def _plain(octets: bytes) -> str:
    """Read words whatever they are labelled as: that is often the coding of the text that they are about."""
    octets = octets[:_LONGEST_RECEIPT_TEXT]
    return _own_words(octets.decode(_plain_coding(octets), "replace"))


def _plain_coding(octets: bytes) -> str:
    if octets[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return "utf-16"
    if octets[:1] == b"\0":
        return "utf-16-be"
    return "utf-16-le" if octets[1:2] == b"\0" else "latin-1"


def _own_words(words: str) -> str:
    """Leave out what is quoted from the text itself, which may say anything."""
    return _QUOTED_TEXT.split(words[:_LONGEST_RECEIPT_TEXT], maxsplit=1)[0].replace("\0", " ")


def _begins_with_a_field(words: str) -> bool:
    """Whether nothing is said before the first field: brackets and blanks say nothing."""
    first = _FIELD.search(words)
    return first is not None and not any(sign.isalnum() for sign in words[: first.start()])


def _fields(words: str) -> list[tuple[str, str]]:
    """Return the name of each field, and what stands between it and the next."""
    found = list(_FIELD.finditer(words))
    ends = [*(each.start() for each in found[1:]), len(words)]
    return [
        (str(each.lastgroup), words[each.end() : end].strip(_AROUND_VALUE))
        for each, end in zip(found, ends, strict=False)
    ]


def _ids_in(value: str) -> list[str]:
    """Return the whole value, and its first word where more follows."""
    return [value, value.split(maxsplit=1)[0].strip(_AROUND_VALUE)] if value else []


def _wording_of(octets: bytes, *readings: str) -> Wording:
    if not octets.strip(b"\0 \r\n"):
        return Wording.NONE
    said = (words.strip(_AROUND_VALUE + ".!") for words in readings)
    return Wording.PHRASE if any(_PHRASE.fullmatch(words) for words in said) else Wording.FREE


def _state(number: int | None, word: str, *, is_intermediate: bool) -> str:
    if number is None and word.isascii() and word.isdigit():
        number = int(word[:3])
        word = ""
    if number is not None and number in _STATE_OF_NUMBER:
        return _STATE_OF_NUMBER[number]
    letters = _NOT_LETTERS.sub("", word.upper())
    if not letters:
        return "" if number is None else UNKNOWN
    otherwise = UNKNOWN if is_intermediate else FAILED
    return next(
        (state for beginning, state in _STATE_OF_BEGINNING if letters.startswith(beginning)), otherwise
    )


def _network_error(message: Message) -> NetworkError | None:
    value = message.tlv(TAG_NETWORK_ERROR_CODE)
    if value is None or len(value) != _NETWORK_ERROR_OCTETS:
        return None
    return NetworkError(value[0], int.from_bytes(value[1:]))
