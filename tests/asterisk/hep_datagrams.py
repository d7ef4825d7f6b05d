"""HEPv3 as Asterisk 16 writes it: datagrams made of chunks, and one that was captured."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from pathlib import Path

CAPTURED = bytes.fromhex(
    (Path(__file__).parent / "captured" / "invite.hep.hex").read_text().replace("\n", "")
)
"""An INVITE that res_hep_pjsip of Asterisk 16.28.0 mirrored, with the password ``test-only``."""


def chunk(kind: int, value: bytes, vendor: int = 0) -> bytes:
    return struct.pack(">HHH", vendor, kind, 6 + len(value)) + value


def hep(
    payload: bytes | str,
    *,
    source: str = "192.0.2.10",
    destination: str = "198.51.100.7",
    protocol: int = 1,
    password: str = "",
    more: bytes = b"",
) -> bytes:
    octets = payload.encode() if isinstance(payload, str) else payload
    ends = [ip_address(source), ip_address(destination)]
    first = 3 if ends[0].version == 4 else 5
    body = (
        chunk(1, bytes([2 if first == 3 else 10]))
        + chunk(2, b"\x11")
        + chunk(first, ends[0].packed)
        + chunk(first + 1, ends[1].packed)
        + chunk(7, struct.pack(">H", 5060))
        + chunk(8, struct.pack(">H", 5062))
        + chunk(9, struct.pack(">I", 1_795_464_999))
        + chunk(10, struct.pack(">I", 120_000))
        + chunk(11, bytes([protocol]))
        + chunk(12, struct.pack(">I", 1))
        + (chunk(14, password.encode()) if password else b"")
        + more
        + chunk(15, octets)
    )
    return b"HEP3" + struct.pack(">H", 6 + len(body)) + body


def sip(
    first: str = "INVITE sip:112@198.51.100.7 SIP/2.0",
    *headers: str,
    call_id: str = "a84b4c76e66710@192.0.2.10",
    cseq: str = "1 INVITE",
    to: str = "<sip:112@198.51.100.7>",
    from_: str = "<sip:01012345678@192.0.2.10>;tag=1928301774",
    body: bytes = b"",
) -> bytes:
    """Write a message."""
    lines = [
        first,
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds",
        f"From: {from_}",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
