"""The texts that guardians are sent, each of which fits one part of a short message. Pure.

A Korean text fits 80 octets of EUC-KR (KS X 1001, data_coding 0x0E) and 70 UCS-2 characters alike, so that every
carrier takes it whole. An English one fits 160 septets of GSM 03.38, or 70 UCS-2 characters where a name needs them.

The first of them says what matters most to the person in danger: not to ring her phone. No text holds a place, because
it is also read by anyone who sees the guardian's phone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, Literal

from telephony.domain.values import Msisdn

Language = Literal["ko", "en"]

EUC_KR_OCTETS: Final = 80
"""One part, octets for octets (3GPP TS 23.040: 140; Korean handsets of the time show 80)."""
UCS2_CHARACTERS: Final = 70
GSM_SEPTETS: Final = 160

SHOWN_DIGITS: Final = 4
"""Last digits of the number by which a guardian knows whose phone it is, where no name is registered."""
RADII_M: Final = (50, 100, 200, 500)
"""A radius is told as the next larger of these: never less than the truth."""

_OCTETS_OF_A_CODE: Final = 2
_UNKNOWN: Final = "○"
"""Stands in Korean for a syllable that is left out: 김○늘. EUC-KR has 2,350 of the 11,172 syllables."""
_NOT_PLAIN: Final = frozenset("[]{}\\^~|`")
"""ASCII that GSM 03.38 lacks or writes as two septets."""

_TOLD_KO: Final = "[112신고됨] {who} {time} SOS 누름. 위험하니 그 폰에 전화 마세요. 확인은 1 답장"
_TOLD_EN: Final = (
    "{who} pressed the SOS key at {time}. 112 knows. Do NOT call that phone: its ringing can be dangerous."
    " Reply 1 to confirm."
)
_TOLD_EN_SHORT: Final = "112 knows: {who} SOS {time}. Do NOT call that phone! Reply 1 if read"

_BEING_TOLD_KO: Final = _TOLD_KO.replace("112신고됨", "112신고중")
_BEING_TOLD_EN: Final = _TOLD_EN.replace("112 knows.", "112 is called, no answer yet.")
_BEING_TOLD_EN_SHORT: Final = _TOLD_EN_SHORT.replace("112 knows:", "112 is called:")

_LOCATED_KO: Final = "[112신고됨] {who} 위치를 112가 압니다({m}m 이내). 그 폰에 전화 마세요."
_LOCATED_EN: Final = "112 now knows where {who} is, to within {m} m. Please still do NOT call that phone."
_LOCATED_EN_SHORT: Final = "112 knows where {who} is (within {m} m). Do NOT call"

_RELEASED_KO: Final = "[112신고 종료] {who} {time} SOS 신고가 종료되었습니다. 답장은 필요 없습니다."
_RELEASED_EN: Final = (
    "The SOS call of {who} at {time} is over: 112 has closed it. You need not reply any more."
)
_RELEASED_EN_SHORT: Final = "Over: 112 closed the SOS of {who} ({time}). No reply needed"

_TEST_KO: Final = "[시험] 실제 상황이 아닙니다. {who} {time} SOS 시험. 답장은 필요 없습니다."
_TEST_EN: Final = "TEST ONLY, nobody is in danger: {who} tried the SOS key at {time}. You need not reply."
_TEST_EN_SHORT: Final = "TEST ONLY, no danger: {who} tried SOS {time}. No reply"


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a message in some alphabet: how its room is counted, and what stands where a name is cut."""

    limit: int
    size: Callable[[str], int]
    cut: str


def _euc_kr_octets(text: str) -> int:
    return len(text.encode("euc_kr"))


def _utf_16_units(text: str) -> int:
    return len(text.encode("utf-16-be")) // 2


_EUC_KR: Final = _Part(EUC_KR_OCTETS, _euc_kr_octets, "…")
_UCS2: Final = _Part(UCS2_CHARACTERS, _utf_16_units, "…")
_GSM: Final = _Part(GSM_SEPTETS, len, ".")


def told_text(
    name: str, caller: Msisdn, at: datetime, zone: tzinfo, language: Language, *, does_112_know: bool
) -> str:
    """Say whose key was pressed at what time (aware), whether 112 has acknowledged it, not to ring that phone, how to confirm."""
    known, asked = (
        (_TOLD_KO, _TOLD_EN, _TOLD_EN_SHORT),
        (_BEING_TOLD_KO, _BEING_TOLD_EN, _BEING_TOLD_EN_SHORT),
    )
    return _text(known if does_112_know else asked, name, caller, language, time=_time(at, zone))


def located_text(name: str, caller: Msisdn, radius_m: float, language: Language) -> str:
    """Say that 112 knows where the phone is, and how exactly. Raises `ValueError` for more than the largest radius."""
    radius = next((each for each in RADII_M if radius_m <= each), None)
    if radius is None:
        raise ValueError(f"a guardian is told of a place known to within {RADII_M[-1]} m or less")
    return _text((_LOCATED_KO, _LOCATED_EN, _LOCATED_EN_SHORT), name, caller, language, m=str(radius))


def released_text(name: str, caller: Msisdn, at: datetime, zone: tzinfo, language: Language) -> str:
    """Say that it is over; ``at`` is when the key was pressed."""
    return _text(
        (_RELEASED_KO, _RELEASED_EN, _RELEASED_EN_SHORT), name, caller, language, time=_time(at, zone)
    )


def test_text(name: str, caller: Msisdn, at: datetime, zone: tzinfo, language: Language) -> str:
    """Say that the key was tried in calm."""
    return _text((_TEST_KO, _TEST_EN, _TEST_EN_SHORT), name, caller, language, time=_time(at, zone))


def _text(templates: tuple[str, str, str], name: str, caller: Msisdn, language: Language, **said: str) -> str:
    """Fill the Korean template, or that English one whose alphabet the name has."""
    korean, english, english_short = templates
    name = _clean(name)
    if language == "ko":
        return _filled(korean, _in_euc_kr(name) or _by_number(caller, "신고자"), _EUC_KR, said)
    plain = _in_gsm(name)
    if name and plain is None:
        return _filled(english_short, name, _UCS2, said)
    return _filled(english, plain or _by_number(caller, "the caller"), _GSM, said)


def _filled(template: str, who: str, part: _Part, said: Mapping[str, str]) -> str:
    room = part.limit - part.size(template.format(who="", **said))
    return template.format(who=_shortened(who, part, room), **said)


def _shortened(who: str, part: _Part, room: int) -> str:
    """Cut to what fits, with a mark at the cut; a character and the signs upon it stay together."""
    if part.size(who) <= room:
        return who
    end = len(who) - 1
    while end > 0 and (part.size(who[:end].rstrip() + part.cut) > room or unicodedata.combining(who[end])):
        end -= 1
    return who[:end].rstrip() + part.cut


def _clean(name: str) -> str:
    """Return the name composed, on one line, without characters that are not seen or that turn the line around."""
    composed = unicodedata.normalize("NFC", name)
    seen = (" " if each.isspace() else each for each in composed)
    return " ".join("".join(each for each in seen if unicodedata.category(each)[0] != "C").split())


def _in_euc_kr(name: str) -> str:
    """Return the name in the characters of EUC-KR, empty where nothing of it can be read."""
    written = "".join(_euc_kr_of(each) for each in name)
    return written if any(each.isalnum() for each in written) else ""


def _euc_kr_of(character: str) -> str:
    for candidate in (character, _without_accents(character)):
        if candidate and _is_in_euc_kr(candidate):
            return candidate
    return _UNKNOWN


def _is_in_euc_kr(character: str) -> bool:
    try:
        # A syllable without a code of its own is spelt with four (KS X 1001 annex 3), which no handset shows.
        return len(character.encode("euc_kr")) <= _OCTETS_OF_A_CODE
    except UnicodeEncodeError:
        return False


def _in_gsm(name: str) -> str | None:
    """Return the name in letters that ASCII and GSM 03.38 share, or None where it has others."""
    plain = _without_accents(name)
    return plain if plain.isascii() and not _NOT_PLAIN & set(plain) else None


def _without_accents(text: str) -> str:
    return unicodedata.normalize(
        "NFC", "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    )


def _by_number(caller: Msisdn, otherwise: str) -> str:
    digits = caller.number
    return f"***-{digits[-SHOWN_DIGITS:]}" if digits.isascii() and digits.isdigit() else otherwise


def _time(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime("%H:%M")
