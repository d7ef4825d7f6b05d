"""Reads and writes USSD over SMPP: a message into a `UssdMessage` or a press, a `UssdReply` into a request.

What a dialogue means is not known here: `telephony.domain.ussd.UssdRules` are handed in. Pure, and total for
whatever a message holds.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import blake2b
from typing import Final

from telephony.alphabets import gsm0338
from telephony.domain.errors import Malformed
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import PARTLY_UNREADABLE_TEXT, UNREADABLE_TEXT, Repetition, Trigger
from telephony.domain.ussd import UssdMessage, UssdPress, UssdReply
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.building import build
from telephony.smpp.wire.constants import (
    DATA_CODING_DEFAULT,
    DATA_CODING_UCS2,
    ESM_TYPE_CONVERSATION_ABORT,
    ESM_TYPE_MASK,
    TAG_ITS_SESSION_INFO,
    TAG_USER_MESSAGE_REFERENCE,
    TAG_USSD_SERVICE_OP,
)
from telephony.smpp.wire.inbound import Way, sender_of
from telephony.smpp.wire.pdus import Message, Tlv
from telephony.smpp.wire.text import Text

SOURCE: Final = "ussd"

CBS_GSM: Final = 0x0F
"""Cell broadcast data coding scheme: GSM 7 bit, language not given (3GPP TS 23.038 clause 5)."""
CBS_UCS2: Final = 0x48
_CBS_GROUPS: Final = (0x1, 0x4, 0x5, 0x6, 0x7, 0x9)

PAGE_SEPTETS: Final = 182
PAGE_OCTETS: Final = 160
"""A page that a phone shows at once: 160 octets, that is 182 septets (3GPP TS 23.090, TS 23.038 clause 6.1.2.3.1)."""

_DIALLED: Final = re.compile("[0-9*#+]+")
_MOST_OPERATION_OCTETS: Final = 4
"""Of ussd_service_op: one by the specification; some gateways write it as a wider integer, and get it back so."""
_TAGS: Final = frozenset({TAG_USSD_SERVICE_OP, TAG_ITS_SESSION_INFO})
_DIGEST_OCTETS: Final = 12
_UNREADABLE: Final = frozenset({UNREADABLE_TEXT, PARTLY_UNREADABLE_TEXT})


def may_be_ussd(message: Message) -> bool:
    """Whether the message bears any of the signs that rules go by; most short messages bear none."""
    return bool(
        message.service_type
        or message.destination[:1] in ("*", "#")
        or (message.tlvs and any(tlv.tag in _TAGS for tlv in message.tlvs))
    )


def ussd_message_of(message: Message, text: Text) -> UssdMessage:
    """Return what the rules look at. Parameters are taken at the length they have: they go back so."""
    operation = _operation_of(message)
    return UssdMessage(
        message.source,
        message.destination.strip(),
        None if text.text is None else _without_nuls(text.text),
        int.from_bytes(operation) if operation else None,
        message.tlv(TAG_ITS_SESSION_INFO),
        message.tlv(TAG_USER_MESSAGE_REFERENCE),
        message.service_type,
        message.esm_class & ESM_TYPE_MASK == ESM_TYPE_CONVERSATION_ABORT,
        not _UNREADABLE.isdisjoint(text.remarks),
        tuple((tlv.tag, tlv.value) for tlv in message.tlvs),
    )


def _operation_of(message: Message) -> bytes:
    """Return ussd_service_op as it came; empty where none did, or none that is an integer."""
    operation = message.tlv(TAG_USSD_SERVICE_OP) or b""
    return operation if len(operation) <= _MOST_OPERATION_OCTETS else b""


def _without_nuls(text: str) -> str:
    """Strip the NULs that a gateway counts as part of a string; in GSM 7 bit a NUL is @, which no phone dials."""
    text = text.strip("\0")
    dialled = text.rstrip("@\0 \r\n")
    return dialled if _DIALLED.fullmatch(dialled) else text


def ussd_trigger_of(
    message: Message,
    text: Text,
    raw_body: bytes,
    press: UssdPress,
    *,
    way: Way,
    recognition: Recognition,
    received_at: datetime,
) -> Trigger:
    """Return the press that a USSD message is. Its destination is the code, its text what was dialled or typed beyond it."""
    return Trigger(
        SOURCE,
        way.name,
        way.carrier,
        sender_of(message, recognition),
        ussd_reference_of(message, press, way.carrier),
        received_at,
        press.code,
        press.text,
        None if press.text is None else text.encoding,
        raw_body,
        test=recognition.is_test(press.code, press.text),
        labels=(*press.labels, *text.remarks),
        repetition=Repetition.UNKNOWN,
    )


def ussd_reference_of(message: Message, press: UssdPress, carrier: str) -> str:
    """Return the same 24 hexadecimal digits whenever the same is dialled or typed again within one dialogue."""
    key = f"{carrier}\0{SOURCE}\0{message.source}\0{press.code}\0{press.session}\0"
    return blake2b(key.encode() + message.short_message, digest_size=_DIGEST_OCTETS).hexdigest()


def reply_pdu(command: str, asked: Message, press: UssdPress, reply: UssdReply, dialect: Dialect) -> bytes:
    """Make the request that shows a text and ends the dialogue; its sequence number is still to be set.

    Its parameters go also to a peer that has not told its version: it has sent us such itself. Raises `Malformed`
    for a text or an address that cannot be sent.
    """
    uses_cbs = reply.uses_cbs_codings
    if uses_cbs is None:
        uses_cbs = asked.data_coding == CBS_GSM or asked.data_coding >> 4 in _CBS_GROUPS
    octets, data_coding = page(reply.text, uses_cbs=uses_cbs, default_alphabet=dialect.default_alphabet)
    operation = reply.operation
    width = len(_operation_of(asked)) or 1
    parameters = (
        (TAG_USSD_SERVICE_OP, None if operation is None else operation.to_bytes(width)),
        (TAG_ITS_SESSION_INFO, reply.session_info),
        (TAG_USER_MESSAGE_REFERENCE, reply.message_reference),
        *reply.vendor_tlvs,
    )
    tlvs = [Tlv(tag, value) for tag, value in parameters if value is not None]
    return build(
        command,
        0,
        tlvs=tlvs,
        service_type=reply.service_type,
        source_addr_ton=asked.dest_ton,
        source_addr_npi=asked.dest_npi,
        source_addr=asked.destination or press.code,
        dest_addr_ton=asked.source_ton,
        dest_addr_npi=asked.source_npi,
        destination_addr=asked.source,
        data_coding=data_coding,
        short_message=octets,
    )


def page(text: str, *, uses_cbs: bool = True, default_alphabet: str = "gsm0338") -> tuple[bytes, int]:
    """Return the octets of one page and their data_coding: GSM 7 bit, unpacked, where the text allows it, or UCS2.

    Raises `Malformed` for a text that does not fit on a page.
    """
    septets = None
    if uses_cbs or default_alphabet == "gsm0338" or gsm0338.SAME_AS_ASCII.issuperset(text):
        septets = gsm0338.encode(text)
    if not uses_cbs and default_alphabet == "gsm0338-packed":
        septets = None
    if septets is not None:
        if len(septets) > PAGE_SEPTETS:
            raise Malformed(
                f"{len(septets)} characters of GSM 7 bit are more than the {PAGE_SEPTETS} of a page"
            )
        return septets, CBS_GSM if uses_cbs else DATA_CODING_DEFAULT
    try:
        octets = text.encode("utf-16-be")
    except UnicodeEncodeError as error:
        raise Malformed("a text with half a surrogate pair cannot be sent") from error
    if len(octets) > PAGE_OCTETS:
        raise Malformed(
            f"{len(octets) // 2} characters of UCS2 are more than the {PAGE_OCTETS // 2} of a page"
        )
    return octets, CBS_UCS2 if uses_cbs else DATA_CODING_UCS2
