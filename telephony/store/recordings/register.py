"""The register of recordings: which call, when, how long, where, and how each stands. It outlives the incident.

The number stands sealed in its row and as the caller's keyed hash, so that a person can be told of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final
from zlib import crc32

from sqlalchemy import Connection, delete, insert, or_, select, update

from telephony.domain.errors import Malformed, Unavailable
from telephony.domain.recording import Recording, RecordingState, call_of
from telephony.domain.values import Msisdn
from telephony.store.call_names import incident_named
from telephony.store.callers import CALLER, caller_hashes
from telephony.store.crypto import KeyRing, KeysUnavailable, Place
from telephony.store.people_erasing import clear_around
from telephony.store.schema import incident, recording
from telephony.store.sealed_rows import unseal_incident
from telephony.store.sealing import keys_of, seal, unseal
from telephony.store.times import from_us, to_us

_NODE_BITS: Final = 10
_NO_NUMBER: Final = Msisdn("", is_e164=False)


def register(connection: Connection, items: Sequence[Recording]) -> list[Unavailable | None]:
    """Write recordings down, or where they are now; incident and number are looked up by the call's name.

    One answer per item: missing keys are that of all of them, and not a failure of the presses in the same commit.
    """
    try:
        ring = keys_of(connection)
    except Unavailable as error:
        return [error] * len(items)
    for each in items:
        standing = select(recording.c.key).where(recording.c.name == each.name)
        key = connection.execute(standing).scalar_one_or_none()
        if key is None:
            connection.execute(insert(recording).values(_row(connection, ring, each)))
        else:
            where = {"host": each.host, "path": each.path, "key_id": each.key_id}
            connection.execute(update(recording).where(recording.c.key == key).values(where))
    return [None] * len(items)


def known_paths(connection: Connection, server: str, host: str) -> set[str]:
    """Return the paths of a server's recordings on a machine that the register has."""
    wanted = select(recording.c.path).where(recording.c.server == server, recording.c.host == host)
    return set(connection.execute(wanted).scalars())


def over(connection: Connection, server: str, host: str, *, most: int) -> list[tuple[int, str]]:
    """Return key and path of a server's recordings on a machine whose time is over."""
    rows = connection.execute(
        select(recording.c.key, recording.c.path)
        .where(
            recording.c.state == RecordingState.OVER,
            recording.c.host == host,
            recording.c.server == server,
        )
        .limit(most)
    ).all()
    return [(int(row.key), str(row.path)) for row in rows]


def over_everywhere(connection: Connection, host: str) -> list[tuple[int, str]]:
    """Return the same of all servers, also of those that are not in the settings any more."""
    rows = connection.execute(
        select(recording.c.key, recording.c.path).where(
            recording.c.state == RecordingState.OVER, recording.c.host == host
        )
    ).all()
    return [(int(row.key), str(row.path)) for row in rows]


def under_another_key(connection: Connection, server: str, host: str, *, most: int) -> list[tuple[int, str]]:
    """Return key and path of a server's recordings on a machine whose header is under another key than the current one."""
    current = keys_of(connection).current.id
    rows = connection.execute(
        select(recording.c.key, recording.c.path)
        .where(
            recording.c.key_id != current,
            recording.c.state == RecordingState.SEALED,
            recording.c.host == host,
            recording.c.server == server,
        )
        .limit(most)
    ).all()
    return [(int(row.key), str(row.path)) for row in rows]


def resealed(connection: Connection, items: Sequence[tuple[int, int]]) -> list[None]:
    """Note under which key the headers of these recordings are."""
    for key, key_id in items:
        connection.execute(update(recording).where(recording.c.key == key).values(key_id=key_id))
    return [None] * len(items)


def forget_rows(connection: Connection, items: Sequence[int]) -> list[None]:
    """Delete the rows of recordings whose files are gone; those alone whose time is over."""
    keys = list(items)
    is_over = recording.c.state == RecordingState.OVER
    connection.execute(delete(recording).where(recording.c.key.in_(keys), is_over))
    clear_around(connection, recording.name, keys)
    return [None] * len(keys)


def listed(connection: Connection, incident_id: str | None = None) -> list[Recording]:
    """Return the recordings of the register, or those of an incident, the oldest first. Raises `KeysUnavailable`."""
    wanted = select(recording).order_by(recording.c.begun_at, recording.c.key)
    if incident_id is not None:
        named = incident_named(connection, incident_id)
        wanted = wanted.where(or_(recording.c.incident_id == named, recording.c.call_name == incident_id))
    return _read(connection, wanted)


def named(connection: Connection, name: str) -> Recording | None:
    """Return the recording of this name, with ``.wav`` or without. Raises `KeysUnavailable`."""
    name = f"{name.strip().removesuffix('.wav')}.wav"
    found = _read(connection, select(recording).where(recording.c.name == name))
    return found[0] if found else None


def recordings_of_numbers(
    connection: Connection, numbers: Collection[Msisdn], incidents: Collection[str] = ()
) -> list[Recording]:
    """Return the recordings of these numbers, also of incidents that were deleted. Raises `KeysUnavailable`."""
    subjects = [each for number in numbers for each in caller_hashes(connection, number.number)]
    wanted = or_(recording.c.subject.in_(subjects), recording.c.incident_id.in_(incidents))
    found = _read(connection, select(recording).where(wanted).order_by(recording.c.key))
    # The sealed number decides, not the hash that led there.
    return [each for each in found if each.msisdn in numbers]


def subject_of(ring: KeyRing, key: int, sealed: bytes) -> bytes:
    """Return the hash that a row is found by. Raises `KeysUnavailable` or `Malformed`."""
    return ring.hash(CALLER, _opened(ring, key, sealed)[0].number)


def _row(connection: Connection, ring: KeyRing, each: Recording) -> dict[str, Any]:
    key = _free_key(connection, to_us(each.begun_at) << _NODE_BITS | crc32(each.name.encode()) & 0x3FF)
    call_name = call_of(each.name)
    incident_id = incident_named(connection, call_name)
    msisdn = _caller(connection, ring, incident_id)
    said = {"number": msisdn.number, "e164": msisdn.is_e164, "call": each.call}
    plain = json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return {
        "key": key,
        "name": each.name,
        "call_name": call_name,
        "incident_id": incident_id,
        "subject": ring.hash(CALLER, msisdn.number),
        "server": each.server,
        "begun_at": to_us(each.begun_at),
        "ended_at": to_us(each.ended_at),
        "octets": each.octets,
        "host": each.host,
        "path": each.path,
        "state": each.state,
        "key_id": each.key_id,
        "sealed": seal(ring, Place("recording", "sealed", key), plain),
    }


def _free_key(connection: Connection, key: int) -> int:
    while connection.execute(select(recording.c.key).where(recording.c.key == key)).first() is not None:
        key += 1
    return key


def _caller(connection: Connection, ring: KeyRing, incident_id: str) -> Msisdn:
    """Return the number of an incident; none where the store does not know the incident, or cannot read it."""
    row = connection.execute(
        select(incident.c.key, incident.c.sealed).where(incident.c.id == incident_id)
    ).first()
    if row is None:
        return _NO_NUMBER
    try:
        return unseal_incident(ring, row.key, row.sealed).msisdn
    except (Malformed, KeysUnavailable):
        return _NO_NUMBER


def _read(connection: Connection, wanted: Any) -> list[Recording]:
    ring = keys_of(connection)
    return list(_recordings(ring, connection.execute(wanted).all()))


def _recordings(ring: KeyRing, rows: Iterable[Any]) -> Iterable[Recording]:
    for row in rows:
        known = Recording(
            row.name,
            row.server,
            "",
            from_us(row.begun_at),
            from_us(row.ended_at),
            row.octets,
            row.host,
            row.path,
            row.key_id,
            row.incident_id,
            state=RecordingState(row.state),
            key=row.key,
        )
        try:
            msisdn, call = _opened(ring, row.key, row.sealed)
        except (Malformed, KeysUnavailable):
            yield known  # the register is of use without it
        else:
            yield replace(known, msisdn=msisdn, call=call)


def _opened(ring: KeyRing, key: int, sealed: bytes) -> tuple[Msisdn, str]:
    plain = unseal(ring, Place("recording", "sealed", key), sealed)
    try:
        said = json.loads(plain.decode("utf-8", "surrogatepass"))
        return Msisdn(said["number"], is_e164=said["e164"]), said["call"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Malformed(f"recording {key} cannot be read: was it written by a newer release?") from None
