"""Reads the text of a short message: user data header, alphabet, parts. `telephony.smpp.wire.text_parts` writes.

Nothing is guessed silently: a text says which alphabet it was read in, and remarks tell what is doubtful in it. Octets
that cannot be what they claim are read as `telephony.alphabets.reading` says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from telephony.alphabets.decoding import (
    GSM,
    GSM_PACKED,
    KOREAN,
    LATIN_1,
    NO_SHIFTS,
    UTF_8,
    UTF_16,
    WHOLE,
    Edges,
    Shifts,
)
from telephony.alphabets.gsm0338 import unpack
from telephony.alphabets.reading import Doubtful, Reading, read
from telephony.domain.trigger import (
    DOUBTFUL_TEXT,
    PARTLY_UNREADABLE_TEXT,
    TEXT_IN_ANOTHER_ALPHABET,
    UNREADABLE_TEXT,
    Part,
    PartKind,
)
from telephony.smpp.wire.constants import DATA_CODING_DEFAULT, ESM_UDHI
from telephony.smpp.wire.pdus import Message
from telephony.smpp.wire.user_data_header import (
    IEI_LOCKING_SHIFT,
    IEI_SINGLE_SHIFT,
    NO_HEADER,
    Elements,
    Header,
    part_of,
    read_header,
)

_ASCII: Final = "ascii"

_READS_AS_GSM: Final = (GSM,)
_READS_AS_BINARY: Final = (UTF_8, KOREAN)
"""8-bit data. What is a text there is one of these, and most is none."""
_READS_AS_UCS2: Final = (UTF_16,)

_BY_ALPHABET_BITS: Final = (_READS_AS_GSM, _READS_AS_BINARY, _READS_AS_UCS2, _READS_AS_GSM)
"""Bits 3-2 of the general data coding groups (3GPP TS 23.038 clauses 4 and 5): 0 GSM, 1 8-bit, 2 UCS2."""

_NAMED_CODINGS: Final = {
    0x01: (_ASCII, GSM),
    0x02: _READS_AS_BINARY,
    0x03: (LATIN_1,),
    0x04: _READS_AS_BINARY,
    0x05: ("iso2022_jp_ext", "shift_jis"),
    0x06: ("iso8859-5",),
    0x07: ("iso8859-8",),
    0x08: _READS_AS_UCS2,
    0x09: ("shift_jis",),
    0x0A: ("iso2022_jp_ext",),
    0x0D: ("iso2022_jp_ext", "euc_jp"),
    0x0E: (KOREAN,),
}
"""SMPP 3.4 clause 5.2.19. cp949 contains KS C 5601 and the syllables that it lacks."""

# Other codings by their high four bits (3GPP TS 23.038 clauses 4 and 5).
_GROUPS_BY_ALPHABET_BITS: Final = (0x1, 0x4, 0x5, 0x9)
"""SMS with a class, CBS general (0x48 on USSD is UCS2), CBS with a user data header."""
_COMPRESSED_GROUPS: Final = (0x6, 0x7)
_WAITING_UCS2_GROUPS: Final = (0xE,)
_CLASS_GROUPS: Final = (0xF,)
_CLASS_IS_BINARY: Final = 0x04


def _alphabets(data_coding: int) -> tuple[str, ...]:
    """Return the alphabets to try for a data_coding other than 0, in order."""
    if data_coding in _NAMED_CODINGS:
        return _NAMED_CODINGS[data_coding]
    group = data_coding >> 4
    if group in _GROUPS_BY_ALPHABET_BITS:
        return _BY_ALPHABET_BITS[(data_coding >> 2) & 3]
    if group in _COMPRESSED_GROUPS:
        return ()
    if group in _WAITING_UCS2_GROUPS:
        return _READS_AS_UCS2
    if group in _CLASS_GROUPS and data_coding & _CLASS_IS_BINARY:
        return _READS_AS_BINARY
    # 0x0F and the language codings of USSD, message waiting, classes; what is reserved is to be read so too.
    return _READS_AS_GSM


_ALPHABETS: Final = tuple(_alphabets(data_coding) for data_coding in range(256))
_HEADER_LENGTHS: Final = frozenset(range(5, 32)) - {0x0A, 0x0D}
"""First octets that may be those of a header without its flag: no text but one in GSM 03.38 begins so."""


_new_tuple = tuple.__new__
"""Makes a named tuple from a tuple, faster than calling its class: one for each message."""
_DAMAGED: Final = (PARTLY_UNREADABLE_TEXT,)
_OTHER: Final = (TEXT_IN_ANOTHER_ALPHABET,)
_DOUBTFUL: Final = (DOUBTFUL_TEXT,)
_UNREADABLE: Final = (UNREADABLE_TEXT,)


class Text(NamedTuple):
    """The text of a short message, and how it was read.

    ``text`` and ``encoding`` are ``None`` when it cannot be read. ``part`` is its place in a long message, by user
    data header or SAR parameters. ``udh`` holds the information elements as (identifier, octets), ``payload`` what
    follows the header. ``remarks`` are labels for 112: what is doubtful in the text.
    """

    text: str | None
    encoding: str | None
    part: Part | None
    udh: Elements
    payload: bytes
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Never the text: tracebacks end up in logs."""
        return f"Text({self.encoding}, {self.part}, {len(self.payload)} octets, {self.remarks})"


def text_of(message: Message, default_alphabet: str) -> Text:
    """Return the text of a message; ``default_alphabet`` says how its carrier means data_coding 0. Never raises."""
    return read_text(
        message.data_coding,
        message.esm_class,
        message.short_message,
        default_alphabet=default_alphabet,
        sar=message.sar,
    )


def read_text(
    data_coding: int,
    esm_class: int,
    octets: bytes,
    *,
    default_alphabet: str,
    sar: tuple[int, int, int] | None,
) -> Text:
    """Read the text of a short message. Never raises.

    ``default_alphabet`` says how this carrier means data_coding 0; ``sar`` gives reference, total and number of the
    SAR parameters, which a header overrides.
    """
    if data_coding == DATA_CODING_DEFAULT:
        declared: tuple[str, ...] = (default_alphabet,)
    else:
        declared = _ALPHABETS[data_coding & 0xFF]
    header = NO_HEADER
    is_flagged = bool(esm_class & ESM_UDHI)
    if is_flagged or (octets and octets[0] in _HEADER_LENGTHS):
        header = _header(octets, declared, is_flagged=is_flagged)
    part = header.part
    if sar is not None and part is None:
        part = part_of(PartKind.SAR, *sar)
    payload = octets[header.octets :] if header.octets else octets
    shifts = _shifts(header) if header.octets else NO_SHIFTS
    edges = Edges(part.number == 1, part.number == part.total) if part is not None else WHOLE
    read_as = read(payload, declared, shifts=shifts, edges=edges, is_text=declared != _READS_AS_BINARY)
    if part is not None:
        part = _with_octets(part, payload, read_as, shifts)
    return _new_tuple(
        Text, (read_as.text, read_as.alphabet, part, header.elements, payload, _remarks(read_as, payload))
    )


def _header(octets: bytes, declared: tuple[str, ...], *, is_flagged: bool) -> Header:
    """Read the header; the first octet of a Latin letter in UCS2 is 0 and is none of no octets."""
    header = read_header(octets, is_flagged=is_flagged)
    if header.octets == 1 and declared == _READS_AS_UCS2 and len(octets) % 2 == 0:
        return NO_HEADER
    return header


def _shifts(header: Header) -> Shifts:
    languages = {identifier: value[0] for identifier, value in header.elements if len(value) == 1}
    return Shifts(languages.get(IEI_LOCKING_SHIFT, 0), languages.get(IEI_SINGLE_SHIFT, 0), header.octets)


def _with_octets(part: Part, payload: bytes, read_as: Reading, shifts: Shifts) -> Part:
    """Keep the octets with the part, to be joined with those of its neighbours; packed ones each by itself.

    Alone they may be too few, or too cut, to be read.
    """
    if shifts.locking or shifts.single:
        return part
    alphabet = read_as.alphabet
    if alphabet == GSM_PACKED:
        alphabet, payload = GSM, unpack(payload, header_octets=shifts.header_octets)
    return replace(part, octets=payload, alphabet=alphabet)


def _remarks(read_as: Reading, payload: bytes) -> tuple[str, ...]:
    if read_as.text is None:
        return _UNREADABLE if payload else ()
    if read_as.is_damaged:
        return _DAMAGED if read_as.is_declared else _OTHER + _DAMAGED
    if not read_as.is_declared:
        return _OTHER
    return _DOUBTFUL if isinstance(read_as, Doubtful) else ()
