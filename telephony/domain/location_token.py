"""The digests of a location URL's token; the first of them is all that Asterisk tells the daemon of it. Pure.

The dialplan draws 149 random bits, puts them into the INVITE to 112 and writes their SHA-1 wherever it notes or tells
something: it is the strongest digest that Asterisk has. With that much chance in it, the token cannot be found from its
digest. The store keeps the SHA-256 of that digest, so that the journal of calls does not serve to look for a call there.
"""

from __future__ import annotations

import re
from hashlib import sha1, sha256
from typing import Final

_DIGEST: Final = re.compile("[0-9a-f]{40}")


def is_digest(text: str) -> bool:
    """Whether a text is the digest that the dialplan writes, SHA1() of Asterisk."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(token: bytes) -> str:
    """Return the digest of a token as the dialplan writes it."""
    return sha1(token, usedforsecurity=False).hexdigest()


def kept_digest(digest: str) -> bytes:
    """Return what the store keeps of a token, from its digest.

    No token holds a colon, so the digest itself, sent to the location URL in a token's place, opens nothing.
    """
    return sha256(b"sha1:" + digest.encode("ascii")).digest()


def sought_digests(token: bytes) -> tuple[bytes, bytes]:
    """Return what a token may be known by in the store: as it is kept now, and as an earlier release kept it."""
    return kept_digest(digest_of(token)), sha256(token).digest()
