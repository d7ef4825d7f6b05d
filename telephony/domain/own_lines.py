"""Sealed lines of the daemon's own files: written one by one, and read back even where the file was damaged.

A line is a seal of 8 octets in hexadecimal, a blank, and a JSON object. The seal is BLAKE2b (RFC 7693) under the service's own
key: it tells a torn line, rubbish, and the file of another service from a line of ours. Pure: octets in, values out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_SEAL_OCTETS: Final = 8
_HASH_OCTETS: Final = 16
_PURPOSE: Final = b"own lines"


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What a file holds: its lines, and the number of pieces in it that are not ours."""

    lines: tuple[T, ...]
    damaged: int


def line_of(known: Mapping[str, Any], key: bytes) -> bytes:
    """Return an object as a line, its line feed included."""
    text = json.dumps(known, separators=(",", ":")).encode()
    return b"%s %s\n" % (_seal(text, key), text)


def lines_in(octets: bytes, key: bytes, read: Callable[[Mapping[str, Any]], T]) -> Found[T]:
    """Return the lines of a file, whatever it holds, each as ``read`` gives it.

    A ValueError, KeyError, TypeError or OverflowError of ``read`` is that of a line that a later version wrote. A rest of
    NULs is room that was kept and not used.
    """
    lines: list[T] = []
    damaged = 0
    for piece in octets.rstrip(b"\0").split(b"\n"):
        if not piece:
            continue
        seal, _, text = piece.partition(b" ")
        if not compare_digest(seal, _seal(text, key)):
            damaged += 1
            continue
        try:
            lines.append(read(json.loads(text)))
        except (ValueError, KeyError, TypeError, OverflowError):
            damaged += 1
    return Found(tuple(lines), damaged)


def hash_of(value: str, key: bytes) -> bytes:
    """Return the keyed hash by which a value is known again: numbers, and what follows from them, can be tried out."""
    return blake2b(
        value.encode("utf-8", "surrogatepass"), key=key, digest_size=_HASH_OCTETS, person=_PURPOSE
    ).digest()


def _seal(text: bytes, key: bytes) -> bytes:
    return blake2b(text, key=key, digest_size=_SEAL_OCTETS, person=_PURPOSE).hexdigest().encode()
