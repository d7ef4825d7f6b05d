"""What of the rows of the spine is sealed, as octets, and back.

Packed and not JSON: every press packs two of them. A first octet says by which table the rest is to be read, so that a
later release can tell its own rows from these. Texts are UTF-8; half a surrogate pair, which a carrier may send within
a number, is kept as it came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct, error
from typing import Any, Final

from telephony.domain.errors import Malformed
from telephony.domain.trigger import Part, PartKind
from telephony.domain.values import Msisdn
from telephony.store.crypto import KeyRing, Place
from telephony.store.sealing import seal, seal_at, unseal

_FORMAT: Final = 1
_FORMAT_OF_PART: Final = 2
_INCIDENT: Final = Struct(">B?II")
"""Format, whether the number is E.164, octets of the caller's key, octets of the number; the rest is the destination."""
_PRESS: Final = Struct(">BBIII")
"""Format, flags, octets of the reference, of the destination, of the text; the rest are the raw octets."""
_PRESS_PART: Final = Struct(">BBIIIBI")
"""The same of a part of a long text: kind of its reference and its undecoded octets, which stand before the raw ones."""
_HAS_TEXT, _HAS_RAW, _HAS_OCTETS = 1, 2, 4
_KINDS: Final = tuple(PartKind)
_POSITION: Final = Struct(">Bdd")
"""Format, latitude, longitude; degrees, WGS 84."""


@dataclass(frozen=True, slots=True)
class SealedIncident:
    """Who presses: what her presses are joined by, her number, and what she dialled at first."""

    caller: str = field(repr=False)
    msisdn: Msisdn
    destination: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedPress:
    """What came with a press; of a part of a long text, what kind of reference it has and its undecoded octets."""

    reference: str = field(repr=False)
    destination: str = field(repr=False)
    text: str | None = field(repr=False)
    raw: bytes | None = field(repr=False)
    part_kind: PartKind | None = None
    part_octets: bytes | None = field(default=None, repr=False)


def seal_incident(ring: KeyRing, key: int, caller: str, msisdn: Msisdn, destination: str) -> bytes:
    """Give an incident's ``sealed`` column."""
    who, number = _octets(caller), _octets(msisdn.number)
    head = _INCIDENT.pack(_FORMAT, msisdn.is_e164, len(who), len(number))
    plain = b"".join((head, who, number, _octets(destination)))
    return seal_at(ring, b"incident.sealed:%d" % key, plain)


def unseal_incident(ring: KeyRing, key: int, sealed: bytes) -> SealedIncident:
    """Read an incident's ``sealed`` column. Raises `KeysUnavailable` or `Malformed`."""
    plain = unseal(ring, Place("incident", "sealed", key), sealed)
    try:
        found, is_e164, of_caller, of_number = _INCIDENT.unpack_from(plain)
        who, number, destination = _parts(plain, _INCIDENT.size, of_caller, of_number)
        _check(found)
        return SealedIncident(_text(who), Msisdn(_text(number), is_e164=is_e164), _text(destination))
    except (error, ValueError):
        raise _strange("incident", key) from None


def seal_press(  # noqa: PLR0917 - the columns of a row, called once per press
    ring: KeyRing,
    key: int,
    number: int,
    reference: str,
    destination: str,
    text: str | None,
    raw: bytes | None,
    part: Part | None = None,
) -> bytes:
    """Give the ``sealed`` column of an incident's n-th press."""
    named, dialled = _octets(reference), _octets(destination)
    words = b"" if text is None else text.encode("utf-8", "surrogatepass")
    flags = (0 if text is None else _HAS_TEXT) | (0 if raw is None else _HAS_RAW)
    if part is None:
        head = _PRESS.pack(_FORMAT, flags, len(named), len(dialled), len(words))
        plain = b"".join((head, named, dialled, words, raw or b""))
    else:
        undecoded = part.octets or b""
        flags |= 0 if part.octets is None else _HAS_OCTETS
        sizes = (len(named), len(dialled), len(words), _KINDS.index(part.kind), len(undecoded))
        head = _PRESS_PART.pack(_FORMAT_OF_PART, flags, *sizes)
        plain = b"".join((head, named, dialled, words, undecoded, raw or b""))
    return seal_at(ring, b"press.sealed:%d.%d" % (key, number), plain)


def unseal_press(ring: KeyRing, key: int, number: int, sealed: bytes) -> SealedPress:
    """Read the ``sealed`` column of an incident's n-th press. Raises `KeysUnavailable` or `Malformed`."""
    plain = unseal(ring, Place("press", "sealed", key, number), sealed)
    try:
        kind, undecoded = None, None
        if plain[:1] == bytes((_FORMAT_OF_PART,)):
            _, flags, *sizes, kind_number, of_part = _PRESS_PART.unpack_from(plain)
            named, dialled, words, octets, raw = _parts(plain, _PRESS_PART.size, *sizes, of_part)
            kind, undecoded = _KINDS[kind_number], octets if flags & _HAS_OCTETS else None
        else:
            found, flags, *sizes = _PRESS.unpack_from(plain)
            named, dialled, words, raw = _parts(plain, _PRESS.size, *sizes)
            _check(found)
        return SealedPress(
            _text(named),
            _text(dialled),
            _text(words) if flags & _HAS_TEXT else None,
            raw if flags & _HAS_RAW else None,
            kind,
            undecoded,
        )
    except (error, ValueError, IndexError):
        raise _strange("press", key) from None


def seal_coordinates(ring: KeyRing, key: int, number: int, latitude: float, longitude: float) -> bytes:
    """Give the ``sealed`` column of an incident's n-th position."""
    return seal(ring, Place("position", "sealed", key, number), _POSITION.pack(_FORMAT, latitude, longitude))


def unseal_coordinates(ring: KeyRing, key: int, number: int, sealed: bytes) -> tuple[float, float]:
    """Read the ``sealed`` column of an incident's n-th position. Raises `KeysUnavailable` or `Malformed`."""
    plain = unseal(ring, Place("position", "sealed", key, number), sealed)
    try:
        found, latitude, longitude = _POSITION.unpack(plain)
        _check(found)
    except (error, ValueError):
        raise _strange("position", key) from None
    return latitude, longitude


def seal_fact(ring: KeyRing, key: int, number: int, data: str) -> bytes:
    """Give the ``sealed`` column of an incident's n-th fact."""
    return seal(ring, Place("fact", "sealed", key, number), data.encode())


def unseal_fact(ring: KeyRing, key: int, number: int, sealed: bytes) -> str:
    """Read the ``sealed`` column of an incident's n-th fact. Raises `KeysUnavailable` or `Malformed`."""
    return _decoded(unseal(ring, Place("fact", "sealed", key, number), sealed), "fact", key)


def seal_channel(ring: KeyRing, reference: str, channel: str) -> bytes:
    """Give the ``sealed`` column of a call."""
    return seal(ring, Place("call", "sealed", reference), _octets(channel))


def unseal_channel(ring: KeyRing, reference: str, sealed: bytes) -> str:
    """Read the ``sealed`` column of a call. Raises `KeysUnavailable` or `Malformed`."""
    return _decoded(unseal(ring, Place("call", "sealed", reference), sealed), "call", reference)


def seal_order(ring: KeyRing, key: int, sequence: int, said: Mapping[str, Any]) -> bytes:
    """Give the ``sealed`` column of an order's delivery."""
    plain = json.dumps(dict(said), ensure_ascii=False).encode()
    return seal(ring, Place("delivery", "sealed", key, sequence), plain)


def unseal_order(ring: KeyRing, key: int, sequence: int, sealed: bytes) -> dict[str, Any]:
    """Read the ``sealed`` column of an order's delivery. Raises `KeysUnavailable` or `Malformed`."""
    plain = unseal(ring, Place("delivery", "sealed", key, sequence), sealed)
    try:
        said = json.loads(plain)
    except (ValueError, RecursionError):
        raise _strange("delivery", key) from None
    if not isinstance(said, dict):
        raise _strange("delivery", key)
    return said


def seal_error(ring: KeyRing, key: int, sequence: int, words: str | None) -> bytes | None:
    """Give the ``last_error`` column of a delivery: NULL where nothing was said."""
    return seal(ring, Place("delivery", "last_error", key, sequence), words.encode()) if words else None


def unseal_error(ring: KeyRing, key: int, sequence: int, sealed: bytes | None) -> str | None:
    """Read the ``last_error`` column of a delivery. Raises `KeysUnavailable` or `Malformed`."""
    if sealed is None:
        return None
    plain = unseal(ring, Place("delivery", "last_error", key, sequence), sealed)
    return _decoded(plain, "delivery", key)


def seal_close_reason(ring: KeyRing, key: int, reason: str) -> bytes:
    """Give the ``close_reason`` column of an incident."""
    return seal(ring, Place("incident", "close_reason", key), _octets(reason))


def unseal_close_reason(ring: KeyRing, key: int, sealed: bytes | None) -> str | None:
    """Read the ``close_reason`` column of an incident. Raises `KeysUnavailable` or `Malformed`."""
    if sealed is None:
        return None
    return _decoded(unseal(ring, Place("incident", "close_reason", key), sealed), "incident", key)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogatepass")


def _decoded(plain: bytes, table: str, row: int | str) -> str:
    try:
        return _text(plain)
    except ValueError:
        raise _strange(table, row) from None


def _parts(plain: bytes, start: int, *sizes: int) -> tuple[bytes, ...]:
    parts = []
    for size in sizes:
        parts.append(plain[start : start + size])
        start += size
    if start > len(plain):
        raise ValueError("shorter than it says")
    return (*parts, plain[start:])


def _check(found: int) -> None:
    if found != _FORMAT:
        raise ValueError("another format")


def _strange(table: str, row: int | str) -> Malformed:
    # What stands there is not repeated: it would be in the clear.
    return Malformed(f"{table} {row} cannot be read: was it written by a newer release?")
