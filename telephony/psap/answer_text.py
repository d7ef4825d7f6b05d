"""Extracts the text of an HTTP answer's body: compressed or not, in any encoding, with stray octets around it.

Total and bounded: every body gives a text, or ``None`` where a compressed one cannot be unpacked. The content that
matters is ASCII; a wrong guess about the encoding costs characters of a note, never the sense.
"""

from __future__ import annotations

import codecs
import html
import re
import zlib

MAX_OCTETS = 65_536
"""An Ack is under one kilobyte; of anything larger the beginning is read."""

_GZIP_BEGINS = b"\x1f\x8b"
_GZIP = 16 + zlib.MAX_WBITS
"""``wbits`` of zlib for gzip's own header and trailer."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's and must be asked for first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED_LATIN = re.compile(
    rb"encoding\s{0,9}=\s{0,9}[\"'](?:iso-?8859|latin|windows-?125|cp-?125)", re.IGNORECASE
)
_MOSTLY = 0.4
"""NULs on one side of each pair of octets: UTF-16 of markup, which is ASCII for the most part."""
_LEVELS = 3
"""How often XML within XML is taken out of its escapes: a SOAP answer inside another one escapes twice."""


def text_of(body: bytes) -> str | None:
    """Return the first `MAX_OCTETS` of a body as text, without byte order mark, NULs and outer blanks."""
    octets = _unpacked(body)
    return (
        None if octets is None else _decoded(octets[:MAX_OCTETS]).replace("\0", "").strip("\ufeff \t\r\n\f\v")
    )


def unescaped(text: str) -> str:
    """Return a text with its character references resolved once; entities that a document declares stay as they are."""
    try:
        return html.unescape(text)
    except ValueError:  # a number of thousands of digits
        return text


def levels_of(text: str) -> list[str]:
    """Return a text as it is, and as often unescaped as that changes anything, three times at most."""
    levels = [text]
    while len(levels) <= _LEVELS and "&" in levels[-1]:
        plainer = unescaped(levels[-1])
        if plainer == levels[-1]:
            break
        levels.append(plainer)
    return levels


def _unpacked(body: bytes) -> bytes | None:
    """Unpack a body that was compressed without a header that says so."""
    if not body.startswith(_GZIP_BEGINS):
        return body
    unpacking = zlib.decompressobj(_GZIP)
    try:
        octets = unpacking.decompress(body, MAX_OCTETS)
    except zlib.error:
        return None
    return octets if octets or unpacking.eof else None


def _decoded(octets: bytes) -> str:
    marked = octets.lstrip(b"\r\n\t ")
    for mark, encoding in _BYTE_ORDER_MARKS:
        if marked.startswith(mark):
            return marked.decode(encoding, "replace")
    low, high = octets[0::2].count(0), octets[1::2].count(0)
    if max(low, high) > _MOSTLY * len(octets) / 2 and min(low, high) < max(low, high) / 4:
        return octets.decode("utf-16-be" if low > high else "utf-16-le", "replace")
    # One of the many names of Korea's code page, most likely, where it is not UTF-8. In none of these encodings does
    # an octet of a longer character look like the beginning of markup.
    other = "cp1252" if _DECLARED_LATIN.search(octets[:200]) else "cp949"
    return min((octets.decode(encoding, "replace") for encoding in ("utf-8", other)), key=_strangers)


def _strangers(text: str) -> int:
    return text.count("\ufffd")
