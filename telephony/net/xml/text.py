"""Decodes an XML document, even where its encoding has an unknown or a wrong name.

All that matters in a location answer is ASCII, so an unknown or wrongly named encoding costs only the characters that
are not ASCII.
"""

from __future__ import annotations

import re
from types import MappingProxyType

_WIDE = (
    ("utf-32-be", 4, b"\0\0\0", b""),
    ("utf-32-le", 4, b"", b"\0\0\0"),
    ("utf-16-be", 2, b"\0", b"\0"),
    ("utf-16-le", 2, b"", b"\0"),
)
"""Encodings of more octets than one: how many, and which stand before and after that of ``<``."""

_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", ""),
)

_CODECS = MappingProxyType(
    dict.fromkeys(
        (
            *(
                "euckr",
                "cseuckr",
                "ksc5601",
                "ksc56011987",
                "ksc56011989",
                "ksc56011992",
                "ksx1001",
                "korean",
            ),
            *("cp949", "ms949", "windows949", "xwindows949", "xibm949", "ibm949", "949", "uhc", "xuhc"),
        ),
        "cp949",
    )
    | dict.fromkeys(("iso88591", "latin1", "l1", "iso885915", "windows1252", "cp1252", "ansi"), "cp1252")
    | dict.fromkeys(("gb2312", "gbk", "gb18030", "cp936", "ms936", "euccn"), "gb18030")
    | dict.fromkeys(("shiftjis", "sjis", "windows31j", "ms932", "cp932"), "cp932")
    | {"eucjp": "euc_jp", "big5": "big5", "johab": "johab", "ksc5601johab": "johab"}
    # In these even the octet of "<" may be half a letter, so they must be decoded as what they are.
    | {"iso2022kr": "iso2022_kr", "csiso2022kr": "iso2022_kr", "iso2022jp": "iso2022_jp", "hzgb2312": "hz"}
)
"""Declared encodings, without case and punctuation, to the codec that reads them. Any other is read as UTF-8."""

_DECLARED = re.compile(rb"\s*<\?xml\s[^>]{0,150}?encoding\s*=\s*[\"']([^\"'>]{1,40})[\"']")
_PUNCTUATION = re.compile(r"[^a-z0-9]")
_SAMPLE = 1024


def decode(body: bytes) -> str:
    """Return the text of a document; U+FFFD stands for what is no character of its encoding.

    A byte order mark decides, then the shape of the first tag, then the declaration, then UTF-8.
    """
    mark, encoding = next((pair for pair in _BYTE_ORDER_MARKS if body.startswith(pair[0])), (b"", ""))
    body = body.removeprefix(mark)
    return body.decode(encoding or _wide(body[:_SAMPLE]) or _declared(body), "replace").lstrip("\ufeff")


def _wide(head: bytes) -> str | None:
    """Tell an encoding of more than one octet by the first ``<``, which stands where a character begins."""
    at = head.find(b"<")
    for encoding, width, before, after in _WIDE:
        begins_at = at - len(before)
        if begins_at >= 0 and begins_at % width == 0 and head.startswith(before + b"<" + after, begins_at):
            return encoding
    return None


def _declared(body: bytes) -> str:
    declared = _DECLARED.match(body)
    if declared is None:
        return "utf-8"
    return _CODECS.get(_PUNCTUATION.sub("", declared[1].decode("latin-1").lower()), "utf-8")
