"""Writes a text into short messages: alphabet, parts, and the header that joins them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from telephony.alphabets import gsm0338
from telephony.domain.errors import Malformed
from telephony.smpp.wire.constants import (
    DATA_CODING_DEFAULT,
    DATA_CODING_KS_C_5601,
    DATA_CODING_UCS2,
    ESM_UDHI,
)

TextAlphabet = Literal["ucs2", "ks-x-1001"]

SEPTETS_ALONE: Final = 160
SEPTETS_A_PART: Final = 153
UCS2_OCTETS_ALONE: Final = 140
UCS2_OCTETS_A_PART: Final = 134
"""Septets or octets that fit into one short message, and into one part of a long one (3GPP TS 23.040 clause
9.2.3.24.1)."""
KS_OCTETS_ALONE: Final = 80
KS_OCTETS_A_PART: Final = 74
"""Korean message centres take 80 octets; the header of a part is among them."""
MOST_PARTS: Final = 255

_CONCATENATED_8: Final = (5, 0x00, 3)
"""Length of the header, and identifier and length of its one element (3GPP TS 23.040 clause 9.2.3.24.1)."""
_KS_X_1001_FROM: Final = 0xA1
"""Both octets of a character of KS X 1001 in EUC-KR; what cp949 adds has one that is lower."""
_ASCII_ONLY: Final = 1
_DIGITS: Final = frozenset("0123456789")
_LONGEST_NUMBER: Final = 15
"""Digits that are kept together: any code of ours, any number of a phone (ITU-T E.164 clause 6.2.1)."""


class Segments(NamedTuple):
    """A text ready for submit_sm: one user data for each message, with the header that joins them."""

    data_coding: int
    esm_class: int
    parts: tuple[bytes, ...]

    def __repr__(self) -> str:
        """Never the text: tracebacks end up in logs."""
        return f"Segments(data_coding=0x{self.data_coding:02x}, {len(self.parts)} parts)"


def text_parts(
    text: str, reference: int, *, alphabet: TextAlphabet, default_alphabet: str = "gsm0338"
) -> Segments:
    """Write a text of ours as a carrier takes it.

    GSM 7 bit where the carrier's default alphabet is that and the text allows it. Otherwise ``alphabet``: UCS-2, or
    EUC-KR with data_coding 0x0E; a text with a character that EUC-KR lacks goes as UCS-2. ``reference`` (its low
    octet) joins the parts. Raises `Malformed` as `segments` does.
    """
    if default_alphabet == "gsm0338" and gsm0338.encode(text) is not None:
        return segments(text, reference)
    if alphabet == "ks-x-1001":
        characters = [ks_x_1001(character) for character in text]
        written = [octets for octets in characters if octets is not None]
        if len(written) == len(characters):
            limits = (KS_OCTETS_ALONE, KS_OCTETS_A_PART)
            return _cut(text, written, DATA_CODING_KS_C_5601, reference, limits)
    return _ucs2(text, reference)


def segments(text: str, reference: int, *, default_alphabet: str = "gsm0338") -> Segments:
    """Cut a text into what fits into short messages, no escape, surrogate pair or number split.

    GSM 7 bit where the text allows it, UCS-2 otherwise. A carrier whose default alphabet is another gets 7 bit only
    for characters that are the same in both. ``reference`` (its low octet) joins the parts. Raises `Malformed` for
    half a surrogate pair and for a text of more than 255 parts.
    """
    is_same = default_alphabet == "gsm0338" or (
        default_alphabet != "gsm0338-packed" and gsm0338.SAME_AS_ASCII.issuperset(text)
    )
    septets = [gsm0338.encode(character) for character in text] if is_same else [None]
    written = [octets for octets in septets if octets is not None]
    if len(written) == len(septets):
        return _cut(text, written, DATA_CODING_DEFAULT, reference, (SEPTETS_ALONE, SEPTETS_A_PART))
    return _ucs2(text, reference)


def ks_x_1001(character: str) -> bytes | None:
    """Write a character in EUC-KR: ASCII or KS X 1001; ``None`` when neither has it.

    Python's ``euc_kr`` writes the 8,822 syllables that KS X 1001 lacks as runs of letters, which phones show as such;
    ``cp949`` has them at places that phones of KS X 1001 do not know.
    """
    try:
        octets = character.encode("cp949")
    except UnicodeEncodeError:
        return None
    is_known = octets.isascii() if len(octets) == _ASCII_ONLY else min(octets) >= _KS_X_1001_FROM
    return octets if is_known else None


def _ucs2(text: str, reference: int) -> Segments:
    try:
        characters = [character.encode("utf-16-be") for character in text]
    except UnicodeEncodeError as error:
        raise Malformed("a text with half a surrogate pair cannot be sent") from error
    return _cut(text, characters, DATA_CODING_UCS2, reference, (UCS2_OCTETS_ALONE, UCS2_OCTETS_A_PART))


def _cut(
    text: str, written: Sequence[bytes], data_coding: int, reference: int, limits: tuple[int, int]
) -> Segments:
    """Put whole characters into one message, or into parts; ``written`` are the octets of each character of the text."""
    alone, a_part = limits
    if sum(map(len, written)) <= alone:
        return Segments(data_coding, 0, (b"".join(written),))
    pieces: list[bytes] = []
    start = 0
    while start < len(written):
        end, size = start, 0
        while end < len(written) and size + len(written[end]) <= a_part:
            size += len(written[end])
            end += 1
        end = _outside_a_number(text, start, end)
        pieces.append(b"".join(written[start:end]))
        start = end
    if len(pieces) > MOST_PARTS:
        raise Malformed(f"a text of {len(pieces)} parts is longer than {MOST_PARTS}")
    header = (*_CONCATENATED_8, reference & 0xFF, len(pieces))
    parts = tuple(bytes((*header, number)) + each for number, each in enumerate(pieces, start=1))
    return Segments(data_coding, ESM_UDHI, parts)


def _outside_a_number(text: str, start: int, end: int) -> int:
    """Return where the part that begins at ``start`` ends, at the latest at ``end``.

    A phone that shows the parts one by one still shows a code, or a number to call, whole.
    """
    first = last = end
    while first > start and text[first - 1] in _DIGITS:
        first -= 1
    while last < len(text) and text[last] in _DIGITS:
        last += 1
    is_cut = first < end < last
    return first if is_cut and first > start and last - first <= _LONGEST_NUMBER else end
