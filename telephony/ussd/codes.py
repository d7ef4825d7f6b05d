"""Finds the code that a USSD message was dialled with. Pure, and total for any content."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdMessage
from telephony.ussd.profiles import Place

_SHORTEST_BARE_CODE: Final = 3
"""Digits without signs that can be a code; fewer choose from a menu."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """The code as the settings spell it, or, where it is none of ours, as it came. ``text`` is what came beside it."""

    code: str
    is_listed: bool
    text: str | None = field(default=None, repr=False)


def words_of(message: UssdMessage) -> str:
    """Return what was dialled or typed, empty where nothing was or where it cannot be read."""
    return (message.text or "").strip()


def code_in(
    message: UssdMessage, places: tuple[Place, ...], code_tlv: int | None, recognition: Recognition
) -> Dialled:
    """Find the code: in the carrier's own TLV first, then where the profile says, then anywhere."""
    words = words_of(message)
    strings = [_tlv(message, code_tlv)]
    strings += [words if place is Place.TEXT else message.destination for place in (*places, *Place)]
    for string in strings:
        code = recognition.ussd_code(string)
        if code is not None:
            return Dialled(code, is_listed=True, text=_beyond(code, string, words))
    # Words cannot have been dialled, and must not be lost in a code.
    dialled = (string for string in strings if may_be_dialled(string))
    code = next(dialled, "") or next((string for string in strings if string), "")
    return Dialled(code, is_listed=False, text=words if words and words != code else None)


def service_codes(recognition: Recognition) -> frozenset[str]:
    """Return the codes that open the menu: those of the service numbers that are dialled as codes."""
    return frozenset(each for each in recognition.service_numbers if is_code(each))


def service_code_in(
    message: UssdMessage, places: tuple[Place, ...], code_tlv: int | None, recognition: Recognition
) -> str | None:
    """Find the service code as `code_in` finds an SOS code, which goes before it; ``None`` where there is none.

    Where the gateway puts the dialled string, the signs may be missing. Anywhere else a bare number is an address.
    """
    codes = service_codes(recognition)
    words = words_of(message)
    strings = [
        _tlv(message, code_tlv),
        *(words if place is Place.TEXT else message.destination for place in places),
    ]
    dialled = next((string for string in strings if string), "")
    for string in (dialled, *strings, words, message.destination):
        if string is dialled or string[:1] in ("*", "#"):
            same = [code for code in codes if _bare(code) == _bare(string)]
            if same:
                return min(same)
    return None


def is_service_code(words: str, recognition: Recognition) -> bool:
    """Whether these words are the service code, signs included."""
    return words[:1] in ("*", "#") and any(_bare(words) == _bare(code) for code in service_codes(recognition))


def may_be_dialled(words: str) -> bool:
    """Whether words can be a dialled code: with signs, or digits from which a gateway took them."""
    return words[:1] in ("*", "#") or (words.isdigit() and len(words) >= _SHORTEST_BARE_CODE)


def is_choice(words: str) -> bool:
    """Whether words can only choose from a menu: a digit or two, or a sign."""
    return 0 < len(words) < _SHORTEST_BARE_CODE and not words.strip("*#0123456789")


def is_call_for_help(words: str, recognition: Recognition) -> bool:
    """Whether words typed in a menu are an SOS code, or have a word of distress among them.

    A word in Latin letters counts where it stands alone: it may well be a part of a name.
    """
    if may_be_dialled(words) and recognition.ussd_code(words) is not None:
        return True
    folded = words.casefold()
    return any(
        re.search(rf"(?<![a-z]){re.escape(word)}(?![a-z])", folded) if word.isascii() else word in folded
        for word in (each.strip().casefold() for each in recognition.sos_words)
        if word
    )


def is_code(destination: str) -> bool:
    """Whether an address can only have been dialled as a code: no number begins so."""
    return destination[:1] in ("*", "#") and destination.endswith("#")


def _bare(code: str) -> str:
    """Return a code without its signs and without supplementary information (3GPP TS 22.030 clause 6.5.2)."""
    return code.strip("*#").partition("*")[0]


def _beyond(code: str, string: str, words: str) -> str | None:
    """Return what was typed besides the code: other words, or supplementary information within the dialled string."""
    if words and words != string:
        return words
    return None if string.strip("*#") == code.strip("*#") else string


def _tlv(message: UssdMessage, tag: int | None) -> str:
    if tag is None:
        return ""
    value = next((value for each, value in message.tlvs if each == tag), b"")
    return value.strip(b"\0").decode("latin-1").strip()
