"""Reads the row of an incident, as it may be acted upon: what comes after a press begins with it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from telephony.store.bound import believed
from telephony.store.prepared import Prepared
from telephony.store.schema import incident
from telephony.store.sealing import keys_of

_AT: Final = select(incident).where(incident.c.key == bindparam("at"))
_BY_KEY: Final = Prepared(_AT)
_BY_KEY_LOCKED: Final = Prepared(_AT.with_for_update())
_CALLED: Final = select(incident).where(incident.c.id == bindparam("called"))
_BY_ID: Final = Prepared(_CALLED)
_BY_ID_LOCKED: Final = Prepared(_CALLED.with_for_update())


def incident_at(connection: Connection, key: int) -> Any:
    """Return the row of the incident with this key, or ``None``."""
    return _believed(connection, _BY_KEY.one(connection, at=key))


def incident_called(connection: Connection, incident_id: str) -> Any:
    """Return the row of the incident with this id, or ``None``."""
    return _believed(connection, _BY_ID.one(connection, called=incident_id))


def incident_at_to_change(connection: Connection, key: int) -> Any:
    """Return the same as `incident_to_change`, by its key."""
    return _believed(connection, _BY_KEY_LOCKED.one(connection, at=key))


def incident_to_change(connection: Connection, incident_id: str) -> Any:
    """Return the incident's row, or ``None``; no other daemon changes it before this transaction ends.

    A function that changes several in one transaction locks them first: `telephony.store.locks`.
    """
    return _believed(connection, _BY_ID_LOCKED.one(connection, called=incident_id))


def _believed(connection: Connection, row: Any) -> Any:
    return None if row is None else believed(keys_of(connection), row)
