"""Cuts a text into pages that a phone can show by USSD. Pure.

A page is 160 octets: 182 characters of GSM 7 bit (3GPP TS 23.038 clause 6.1.2.3.1), or 80 of UCS-2. Here a character of
GSM 7 bit is one that is the same in every alphabet of a gateway; a page with any other counts as UCS-2, so it fits
whatever its coding turns out to be.
"""

from __future__ import annotations

import unicodedata
from typing import Final

PLAIN_PAGE: Final = 182
UCS2_PAGE: Final = 80
"""Characters; of UCS-2 its units, of which a character outside the basic plane takes two."""
MOST_PAGES: Final = 12
"""A longer text is cut: no one turns so many pages on a phone, and every page is a dialogue unit of the carrier."""

PLAIN: Final = frozenset(
    "\n !\"#%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)
"""Same code in GSM 7 bit and in ASCII, and one septet each."""

_CUT: Final = "..."
_ZERO_WIDTH_JOINER: Final = "\u200d"
_JAMO_WITHIN_SYLLABLE: Final = frozenset(map(chr, range(0x1160, 0x1200)))
"""Vowels and finals of syllables that have no sign of their own."""
_SKIN_TONES: Final = frozenset(map(chr, range(0x1F3FB, 0x1F400)))


def fits(text: str, plain_page: int = PLAIN_PAGE) -> bool:
    """Whether a text fits on one page. ``plain_page`` is less where the gateway packs nothing we can send."""
    if PLAIN.issuperset(text):
        return len(text) <= plain_page
    return len(text.encode("utf-16-be", "surrogatepass")) // 2 <= UCS2_PAGE


def pages(text: str, keys: str, more: str, plain_page: int = PLAIN_PAGE) -> tuple[str, ...]:
    """Return the pages of a text, at least one and at most `MOST_PAGES`; each fits, and says which keys there are.

    ``keys`` stands on a line of its own at the end of each page, ``more`` before it on all but the last; both may be
    empty. Words stay whole where they fit, characters always. Raises `ValueError` where the keys leave no room.
    """
    rest = shown(text)
    foot = " ".join(part for part in (more, keys) if part)
    cut: list[str] = []
    while not fits(_joined(rest, keys), plain_page):
        if len(cut) == MOST_PAGES - 1:
            rest = rest[: _longest(rest, _CUT, keys, plain_page)].rstrip() + _CUT
            continue
        at = _end_of_word(rest, _longest(rest, "", foot, plain_page))
        cut.append(_joined(rest[:at].rstrip(), foot))
        rest = rest[at:].lstrip()
    return (*cut, _joined(rest, keys))


def shown(text: str) -> str:
    """Return a text as a page can hold it: composed, on clean lines, without control characters or half characters."""
    lines = unicodedata.normalize("NFC", text).splitlines()
    clean = ["".join(_printable(each) for each in line).strip() for line in lines]
    return "\n".join(line for line in clean if line)


def _printable(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Cs":
        return "?"
    return " " if kind == "Cc" else character


def _joined(text: str, foot: str) -> str:
    return "\n".join(part for part in (text, foot) if part)


def _longest(text: str, ending: str, foot: str, plain_page: int) -> int:
    """Return how many characters fit on a page with this foot."""
    room = 0
    for length in range(1, min(len(text), plain_page) + 1):
        if not fits(_joined(text[:length].rstrip() + ending, foot), plain_page):
            break
        room = length
    if room == 0:
        raise ValueError("the keys leave no room on the page")
    whole = next((at for at in range(room, 0, -1) if _is_between_characters(text, at)), room)
    return whole if whole > 0 else room


def _end_of_word(text: str, room: int) -> int:
    """Return where to cut at the latest after so many characters: behind the last whole word, if there is one."""
    if room == len(text) or text[room].isspace():
        return room
    return next((at for at in range(room, 0, -1) if text[at - 1].isspace()), room)


def _is_between_characters(text: str, at: int) -> bool:
    """Whether what a reader sees as one character is not cut here: accents, joined signs, letters of a syllable."""
    if at >= len(text):
        return True
    following = text[at]
    return not (
        unicodedata.category(following).startswith("M")
        or _ZERO_WIDTH_JOINER in (following, text[at - 1])
        or following in _JAMO_WITHIN_SYLLABLE
        or following in _SKIN_TONES
    )
