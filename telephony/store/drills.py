"""Reads when 112 acknowledged the first report of a drill."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from telephony.domain.delivery import DELIVERED
from telephony.store.bulk import execute, placeholder
from telephony.store.times import from_us

_FIRST_REPORT = 1


def told_at(connection: Connection, incident_key: int) -> datetime | None:
    """Return when 112 acknowledged the first report on whichever channel was the first; ``None``: not yet."""
    mark = placeholder(connection.dialect.name)
    (settled_at,) = execute(
        connection,
        f"SELECT min(settled_at) FROM delivery WHERE incident_key = {mark} AND sequence = {_FIRST_REPORT}"
        f" AND state = '{DELIVERED}'",
        (incident_key,),
    ).fetchone()
    return None if settled_at is None else from_us(settled_at)
