"""The key file as an HSM wraps it: a data key, which the HSM alone can open, and the file's text sealed under that.

So the HSM handles 32 octets, whatever the file has grown to, and a change of the wrapping key is a new envelope around the same
keys. Both layers are AES-256-GCM and name each other as associated data.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from telephony.store.keys.ring import KEY_OCTETS, NONCE_OCTETS, KeysUnavailable

WRAPPED_FORMAT: Final = 2
_PLACE: Final = b"onetouch key file 2 "


class Wraps(Protocol):
    """The two operations of an HSM that we use. Both raise `KeysUnavailable`."""

    def wrap(self, key_id: str, octets: bytes, place: bytes) -> bytes:
        """Encrypt."""
        ...

    def unwrap(self, key_id: str, octets: bytes, place: bytes) -> bytes:
        """Decrypt."""
        ...


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The contents of the file. ``key_id`` is the wrapping key's, as hexadecimal digits (CKA_ID); ``token`` is for people."""

    token: str
    key_id: str
    data_key: bytes = field(repr=False)
    sealed: bytes = field(repr=False)

    @classmethod
    def of(cls, text: bytes, hsm: Wraps, key_id: str, token: str) -> Wrapped:
        """Wrap the text of a key file, and have the HSM open it again. Raises `KeysUnavailable`."""
        data_key, nonce = os.urandom(KEY_OCTETS), os.urandom(NONCE_OCTETS)
        wrapped_key = hsm.wrap(key_id, data_key, _place_of(key_id))
        sealed = nonce + AESGCM(data_key).encrypt(nonce, text, _place_of(key_id) + wrapped_key)
        made = cls(token, key_id, wrapped_key, sealed)
        if made.opened(hsm) != text:
            raise KeysUnavailable("the HSM does not give back what it was given: nothing was changed")
        return made

    def opened(self, hsm: Wraps) -> bytes:
        """Return the text. Raises `KeysUnavailable`."""
        data_key = hsm.unwrap(self.key_id, self.data_key, _place_of(self.key_id))
        nonce, rest = self.sealed[:NONCE_OCTETS], self.sealed[NONCE_OCTETS:]
        try:
            return AESGCM(data_key).decrypt(nonce, rest, _place_of(self.key_id) + self.data_key)
        except (InvalidTag, ValueError):
            raise KeysUnavailable(
                "the key file that the HSM wraps is damaged: bring it back from its backup"
            ) from None

    @classmethod
    def read(cls, plain: Any) -> Wrapped:
        """Read the file's object; any other shape is a ValueError, KeyError or TypeError."""
        if plain["format"] != WRAPPED_FORMAT:
            raise ValueError("format")
        bytes.fromhex(plain["wrapping_key"])
        if not isinstance(plain["token"], str):
            raise TypeError("token")
        pair = [base64.b64decode(plain[name], validate=True) for name in ("data_key", "sealed")]
        return cls(plain["token"], plain["wrapping_key"], *pair)

    @property
    def octets(self) -> bytes:
        """The file."""
        plain = {
            "format": WRAPPED_FORMAT,
            "token": self.token,
            "wrapping_key": self.key_id,
            "data_key": base64.b64encode(self.data_key).decode(),
            "sealed": base64.b64encode(self.sealed).decode(),
        }
        return json.dumps(plain).encode() + b"\n"


def _place_of(key_id: str) -> bytes:
    return _PLACE + key_id.encode()
