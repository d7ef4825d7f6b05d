"""Keyed hashes by which the store knows a caller without holding her number."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection

from telephony.domain.errors import Malformed
from telephony.store.crypto import KeyRing, KeysUnavailable
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import keys_of

CALLER: Final = "caller"
REFERENCE: Final = "reference"
"""The kinds of these look-up hashes: the same number has other hashes in the registry."""
DRILL: Final = "test:"
"""What the key of a drill's caller begins with, so that a drill never joins an emergency."""


def caller_hash(ring: KeyRing, key: str) -> bytes:
    """Return what a row of this caller is written under. ``key`` is `telephony.store.presses.caller_key`'s answer."""
    return ring.hash(CALLER, key)


def caller_hashes(connection: Connection, key: str) -> tuple[bytes, ...]:
    """Return what a row of this caller may stand under, newest first: while keys are changed it may be either.

    For ``incident.c.caller.in_(…)`` and ``last_position.c.caller.in_(…)``. Raises `KeysUnavailable`.
    """
    return keys_of(connection).hashes(CALLER, key)


def caller_of(ring: KeyRing, incident_key: int, sealed: Any) -> str | None:
    """Return what an incident's presses are joined by, as it is sealed; ``None`` where that cannot be read."""
    try:
        return unseal_incident(ring, incident_key, sealed).caller
    except (Malformed, KeysUnavailable):
        return None


def is_drill(caller: str | None) -> bool:
    """Whether an incident is a drill, as its sealed caller says; one that cannot be read is none."""
    return caller is not None and caller.startswith(DRILL)


def is_of(ring: KeyRing, incident_key: int, sealed: Any, callers: Collection[str]) -> bool:
    """Whether an incident that was found by the hash of one of these callers is theirs: its sealed value decides.

    Where it is not, the hash was put into its row by another hand, and that is noted.
    """
    if caller_of(ring, incident_key, sealed) in callers:
        return True
    ring.noticed.note("incident", incident_key, "caller")
    return False
