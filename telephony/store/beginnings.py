"""Finds the incident or recording that a person means: by its name, by the beginning of it, or as the last one.

For people at a terminal alone: what 112 or another machine names, it names whole (`telephony.store.call_names`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, func, or_, select

from telephony.store.call_names import incident_named
from telephony.store.schema import incident, recording

LAST: Final = "last"
"""Stands for the incident that was opened last, or the recording that was begun last."""
MOST_CANDIDATES: Final = 8
_WAV: Final = ".wav"


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """What was said is the beginning of several names."""

    said: str
    candidates: tuple[str, ...]
    """The newest ones."""
    count: int


def incident_meant(connection: Connection, said: str) -> str | Ambiguous | None:
    """Return the id of the incident that is meant; what was said where it is the beginning of none; None for the last of none.

    Beginnings count with ``sos-``, without it, and behind the date, for those of one day differ there alone.
    """
    said = said.strip().lower()
    if said == LAST:
        return connection.execute(
            select(incident.c.id).order_by(incident.c.opened_at.desc(), incident.c.key.desc()).limit(1)
        ).scalar_one_or_none()
    named = incident_named(connection, said)
    if named != said:
        return named
    return _begun(connection, said, incident.c.id, incident.c.opened_at) or named


def recording_meant(connection: Connection, said: str) -> str | Ambiguous | None:
    """Return the same of the name of a recording, with ``.wav`` or without."""
    said = said.strip().lower().removesuffix(_WAV)
    if said == LAST:
        return _newest(connection, recording.c.name)
    found = _begun(connection, said, recording.c.name, recording.c.begun_at, exactly=f"{said}{_WAV}")
    return found or said


def recorded_incident_meant(connection: Connection, said: str) -> str | Ambiguous | None:
    """Return the same of an incident that has recordings, which outlive it."""
    said = said.strip().lower()
    if said == LAST:
        return _newest(connection, recording.c.incident_id)
    named = incident_named(connection, said)
    if named != said:
        return named
    for column in (recording.c.incident_id, recording.c.call_name):
        if (found := _begun(connection, said, column, recording.c.begun_at)) is not None:
            return found
    return incident_meant(connection, said)


def _newest(connection: Connection, column: Column[Any]) -> str | None:
    newest = select(column).order_by(recording.c.begun_at.desc(), recording.c.key.desc()).limit(1)
    return connection.execute(newest).scalar_one_or_none()


def _begun(
    connection: Connection, said: str, column: Column[Any], time: Column[Any], *, exactly: str | None = None
) -> str | Ambiguous | None:
    """Return the one name that begins so, or is so; None where there is none."""
    if not said:
        return None
    whole = exactly or said
    if connection.execute(select(column).where(column == whole).limit(1)).first() is not None:
        return whole
    is_begun = _begins(column, said)
    names = select(column).where(is_begun).group_by(column).order_by(func.max(time).desc())
    found = list(connection.execute(names.limit(MOST_CANDIDATES)).scalars())
    if len(found) <= 1:
        return found[0] if found else None
    count = connection.execute(select(func.count(column.distinct())).where(is_begun)).scalar_one()
    return Ambiguous(said, tuple(found), count)


def _begins(column: Column[Any], said: str) -> ColumnElement[bool]:
    literal = said.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return or_(*(column.like(f"{before}{literal}%", escape="/") for before in ("", "sos-", "sos-________-")))
