"""What a consent by SMS is given to, item by item, and which items a reply agrees to. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

CONSENT_TEXT: Final = "sms-1"
"""The version of the questions ``ask consent`` and ``consent: own`` of `telephony.domain.enrolment_texts`: another with every
change of what they say, so that it is known for each person what they have read."""


class ConsentItem(StrEnum):
    """An item, in the order in which the question numbers them from 1."""

    PERSONAL = "personal"
    """Name, birth date, numbers, guardians: without it nobody can be signed up."""
    HEALTH = "health"
    """Medical and family notes."""
    LOCATION = "location"
    """Where the phone is, when its key is pressed."""
    THIRD_PARTIES = "third parties"
    """That others than 112 are told of a press: guardians."""


ALL_ITEMS: Final = tuple(ConsentItem)
_NUMBERS: Final = re.compile(r"[0-9]+")
_OF_ITEMS: Final = re.compile(r"[1-4]{1,4}")


def consent_text(language: str) -> str:
    """Return the version of a question as it is kept with a consent."""
    return f"{CONSENT_TEXT}/{language}"


def agreed_items(words: str, code: str) -> tuple[ConsentItem, ...]:
    """Return the items that a reply agrees to: those whose numbers stand beside its code, all where none does.

    The first is always among them: whoever does not agree to it refuses.
    """
    numbers = _NUMBERS.findall(words.replace(code, " ", 1) if code else words)
    named = {int(digit) for each in numbers if _OF_ITEMS.fullmatch(each) for digit in each}
    if not named:
        return ALL_ITEMS
    return tuple(item for place, item in enumerate(ConsentItem, 1) if place == 1 or place in named)
