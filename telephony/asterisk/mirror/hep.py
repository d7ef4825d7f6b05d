"""Decodes HEPv3, the Homer Encapsulation Protocol, by which Asterisk mirrors its SIP: one datagram to a value. Pure.

The source is "The Hep/EEP protocol", revision 3 (HEP3), as ``res_hep`` of Asterisk 16 to 22 and Kamailio's ``siptrace`` write it:
``HEP3``, the length of all, then chunks of vendor, type, length (of the chunk, its six octets included) and value.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from telephony.domain.errors import Malformed

MAX_OCTETS: Final = 65_535
"""A UDP datagram holds no more, and neither does the length field."""

MAGIC: Final = b"HEP3"
SIP: Final = 1
"""Protocol type of SIP."""

_HEADER = struct.Struct(">4sH")
_CHUNK = struct.Struct(">HHH")
_GENERIC = 0
"""Vendor of the chunks that the protocol itself defines."""

_IPV4_SOURCE, _IPV4_DESTINATION, _IPV6_SOURCE, _IPV6_DESTINATION = 3, 4, 5, 6
_SOURCE_PORT, _DESTINATION_PORT = 7, 8
_PROTOCOL, _KEY, _PAYLOAD = 11, 14, 15

Address = IPv4Address | IPv6Address
_PLACES = {
    _IPV4_SOURCE: 4, _IPV4_DESTINATION: 4, _IPV6_SOURCE: 16, _IPV6_DESTINATION: 16, _SOURCE_PORT: 2, _DESTINATION_PORT: 2,
    _PROTOCOL: 1,
}  # fmt: skip
"""Octets of the chunks that have a fixed length."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """One message that crossed a SIP port: from where, to where, and its octets."""

    source: Address
    source_port: int
    destination: Address
    destination_port: int
    payload: bytes = field(repr=False)
    key: bytes = field(default=b"", repr=False)

    def has_key(self, password: str) -> bool:
        """Whether it carries the configured password."""
        return compare_digest(self.key, password.encode("utf-8", "surrogatepass"))


def read(datagram: bytes) -> Mirrored | None:
    """Read one datagram; ``None`` for a whole one that mirrors something else than SIP.

    Raises `Malformed` for what is no HEPv3, is cut short, or says nothing of where it came from.
    """
    if len(datagram) > MAX_OCTETS or len(datagram) < _HEADER.size:
        raise Malformed("no HEPv3: too long or too short")
    magic, length = _HEADER.unpack_from(datagram)
    if magic != MAGIC or length != len(datagram):
        raise Malformed("no HEPv3, or another length than it says")
    chunks = dict(_chunks(datagram))
    if chunks.get(_PROTOCOL) != bytes([SIP]):
        return None
    if _PAYLOAD not in chunks:
        raise Malformed("a mirrored message without octets")
    return Mirrored(
        _address(chunks, _IPV4_SOURCE, _IPV6_SOURCE),
        int.from_bytes(chunks.get(_SOURCE_PORT, b"")),
        _address(chunks, _IPV4_DESTINATION, _IPV6_DESTINATION),
        int.from_bytes(chunks.get(_DESTINATION_PORT, b"")),
        chunks[_PAYLOAD],
        chunks.get(_KEY, b""),
    )


def _chunks(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    position = _HEADER.size
    while position < len(datagram):
        if len(datagram) - position < _CHUNK.size:
            raise Malformed("a chunk that is cut short")
        vendor, kind, length = _CHUNK.unpack_from(datagram, position)
        if length < _CHUNK.size or position + length > len(datagram):
            raise Malformed("a chunk of another length than there is")
        value = datagram[position + _CHUNK.size : position + length]
        if vendor == _GENERIC:
            if len(value) != _PLACES.get(kind, len(value)):
                raise Malformed(f"a chunk of type {kind} with {len(value)} octets")
            yield kind, value
        position += length


def _address(chunks: dict[int, bytes], *kinds: int) -> Address:
    found = next((chunks[kind] for kind in kinds if kind in chunks), None)
    if found is None:
        raise Malformed("a mirrored message without an address")
    return ip_address(found)
