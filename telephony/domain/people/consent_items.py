"""The items of a consent by SMS, and which of them a reply agrees to. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

CONSENT_TEXT: Final = "sms-2"
"""The version of the questions `ASK_CONSENT` and `CONSENT_OWN` of `telephony.domain.people.texts.Text`: another with every
change of what they say, so that it is known for each person what they have read."""


class ConsentItem(StrEnum):
    """An item, in the order in which the question numbers them from 1."""

    PERSONAL = "personal"
    """Name, birth date, numbers, guardians: nothing can be registered without it."""
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

    The first is always among them: a reply that does not agree to it is a refusal.
    """
    numbers = _NUMBERS.findall(words.replace(code, " ", 1) if code else words)
    named = {int(digit) for each in numbers if _OF_ITEMS.fullmatch(each) for digit in each}
    if not named:
        return ALL_ITEMS
    return tuple(item for place, item in enumerate(ConsentItem, 1) if place == 1 or place in named)
