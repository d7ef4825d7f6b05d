"""Numbers of people and places, parsed once at the wall."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NOT_DIAL = re.compile(r"[\s().\-/]+")
_NOT_SHOWN = re.compile(r"[^A-Za-z0-9+*#]")
"""What a caller may put into a number and no terminal should be sent."""
_SHORTEST_SUBSCRIBER = 7
"""Fewer digits than this are a short code (112, 1366): no country code is ever added."""
_LONGEST_E164 = 15
"""ITU-T E.164 clause 6.2.1."""

TON_INTERNATIONAL = 1
"""SMPP 3.4 clause 5.2.5."""


@dataclass(frozen=True, slots=True)
class Msisdn:
    """The number of a person as a carrier gave it, in E.164 digits where it can be.

    ``number`` holds digits without a plus sign when ``is_e164``; otherwise what the carrier
    sent (an alphanumeric sender, a short code), and the empty string for a withheld number.
    """

    number: str
    is_e164: bool = True

    @property
    def is_withheld(self) -> bool:
        """Claim that the carrier gave no number at all."""
        return not self.number

    @property
    def masked(self) -> str:
        """The number as a log may show it: first four and last two characters."""
        if not self.number:
            return "withheld"
        if len(self.number) <= _SHORTEST_SUBSCRIBER:
            return "*" * len(self.number)
        shown = _NOT_SHOWN.sub("?", self.number)
        return f"{shown[:4]}{'*' * (len(shown) - 6)}{shown[-2:]}"

    def __str__(self) -> str:
        """Never the number: an accidental ``str()`` must not betray anyone."""
        return self.masked

    def __repr__(self) -> str:
        """Never the number either: tracebacks end up in logs."""
        return f"Msisdn({self.masked!r})"

    @property
    def international(self) -> str:
        """The number as a person dials it: ``+8210…``, or the raw text."""
        return f"+{self.number}" if self.is_e164 else self.number

    @classmethod
    def parse(cls, raw: str, *, ton: int = 0, country_code: str = "82", trunk_prefix: str = "0") -> Msisdn:
        """Read a number by its content, with the type of number as a hint only.

        Total: whatever is not a subscriber number is kept as it came. Accepts ``+82…``, ``82…``,
        ``0082…``, ``00n82…`` (Korean carrier selection), ``010…`` and ``820 10…``.
        """
        text = _NOT_DIAL.sub("", raw)
        explicit = text.startswith("+")
        digits = text[1:] if explicit else text
        if not (digits.isascii() and digits.isdigit()):
            return cls(raw.strip(), is_e164=False)
        if len(digits) < _SHORTEST_SUBSCRIBER and not explicit:
            return cls(digits, is_e164=False)
        if not explicit:
            digits = _to_international(digits, ton, country_code, trunk_prefix)
        if trunk_prefix and digits.startswith(country_code + trunk_prefix):
            digits = country_code + digits[len(country_code) + len(trunk_prefix) :]
        if len(digits) > _LONGEST_E164 or digits.startswith("0"):
            return cls(raw.strip(), is_e164=False)
        return cls(digits)


def _to_international(digits: str, ton: int, country_code: str, trunk_prefix: str) -> str:
    if digits.startswith("00"):
        # 00 + an optional carrier selection of up to three digits + the country code.
        for skip in (2, 3, 5):
            if digits.startswith(country_code, skip):
                return digits[skip:]
        return digits[2:]
    if trunk_prefix and digits.startswith(trunk_prefix):
        return country_code + digits[len(trunk_prefix) :]
    if ton == TON_INTERNATIONAL or digits.startswith(country_code):
        return digits
    return country_code + digits if len(digits) <= _LONGEST_E164 - len(country_code) - 2 else digits
