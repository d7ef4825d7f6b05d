"""Whether silence holds for a phone: the one question before anything of ours is sent to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from telephony.domain.incident import CLOSED
from telephony.domain.values import Msisdn
from telephony.store.bound import believed
from telephony.store.callers import caller_hashes
from telephony.store.schema import incident
from telephony.store.sealing import keys_of

NEWEST_CLOSED: Final = 5_000
"""Incidents among which those are looked at that say that they are closed, and may not be: a few milliseconds."""


def is_silenced(connection: Connection, numbers: Sequence[Msisdn]) -> bool:
    """Whether one of these phones has an open incident whose silence has not been lifted.

    Drills do not count, as their callers have keys of their own: a drill is answered by a text. A withheld number
    belongs to no caller. A row that another hand changed holds silence. Raises `KeysUnavailable` where the keys cannot be read.
    """
    callers = [each for number in numbers for each in caller_hashes(connection, _key(number))]
    ring = keys_of(connection)
    is_open = select(incident).where(incident.c.caller.in_(callers), incident.c.state != CLOSED)
    newest = select(incident).order_by(incident.c.key.desc()).limit(NEWEST_CLOSED).subquery()
    is_closed = select(newest).where(newest.c.caller.in_(callers), newest.c.state == CLOSED)
    return any(
        (row := believed(ring, found)).state != CLOSED and row.silence_lifted_at is None
        for wanted in (is_open, is_closed)
        for found in connection.execute(wanted).all()
    )


def _key(number: Msisdn) -> str:
    """Return what the presses of this number are joined by: `telephony.store.presses.caller_key` of an emergency."""
    return number.number if number.is_e164 else f"raw:{number.number}"
