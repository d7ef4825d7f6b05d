"""Changes rows of the outbox that are damaged, or that another hand has changed; the caller selects them by a condition.

Which rows to look for, and what to do about them, is decided in `telephony.store.mending` and `telephony.store.putting_right`.
Each verb returns how many rows it changed, and makes no code: nothing makes a row ours again that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from telephony.domain.delivery import PENDING, REJECTED, SUPERSEDED
from telephony.store.bulk import execute, execute_many, placeholder
from telephony.store.outbox.ringing import touch

Condition = tuple[str, tuple[Any, ...]]
"""As SQL on the table ``delivery``, and its values."""


def make_due(connection: Connection, found: Condition, at_us: int) -> int:
    """Make rows due, and free of any lease."""
    return _change(connection, "due_at = {0}, lease_until = 0", (at_us,), found)


def give_a_state(connection: Connection, found: Condition, at_us: int) -> int:
    """Let rows without a state that there is be pending; what was settled is not sent again under a guess."""
    state = f"CASE WHEN settled_at IS NULL THEN '{PENDING}' ELSE '{SUPERSEDED}' END"
    return _change(connection, f"state = {state}, due_at = {{0}}, lease_until = 0", (at_us,), found)


def set_aside(connection: Connection, found: Condition, at_us: int) -> int:
    """End rows that cannot be sent."""
    return _change(connection, f"state = '{REJECTED}', settled_at = {{0}}, lease_until = 0", (at_us,), found)


def move(connection: Connection, found: Condition, channel: str, at_us: int) -> int:
    """Have rows delivered on another channel."""
    return _change(connection, "channel = {0}, due_at = {0}", (channel, at_us), found)


def reopen(connection: Connection, settled: Sequence[tuple[int, str, int, str]], at_us: int) -> int:
    """Have reports sent that are settled and should not be: incident, channel, sequence and the state that they are in."""
    mark = placeholder(connection.dialect.name)
    statement = (
        f"UPDATE delivery SET state = '{PENDING}', due_at = {mark}, settled_at = NULL, lease_until = 0"
        f" WHERE incident_key = {mark} AND channel = {mark} AND sequence = {mark} AND state = {mark}"
    )
    touch(connection, (each[:2] for each in settled))
    return execute_many(connection, statement, [(at_us, *each) for each in settled])


def _change(connection: Connection, to: str, values: tuple[Any, ...], found: Condition) -> int:
    where, more = found
    to = to.format(placeholder(connection.dialect.name))
    count: int = execute(connection, f"UPDATE delivery SET {to} WHERE {where}", (*values, *more)).rowcount
    return count
