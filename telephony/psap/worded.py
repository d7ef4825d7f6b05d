"""Looks up the words of a state."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from telephony.domain.facts import Newer

E = TypeVar("E", bound=StrEnum)


def worded(word: E | Newer, words: Mapping[E, str]) -> str:
    """Return a state in the words of a language; one that a newer release wrote is told as it is."""
    return word.word if isinstance(word, Newer) else words[word]
