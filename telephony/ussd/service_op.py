"""The operations of a USSD dialogue (SMPP 3.4 clause 5.3.2.44) and what each means to us."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final

from telephony.domain.ussd import UssdMessage

PSSD_INDICATION: Final = 0x00
PSSR_INDICATION: Final = 0x01
"""ProcessUnstructuredSS-Request: a code was dialled."""
USSR_REQUEST: Final = 0x02
USSN_REQUEST: Final = 0x03
PSSD_RESPONSE: Final = 0x10
PSSR_RESPONSE: Final = 0x11
"""Our last word: the gateway shows it and releases the dialogue."""
USSR_CONFIRM: Final = 0x12
USSN_CONFIRM: Final = 0x13
VENDOR_RELEASE: Final = 0x81
"""Released by the phone or the network; a vendor's number (32 to 255 are theirs), the same on several gateways."""

ANSWERS: Final = frozenset({USSR_CONFIRM, USSN_CONFIRM})
SESSION_INFO_OCTETS: Final = 2
"""Of its_session_info: session number, then a count of the units with the end bit (SMPP 3.4 clause 5.3.2.43).

Where a gateway gives it another length, only the gateway knows what its bits mean.
"""
END_OF_SESSION: Final = 0x01
"""Lowest bit of the second octet."""
UNIT: Final = 0x02
"""One dialogue unit in the second octet."""


class Step(Enum):
    """Where in its dialogue a message stands."""

    BEGIN = "a code was dialled"
    ANSWER = "something was typed within a dialogue"
    LAST = "the same, and the gateway has ended the dialogue with it"
    OVER = "the dialogue was ended"


def step_of(message: UssdMessage, releases: AbstractSet[int]) -> Step:
    """Say where a message stands; ``releases`` are the operations by which this gateway ends a dialogue.

    An operation in no table begins a dialogue: a press too many is better than one that is lost.
    """
    if message.is_conversation_abort or message.operation in releases:
        return Step.OVER
    if message.operation in ANSWERS:
        return Step.LAST if has_ended(message.session_info) else Step.ANSWER
    return Step.BEGIN


def has_ended(session_info: bytes | None) -> bool:
    """Whether its_session_info says that the dialogue is over."""
    if session_info is None or len(session_info) != SESSION_INFO_OCTETS:
        return False
    return bool(session_info[1] & END_OF_SESSION)
