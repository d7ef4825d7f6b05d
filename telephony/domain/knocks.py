"""What digits tapped in a silent call say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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

    @property
    def data(self) -> dict[str, str]:
        """The knock as a fact's data."""
        facts = {"digits": self.digits, "taps": str(self.taps)}
        if self.rule is not None:
            facts |= {"meaning": self.rule.meaning, **self.rule.words}
        return facts


class KnockTable:
    """The table of the settings. Exact digits win over a number of taps."""

    def __init__(self, rules: Iterable[KnockRule]) -> None:
        rules = tuple(rules)
        self._by_digits = {rule.digits: rule for rule in rules if rule.digits is not None}
        self._by_taps = {rule.taps: rule for rule in rules if rule.taps is not None}

    def read(self, digits: str) -> Knock:
        """Say what these digits (``0-9*#A-D``) mean; what is in no line is kept and told as it was tapped."""
        digits = digits[:MOST_DIGITS]
        return Knock(digits, self._by_digits.get(digits) or self._by_taps.get(len(digits)))
