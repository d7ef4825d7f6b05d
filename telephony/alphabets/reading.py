"""Reads the text of a short message, in the declared alphabet or in another one in which it makes more sense.

The declared alphabet is taken at once where its text is plain (`is_plain`), and in the end unless another one makes more
sense by what `_TERMS` asks. A clean text is worth about `CLEAN` or more in its own alphabet and 1 at most in another, so
that with the lead no other reading takes its place.
"""

from __future__ import annotations

import re
from codecs import utf_16_be_decode
from enum import StrEnum
from typing import Final, NamedTuple

from telephony.alphabets.decoding import (
    GSM,
    GSM_PACKED,
    KOREAN,
    LATIN_1,
    NO_SHIFTS,
    UTF_8,
    UTF_16,
    UTF_16_LE,
    WHOLE,
    Edges,
    Shifts,
    decode,
)
from telephony.alphabets.plausibility import CLEAN, NO_ROW, REPLACEMENT, is_plain, weight, worth

_ASCII: Final = "ascii"
_LATIN: Final = "cp1252"

_LEAD: Final = 0.31
"""1 - `CLEAN` and a little: how much more sense than the declared alphabet another one must make."""


_LONGEST_WEIGHED: Final = 1_024
"""Octets of a longer text by which its alphabet is determined."""
_SEVEN_BITS: Final = ((GSM,), (_ASCII,), (_ASCII, GSM))
"""Declared alphabets under which Korean phones and gateways most often send other ones."""

_new_tuple = tuple.__new__
"""Makes a named tuple from a tuple, faster than calling its class: one for each message."""


class _Terms(NamedTuple):
    """Conditions for reading a text in an alphabet other than the declared one.

    It must be worth ``least`` where the declared alphabet gives a clean text of at least ``shortest`` octets, and
    ``over_damage`` where it does not; in both cases ``lead`` more than the text in the declared alphabet.
    """

    least: float
    over_damage: float
    shortest: int
    lead: float = _LEAD


_TERMS: Final = {
    _ASCII: _Terms(0.84, 0.84, 4),
    UTF_8: _Terms(0.6, 0.6, 6, lead=0.0),  # proves itself: see `_is_utf_8`
    KOREAN: _Terms(0.9, 0.45, 4),
    _LATIN: _Terms(0.84, 0.84, 5),
    UTF_16: _Terms(0.78, 0.78, 6),
    UTF_16_LE: _Terms(0.78, 0.78, 6),
    GSM_PACKED: _Terms(0.95, 0.95, 11),
}
_DATA_IN_ANOTHER: Final = 0.95
"""The same for 8-bit data, most of which is no text."""
_LEAD_OVER_DAMAGE: Final = 0.05
_MOST_ACCENTS: Final = 4
"""At most one letter in so many has an accent, where another alphabet would do."""
_FEW: Final = 7
"""Octets, and characters, up to which chance is to be reckoned with: a control character is no sign of another alphabet."""
_RUBBISH: Final = 0.4
_SHORTEST_RUBBISH: Final = 4
"""A text that is worth less and is not shorter makes no sense, however clean it is."""
_LESS_OVER_RUBBISH: Final = 0.1
"""How much less Korean need be worth over such a text: the other alphabets have letters for any octets."""
_FREQUENT: Final = 0.999
"""The worth that a text of one two-octet character must have, where nothing else can be meant."""
_PROOF: Final = 2
_PROOF_ALONE: Final = 4
"""Characters that prove Korean and UTF-16; octets behind the first of a character that prove UTF-8, among ASCII and alone."""
_WRITTEN: Final = 0.5
"""The worth that a character must have to prove anything: one that is never written is chance."""
_LETTERS_OF_KS_X_1001: Final = re.compile("[\u0400-\u045f\u3041-\u30fe\u3131-\u318e\uac00-\ud7a3]")
"""Cyrillic, kana, Hangul."""
_MOST_BAD_KOREAN: Final = 5
_MOST_BAD_UTF_8: Final = 4
"""Good characters for each bad octet, at the least."""
_ASCII_OCTETS: Final = bytes(range(0x80))
_SHORTEST_PACKED: Final = 3
_SHORTEST_PACKED_PART: Final = 11
"""The same for a part that others follow, which a phone fills."""
_VARIED: Final = 5
"""Different octets in a packed text, even where one letter is repeated: septets begin at every bit."""
_SHORTEST_LATIN: Final = 3
"""Two octets say nothing in either."""
_CHANCE: Final = 10.0
"""Divided by the square of the octets: how much more sense few of them make by chance."""
_LONGEST_PACKED: Final = 140
"""Octets of a short message (3GPP TS 23.040 clause 9.2.3.24): a longer one was not packed by a phone."""
_SHORTEST_UTF_16: Final = 4
"""Two characters: any two octets are some character."""
_TWO_OCTETS_EACH: Final = (UTF_16, UTF_16_LE)
_SHORTEST_DATA_IN_UTF_16: Final = 10
"""8-bit data from which chance gives no text in UTF-16."""
_DATA: Final = 0.4
"""The worth of a damaged text that came as 8-bit data; pictures and ring tones are worth less."""
_MOST_DAMAGED: Final = 2
"""One character in so many may be unreadable in what is still a text."""

_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
"""Controls that occur in no text; tab, LF, FF and CR may."""
_NO_LETTERS: Final = re.compile(
    "[\ue000-\uf8ff]|[\u00c2\u00c3][\u00a0-\u00bf\u0152-\u0178\u02c6-\u02dc\u2013-\u2122]"
)
"""UTF-8 in another alphabet: its characters of three octets begin in UTF-16 with one of private use, an old emoji at best;
an accented letter is another and a sign in Latin."""
_ODD: Final = re.compile(
    "(?!(.)\\1\\1)[\u00a1-\u00ff\u0152-\u0178\u02c6-\u02dc\u2013-\u2122]{3}|[\\w.-]\u00a1\\w+\\.[a-z]{2}"
)
"""Accents and signs in a row, which Korean and UTF-8 are in a Latin alphabet; a mail address of ASCII in GSM 03.38.
One sign three times is what people write: dots, hearts."""
_OF_ONE_ROW: Final = re.compile("(?:[1@].){5,}|(?:.[1@]){5,}|(?:[0@].){4,}|(?:.[0@]){4,}", re.DOTALL)
"""Letters of Hangul and kana in UTF-16, as an alphabet of seven bits shows them; a blank begins with NUL."""
_LATIN_IN_UTF_16: Final = (
    (UTF_16, re.compile(rb"(?:\0[\n\r -~\xa0-\xff])+")),
    (UTF_16_LE, re.compile(rb"(?!(..)\1*\Z)(?:[\n\r -~\xa0-\xff]\0){2,}", re.DOTALL)),
)
"""Every second octet is NUL, which no other alphabet has, save that it is the "@" of GSM 03.38. One sign again and again may be a line of a frame."""
_SHORTEST_LATIN_IN_UTF_16: Final = {GSM: 4}
_HELP: Final = re.compile(rb"help[ !.?]*", re.IGNORECASE)
"""The word itself, which is two characters of Chinese."""
_SAME_IN_GSM_AND_ASCII: Final = re.compile(rb"%b[\n\r !-#%%-?A-Za-z]*" % NO_ROW.encode())
_OF_ONE_HIGH_OCTET: Final = re.compile("[\t\n\r -~\u0370-\u0fff]*")
"""Greek to Tibetan in UTF-16: in no other alphabet is every second octet such a control character."""
_LATIN_LETTERS: Final = re.compile("(?:[\\t\\n\\r -~]|[\u00c0-\u00ff](?![\u00c0-\u00ff]))*")
"""Accents one at a time: Korean that is taken for Latin has them in rows, UTF-8 has signs between them."""


class _Sense(StrEnum):
    """The quality of the text in the declared alphabet."""

    SOME = "some"
    NONE = "none"
    """All characters exist, but people do not write them together."""
    DAMAGED = "damaged"
    """Some octets are no characters."""


class Reading(NamedTuple):
    """A text and the alphabet it was read in; both ``None`` where nothing can be read."""

    text: str | None
    alphabet: str | None
    is_declared: bool = True

    @property
    def is_damaged(self) -> bool:
        """Whether octets could not be read."""
        return self.text is not None and REPLACEMENT in self.text

    def __repr__(self) -> str:
        """Never the text: tracebacks end up in logs."""
        return f"Reading({self.alphabet}, is_declared={self.is_declared})"


class Doubtful(Reading):
    """A text that makes no sense in its declared alphabet, nor in any other."""

    __slots__ = ()


UNREADABLE: Final = Reading(None, None)


def read(
    octets: bytes,
    declared: tuple[str, ...],
    *,
    shifts: Shifts = NO_SHIFTS,
    edges: Edges = WHOLE,
    is_text: bool = True,
) -> Reading:
    """Read octets for which ``declared`` alphabets are right, the first that reads well. Never raises.

    ``is_text`` is false for data that was not declared as text (8-bit): it is one only when it makes sense.
    """
    for alphabet in declared:
        text = _at_once(octets, alphabet, shifts)
        if text is not None:
            return _new_tuple(Reading, (text, alphabet, True))
    if declared in _SEVEN_BITS and not octets.isascii():
        for alphabet in (UTF_8, KOREAN):
            text = _at_once(octets, alphabet, shifts)
            if text is not None:
                return Reading(text, alphabet, is_declared=False)
    if edges == WHOLE and shifts[:2] == NO_SHIFTS[:2] and (found := _plain_at_second_sight(octets, declared)):
        return found
    if len(octets) > _LONGEST_WEIGHED:
        best = _weighed(
            octets[:_LONGEST_WEIGHED], declared, shifts, Edges(edges.starts, ends=False), is_text=is_text
        )
        if best.alphabet is None:
            return best
        text, alphabet = decode(octets, best.alphabet, shifts, edges)
        return Reading(text.replace("\0", ""), alphabet, best.is_declared)
    return _weighed(octets, declared, shifts, edges, is_text=is_text)


def _at_once(octets: bytes, alphabet: str, shifts: Shifts) -> str | None:
    """Read the ordinary message the quick way; ``None`` for all others."""
    if alphabet == GSM:
        if shifts.locking or not _SAME_IN_GSM_AND_ASCII.fullmatch(octets):
            return None
        return octets.decode(_ASCII)
    try:
        # A codec that is looked up by its name costs as much as all the rest.
        text = utf_16_be_decode(octets, "strict", True)[0] if alphabet == UTF_16 else octets.decode(alphabet)
    except (UnicodeDecodeError, LookupError):  # the latter for packed GSM 03.38, which Python does not know
        return None
    if alphabet == LATIN_1:
        return text if _LATIN_LETTERS.fullmatch(text) else None
    is_sure = is_plain(text) or (alphabet == UTF_16 and _OF_ONE_HIGH_OCTET.fullmatch(text))
    return text if is_sure else None


def _plain_at_second_sight(octets: bytes, declared: tuple[str, ...]) -> Reading | None:
    """Read a text that can have only one alphabet, whatever was declared."""
    if _HELP.fullmatch(octets):
        return Reading(octets.decode(_ASCII), _ASCII, is_declared=False)
    if len(octets) >= max((_SHORTEST_LATIN_IN_UTF_16.get(each, 2) for each in declared), default=2):
        for alphabet, shape in _LATIN_IN_UTF_16:
            if alphabet not in declared and shape.fullmatch(octets):
                return Reading(octets.decode(alphabet), alphabet, is_declared=False)
    return None


def _weighed(
    octets: bytes, declared: tuple[str, ...], shifts: Shifts, edges: Edges, *, is_text: bool
) -> Reading:
    texts = [decode(octets, alphabet, shifts, edges) for alphabet in declared]
    text, alphabet = max(texts, key=lambda found: worth(found[0]), default=("", None))
    # A sender names the national language tables that it uses, so that nothing else can be meant.
    if not shifts.locking and not shifts.single:
        another = _another(octets, declared, edges, text, is_text=is_text)
        if another is not None:
            return another
    is_readable = _is_readable(text, octets, edges) if is_text else _is_data_a_text(text)
    if not declared or not is_readable:
        return UNREADABLE
    text = text.replace("\0", "")
    return (Doubtful if _is_doubtful(text) else Reading)(text, alphabet)


def _is_doubtful(text: str) -> bool:
    """Whether people do not write so; a single character is accepted, and one odd sign among many words is a slip."""
    value = worth(text)
    return len(text) > 1 and (value < 0 or (value < CLEAN and _CONTROL.search(text) is not None))


def _sense(own: str, octets: bytes) -> _Sense:
    """Judge by its text whether the declared alphabet can have been meant."""
    if REPLACEMENT in own or (len(octets) > _FEW and _CONTROL.search(own)) or _NO_LETTERS.search(own):
        return _Sense.DAMAGED
    if len(octets) < _SHORTEST_RUBBISH or worth(own) >= _RUBBISH:
        is_of_one_row = _OF_ONE_ROW.fullmatch(own) and not own.isdigit()
        return _Sense.NONE if is_of_one_row or _ODD.search(own) else _Sense.SOME
    return _Sense.NONE


def _another(
    octets: bytes, declared: tuple[str, ...], edges: Edges, own: str, *, is_text: bool
) -> Reading | None:
    """Find the alphabet that makes more sense than the declared one, whose text is ``own``."""
    sense = _sense(own, octets)
    is_clean = sense is not _Sense.DAMAGED
    most = worth(own)
    found = None
    for candidate in _others(octets, declared, edges):
        if is_clean and len(octets) < _TERMS[candidate].shortest:
            continue
        text, alphabet = decode(octets, candidate, edges=edges)
        least, lead = _needed(candidate, len(octets), sense, is_text=is_text)
        value = worth(text, floor=max(least, most + lead))
        if value < least or value - lead <= most or not _is_sound(text, candidate, is_clean=is_clean):
            continue
        if (is_text and not is_clean) or not _CONTROL.search(text):
            most = value - lead
            found = Reading(text.replace("\0", ""), alphabet, is_declared=False)
    return found


def _needed(alphabet: str, octets: int, sense: _Sense, *, is_text: bool) -> tuple[float, float]:
    """Return the worth that a text in another alphabet must have, and its lead over the declared one's."""
    terms = _TERMS[alphabet]
    least = terms.over_damage if sense is _Sense.DAMAGED else terms.least
    lead = min(terms.lead, _LEAD_OVER_DAMAGE)
    if sense is _Sense.SOME:
        lead = terms.lead + _CHANCE / octets**2
    elif sense is _Sense.NONE and alphabet == KOREAN:
        least -= _LESS_OVER_RUBBISH
    if alphabet in _TWO_OCTETS_EACH and octets < _SHORTEST_UTF_16:
        least = _FREQUENT
    if not is_text and not (alphabet in _TWO_OCTETS_EACH and octets >= _SHORTEST_DATA_IN_UTF_16):
        least = max(least, _DATA_IN_ANOTHER)
    return least, lead


def _others(octets: bytes, declared: tuple[str, ...], edges: Edges) -> list[str]:
    """Return the alphabets that senders use without saying so and in which these octets may be read."""
    if octets.isascii():
        found = [_ASCII]
    else:
        found = [UTF_8] if _is_utf_8(octets, edges) else []
        if _is_mostly_korean(octets, edges):
            found.append(KOREAN)
        if len(octets) >= _SHORTEST_LATIN and 2 * len(octets.translate(None, _ASCII_OCTETS)) <= len(octets):
            found.append(_LATIN)
    is_even = len(octets) % 2 == 0 or octets[-1] == 0 or edges != WHOLE
    if is_even:
        found += (UTF_16, UTF_16_LE)
    shortest = _SHORTEST_PACKED if edges.ends else _SHORTEST_PACKED_PART
    if shortest <= len(octets) <= _LONGEST_PACKED and len(set(octets)) >= min(len(octets), _VARIED):
        found.append(GSM_PACKED)
    return [alphabet for alphabet in found if alphabet not in declared]


def _is_utf_8(octets: bytes, edges: Edges) -> bool:
    """Whether octets are UTF-8 but for a bad one here and there, and the edges of a part: no other alphabet looks so."""
    text = decode(octets, UTF_8, edges=edges)[0]
    bad = text.count(REPLACEMENT)
    return sum(not character.isascii() for character in text) - bad > _MOST_BAD_UTF_8 * bad


def _is_mostly_korean(octets: bytes, edges: Edges) -> bool:
    """Whether a damaged text is worth repairing as Korean; characters cut at the edges of a part are no damage."""
    text = octets.decode(KOREAN, "replace") if edges == WHOLE else decode(octets, KOREAN, edges=edges)[0]
    return text.count(REPLACEMENT) * _MOST_BAD_KOREAN <= len(text)


def _is_sound(text: str, alphabet: str, *, is_clean: bool) -> bool:
    """Whether a text is more than chance: Korean in which letters prevail, UTF-8 with octets enough to prove it.

    A character that is said again and again proves no more than once, and one is enough where the octets are nothing else.
    Han proves no Korean, for any octets from CA to FD are some; nor does a sign prove Latin, or a seldom character UTF-8.
    """
    foreign = sum(not character.isascii() for character in text)
    distinct = {character for character in text if not character.isascii()}
    if alphabet == KOREAN:
        letters = _LETTERS_OF_KS_X_1001.findall(text)
        return 2 * len(letters) >= foreign and (not is_clean or len(set(letters)) >= _PROOF)
    if not is_clean:
        return True
    if alphabet == GSM_PACKED:
        # Any octets are septets: only words of plain letters prove that they were meant.
        return 5 * sum(
            letter.isascii() and (letter.isalnum() or letter == " ") for letter in text
        ) >= 4 * len(text)
    if alphabet == _LATIN:
        return _MOST_ACCENTS * foreign <= len(text) and any(map(str.isalpha, distinct))
    if alphabet == UTF_8:
        behind = sum(len(character.encode()) - 1 for character in distinct if weight(character) >= _WRITTEN)
        is_whole = REPLACEMENT not in distinct
        return is_whole and behind >= (_PROOF if 2 * foreign <= len(text) else _PROOF_ALONE)
    return alphabet not in _TWO_OCTETS_EACH or not distinct or len(distinct) >= _PROOF


def _is_readable(text: str, octets: bytes, edges: Edges) -> bool:
    """Whether enough of a text can be read; nothing is, where nothing came or a part holds a cut character alone."""
    if not octets.strip(b"\0") or (edges != WHOLE and not text):
        return True
    return bool(text) and text.count(REPLACEMENT) * _MOST_DAMAGED <= len(text)


def _is_data_a_text(text: str) -> bool:
    return not text or (worth(text) >= _DATA and not _CONTROL.search(text))
