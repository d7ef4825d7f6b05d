"""Unwraps the body of an HTTP answer: content codings (RFC 9110 section 8.4.1) and multipart (RFC 2046).

We send no Accept-Encoding, which to a server means that any coding is welcome. A body that cannot be unwrapped is
handed on as it came, and its reader rejects it.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
import zlib
from collections.abc import Sequence

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
_CODINGS = {
    b"gzip": (_GZIP,),
    b"x-gzip": (_GZIP,),
    # Servers send the zlib format that the name means, or the bare deflate that it says.
    b"deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),
}
_MOST_CODINGS = 3
_MOST_MEMBERS = 16
_MOST_PARTS = 16
_SMALL = 65_536
_LARGEST_RATIO = 100
"""XML shrinks to a twentieth at best; a thousandfold is a bomb. What stays `_SMALL` may grow as it likes."""

_BOUNDARY = re.compile(
    rb"""\Amultipart/.*?;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE | re.DOTALL
)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_PART_TYPE = re.compile(rb"(?mi)^content-type:[ \t]*([^\s;]+)")
_PART_CODING = re.compile(rb"(?mi)^content-transfer-encoding:[ \t]*([^\s;]+)")

Headers = Sequence[tuple[bytes, bytes]]


class TooLarge(Exception):  # noqa: N818 - what it says of the body
    """The body grows beyond its bound."""


def unwrapped(headers: Headers, body: bytes, max_body: int) -> bytes:
    """Return the body without its content codings, and of a multipart body the part that is XML.

    Raises `TooLarge` beyond ``max_body`` octets, or beyond what honest compression gives.
    """
    codings = [
        coding.strip().lower()
        for name, value in headers
        if name == b"content-encoding"
        for coding in value.split(b",")
    ]
    codings = [coding for coding in codings if coding in _CODINGS]
    for coding in reversed(codings[:_MOST_CODINGS]):
        body = _decoded(body, _CODINGS[coding], max_body)
    if body.startswith(_GZIP_MAGIC):  # undeclared, or by one server more on the way
        body = _decoded(body, _CODINGS[b"gzip"], max_body)
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    boundary = _BOUNDARY.match(kind.strip())
    return body if boundary is None else _xml_part(body, boundary[1] or boundary[2])


def _decoded(body: bytes, formats: Sequence[int], max_body: int) -> bytes:
    limit = min(max_body, max(_SMALL, _LARGEST_RATIO * len(body)))
    for wbits in formats:
        try:
            return _inflated(body, wbits, limit)
        except zlib.error:
            continue
    return body


def _inflated(body: bytes, wbits: int, limit: int) -> bytes:
    """Decompress one member after the other, a truncated one as far as it goes; ignore octets behind the last."""
    whole = b""
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits)
        whole += member.decompress(body, limit + 1 - len(whole))
        if len(whole) > limit:
            raise TooLarge
        body = member.unused_data
        if wbits != _GZIP or not body.startswith(_GZIP_MAGIC):
            break
    return whole


def _xml_part(body: bytes, boundary: bytes) -> bytes:
    """Return the first part that calls itself XML, or else begins like it; the whole body where there is none."""
    parts = [
        _part(raw)
        for raw in re.split(
            rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"[^\n]*", body, maxsplit=_MOST_PARTS
        )[1:]
    ]
    named = (content for kind, content in parts if b"xml" in kind)
    alike = (content for _, content in parts if content.lstrip().startswith(b"<"))
    return next(named, None) or next(alike, None) or body


def _part(raw: bytes) -> tuple[bytes, bytes]:
    """Return the type and the content of a part, its transfer coding undone."""
    end = _HEAD_END.search(raw)
    head, content = (b"", raw) if end is None else (raw[: end.start()], raw[end.end() :])
    kind, coding = _PART_TYPE.search(head), _PART_CODING.search(head)
    name = b"" if coding is None else coding[1].lower()
    return (b"" if kind is None else kind[1].lower()), _transferred(name, content)


def _transferred(coding: bytes, content: bytes) -> bytes:
    """Undo the transfer coding of a part (RFC 2045 section 6)."""
    if coding == b"quoted-printable":
        return quopri.decodestring(content)
    try:
        return base64.b64decode(content) if coding == b"base64" else content
    except binascii.Error:
        return content
