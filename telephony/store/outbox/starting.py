"""Prepares the rows of the outbox once, when a daemon starts: releases leases of the dead, puts due times right."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from telephony.domain.delivery import LONGEST_UPDATE_PAUSE_S, PENDING, RETRY_DELAYS_S, UPDATE
from telephony.store.bulk import execute, placeholder
from telephony.store.locks import lock_deliveries_where
from telephony.store.times import seconds_to_us


def owner_of(name: str, process: str) -> str:
    """Return the name under which one process of a daemon holds leases."""
    return f"{name}#{process}"


def release_leases(connection: Connection, name: str, owner: str) -> int:
    """Take back at start what earlier processes of this daemon had leased; gives how many rows.

    What this very process (``owner``) has leased already, for presses that came at once, stays leased.
    """
    mark = placeholder(connection.dialect.name)
    theirs = (
        f"state = '{PENDING}' AND lease_until > 0 AND lease_owner LIKE {mark} AND lease_owner <> {mark}",
        (owner_of(name, "%"), owner),
    )
    lock_deliveries_where(connection, *theirs)
    released = execute(connection, f"UPDATE delivery SET lease_until = 0 WHERE {theirs[0]}", theirs[1])
    count: int = released.rowcount
    return count


LONGEST_REPORT_WAIT_S: Final = RETRY_DELAYS_S[-1]
"""After a start no report that was tried before waits for longer: its time may be of a clock that was wrong."""


def bring_forward(connection: Connection, now: float, longest_errand_s: float) -> int:
    """Make due in time what would wait for a clock that was set back while we were away; return how many rows.

    What was never tried waits as long as it was to wait when it was written (a fallback); an update may have been
    written for later (`update_pause_s`). What was tried and would wait for longer than the longest pause between two
    attempts (of an errand: ``longest_errand_s``) is due at once. Leases are not looked at: see `release_leases`.
    """
    mark = placeholder(connection.dialect.name)
    at, report, planned, errand = (
        seconds_to_us(now + wait_s)
        for wait_s in (0.0, LONGEST_REPORT_WAIT_S, LONGEST_UPDATE_PAUSE_S, longest_errand_s)
    )
    as_planned = f"{mark} + due_at - created_at"
    moved = 0
    lock_deliveries_where(
        connection, f"state = '{PENDING}' AND (due_at > {mark} OR created_at > {mark})", (at, at)
    )
    for due, where, values in (
        (as_planned, f"attempts = 0 AND kind <> '{UPDATE}' AND created_at > {mark}", (at, at)),
        (as_planned, f"attempts = 0 AND kind = '{UPDATE}' AND created_at > {mark}", (at, planned)),
        (mark, f"attempts > 0 AND sequence > 0 AND due_at > {mark}", (at, report)),
        (mark, f"attempts > 0 AND sequence <= 0 AND due_at > {mark}", (at, errand)),
    ):
        statement = f"UPDATE delivery SET due_at = {due} WHERE state = '{PENDING}' AND {where}"
        moved += execute(connection, statement, values).rowcount
    return moved
