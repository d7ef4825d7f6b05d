"""Decodes octets in one alphabet. Damage is local: a bad octet costs one character, never the rest.

U+FFFD stands for what cannot be read. At the edges of a part, a character that is cut there is left out instead: its
other half is in the neighbour.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

from telephony.alphabets import gsm0338
from telephony.alphabets.plausibility import CLEAN, REPLACEMENT, weight, worth

GSM: Final = "gsm0338"
GSM_PACKED: Final = "gsm0338-packed"
UTF_16: Final = "utf-16-be"
UTF_16_LE: Final = "utf-16-le"
UTF_8: Final = "utf-8"
KOREAN: Final = "cp949"
LATIN_1: Final = "latin-1"

_UTF_16_MARKS: Final = {b"\xff\xfe": UTF_16_LE, b"\xfe\xff": UTF_16}
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_MARK: Final = "\ufeff"
_LEAD_OF_MOVED: Final = 0.5
"""How much more sense a part must make from its second octet on: seldom syllables make little, and nothing is cut."""
_LONGEST_REALIGNED: Final = 2_048
_CONTINUATIONS: Final = re.compile(rb"[\x80-\xbf]{1,3}")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]+")
_LOW_SURROGATES: Final = range(0xDC, 0xE0)
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)
_REPLACEMENTS: Final = re.compile(f"{REPLACEMENT}+")


class Edges(NamedTuple):
    """Whether a text begins and ends where its octets do; of a part it may be a character's middle."""

    starts: bool = True
    ends: bool = True


WHOLE: Final = Edges()


class Shifts(NamedTuple):
    """National language identifiers of the user data header, and its length, for reading GSM 03.38."""

    locking: int = 0
    single: int = 0
    header_octets: int = 0


NO_SHIFTS: Final = Shifts()


def decode(octets: bytes, alphabet: str, shifts: Shifts = NO_SHIFTS, edges: Edges = WHOLE) -> tuple[str, str]:
    """Read octets; give the text and the alphabet it was read in, which a byte order mark may name. Never raises.

    The text has neither NUL nor byte order mark in it, save the "@" that is 0 in GSM 03.38.
    """
    if alphabet == GSM:
        return _decode_gsm(octets, shifts), GSM
    if alphabet == GSM_PACKED:
        return _decode_gsm(gsm0338.unpack(octets, header_octets=shifts.header_octets), shifts), GSM_PACKED
    if alphabet in {UTF_16, UTF_16_LE}:
        text, alphabet = _decode_utf_16(octets, alphabet, edges)
    elif alphabet == UTF_8:
        text = _decode_utf_8(octets, edges)
    elif alphabet == KOREAN:
        text = _decode_korean(octets, edges)
    elif alphabet == LATIN_1:
        # Where ISO 8859-1 has controls, Windows has quotation marks, and that is what senders mean.
        text = octets.decode("cp1252", "replace")
    else:
        text = octets.decode(alphabet, "replace")
    return text.rstrip("\0").replace(_MARK, ""), alphabet


def _decode_gsm(septets: bytes, shifts: Shifts) -> str:
    return gsm0338.decode(septets, locking=shifts.locking, single=shifts.single, errors="replace")


def _decode_utf_8(octets: bytes, edges: Edges) -> str:
    """Read UTF-8, and the surrogate pairs that Java writes in it."""
    octets = octets.removeprefix(_UTF_8_MARK)
    if not edges.starts and (cut := _CONTINUATIONS.match(octets)):
        octets = octets[cut.end() :]
    try:
        pairs = octets.decode("utf-8", "surrogatepass")
        return pairs.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    except UnicodeDecodeError:
        text = codecs.getincrementaldecoder("utf-8")("replace").decode(octets, final=edges.ends)
        return _REPLACEMENTS.sub(REPLACEMENT, text)


def _decode_utf_16(octets: bytes, alphabet: str, edges: Edges) -> tuple[str, str]:
    """Read UCS2 as the UTF-16 that phones make of it: surrogate pairs, sometimes a byte order mark, right or wrong."""
    marked = _UTF_16_MARKS.get(octets[:2])
    if marked is None:
        return _in_order(octets, alphabet, edges), alphabet
    orders = (marked, UTF_16_LE if marked == UTF_16 else UTF_16)
    texts = {order: _in_order(octets[2:], order, edges) for order in orders}
    alphabet = max(texts, key=lambda order: worth(texts[order]))
    return texts[alphabet], alphabet


def _in_order(octets: bytes, alphabet: str, edges: Edges) -> str:
    if len(octets) % 2 and edges == WHOLE:
        return _without_the_odd_octet(octets, alphabet)
    text = _pairs(octets, alphabet, edges)
    if edges.starts or (edges.ends and len(octets) % 2 == 0):
        return text  # where it ends whole, an even number of octets begins whole
    moved = _pairs(octets[1:], alphabet, edges)
    return moved if worth(moved) >= max(CLEAN, worth(text) + _LEAD_OF_MOVED) else text


def _pairs(octets: bytes, alphabet: str, edges: Edges) -> str:
    first = 1 if alphabet == UTF_16_LE else 0
    if not edges.starts and len(octets) > 1 and octets[first] in _LOW_SURROGATES:
        octets = octets[2:]
    octets = octets[: len(octets) // 2 * 2] if not edges.ends else octets
    if not edges.ends and octets and octets[first - 2] in _HIGH_SURROGATES:
        octets = octets[:-2]
    return octets.decode(alphabet, "replace")


def _without_the_odd_octet(octets: bytes, alphabet: str) -> str:
    """Find the octet that is one too many: most often a NUL at the end."""
    place = len(octets) - 1
    if octets[-1] != 0 or weight(octets[:2].decode(alphabet, "replace")[:1]) < 0:
        place = _one_too_many(octets, alphabet)
    odd = "" if octets[place] == 0 else REPLACEMENT
    return octets[:place].decode(alphabet, "replace") + odd + octets[place + 1 :].decode(alphabet, "replace")


def _decode_korean(octets: bytes, edges: Edges) -> str:
    """Read KS X 1001 or its extension; where octets of a character are missing, the next word is read again."""
    try:
        if edges.starts or not octets:
            return octets.decode(KOREAN)
    except UnicodeDecodeError:
        pass
    pieces: list[str] = []
    place = 0
    for run in _HIGH_RUN.finditer(octets):
        pieces.append(octets[place : run.start()].decode("ascii"))
        is_first = run.start() == 0 and not edges.starts
        is_last = run.end() == len(octets) and not edges.ends
        pieces.append(_decode_run(run[0], may_be_cut_before=is_first, may_be_cut_behind=is_last))
        place = run.end()
    pieces.append(octets[place:].decode("ascii"))
    repaired = "".join(pieces)
    # Half of the characters beyond KS X 1001 have a letter for their second octet, which a run does not hold.
    as_it_is = codecs.getincrementaldecoder(KOREAN)("replace").decode(octets, final=edges.ends)
    return max((as_it_is, repaired), key=worth)


def _decode_run(octets: bytes, *, may_be_cut_before: bool, may_be_cut_behind: bool) -> str:
    """Read octets above 127, two a character; of an odd number, one belongs to none."""
    if len(octets) % 2 == 0:
        texts = [_in_twos(octets)]
        if may_be_cut_before and may_be_cut_behind:
            texts.append(_in_twos(octets[1:-1]))
        return max(texts, key=worth)
    place = _one_too_many(octets, KOREAN)
    is_cut = (place == 0 and may_be_cut_before) or (place == len(octets) - 1 and may_be_cut_behind)
    return _in_twos(octets[:place]) + ("" if is_cut else REPLACEMENT) + _in_twos(octets[place + 1 :])


def _in_twos(octets: bytes) -> str:
    return "".join(_two(octets, place, KOREAN) for place in range(0, len(octets), 2))


def _two(octets: bytes, place: int, alphabet: str) -> str:
    text = octets[place : place + 2].decode(alphabet, "replace")
    return text if len(text) == 1 else REPLACEMENT


def _one_too_many(octets: bytes, alphabet: str) -> int:
    """Return the place of the octet without which the others, two a character, make the most sense."""
    last = len(octets) - 1
    if last > _LONGEST_REALIGNED:
        return last
    before = [weight(_two(octets, place, alphabet)) for place in range(0, last, 2)]
    behind = [weight(_two(octets, place, alphabet)) for place in range(1, last, 2)]
    said = best = sum(before)
    best_place = last
    for number in range(len(before) - 1, -1, -1):
        said += behind[number] - before[number]
        if said > best:
            best_place, best = 2 * number, said
    return best_place
