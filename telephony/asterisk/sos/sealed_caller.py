"""Opens the caller's number in a note of the dialplan's journal, which 20-sos.conf has sealed (``sos-seal``). Pure.

Anyone who may read Asterisk's global variables reads the journal too, so a note holds the number under a key that no
variable and no dialplan shows: the dialplan takes it from a file of the configuration for as long as one function runs.

    =<22 signs of base64>[<22 signs>]…

Each 22 signs are one block of AES-128, ``AES_ENCRYPT()`` of Asterisk, whose key are its 16 characters: eight random
digits, then up to eight signs of the number, filled with zeros. The digits keep two calls of one number from looking alike.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

KEY_FILE: Final = "sos-journal.secret.conf"
KEY_VARIABLE: Final = f"AST_CONFIG({KEY_FILE},journal,key)"
"""How Asterisk is asked for the key, by the dialplan and by the daemon."""
MARK: Final = "="
"""What a sealed number begins with; one in the clear holds digits, ``+``, ``*`` and ``#`` alone."""

_KEY: Final = re.compile("[A-Za-z0-9+/]{16}")
_BLOCK: Final = 22
_MOST_BLOCKS: Final = 8
_NUMBER: Final = re.compile(rb"[0-9]{8}(?P<number>[0-9+*#]{1,8})\0*")


def is_key(text: str) -> bool:
    """Whether a text can be the journal's key: 16 signs of base64."""
    return _KEY.fullmatch(text) is not None


def open_caller(text: str, key: str) -> str | None:
    """Return the number that a note holds, empty where it holds none; ``None`` for one that this key does not open.

    A number in the clear, of an Asterisk without a key or of an older dialplan, is returned as it is.
    """
    if not text.startswith(MARK):
        return text
    blocks = [text[at : at + _BLOCK] for at in range(1, len(text), _BLOCK)]
    if not is_key(key) or not 0 < len(blocks) <= _MOST_BLOCKS:
        return None
    opened = [_open(each, key) for each in blocks]
    return None if None in opened else "".join(each or "" for each in opened)


def _open(block: str, key: str) -> str | None:
    try:
        sealed = b64decode(f"{block}==", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(sealed) != AES.block_size // 8:
        return None
    cipher = Cipher(AES(key.encode("ascii")), ECB()).decryptor()  # noqa: S305 - one block, with chance of its own
    match = _NUMBER.fullmatch(cipher.update(sealed) + cipher.finalize())
    return None if match is None else match["number"].decode("ascii")
