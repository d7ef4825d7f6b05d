"""Which code a USSD message was dialled with: pure, and total for whatever the message holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from telephony.domain.recognition import Recognition
from telephony.domain.ussd import UssdMessage
from telephony.ussd.profiles import Place


@dataclass(frozen=True, slots=True)
class Dialled:
    """The code as the settings spell it, or, where it is none of ours, as it came. ``text`` is what came beside it."""

    code: str
    is_listed: bool
    text: str | None = field(default=None, repr=False)


def code_in(
    message: UssdMessage, places: tuple[Place, ...], code_tlv: int | None, recognition: Recognition
) -> Dialled:
    """Find the code: in the carrier's own TLV first, then where the profile says, then anywhere."""
    words = (message.text or "").strip()
    strings = [_tlv(message, code_tlv)]
    strings += [words if place is Place.TEXT else message.destination for place in (*places, *Place)]
    for string in strings:
        code = recognition.ussd_code(string)
        if code is not None:
            return Dialled(code, is_listed=True, text=_beyond(code, string, words))
    code = next((string for string in strings if string), "")
    return Dialled(code, is_listed=False, text=words if words and words != code else None)


def _beyond(code: str, string: str, words: str) -> str | None:
    """Give what was typed besides the code: other words, or supplementary information within the dialled string."""
    if words and words != string:
        return words
    return None if string.strip("*#") == code.strip("*#") else string


def _tlv(message: UssdMessage, tag: int | None) -> str:
    if tag is None:
        return ""
    value = next((value for each, value in message.tlvs if each == tag), b"")
    return value.rstrip(b"\0").decode("latin-1").strip()
