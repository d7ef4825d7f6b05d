"""Packs and unpacks the sealed columns of the spine's rows.

Packed and not JSON: every press packs two of them. A first octet says by which table the rest is to be read, so that a
later release can tell its own rows from these, and this one those that are not padded yet. Texts are UTF-8; half a surrogate pair, which a carrier may send within
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
from telephony.store.sealing import padded, seal, seal_at, unseal

_FORMAT: Final = 1
_FORMAT_OF_PART: Final = 2
_PADDED: Final = 3
_PADDED_PART: Final = 4
_EARLIER_INCIDENT: Final = Struct(">B?II")
_INCIDENT: Final = Struct(">B?III")
"""Format, whether the number is E.164, octets of the caller's key, of the number, of the destination; the rest is padding.

The earlier format does not say the last, which went to the end; so with the raw octets of the earlier presses.
"""
_EARLIER_PRESS: Final = Struct(">BBIII")
_PRESS: Final = Struct(">BBIIII")
"""Format, flags, octets of the reference, of the destination, of the text, raw octets; the rest is padding."""
_EARLIER_PART: Final = Struct(">BBIIIBI")
_PRESS_PART: Final = Struct(">BBIIIIBI")
"""The same of a part of a long text: kind of its reference and its undecoded octets, which stand before the raw ones."""
_SHORT: Final = 64
"""Octets: who pressed, the channel of a call, what a far end said. Longer ones take as many times as much."""
_WORDS: Final = 256
"""Octets: a press with its text, facts and orders; most are no longer, with a text or without."""
_HAS_TEXT, _HAS_RAW, _HAS_OCTETS = 1, 2, 4
_END: Final = b"\xff"
"""Stands between a text and its padding: no octet of UTF-8."""
_KINDS: Final = tuple(PartKind)
_POSITION: Final = Struct(">Bdd")
"""Format, latitude, longitude; degrees, WGS 84."""
_POSITION_IN_SPACE: Final = Struct(">Bddd")
"""The same with metres above the ellipsoid."""
_FORMAT_IN_SPACE: Final = 2


@dataclass(frozen=True, slots=True)
class SealedIncident:
    """The caller: the key by which her presses are joined, her number, and what she dialled at first."""

    caller: str = field(repr=False)
    msisdn: Msisdn
    destination: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedPress:
    """The contents of a press; of a part of a long text also the kind of its reference and its undecoded octets."""

    reference: str = field(repr=False)
    destination: str = field(repr=False)
    text: str | None = field(repr=False)
    raw: bytes | None = field(repr=False)
    part_kind: PartKind | None = None
    part_octets: bytes | None = field(default=None, repr=False)


def seal_incident(ring: KeyRing, key: int, caller: str, msisdn: Msisdn, destination: str) -> bytes:
    """Return an incident's ``sealed`` column."""
    who, number, dialled = _octets(caller), _octets(msisdn.number), _octets(destination)
    head = _INCIDENT.pack(_PADDED, msisdn.is_e164, len(who), len(number), len(dialled))
    plain = padded(b"".join((head, who, number, dialled)), _SHORT)
    return seal_at(ring, b"incident.sealed:%d" % key, plain)


def unseal_incident(ring: KeyRing, key: int, sealed: bytes) -> SealedIncident:
    """Read an incident's ``sealed`` column. Raises `KeysUnavailable` or `Malformed`."""
    plain = unseal(ring, Place("incident", "sealed", key), sealed)
    try:
        if plain[:1] == bytes((_FORMAT,)):
            _, is_e164, *sizes = _EARLIER_INCIDENT.unpack_from(plain)
            who, number, destination = _parts(plain, _EARLIER_INCIDENT.size, *sizes)
        else:
            found, is_e164, *sizes = _INCIDENT.unpack_from(plain)
            who, number, destination, _ = _parts(plain, _INCIDENT.size, *sizes)
            _check(found, _PADDED)
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
    """Return the ``sealed`` column of an incident's n-th press."""
    named, dialled = _octets(reference), _octets(destination)
    words = b"" if text is None else text.encode("utf-8", "surrogatepass")
    flags = (0 if text is None else _HAS_TEXT) | (0 if raw is None else _HAS_RAW)
    raw = raw or b""
    if part is None:
        head = _PRESS.pack(_PADDED, flags, len(named), len(dialled), len(words), len(raw))
        plain = b"".join((head, named, dialled, words, raw))
    else:
        undecoded = part.octets or b""
        flags |= 0 if part.octets is None else _HAS_OCTETS
        sizes = (len(named), len(dialled), len(words), len(raw), _KINDS.index(part.kind), len(undecoded))
        head = _PRESS_PART.pack(_PADDED_PART, flags, *sizes)
        plain = b"".join((head, named, dialled, words, undecoded, raw))
    return seal_at(ring, b"press.sealed:%d.%d" % (key, number), padded(plain, _WORDS))


def unseal_press(ring: KeyRing, key: int, number: int, sealed: bytes) -> SealedPress:
    """Read the ``sealed`` column of an incident's n-th press. Raises `KeysUnavailable` or `Malformed`."""
    plain = unseal(ring, Place("press", "sealed", key, number), sealed)
    try:
        kind, undecoded = None, None
        match plain[:1]:
            case b"\x04":
                _, flags, *sizes, of_raw, kind_number, of_part = _PRESS_PART.unpack_from(plain)
                named, dialled, words, octets, raw, _ = _parts(
                    plain, _PRESS_PART.size, *sizes, of_part, of_raw
                )
                kind, undecoded = _KINDS[kind_number], octets if flags & _HAS_OCTETS else None
            case b"\x02":
                _, flags, *sizes, kind_number, of_part = _EARLIER_PART.unpack_from(plain)
                named, dialled, words, octets, raw = _parts(plain, _EARLIER_PART.size, *sizes, of_part)
                kind, undecoded = _KINDS[kind_number], octets if flags & _HAS_OCTETS else None
            case b"\x01":
                _, flags, *sizes = _EARLIER_PRESS.unpack_from(plain)
                named, dialled, words, raw = _parts(plain, _EARLIER_PRESS.size, *sizes)
            case _:
                found, flags, *sizes = _PRESS.unpack_from(plain)
                named, dialled, words, raw, _ = _parts(plain, _PRESS.size, *sizes)
                _check(found, _PADDED)
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


def seal_coordinates(  # noqa: PLR0917 - the place of a row, then what it holds
    ring: KeyRing,
    key: int,
    number: int,
    latitude: float,
    longitude: float,
    altitude_m: float | None = None,
) -> bytes:
    """Return the ``sealed`` column of an incident's n-th position."""
    if altitude_m is None:
        plain = _POSITION.pack(_FORMAT, latitude, longitude)
    else:
        plain = _POSITION_IN_SPACE.pack(_FORMAT_IN_SPACE, latitude, longitude, altitude_m)
    return seal(ring, Place("position", "sealed", key, number), plain)


def unseal_coordinates(
    ring: KeyRing, key: int, number: int, sealed: bytes
) -> tuple[float, float, float | None]:
    """Read the ``sealed`` column of an incident's n-th position. Raises `KeysUnavailable` or `Malformed`."""
    plain = unseal(ring, Place("position", "sealed", key, number), sealed)
    altitude_m: float | None = None
    try:
        if len(plain) == _POSITION.size:
            found, latitude, longitude = _POSITION.unpack(plain)
            _check(found, _FORMAT)
        else:
            found, latitude, longitude, altitude_m = _POSITION_IN_SPACE.unpack(plain)
            _check(found, _FORMAT_IN_SPACE)
    except (error, ValueError):
        raise _strange("position", key) from None
    return latitude, longitude, altitude_m


def seal_fact(ring: KeyRing, key: int, number: int, data: str) -> bytes:
    """Return the ``sealed`` column of an incident's n-th fact."""
    return seal(ring, Place("fact", "sealed", key, number), _closed(data.encode(), _WORDS))


def unseal_fact(ring: KeyRing, key: int, number: int, sealed: bytes) -> str:
    """Read the ``sealed`` column of an incident's n-th fact. Raises `KeysUnavailable` or `Malformed`."""
    return _decoded(unseal(ring, Place("fact", "sealed", key, number), sealed), "fact", key)


def seal_channel(ring: KeyRing, reference: str, channel: str) -> bytes:
    """Return the ``sealed`` column of a call."""
    return seal(ring, Place("call", "sealed", reference), _closed(_octets(channel), _SHORT))


def unseal_channel(ring: KeyRing, reference: str, sealed: bytes) -> str:
    """Read the ``sealed`` column of a call. Raises `KeysUnavailable` or `Malformed`."""
    return _decoded(unseal(ring, Place("call", "sealed", reference), sealed), "call", reference)


def seal_order(ring: KeyRing, key: int, sequence: int, said: Mapping[str, Any]) -> bytes:
    """Return the ``sealed`` column of an order's delivery."""
    plain = json.dumps(dict(said), ensure_ascii=False).encode()
    return seal(ring, Place("delivery", "sealed", key, sequence), padded(plain, _WORDS, b" "))


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
    """Return the ``last_error`` column of a delivery: NULL where nothing was said."""
    if not words:
        return None
    return seal(ring, Place("delivery", "last_error", key, sequence), _closed(words.encode(), _SHORT))


def unseal_error(ring: KeyRing, key: int, sequence: int, sealed: bytes | None) -> str | None:
    """Read the ``last_error`` column of a delivery. Raises `KeysUnavailable` or `Malformed`."""
    if sealed is None:
        return None
    plain = unseal(ring, Place("delivery", "last_error", key, sequence), sealed)
    return _decoded(plain, "delivery", key)


def seal_close_reason(ring: KeyRing, key: int, reason: str) -> bytes:
    """Return the ``close_reason`` column of an incident."""
    return seal(ring, Place("incident", "close_reason", key), _closed(_octets(reason), _SHORT))


def unseal_close_reason(ring: KeyRing, key: int, sealed: bytes | None) -> str | None:
    """Read the ``close_reason`` column of an incident. Raises `KeysUnavailable` or `Malformed`."""
    if sealed is None:
        return None
    return _decoded(unseal(ring, Place("incident", "close_reason", key), sealed), "incident", key)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogatepass")


def _closed(text: bytes, to: int) -> bytes:
    return padded(text + _END, to)


def _decoded(plain: bytes, table: str, row: int | str) -> str:
    """Read a text up to its end, or all of what an earlier release wrote, which marked none."""
    text, end, _ = plain.rpartition(_END)
    try:
        return _text(text if end else plain)
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


def _check(found: int, expected: int) -> None:
    if found != expected:
        raise ValueError("another format")


def _strange(table: str, row: int | str) -> Malformed:
    # The value is not repeated: it would be in the clear.
    return Malformed(f"{table} {row} cannot be read: was it written by a newer release?")
