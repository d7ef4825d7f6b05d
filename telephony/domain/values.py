"""Numbers of people and places, parsed once at the wall."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NOT_DIAL = re.compile("[\\s\0().\\-/\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+")
"""Separators and invisible characters: a gateway's NULs, marks of direction that came with copied text."""
_URI = re.compile(
    r"(?:[^<>]*<)?(?:tel:(?://)?(?P<tel>[^;:@?<>]+)(?:;[^@<>]*)?"
    r"|sips?:(?P<sip>[^;:@?<>]+)(?:[;:][^@<>]*)?@[^<>]*)(?:>[^<>]*)?",
    re.IGNORECASE,
)
"""RFC 3966 and RFC 3261 clause 19.1.6, also as a name-addr. The user part of a SIP URI counts only with a host behind it."""
_LONGEST_URI = 256
_CONTEXT = re.compile(r";phone-context=(?:\+|%2b)([0-9]+)", re.IGNORECASE)
"""Country that a local number of a URI belongs to; a context may also be the name of a network."""
_MARKED = re.compile(r"(?:\++|00\++)?[0-9]{7,}(?:[Ff]+|TYPE=PLMN)?")
"""A number with a plus too many, with the filler of its semi-octets (3GPP TS 24.008 clause 10.5.4.7), or as MMS writes it."""
_NOT_SHOWN = re.compile(r"[^A-Za-z0-9+*#]")
"""Characters that a caller may put into a number and that must not be sent to a terminal."""
_SHORTEST_SUBSCRIBER = 7
"""Fewer digits than this are a short code (112, 1366): no country code is ever added."""
_LONGEST_NATIONAL = 11
"""Digits behind the trunk prefix, in any country that has one; with more, the country code is among them."""
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
        """Whether the carrier gave no number at all."""
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

        Total: anything that is not a subscriber number is kept as it came. Accepts ``+82…``, ``82…``,
        ``0082…``, ``00n82…`` (Korean carrier selection), ``010…`` and ``820 10…``; the same in a tel or SIP URI,
        with a filler F at its end, with separators and NULs.
        """
        text = _NOT_DIAL.sub("", raw)
        explicit = text.startswith("+")
        digits = text[1:] if explicit else text
        if not (digits.isascii() and digits.isdigit()):
            text = _unwrapped(raw, country_code)
            digits = text.lstrip("+")
            explicit = digits != text
        if not digits:
            return cls(_kept(raw), is_e164=False)
        if explicit and digits.startswith("0"):
            # No country code does: the plus was put in front of a national number, or of 00.
            explicit = False
        if len(digits) < _SHORTEST_SUBSCRIBER and not explicit:
            return cls(digits, is_e164=False)
        if not explicit:
            digits = _to_international(digits, ton, country_code, trunk_prefix)
        if trunk_prefix and digits.startswith(country_code + trunk_prefix):
            digits = country_code + digits[len(country_code) + len(trunk_prefix) :]
        if len(digits) > _LONGEST_E164 or digits.startswith("0"):
            return cls(_kept(raw), is_e164=False)
        return cls(digits)


def as_dialled(raw: str) -> str:
    """Return an address as a phone dials it: out of its URI, without separators, NULs and the filler F.

    Total; a text that is no number stays as it came, but for its separators.
    """
    text = _in_uri(raw) or _NOT_DIAL.sub("", raw)
    digits = text.rstrip("Ff")
    return digits if digits.isdigit() else text


def _unwrapped(raw: str, country_code: str) -> str:
    """Return the digits, behind their plus if any, of a number written with more than digits; empty for any other text."""
    text = _in_uri(raw)
    if text:
        context = _CONTEXT.search(raw)
        is_foreign = context is not None and context[1] != country_code and not text.startswith("+")
        return "" if is_foreign or not text.lstrip("+").isdigit() else text
    marked = _MARKED.fullmatch(_NOT_DIAL.sub("", raw))
    if marked is None:
        return ""
    text = marked[0].removesuffix("TYPE=PLMN").rstrip("Ff")
    return text.removeprefix("00") if "+" in text else text


def _in_uri(raw: str) -> str:
    """Return the number within a tel or SIP URI, without separators; empty where there is none."""
    uri = _URI.fullmatch(raw.strip("\0 \t\r\n")) if len(raw) <= _LONGEST_URI else None
    if uri is None:
        return ""
    text = _NOT_DIAL.sub("", (uri["tel"] or uri["sip"]).replace("%2B", "+").replace("%2b", "+"))
    return text if text.isascii() else ""


def _kept(raw: str) -> str:
    return raw.replace("\0", "").strip()


def _to_international(digits: str, ton: int, country_code: str, trunk_prefix: str) -> str:
    if digits.startswith("00"):
        # 00 + an optional carrier selection of up to three digits + the country code.
        for skip in (2, 3, 5):
            if digits.startswith(country_code, skip):
                return digits[skip:]
        return digits[2:]
    if trunk_prefix and digits.startswith(trunk_prefix):
        rest = digits[len(trunk_prefix) :]
        is_international = rest.startswith(country_code) and len(rest) > _LONGEST_NATIONAL
        return rest if is_international else country_code + rest
    if ton == TON_INTERNATIONAL or digits.startswith(country_code):
        return digits
    return country_code + digits if len(digits) <= _LONGEST_E164 - len(country_code) - 2 else digits
