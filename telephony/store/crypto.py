"""The encryption that the store's modules need, under one name: the key ring, and the file that it comes from."""

from __future__ import annotations

from telephony.store.keys.file import KeyFile, Prove
from telephony.store.keys.ring import (
    BINDING_OCTETS,
    HASH_OCTETS,
    KEY_ID_OCTETS,
    KEY_OCTETS,
    LARGEST_ID,
    NONCE_OCTETS,
    SMALLEST_ID,
    TAG_OCTETS,
    Damaged,
    Key,
    KeyRing,
    KeysUnavailable,
    LookUpKeyWrong,
    Place,
)

__all__ = [
    "BINDING_OCTETS",
    "HASH_OCTETS",
    "KEY_ID_OCTETS",
    "KEY_OCTETS",
    "LARGEST_ID",
    "NONCE_OCTETS",
    "SMALLEST_ID",
    "TAG_OCTETS",
    "Damaged",
    "Key",
    "KeyFile",
    "KeyRing",
    "KeysUnavailable",
    "LookUpKeyWrong",
    "Place",
    "Prove",
]
