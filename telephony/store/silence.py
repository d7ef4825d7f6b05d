"""Whether silence holds for a phone: the one question before anything of ours is sent to it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from telephony.domain.incident import CLOSED
from telephony.domain.values import Msisdn
from telephony.store.callers import caller_hashes
from telephony.store.schema import incident


def is_silenced(connection: Connection, numbers: Sequence[Msisdn]) -> bool:
    """Claim that one of these phones has an open incident whose silence nobody has lifted.

    Drills do not count, as their callers have keys of their own: a drill is answered by a text. A withheld number is
    nobody's. Raises `KeysUnavailable` where the keys cannot be read.
    """
    callers = [each for number in numbers for each in caller_hashes(connection, _key(number))]
    held = (
        select(incident.c.key)
        .where(
            incident.c.caller.in_(callers),
            incident.c.state != CLOSED,
            incident.c.silence_lifted_at.is_(None),
        )
        .limit(1)
    )
    return connection.execute(held).first() is not None


def _key(number: Msisdn) -> str:
    """Give what the presses of this number are joined by: `telephony.store.presses.caller_key` of an emergency."""
    return number.number if number.is_e164 else f"raw:{number.number}"
