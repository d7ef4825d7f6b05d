"""How the store knows a caller without holding a number: by a keyed hash of what her presses are joined by."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from telephony.store.crypto import KeyRing
from telephony.store.sealing import keys_of

CALLER: Final = "caller"
REFERENCE: Final = "reference"
"""The kinds of these look-up hashes: the same number has other hashes in the registry."""


def caller_hash(ring: KeyRing, key: str) -> bytes:
    """Give what a row of this caller is written under. ``key`` is `telephony.store.presses.caller_key`'s answer."""
    return ring.hash(CALLER, key)


def caller_hashes(connection: Connection, key: str) -> tuple[bytes, ...]:
    """Give what a row of this caller may stand under, newest first: while keys are changed it may be either.

    For ``incident.c.caller.in_(…)`` and ``last_position.c.caller.in_(…)``. Raises `KeysUnavailable`.
    """
    return keys_of(connection).hashes(CALLER, key)
