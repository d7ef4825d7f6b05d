"""Knocks: the keys tapped in a silent call, and their meaning by the table of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from telephony.domain.facts import KnockFact

MOST_DIGITS = 32
"""Longest knock that is kept whole: a key that is held or a pocket that presses goes on for ever."""


@dataclass(frozen=True, slots=True)
class KnockRule:
    """One line of the table: exact digits, or so many taps of whatever keys, and what they mean.

    ``words`` are by language (``ko``, ``en``), for the operator of the centre.
    """

    meaning: str
    words: Mapping[str, str]
    digits: str | None = None
    taps: int | None = None


@dataclass(frozen=True, slots=True)
class Knock:
    """Digits that were tapped close together, and the rule they match, if any."""

    digits: str
    rule: KnockRule | None

    @property
    def taps(self) -> int:
        """How many keys were tapped."""
        return len(self.digits)

    def fact(self, subject: str, at: datetime) -> KnockFact:
        """Return the knock as the fact that 112 is told."""
        if self.rule is None:
            return KnockFact(subject, at, self.digits, self.taps)
        return KnockFact(subject, at, self.digits, self.taps, self.rule.meaning, self.rule.words)


class KnockTable:
    """The table of the settings. Exact digits win over a number of taps."""

    def __init__(self, rules: Iterable[KnockRule]) -> None:
        rules = tuple(rules)
        self._by_digits = {rule.digits: rule for rule in rules if rule.digits is not None}
        self._by_taps = {rule.taps: rule for rule in rules if rule.taps is not None}

    def read(self, digits: str) -> Knock:
        """Say what these digits (``0-9*#A-D``) mean; digits in no line are kept and told as they were tapped."""
        digits = digits[:MOST_DIGITS]
        return Knock(digits, self._by_digits.get(digits) or self._by_taps.get(len(digits)))
