"""Makes a press, or a text to a service number, of a peer's message. Pure, and total for any content."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Final, NamedTuple

from telephony.domain.people.service_text import ServiceText
from telephony.domain.recognition import Recognition
from telephony.domain.trigger import UNLISTED_DESTINATION, UNREADABLE_TEXT, Repetition, Trigger
from telephony.domain.values import Msisdn
from telephony.smpp.settings import Dialect
from telephony.smpp.wire.constants import (
    TAG_RECEIPTED_MESSAGE_ID,
    TAG_SAR_MSG_REF_NUM,
    TAG_SAR_SEGMENT_SEQNUM,
    TAG_SAR_TOTAL_SEGMENTS,
    TAG_USER_MESSAGE_REFERENCE,
)
from telephony.smpp.wire.pdus import Message
from telephony.smpp.wire.text import Text

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


class Way(NamedTuple):
    """A way in, as the settings name it: the link or peer, the carrier behind it, and how that carrier speaks SMPP."""

    name: str
    carrier: str
    dialect: Dialect


def trigger_of(
    message: Message,
    text: Text,
    raw_body: bytes,
    *,
    way: Way,
    recognition: Recognition,
    received_at: datetime,
    is_listed: bool,
) -> Trigger:
    """Return the press that a deliver_sm, submit_sm or data_sm is.

    ``is_listed`` is whether its destination is one of ours, `Recognition.is_listed`. ``raw_body`` is the whole body as it came, kept as evidence. Never raises: what cannot be read is left out.
    """
    return Trigger(
        SOURCE,
        way.name,
        way.carrier,
        sender_of(message, recognition),
        reference_of(message, way.carrier),
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


def unread_trigger_of(
    source: str, destination: str, raw_body: bytes, way: Way, received_at: datetime
) -> Trigger:
    """Return the press of an unreadable message; its octets are kept."""
    return Trigger(
        SOURCE,
        way.name,
        way.carrier,
        Msisdn(source, is_e164=False),
        blake2b(raw_body, digest_size=REFERENCE_OCTETS).hexdigest(),
        received_at,
        destination,
        raw=raw_body,
        labels=(UNREADABLE_TEXT,),
        repetition=Repetition.UNKNOWN,
    )


def service_text_of(
    message: Message,
    number: str,
    text: Text,
    *,
    way: Way,
    recognition: Recognition,
    received_at: datetime,
    is_marked: bool,
) -> ServiceText:
    """Return the text that a message is to a service number, ``number`` in the form in which it is listed."""
    return ServiceText(
        sender_of(message, recognition),
        way.carrier,
        way.name,
        number,
        text.text,
        reference_of(message, way.carrier),
        received_at,
        text.part,
        is_marked,
    )


def sender_of(message: Message, recognition: Recognition) -> Msisdn:
    """Return the number that a message came from, as international as it can be made."""
    return Msisdn.parse(
        message.source,
        ton=message.source_ton,
        country_code=recognition.country_code,
        trunk_prefix=recognition.trunk_prefix,
    )


def reference_of(message: Message, carrier: str) -> str:
    """Return the same 24 hexadecimal digits whenever the same message comes again.

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
