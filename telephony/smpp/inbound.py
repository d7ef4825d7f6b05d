"""From a message of the peer to a press: pure, and total for whatever the message holds."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Final

from telephony.domain.recognition import Recognition
from telephony.domain.trigger import UNLISTED_DESTINATION, Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.smpp.constants import (
    TAG_RECEIPTED_MESSAGE_ID,
    TAG_SAR_MSG_REF_NUM,
    TAG_SAR_SEGMENT_SEQNUM,
    TAG_SAR_TOTAL_SEGMENTS,
    TAG_USER_MESSAGE_REFERENCE,
)
from telephony.smpp.pdus import Message
from telephony.smpp.settings import Dialect
from telephony.smpp.text import read_text

SOURCE: Final = "sms"

REFERENCE_OCTETS: Final = 12
"""96 bits: two presses of one carrier inside a repeat window never meet by chance."""
_IDENTIFYING_TAGS: Final = frozenset(
    {
        TAG_SAR_MSG_REF_NUM,
        TAG_SAR_TOTAL_SEGMENTS,
        TAG_SAR_SEGMENT_SEQNUM,
        TAG_USER_MESSAGE_REFERENCE,
        TAG_RECEIPTED_MESSAGE_ID,
    }
)
"""Optional parameters that tell two messages apart; the last holds the SMSC's own id on some links, even on an MO."""


def trigger_of(
    message: Message,
    raw_body: bytes,
    *,
    link_name: str,
    carrier: str,
    dialect: Dialect,
    recognition: Recognition,
    received_at: datetime,
) -> Trigger:
    """Make a press of a deliver_sm, submit_sm or data_sm.

    ``raw_body`` is the whole body as it came, kept as evidence. Never raises: what cannot be read is left out.
    """
    text = read_text(
        message.data_coding,
        message.esm_class,
        message.short_message,
        default_alphabet=dialect.default_alphabet,
        sar=message.sar,
    )
    is_listed = recognition.is_listed(message.destination)
    return Trigger(
        SOURCE,
        link_name,
        carrier,
        Msisdn.parse(
            message.source,
            ton=message.source_ton,
            country_code=recognition.country_code,
            trunk_prefix=recognition.trunk_prefix,
        ),
        reference_of(message, carrier),
        received_at,
        message.destination,
        text.text,
        text.encoding,
        raw_body,
        text.part,
        None,
        recognition.is_test(message.destination, text.text),
        text.remarks if is_listed else (UNLISTED_DESTINATION, *text.remarks),
        repetition=Repetition.UNKNOWN,
    )


def reference_of(message: Message, carrier: str) -> str:
    """Give the same 24 hexadecimal digits whenever the same message comes again.

    A deliver_sm has neither id nor time (SMPP 3.4 clause 4.6.1), so the content has to serve. Sequence number, bind,
    link and host are left out: a redelivery changes them. What tells it from another press is in the request book. A user data header is part of the octets.
    """
    parameters = ""
    if message.tlvs:
        parameters = ",".join(
            sorted(f"{tlv.tag:x}={tlv.value.hex()}" for tlv in message.tlvs if tlv.tag in _IDENTIFYING_TAGS)
        )
    # No address holds a NUL, so the parts cannot run into each other; the octets come last.
    key = f"{carrier}\0{message.source}\0{message.destination}\0{message.data_coding}\0{parameters}\0"
    return blake2b(key.encode() + message.short_message, digest_size=REFERENCE_OCTETS).hexdigest()
