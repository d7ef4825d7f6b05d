"""Settles deliveries that were taken out of the outbox with their outcomes, and gives back those that were not begun."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from telephony.domain.delivery import (
    DELIVERED,
    PENDING,
    REJECTED,
    SUPERSEDED,
    Again,
    Delivered,
    Delivery,
    Outcome,
    Rejected,
    retry_delay_s,
)
from telephony.domain.incident import CLOSED
from telephony.store.bound import UNBOUND
from telephony.store.bulk import execute, execute_many, placeholder
from telephony.store.crypto import KeyRing
from telephony.store.incident_rows import incident_called
from telephony.store.locks import lock_deliveries
from telephony.store.outbox.writing import NOTHING_MORE, code_of
from telephony.store.sealed_rows import seal_error
from telephony.store.sealing import keys_of
from telephony.store.texts import storable
from telephony.store.times import seconds_to_us

log = structlog.get_logger()

LONGEST_ERROR: Final = 300

_HELD = f"incident_key = {{0}} AND channel = {{0}} AND sequence = {{0}} AND state = '{PENDING}' AND lease_token = {{0}}"
"""A delivery that has not been taken again since it was taken under this token."""
_ENDED = (
    "state = {0}, kind = {0}, payload = {0}, bound = {0}, attempts = {0}, settled_at = {0}, last_error = {0}"
)
_LATER = "due_at = {0}, attempts = {0}, last_error = {0}"
_MOVED = (
    "channel = {0}, kind = {0}, payload = '{{}}', bound = {0}, due_at = {0}, attempts = {0}, last_error = {0}"
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A delivery and its outcome: when, as people read it, and from when its next attempt is counted (Unix time)."""

    delivery: Delivery
    outcome: Outcome
    at: float
    due_from: float


def settle_all(connection: Connection, settlements: Sequence[Settlement]) -> list[None]:
    """Write down the outcomes of deliveries; a batch function for `Database.batch`.

    A report that one channel has delivered is not wanted any more on the channels that stand in for it. What somebody else
    has taken over since, or ended, is left as it is.
    """
    lock_deliveries(
        connection, [(item.delivery.incident_key, item.delivery.sequence) for item in settlements]
    )
    ring = keys_of(connection)
    mark = placeholder(connection.dialect.name)
    ended: list[tuple[Any, ...]] = []
    later: list[tuple[Any, ...]] = []
    moved: list[tuple[Any, ...]] = []
    delivered: list[tuple[Any, ...]] = []
    for item in settlements:
        delivery, outcome, at = item.delivery, item.outcome, seconds_to_us(item.at)
        due_from = seconds_to_us(item.due_from)
        key = (delivery.incident_key, delivery.channel, delivery.sequence, delivery.lease_token)
        attempts = max(delivery.attempts, 1)
        said = _said(ring, delivery, outcome)
        if isinstance(outcome, Delivered):
            ended.append((*_settled(ring, delivery, DELIVERED), attempts, at, said, *key))
            if delivery.is_report:
                delivered.append((at, delivery.incident_key, delivery.sequence, delivery.channel))
        elif isinstance(outcome, Rejected):
            ended.append((*_settled(ring, delivery, REJECTED), attempts, at, said, *key))
        elif isinstance(outcome, Again):
            due_at = due_from + seconds_to_us(outcome.after_s)
            code = None
            if outcome.kind not in UNBOUND:
                code = code_of(
                    ring,
                    delivery.incident_key,
                    outcome.channel,
                    delivery.sequence,
                    outcome.kind,
                    NOTHING_MORE,
                )
            moved.append((outcome.channel, outcome.kind, code, due_at, attempts, said, *key))
        else:
            wait_s = retry_delay_s(attempts) if outcome.after_s is None else outcome.after_s
            later.append((due_from + seconds_to_us(wait_s), attempts, said, *key))
    settled = sum(
        execute_many(
            connection, f"UPDATE delivery SET {to}, lease_until = 0 WHERE {_HELD}".format(mark), rows
        )
        for to, rows in ((_ENDED, ended), (_LATER, later), (_MOVED, moved))
        if rows
    )
    if delivered:
        # Only channels that were to wait stand in for another; two channels of equal rank are both told.
        execute_many(
            connection,
            f"UPDATE delivery SET state = '{SUPERSEDED}', settled_at = {mark}, lease_until = 0"
            f" WHERE incident_key = {mark} AND sequence = {mark} AND channel <> {mark} AND state = '{PENDING}'"
            " AND due_at > created_at AND attempts = 0",
            delivered,
        )
    if settled < len(settlements):
        log.info("outcomes too late", count=len(settlements) - settled)
    return [None] * len(settlements)


def _settled(ring: KeyRing, item: Delivery, state: str) -> tuple[str, str, str, bytes | None]:
    """Return state, kind and payload of what a far end has answered, and the code that proves it of a report.

    An order that is done has no code any more: it is not done again.
    """
    kind = str(item.kind)
    if not item.is_report:
        return state, kind, item.written, None
    code = code_of(ring, item.incident_key, item.channel, item.sequence, kind, item.written, state)
    return state, kind, item.written, code


def is_told(connection: Connection, incident_id: str, sequence: int) -> bool:
    """Whether a report was acknowledged on some channel, or that its incident is closed."""
    mark = placeholder(connection.dialect.name)
    found = incident_called(connection, incident_id)
    if found is None:
        return False
    told = (
        f"SELECT 1 FROM delivery WHERE incident_key = {mark} AND sequence = {mark} AND state = '{DELIVERED}'"
    )
    return found.state == CLOSED or execute(connection, told, (found.key, sequence)).fetchone() is not None


def give_back_all(connection: Connection, deliveries: Sequence[Delivery]) -> list[None]:
    """Give back deliveries that were taken and not begun; a batch function for `Database.batch`.

    Only under the very lease they were taken with: where that has lapsed, somebody else may be sending them.
    """
    lock_deliveries(connection, [(item.incident_key, item.sequence) for item in deliveries])
    mark = placeholder(connection.dialect.name)
    execute_many(
        connection,
        f"UPDATE delivery SET lease_until = 0, attempts = {mark} WHERE {_HELD.format(mark)}",
        [
            (
                max(item.attempts - 1, 0), item.incident_key, item.channel, item.sequence,
                item.lease_token,
            )
            for item in deliveries
        ],
    )  # fmt: skip
    return [None] * len(deliveries)


def _said(ring: KeyRing, delivery: Delivery, outcome: Outcome) -> bytes | None:
    """Return what a far end said as the store keeps it: a row that cannot be settled would be sent for ever."""
    words = outcome.detail if isinstance(outcome, Delivered | Again) else outcome.reason
    return seal_error(ring, delivery.incident_key, delivery.sequence, storable(words[:LONGEST_ERROR]))
