"""Builds the submit_sm fields that the parts of a text share: addresses, validity (SMPP 3.4 clause 4.4.1). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from telephony.domain.errors import Malformed
from telephony.domain.text_message import TextMessage
from telephony.domain.values import Msisdn
from telephony.smpp.settings import Sms
from telephony.smpp.wire.building import Field
from telephony.smpp.wire.constants import NPI_E164, RECEIPT_FINAL, TON_INTERNATIONAL

SHORTEST_SUBSCRIBER: Final = 7
"""Digits after our own country code, and in all for other countries: fewer are a short code, 112 or 1366."""
LONGEST_E164: Final = 15
"""ITU-T E.164 clause 6.2.1."""

SHORTEST_VALIDITY_S: Final = 60
LONGEST_VALIDITY_S: Final = 30 * 86_400
"""The longest time in the relative format without months (SMPP 3.4 clause 7.1.1.2); centres keep a message for days at
most."""
URGENT: Final = 1
"""The lowest level that goes ahead of others, in GSM and in CDMA (SMPP 3.4 clause 5.2.14)."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """The country that we are in, and the numbers that are ours (SOS, drill, service), in E.164 where they can be."""

    country_code: str
    own: frozenset[str]


def numbering_of(country_code: str, trunk_prefix: str, dialled: Iterable[str]) -> Numbering:
    """Return the numbering in which these numbers are ours."""
    read = (Msisdn.parse(each, country_code=country_code, trunk_prefix=trunk_prefix) for each in dialled)
    return Numbering(country_code, frozenset(each.number for each in read))


def check_message(message: TextMessage, numbering: Numbering) -> None:
    """Raise `Malformed` unless there are words, and a subscriber's number: no short code, no 112, none of ours."""
    if not message.text:
        raise Malformed("a text without words")
    number = message.to.number
    if not message.to.is_e164 or not (number.isascii() and number.isdigit()) or number.startswith("0"):
        raise Malformed("a text goes to an E.164 number of a phone, such as +82 10 1234 5678")
    if len(number) > LONGEST_E164:
        raise Malformed(f"a number of {len(number)} digits is longer than E.164 has them")
    if len(number.removeprefix(numbering.country_code)) < SHORTEST_SUBSCRIBER:
        raise Malformed("a text never goes to a short code")
    if number in numbering.own:
        raise Malformed("a text never goes to a number of this service")


def request_fields(message: TextMessage, sms: Sms, *, with_priority: bool) -> Mapping[str, Field]:
    """Return the fields of submit_sm that all parts of a message share."""
    fields: dict[str, Field] = {
        "source_addr_ton": sms.sender_ton,
        "source_addr_npi": sms.sender_npi,
        "source_addr": sms.sender,
        "dest_addr_ton": TON_INTERNATIONAL,
        "dest_addr_npi": NPI_E164,
        "destination_addr": message.to.number,
        "registered_delivery": RECEIPT_FINAL,
        "validity_period": validity_period(message.valid_s),
    }
    if with_priority and message.is_urgent:
        fields["priority_flag"] = URGENT
    return fields


def validity_period(seconds: float) -> str:
    """Return a time from now in the relative format ``YYMMDDhhmmss000R``, within a minute and 30 days."""
    whole = round(min(LONGEST_VALIDITY_S, max(SHORTEST_VALIDITY_S, seconds)))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"0000{days:02d}{hour:02d}{minute:02d}{second:02d}000R"
