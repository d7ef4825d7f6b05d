"""Joins the parts of long messages: which parts belong together, and their text. Pure.

Octets are joined before they are decoded, since senders cut characters. A part number that comes again with other
words belongs to another message: references are few, and some phones use one for all they send.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from telephony.alphabets.decoding import GSM, GSM_PACKED, Edges
from telephony.alphabets.plausibility import REPLACEMENT, worth
from telephony.alphabets.reading import read

MISSING: Final = "…"
"""Stands for a part that has not come."""
_AS_GOOD: Final = 0.05
"""A character that was cut and is whole again may be an odd one."""
_SAMPLE: Final = 4_096


@dataclass(frozen=True, slots=True)
class Piece:
    """A part: its number, its text as it was read alone, and its undecoded octets in an alphabet where they are kept."""

    number: int
    text: str | None = field(repr=False)
    octets: bytes | None = field(default=None, repr=False)
    alphabet: str | None = None

    def says_the_same(self, other: Piece) -> bool:
        """Whether this is the other part again."""
        return (self.number, self.text, self.octets) == (other.number, other.text, other.octets)


def messages_of(pieces: Iterable[Piece]) -> list[dict[int, Piece]]:
    """Sort the parts of one reference, in the order in which they came, into messages by part number.

    Where each number came equally often, its n-th is of the n-th message; otherwise a part is of the newest message, or
    begins one when that has its number already.
    """
    distinct: list[Piece] = []
    for piece in pieces:
        if not any(piece.says_the_same(known) for known in distinct):
            distinct.append(piece)
    times = Counter(piece.number for piece in distinct)
    are_even = len(set(times.values())) == 1
    messages: list[dict[int, Piece]] = []
    seen: Counter[int] = Counter()
    for piece in distinct:
        place = seen[piece.number] if are_even else len(messages) - 1
        seen[piece.number] += 1
        if not 0 <= place < len(messages) or piece.number in messages[place]:
            messages.append({})
            place = len(messages) - 1
        messages[place][piece.number] = piece
    return messages


def joined(pieces: Mapping[int, Piece], total: int, *, missing: str = MISSING) -> str:
    """Return what the parts of one message say, ``missing`` for each that is not there."""
    said = []
    for is_there, numbers in groupby(range(1, total + 1), key=lambda number: number in pieces):
        run = list(numbers)
        if is_there:
            said.append(_run([pieces[number] for number in run], Edges(run[0] == 1, run[-1] == total)))
        else:
            said.append(missing * len(run))
    return "".join(said)


def _run(pieces: Sequence[Piece], edges: Edges) -> str:
    """Read parts that follow each other: as one, unless they say more each by itself."""
    apart = "".join(piece.text or "" for piece in pieces)
    octets = [piece.octets for piece in pieces if piece.octets is not None]
    # The octets of packed parts are kept unpacked: the fill bits are those of each.
    named = (GSM if piece.alphabet == GSM_PACKED else piece.alphabet for piece in pieces)
    alphabets = tuple(dict.fromkeys(alphabet for alphabet in named if alphabet is not None))
    if len(pieces) == 1 or len(octets) < len(pieces) or not alphabets:
        return apart
    whole = read(b"".join(octets), alphabets, edges=edges).text
    if whole is None:
        return apart
    # Read apart, a character that is cut is left out; read as one, it may be unreadable, at each border.
    readable = whole.replace(REPLACEMENT, "", len(pieces) - 1)
    return whole if worth(readable, _SAMPLE) >= worth(apart, _SAMPLE) - _AS_GOOD else apart
