"""Reads the user data header of a short message: information elements, and the place in a long message. Pure.

3GPP TS 23.040 clause 9.2.3.24. The flag alone proves no header, and its absence disproves none: gateways set it on plain
texts and forget it on parts. The octets decide.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from telephony.domain.trigger import Part, PartKind

# Information elements (clause 9.2.3.24).
IEI_CONCATENATED_8: Final = 0x00
IEI_CONCATENATED_16: Final = 0x08
IEI_SINGLE_SHIFT: Final = 0x24
IEI_LOCKING_SHIFT: Final = 0x25
_CONCATENATED_8_OCTETS: Final = 3
_CONCATENATED_16_OCTETS: Final = 4
_SHORTEST_CONCATENATED: Final = 5
"""Octets of a header that holds the shorter of the two and nothing else, its length not counted."""
_RESERVED: Final = frozenset((*range(0x26, 0x70), *range(0xE0, 0x100)))
"""Identifiers that no element has: the letters of a text that is taken for a header are among them."""

Elements = tuple[tuple[int, bytes], ...]


class Header(NamedTuple):
    """A header: its elements as (identifier, octets), its place in a long message, and the octets it takes."""

    elements: Elements
    part: Part | None
    octets: int


NO_HEADER: Final = Header((), None, 0)


def read_header(octets: bytes, *, is_flagged: bool) -> Header:
    """Read the header at the beginning of a message; `NO_HEADER` where everything is text.

    A header is one whose elements end exactly at its length. One without the flag (``is_flagged``) must tell a
    place in a long message as well.
    """
    if not octets:
        return NO_HEADER
    end = 1 + octets[0]
    if end > len(octets) or (not is_flagged and end <= _SHORTEST_CONCATENATED):
        return NO_HEADER
    elements = _elements(octets, end)
    if elements is None:
        return NO_HEADER
    part = _concatenation(elements)
    return Header(elements, part, end) if is_flagged or part is not None else NO_HEADER


def part_of(kind: PartKind, reference: int, total: int, number: int) -> Part | None:
    """Make a place in a long message; ``None`` for one that cannot be, as phones do: no part 0, none beyond the total."""
    return Part(reference, total, number, kind) if 1 <= number <= total else None


def _elements(octets: bytes, end: int) -> Elements | None:
    """Walk the elements; ``None`` where they do not end at the end of the header."""
    elements: list[tuple[int, bytes]] = []
    position = 1
    while position + 2 <= end:
        identifier, length = octets[position], octets[position + 1]
        position += 2
        if identifier in _RESERVED:
            return None
        elements.append((identifier, octets[position : position + length]))
        position += length
    return tuple(elements) if position == end else None


def _concatenation(elements: Elements) -> Part | None:
    """Find the place in a long message; of several elements the last counts (clause 9.2.3.24)."""
    part = None
    for identifier, value in elements:
        if identifier == IEI_CONCATENATED_8 and len(value) == _CONCATENATED_8_OCTETS:
            part = part_of(PartKind.CONCATENATED_8, value[0], value[1], value[2]) or part
        elif identifier == IEI_CONCATENATED_16 and len(value) == _CONCATENATED_16_OCTETS:
            part = part_of(PartKind.CONCATENATED_16, int.from_bytes(value[:2]), value[2], value[3]) or part
    return part
