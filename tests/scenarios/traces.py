"""Every way in which a number, a word or a place might stand in some octets, and the search for them."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

TEXT_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "euc-kr")
LEAST_OCTETS = 4
"""Shorter spellings stand in any file by chance: four octets in a megabyte do so once in four thousand runs."""


def of_number(e164: str, country_code: str = "82") -> set[bytes]:
    """Return the spellings of a number: international, national, as digits, packed into semi-octets, written out."""
    national = e164.removeprefix(country_code)
    digits = (e164, f"0{national}", national)
    plain = {each.encode(encoding) for each in digits for encoding in TEXT_ENCODINGS}
    grouped = f"0{national[:2]}-{national[2:6]}-{national[6:]}"
    packed = {octets for each in digits for octets in _semi_octets(each)}
    return _written(plain | {grouped.encode()} | packed) | {
        int(each).to_bytes(8, order) for each in (e164, national) for order in ("little", "big")
    }


def of_text(text: str) -> set[bytes]:
    """Return the spellings of words."""
    return _written({text.encode(encoding) for encoding in TEXT_ENCODINGS})


def of_degrees(degrees: float) -> set[bytes]:
    """Return the spellings of a latitude or a longitude: in figures, and as IEEE 754 and whole numbers of either order."""
    figures = {f"{degrees:.5f}"[:-1], f"{int(degrees)} {int(degrees % 1 * 60):02d} "}
    doubles = {struct.pack(f"{order}{size}", degrees) for order in "<>" for size in "df"}
    whole = {struct.pack(f"{order}i", round(degrees * scale)) for order in "<>" for scale in (10**6, 10**7)}
    return _written({each.encode() for each in figures} | doubles | whole)


def found(spellings: Mapping[str, Iterable[bytes]], files: Iterable[Path]) -> list[str]:
    """Return which secret stands in which file, and how."""
    return [f"{file.name}: {secret}" for file in files for secret in found_in(spellings, file.read_bytes())]


def found_in(spellings: Mapping[str, Iterable[bytes]], octets: bytes) -> Iterator[str]:
    """Return which secret stands in some octets, and how."""
    for secret, ways in spellings.items():
        for way in ways:
            if way in octets:
                yield f"{secret} as {way!r} at {octets.index(way)}"


def _semi_octets(digits: str) -> Iterator[bytes]:
    """Pack digits as 3GPP TS 23.040 clause 9.1.2.3 does (low digit first), and the other way round."""
    for filled in (digits + "f" * (len(digits) % 2), "0" * (len(digits) % 2) + digits):
        yield bytes.fromhex(filled)
        yield bytes.fromhex("".join(filled[at + 1] + filled[at] for at in range(0, len(filled), 2)))


def _written(octets: set[bytes]) -> set[bytes]:
    """Add what each looks like in hexadecimal and in base64, wherever in a longer one it begins."""
    ways = {each for each in octets if len(each) >= LEAST_OCTETS}
    for each in octets:
        ways |= {each.hex().encode(), each.hex().upper().encode()}
        for shift in range(3):
            whole = base64.b64encode(b"\0" * shift + each)
            # What does not depend on what stands before and after it.
            sure = whole[(0, 2, 3)[shift] : len(whole) - len(whole) % 4 - 4]
            if len(sure) >= 2 * LEAST_OCTETS:
                ways.add(sure)
    return ways
