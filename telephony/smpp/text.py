"""The text of a short message, read: user data header, alphabet, parts. `telephony.smpp.text_parts` writes.

Nothing is guessed silently: a text is read strictly in one alphabet and says which, or it is ``None`` and the
caller keeps the octets. Only octets that cannot be what they claim are tried as UTF-8 and as Korean.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from telephony.domain.trigger import Part
from telephony.smpp import gsm0338
from telephony.smpp.constants import DATA_CODING_DEFAULT, ESM_UDHI

# Information elements of a user data header (3GPP TS 23.040 clause 9.2.3.24).
IEI_CONCATENATED_8: Final = 0x00
IEI_CONCATENATED_16: Final = 0x08
IEI_SINGLE_SHIFT: Final = 0x24
IEI_LOCKING_SHIFT: Final = 0x25
_CONCATENATED_8_OCTETS: Final = 3
_CONCATENATED_16_OCTETS: Final = 4

_GSM: Final = "gsm0338"
_GSM_PACKED: Final = "gsm0338-packed"
_UTF_16: Final = "utf-16-be"
_GUESS: Final = "guess"
"""UTF-8 or Korean, when it reads as such and as nothing else."""
_IA5: Final = "ia5"
"""ASCII, with no control characters but those of lines: there, GSM 03.38 has letters and ESC."""

_HIGH_SURROGATES: Final = range(0xD8, 0xDC)
_LOW_SURROGATES: Final = range(0xDC, 0xE0)
_HANGUL: Final = re.compile("[\u3131-\u318e\uac00-\ud7a3]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
"""What no text has in it; tab, LF, FF and CR it may have."""

_READS_AS_GSM: Final = (_GSM, _GUESS)
_READS_AS_BINARY: Final = (_GUESS,)
_READS_AS_UCS2: Final = (_UTF_16,)

_BY_ALPHABET_BITS: Final = (_READS_AS_GSM, _READS_AS_BINARY, _READS_AS_UCS2, _READS_AS_GSM)
"""Bits 3-2 of the general data coding groups (3GPP TS 23.038 clauses 4 and 5): 0 GSM, 1 8-bit, 2 UCS2."""

_NAMED_CODINGS: Final = {
    0x01: (_IA5, *_READS_AS_GSM),
    0x02: _READS_AS_BINARY,
    0x03: ("latin-1",),
    0x04: _READS_AS_BINARY,
    0x05: ("iso2022_jp_ext", "shift_jis"),
    0x06: ("iso8859-5",),
    0x07: ("iso8859-8",),
    0x08: _READS_AS_UCS2,
    0x09: ("shift_jis",),
    0x0A: ("iso2022_jp_ext",),
    0x0D: ("iso2022_jp_ext", "euc_jp"),
    0x0E: ("cp949",),
}
"""SMPP 3.4 clause 5.2.19. cp949 contains KS C 5601 and the syllables that it lacks."""

# The other codings by their high four bits (3GPP TS 23.038 clauses 4 and 5).
_GROUPS_BY_ALPHABET_BITS: Final = (0x1, 0x4, 0x5, 0x9)
"""SMS with a class, CBS general (0x48 on USSD is UCS2), CBS with a user data header."""
_COMPRESSED_GROUPS: Final = (0x6, 0x7)
_WAITING_UCS2_GROUPS: Final = (0xE,)
_CLASS_GROUPS: Final = (0xF,)
_CLASS_IS_BINARY: Final = 0x04


def _alphabets(data_coding: int) -> tuple[str, ...]:
    """Give the alphabets to try for a data_coding other than 0, in order."""
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
_DEFAULT_ALPHABETS: Final = {
    _GSM: _READS_AS_GSM,
    _GSM_PACKED: (_GSM_PACKED,),
    "ascii": ("ascii", _GUESS),
    "utf-8": ("utf-8", _GUESS),
}


_new_tuple = tuple.__new__
"""Makes a named tuple from a tuple, faster than calling its class: one for each message."""


class Text(NamedTuple):
    """What a short message says.

    ``text`` and ``encoding`` are ``None`` when it cannot be read. ``part`` is its place in a long message, by user
    data header or SAR parameters. ``udh`` holds the information elements as (identifier, octets), ``payload`` what
    follows the header.
    """

    text: str | None
    encoding: str | None
    part: Part | None
    udh: tuple[tuple[int, bytes], ...]
    payload: bytes

    def __repr__(self) -> str:
        """Never the text: tracebacks end up in logs."""
        return f"Text({self.encoding}, {self.part}, {len(self.payload)} octets)"


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
    udh: tuple[tuple[int, bytes], ...] = ()
    payload = octets
    part = None
    if esm_class & ESM_UDHI:
        udh, payload = _read_header(octets)
        part = _concatenation(udh)
    if sar is not None and part is None:
        part = _part(*sar)
    if data_coding == DATA_CODING_DEFAULT:
        alphabets = _DEFAULT_ALPHABETS.get(default_alphabet) or (default_alphabet,)
    else:
        alphabets = _ALPHABETS[data_coding & 0xFF]
    for alphabet in alphabets:
        try:
            text, encoding = _decode(alphabet, payload, udh, len(octets) - len(payload), part)
        except ValueError:  # what every strict decoder raises
            continue
        return _new_tuple(Text, (text, encoding, part, udh, payload))
    return Text(None, None, part, udh, payload)


def _read_header(octets: bytes) -> tuple[tuple[tuple[int, bytes], ...], bytes]:
    """Walk the information elements; a header that is longer than the message is none."""
    if not octets or 1 + octets[0] > len(octets):
        return (), octets
    end = 1 + octets[0]
    elements: list[tuple[int, bytes]] = []
    position = 1
    while position + 2 <= end:
        identifier, length = octets[position], octets[position + 1]
        position += 2
        if position + length > end:
            break
        elements.append((identifier, octets[position : position + length]))
        position += length
    return tuple(elements), octets[end:]


def _concatenation(udh: tuple[tuple[int, bytes], ...]) -> Part | None:
    """Find the place in a long message; of several elements the last counts (3GPP TS 23.040 clause 9.2.3.24)."""
    part = None
    for identifier, value in udh:
        if identifier == IEI_CONCATENATED_8 and len(value) == _CONCATENATED_8_OCTETS:
            part = _part(value[0], value[1], value[2]) or part
        elif identifier == IEI_CONCATENATED_16 and len(value) == _CONCATENATED_16_OCTETS:
            part = _part(int.from_bytes(value[:2]), value[2], value[3]) or part
    return part


def _part(reference: int, total: int, number: int) -> Part | None:
    """Ignore what cannot be, as phones do: no part 0, none beyond the total."""
    return Part(reference, total, number) if 1 <= number <= total else None


def _decode(
    alphabet: str,
    payload: bytes,
    udh: tuple[tuple[int, bytes], ...],
    header_octets: int,
    part: Part | None,
) -> tuple[str, str]:
    """Read strictly in one alphabet; give the text and the name of what it was. Raises `ValueError`."""
    if alphabet == _GSM:
        return _decode_gsm(payload, udh), alphabet
    if alphabet == _UTF_16:
        return _decode_utf_16(payload, is_part=part is not None)
    if alphabet == _GUESS:
        return _guess(payload)
    if alphabet == _IA5:
        return _decode_ia5(payload)
    if alphabet == _GSM_PACKED:
        return _decode_gsm(gsm0338.unpack(payload, header_octets=header_octets), udh), alphabet
    return payload.decode(alphabet), alphabet


def _decode_gsm(septets: bytes, udh: tuple[tuple[int, bytes], ...]) -> str:
    if not udh:
        return gsm0338.decode(septets)
    languages = {identifier: value[0] for identifier, value in udh if len(value) == 1}
    return gsm0338.decode(
        septets, locking=languages.get(IEI_LOCKING_SHIFT, 0), single=languages.get(IEI_SINGLE_SHIFT, 0)
    )


def _decode_ia5(octets: bytes) -> tuple[str, str]:
    text = octets.decode("ascii")
    if _CONTROL.search(text):
        raise ValueError("control characters are letters of GSM 03.38")
    return text, "ascii"


def _decode_utf_16(octets: bytes, *, is_part: bool) -> tuple[str, str]:
    """Read UCS2 as the UTF-16 that phones make of it: surrogate pairs, sometimes a byte order mark.

    An octet too many at the end is dropped; so is half a pair where the sender cut it in two between parts.
    """
    octets = octets[: len(octets) // 2 * 2]
    encoding = _UTF_16
    if octets[:2] == b"\xff\xfe":
        encoding = "utf-16-le"
        octets = octets[2:]
    elif octets[:2] == b"\xfe\xff":
        octets = octets[2:]
    if is_part and octets:
        leading = 1 if encoding == "utf-16-le" else 0
        if octets[leading] in _LOW_SURROGATES:
            octets = octets[2:]
        if octets and octets[leading - 2] in _HIGH_SURROGATES:
            octets = octets[:-2]
    return octets.decode(encoding), encoding


def _guess(octets: bytes) -> tuple[str, str]:
    """Read octets of unknown coding, if they make sense: UTF-8, or cp949 with Hangul prevailing."""
    try:
        text = octets.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        text = octets.decode("cp949")
        encoding = "cp949"
        if 2 * len(_HANGUL.findall(text)) < sum(not character.isascii() for character in text):
            raise ValueError("not Korean") from None
    if _CONTROL.search(text):
        raise ValueError("not text")
    return text, encoding
