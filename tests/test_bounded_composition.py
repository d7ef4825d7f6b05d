"""No message holds the reactor for seconds: of accents in disorder, composing takes time by their square."""

from __future__ import annotations

import unicodedata
from datetime import date

import pytest

from telephony.domain.guardians import words as guardian_words
from telephony.domain.guardians.words import GuardianReply, read_reply
from telephony.domain.people import keywords
from telephony.domain.values import Msisdn
from telephony.ussd import menu_reading
from telephony.ussd.menu import Memory, Screen

ACCENTS = "a" + "\u0301\u0323" * 16_000
"""2.5 s of NFKC."""


@pytest.fixture(name="composed")
def _composed(monkeypatch):
    """How many characters each call composes, without waiting for more than would be seen."""
    lengths = []

    class Counting:
        def __getattr__(self, name):
            return getattr(unicodedata, name)

        def normalize(self, form, text):
            lengths.append(len(text))
            return unicodedata.normalize(form, text[:5_000])

    for module in (keywords, guardian_words, menu_reading):
        monkeypatch.setattr(module, "unicodedata", Counting())
    return lengths


def read_on_a_screen(text):
    reading = menu_reading.Reading(Msisdn("821012345678"), date(2026, 3, 1))
    return menu_reading.read(next(iter(Screen)), text, Memory("ko"), reading)


@pytest.mark.parametrize("read", [keywords.as_heard, keywords.read, read_reply, read_on_a_screen])
def test_no_more_than_a_thousand_characters_are_composed(composed, read):
    read(ACCENTS)

    assert max(composed, default=0) <= 1_000


def test_a_long_reply_is_never_a_short_one_with_much_behind_it():
    """Cut behind the first thousand characters, each would be the word that it begins with."""
    for word, confirms in (("오작동", False), ("1234", False), ("1", True)):
        text = word + " " * 1_000 + "아이가 없어졌어요"
        assert read_reply(text) == GuardianReply(confirms=confirms, words=f"{word} 아이가 없어졌어요")
