"""Delivery receipts: what became of a message that we sent (SMPP 3.4 clause 5.2.12 and appendix B)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from telephony.smpp.constants import (
    ESM_TYPE_INTERMEDIATE,
    ESM_TYPE_MASK,
    ESM_TYPE_MC_RECEIPT,
    ESM_TYPE_SME_DELIVERY_ACK,
    ESM_TYPE_SME_USER_ACK,
    TAG_MESSAGE_STATE,
    TAG_NETWORK_ERROR_CODE,
    TAG_RECEIPTED_MESSAGE_ID,
)
from telephony.smpp.pdus import Message

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

FINAL_STATES: Final = frozenset({DELIVRD, EXPIRED, DELETED, UNDELIV, REJECTD})
"""No other receipt follows. UNKNOWN is not one: the SMSC may learn more."""

_STATES: Final = (ENROUTE, DELIVRD, EXPIRED, DELETED, UNDELIV, ACCEPTD, UNKNOWN, REJECTD)
_STATE_OF_NUMBER: Final[Mapping[int, str]] = MappingProxyType(dict(enumerate(_STATES, start=1)))
"""message_state (SMPP 3.4 clause 5.2.28)."""
_STATE_OF_WORD: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{state: state for state in _STATES},
        "DELIVERED": DELIVRD,
        "UNDELIVERABLE": UNDELIV,
        "ACCEPTED": ACCEPTD,
        "REJECTED": REJECTD,
    }
)

_RECEIPT_TYPES: Final = frozenset(
    {ESM_TYPE_MC_RECEIPT, ESM_TYPE_SME_DELIVERY_ACK, ESM_TYPE_SME_USER_ACK, ESM_TYPE_INTERMEDIATE}
)
"""Values of bits 5-2 of esm_class. Conversation Abort (0x18) has bits in common with them and is none of them."""
_ACKNOWLEDGED_BY_PHONE: Final = frozenset({ESM_TYPE_SME_DELIVERY_ACK, ESM_TYPE_SME_USER_ACK})

_LONGEST_RECEIPT_TEXT: Final = 1024
_LONGEST_NUMERIC_ID: Final = 64
_NETWORK_ERROR_OCTETS: Final = 3
_ID: Final = re.compile(r"(?:^|\s)id: ?([^\s:]+)(?=\s|$)", re.IGNORECASE)
_STATE: Final = re.compile(r"(?:^|\s)stat: ?([a-z]+)", re.IGNORECASE)
_ERROR: Final = re.compile(r"(?:^|\s)err: ?([0-9a-z]+)(?=\s|$)", re.IGNORECASE)
_QUOTED_TEXT: Final = re.compile(r"\stext:", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"[0-9]+")
_HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]+")


class NetworkError(NamedTuple):
    """network_error_code (SMPP 3.4 clause 5.3.2.31): network 1 is ANSI-136, 2 IS-95, 3 GSM."""

    network: int
    code: int


class DeliveryReceipt(NamedTuple):
    """What became of a message.

    ``message_id`` is as the SMSC wrote it: compare it with that of submit_sm_resp through `normal_id`. ``state`` is
    one of the constants above; a state this module does not know is ``UNKNOWN``. ``error`` is the vendor's code, or
    empty.
    """

    message_id: str
    state: str
    error: str
    network_error: NetworkError | None

    @property
    def is_final(self) -> bool:
        """Claim that nothing more will be heard of this message."""
        return self.state in FINAL_STATES


def parse_receipt(message: Message) -> DeliveryReceipt | None:
    """Read a receipt; ``None`` where there is none, however the message is marked. Never raises.

    A message without both an id and a state may be what a person wrote: the caller takes it for a message. The
    optional parameters count first, then the text. An acknowledgement by the phone itself needs no state.
    """
    message_type = message.esm_class & ESM_TYPE_MASK
    if message_type not in _RECEIPT_TYPES:
        return None
    words = _words(message.short_message)
    message_id = (message.tlv(TAG_RECEIPTED_MESSAGE_ID) or b"").decode("latin-1").strip("\0 ") or _find(
        _ID, words
    )
    state = _state(message, words)
    if not state and message_type in _ACKNOWLEDGED_BY_PHONE:
        state = DELIVRD
    if not message_id or not state:
        return None
    return DeliveryReceipt(message_id, state, _find(_ERROR, words), _network_error(message))


def normal_id(raw: str, base: ReceiptIdBase) -> str:
    """Give a message id in the form in which submit_sm_resp and receipts of this carrier agree.

    Case and leading zeros never count. Apply ``"raw"`` to the ids of submit_sm_resp and the carrier's base to those
    of receipts. An id that is no number of the base stays as it is.
    """
    text = raw.strip("\0 ").lower()
    if len(text) <= _LONGEST_NUMERIC_ID:
        if base == "hex-to-decimal" and _HEXADECIMAL.fullmatch(text):
            return str(int(text, 16))
        if base == "decimal-to-hex" and _DECIMAL.fullmatch(text):
            return f"{int(text):x}"
    return text.lstrip("0") or text[-1:]


def _words(octets: bytes) -> str:
    """Give the text of a receipt up to the words quoted from the message itself, which may say anything."""
    octets = octets[:_LONGEST_RECEIPT_TEXT]
    # Some SMSCs send their receipts as UCS2 when the message was: every other octet is NUL then.
    text = octets.decode("utf-16-be", "replace") if octets[:1] == b"\0" else octets.decode("latin-1")
    return _QUOTED_TEXT.split(text, maxsplit=1)[0].replace("\0", " ")


def _find(pattern: re.Pattern[str], words: str) -> str:
    found = pattern.search(words)
    return found[1] if found else ""


def _state(message: Message, words: str) -> str:
    number = message.uint_tlv(TAG_MESSAGE_STATE)
    if number is not None and number in _STATE_OF_NUMBER:
        return _STATE_OF_NUMBER[number]
    word = _find(_STATE, words)
    if word:
        return _STATE_OF_WORD.get(word.upper(), UNKNOWN)
    return "" if number is None else UNKNOWN


def _network_error(message: Message) -> NetworkError | None:
    value = message.tlv(TAG_NETWORK_ERROR_CODE)
    if value is None or len(value) != _NETWORK_ERROR_OCTETS:
        return None
    return NetworkError(value[0], int.from_bytes(value[1:]))
