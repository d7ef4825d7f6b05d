"""The operations of a USSD dialogue (SMPP 3.4 clause 5.3.2.44) and what each means to us."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Final

from telephony.domain.ussd import UssdMessage

PSSD_INDICATION: Final = 0x00
PSSR_INDICATION: Final = 0x01
"""ProcessUnstructuredSS-Request: somebody has dialled a code."""
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
END_OF_SESSION: Final = 0x0001
"""Lowest bit of its_session_info (SMPP 3.4 clause 5.3.2.43)."""
UNIT: Final = 0x0002
"""One dialogue unit in the second octet of its_session_info, whose lowest bit is the end (same clause)."""


class Step(Enum):
    """Where in its dialogue a message stands."""

    BEGIN = "a code was dialled"
    ANSWER = "something was typed within a dialogue"
    OVER = "the dialogue was ended"


def step_of(message: UssdMessage, releases: AbstractSet[int]) -> Step:
    """Say where a message stands; ``releases`` are the operations by which this gateway ends a dialogue.

    What no table knows begins a dialogue: better a press too many than one that nobody takes.
    """
    if message.is_conversation_abort or message.operation in releases:
        return Step.OVER
    if message.operation in ANSWERS:
        has_ended = message.session_info is not None and message.session_info & END_OF_SESSION
        return Step.OVER if has_ended else Step.ANSWER
    return Step.BEGIN
