"""Seals personal data for the row that it stands in, under the keys of the connection's store.

The key ring hangs on the engines (`open_engines`), so that any code with a connection can seal and open. A sealed value
is key id (4 octets, big-endian), nonce (12), ciphertext and tag (16).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine

from telephony.store.crypto import (
    KEY_ID_OCTETS,
    LARGEST_ID,
    NONCE_OCTETS,
    SMALLEST_ID,
    Damaged,
    KeyRing,
    KeysUnavailable,
    Place,
)

Keys = Callable[[], KeyRing]
"""Gives the key ring as it is now: `KeyFile.ring`."""

_OPTION: Final = "onetouch_keys"
_RING: Final = "onetouch_ring"


def with_keys(engine: Engine, keys: Keys) -> Engine:
    """Let the connections of an engine seal under these keys; gives the engine."""
    engine.update_execution_options(**{_OPTION: keys})
    return engine


def keys_of(connection: Connection) -> KeyRing:
    """Return the keys of the store that a connection leads to: within a transaction those of its first look. Raises `KeysUnavailable`."""
    info = connection.info
    ring: KeyRing | None = info.get(_RING)
    if ring is None:
        keys: Any = connection.get_execution_options().get(_OPTION)
        if keys is None:
            raise KeysUnavailable("this connection was opened without the store's keys")
        ring = keys()
        if _RING in info:
            info[_RING] = ring
    return ring


@contextmanager
def one_look_at_the_keys(connection: Connection) -> Iterator[None]:
    """Look at the key file once for all that the block does on a connection: each look asks the disk."""
    info = connection.info
    info[_RING] = None
    try:
        yield
    finally:
        info.pop(_RING, None)


def seal(ring: KeyRing, place: Place, plain: bytes) -> bytes:
    """Encrypt a value for its place, under the current key."""
    return seal_at(ring, place.octets, plain)


def seal_at(ring: KeyRing, place: bytes, plain: bytes) -> bytes:
    """Do so for a place that is written out already (`Place.octets`): every press comes by here twice."""
    key, nonce = ring.current, os.urandom(NONCE_OCTETS)
    return b"".join((key.id_octets, nonce, key.cipher.encrypt(nonce, plain, place)))


def padded(plain: bytes, to: int, filling: bytes = b"\0") -> bytes:
    """Lengthen a plain value to a multiple of ``to`` octets, so that the length of what is sealed says little."""
    return plain.ljust(-(-len(plain) // to) * to, filling)


def unseal(ring: KeyRing, place: Place, sealed: bytes) -> bytes:
    """Decrypt what stands at a place. Raises `KeysUnavailable` for a key that is not here, or `Damaged`."""
    # A damaged column of SQLite may hold a value of any type.
    sealed = bytes(sealed) if isinstance(sealed, bytes | memoryview) else b""
    key_id = key_id_of(sealed)
    if len(sealed) < KEY_ID_OCTETS or not SMALLEST_ID <= key_id <= LARGEST_ID:
        # No key was ever called so: not a key that is missing, but octets that were changed.
        raise Damaged(
            f"{place.table} {place.row}: {place.column} is no sealed value; restore it from a backup"
        )
    return ring.open(place, key_id, sealed[KEY_ID_OCTETS:])


def key_id_of(sealed: bytes) -> int:
    """Return the id of the key that a sealed value is under."""
    return int.from_bytes(sealed[:KEY_ID_OCTETS], "big")
