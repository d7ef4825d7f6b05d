"""Proves that keys are the store's own: what was sealed at its first use must open, and look-up hashes must come out as then.

What is sealed is, for every key of the file at that time, its id (4 octets) and the hash (16) of a fixed value under its look-up
key. A file of which only look-up keys are another's opens everything and finds no one. An earlier release sealed nothing there:
then the newest incidents tell, whose callers stand sealed and hashed in their rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, insert, select, update

from telephony.domain.errors import Malformed
from telephony.store.callers import CALLER
from telephony.store.crypto import (
    HASH_OCTETS,
    KEY_ID_OCTETS,
    Key,
    KeyRing,
    KeysUnavailable,
    LookUpKeyWrong,
    Place,
)
from telephony.store.schema import incident, key_proof
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import key_id_of, seal, unseal

_PROOF: Final = Place("key_proof", "sealed", 1)
_ENTRY: Final = KEY_ID_OCTETS + HASH_OCTETS
_KIND: Final = "key-proof"
_INCIDENTS: Final = 3
"""So many rows are asked where the proof itself says nothing of look-up keys."""


def prove(connection: Connection, source: Path, ring: KeyRing) -> bool:
    """Open what was sealed at the store's first use, and compare look-up hashes; False where nothing was sealed yet.

    Raises `KeysUnavailable`, with ``source`` named, for keys that cannot; `LookUpKeyWrong` where only hashes differ.
    """
    return _proven(connection, source, ring) is not None


def prove_and_renew(connection: Connection, source: Path, ring: KeyRing) -> None:
    """Do so, and have the proof speak of every key there is now, under the key that it is under. Raises as `prove` does.

    It is a rotation that brings it under another key: until then a machine with the file of before can start.
    """
    proven, wanted = _proven(connection, source, ring), b"".join(map(_entry, ring.keys.values()))
    if proven is None:
        connection.execute(insert(key_proof).values(key=_PROOF.row, sealed=seal(ring, _PROOF, wanted)))
        return
    key_id, said = proven
    if said != wanted:
        renewed = seal(KeyRing(ring.keys, key_id), _PROOF, wanted)
        connection.execute(update(key_proof).values(sealed=renewed))


def _proven(connection: Connection, source: Path, ring: KeyRing) -> tuple[int, bytes] | None:
    """Return the key that the proof is sealed under, once it is proven."""
    sealed = connection.execute(select(key_proof.c.sealed)).scalar_one_or_none()
    if sealed is None:
        return None
    try:
        said = unseal(ring, _PROOF, sealed)
    except (KeysUnavailable, Malformed):
        raise KeysUnavailable(
            f"{source} is not the key file of this store, or an older one: bring back the one that was used "
            f"last, or copy it from the machine that shares the store; it holds key {key_id_of(sealed)}"
        ) from None
    wrong = _wrong_by_its_own_words(said, ring) if said else _wrong_by_incidents(connection, ring)
    if wrong is not None:
        raise LookUpKeyWrong(
            f"in {source} the look-up key of key {wrong} is not this store's: no one would be found by their number. "
            f"Bring the file back from its backup, or from {source}.earlier if that is there"
        )
    return key_id_of(sealed), said


def _wrong_by_its_own_words(said: bytes, ring: KeyRing) -> int | None:
    for entry in _entries(said):
        key = ring.keys.get(key_id_of(entry))
        if key is not None and entry != _entry(key):
            return key.id
    return None


def _wrong_by_incidents(connection: Connection, ring: KeyRing) -> int | None:
    newest = select(incident.c.key, incident.c.caller, incident.c.sealed).order_by(incident.c.key.desc())
    for row in connection.execute(newest.limit(_INCIDENTS)):
        try:
            caller = unseal_incident(ring, row.key, row.sealed).caller
        except (KeysUnavailable, Malformed):
            continue  # of a damaged row it is said elsewhere
        if row.caller not in ring.hashes(CALLER, caller):
            return key_id_of(row.sealed)
    return None


def _entries(said: bytes) -> Iterator[bytes]:
    for at in range(0, len(said), _ENTRY):
        yield said[at : at + _ENTRY]


def _entry(key: Key) -> bytes:
    return key.id_octets + KeyRing({key.id: key}, key.id).hash(_KIND, "")
