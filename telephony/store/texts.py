"""Makes texts that came from outside storable in both databases."""

from __future__ import annotations

import re

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def storable(text: str | None) -> str | None:
    """Return the text as both databases keep it.

    PostgreSQL has no NUL in text, so its picture stands for it; half a surrogate pair is no UTF-8 and becomes U+FFFD.
    """
    if text is None or (text.isascii() and "\x00" not in text):
        return text
    return _HALF_A_PAIR.sub("\ufffd", text.replace("\x00", "\u2400"))
