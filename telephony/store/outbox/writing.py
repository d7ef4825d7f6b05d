"""Writes rows of the outbox, and changes those that are not under way: each verb makes the code of what it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from telephony.domain.delivery import PENDING, SUPERSEDED, UPDATE
from telephony.store.bound import UNBOUND, UNSETTLED, bind
from telephony.store.bulk import BulkInsert, execute_many, placeholder
from telephony.store.crypto import KeyRing
from telephony.store.outbox.ringing import touch
from telephony.store.schema import delivery, incident
from telephony.store.sealing import keys_of
from telephony.store.times import to_us

_COLUMNS: Final = (
    "incident_key", "channel", "sequence", "kind", "payload", "created_at", "due_at", "lease_owner", "lease_until",
    "bound",
)  # fmt: skip
_CREATED_AT, _DUE_AT = _COLUMNS.index("created_at"), _COLUMNS.index("due_at")
_ROWS: Final = BulkInsert(
    delivery,
    _COLUMNS,
    {"state": f"'{PENDING}'", "attempts": "0"},
)

FIRST_TOKEN: Final = 1
"""The token of the lease that a delivery is written with; each acquisition after it has one that is higher by 1."""
NOTHING_MORE: Final = "{}"
"""The payload of an errand or an order that needs none."""

NewRow = tuple[Any, ...]
"""A row for `enqueue`; made by `new_row`."""


def new_row(  # noqa: PLR0917 - the columns of a row, called several times per press
    ring: KeyRing,
    key: int,
    channel: str,
    sequence: int,
    kind: str,
    payload: str,
    created_at: int,
    due_at: int,
    lease_owner: str | None = None,
    lease_until: int = 0,
) -> NewRow:
    """Return a row for `enqueue`; ``key`` is its incident's, times are in microseconds."""
    code = None
    if kind not in UNBOUND:
        code = code_of(ring, key, channel, sequence, kind, payload)
    return (key, channel, sequence, kind, payload, created_at, due_at, lease_owner, lease_until, code)


def code_of(  # noqa: PLR0917 - the columns that are bound, in their order
    ring: KeyRing, key: int, channel: str, sequence: int, kind: str, payload: str, state: str = UNSETTLED
) -> bytes:
    """Return the code of a row; ``state`` where a far end has answered it."""
    return bind(ring, delivery.name, (key, channel, sequence, kind, payload, state))


def enqueue(connection: Connection, rows: Sequence[NewRow]) -> None:
    """Add rows that are to be delivered. Those that are for later ring no bell: the poll finds them in time."""
    _ROWS.run(connection, rows)
    touch(connection, (row[:2] for row in rows if row[_DUE_AT] <= row[_CREATED_AT]))


class SealedOrder(NamedTuple):
    """An order about an incident; who gave it is sealed."""

    incident_key: int
    channel: str
    sequence: int
    kind: str
    sealed: bytes


def enqueue_order(connection: Connection, order: SealedOrder, now: datetime) -> None:
    """Add an order that is to be carried out at once."""
    at, (key, channel, sequence, kind, sealed) = to_us(now), order
    connection.execute(
        insert(delivery).values(
            incident_key=key,
            channel=channel,
            sequence=sequence,
            kind=kind,
            payload=NOTHING_MORE,
            sealed=sealed,
            state=PENDING,
            attempts=0,
            created_at=at,
            due_at=at,
            lease_until=0,
            bound=code_of(keys_of(connection), key, channel, sequence, kind, NOTHING_MORE),
        )
    )
    touch(connection, [(key, channel)])


class Place(NamedTuple):
    """The key of a row."""

    incident_key: int
    sequence: int
    channel: str


_NOT_BEGUN: Final = (
    "WHERE incident_key = {0} AND sequence = {0} AND channel = {0}"
    f" AND state = '{PENDING}' AND attempts = 0"
)
"""What is on its way is never written over, no matter which process has begun it."""


def fold(connection: Connection, updates: Sequence[tuple[str, Place]], *, is_news: bool) -> bool:
    """Write other payloads into updates that wait; returns whether none of them was begun meanwhile.

    What is no news rings no bell.
    """
    if not updates:
        return True
    ring, mark = keys_of(connection), placeholder(connection.dialect.name)
    rows = [
        (payload, code_of(ring, at.incident_key, at.channel, at.sequence, UPDATE, payload), *at)
        for payload, at in updates
    ]
    told = f"UPDATE delivery SET payload = {{0}}, bound = {{0}} {_NOT_BEGUN}".format(mark)
    if is_news:
        touch(connection, ((at.incident_key, at.channel) for _, at in updates))
    return execute_many(connection, told, rows) == len(rows)


def hurry(connection: Connection, updates: Sequence[tuple[int, int, Place]]) -> None:
    """Let updates that wait be as of an earlier time, and due earlier: both in microseconds."""
    if updates:
        mark = placeholder(connection.dialect.name)
        times = f"UPDATE delivery SET created_at = {{0}}, due_at = {{0}} {_NOT_BEGUN}".format(mark)
        execute_many(connection, times, [(created_at, due_at, *at) for created_at, due_at, at in updates])
        due = (at for created_at, due_at, at in updates if due_at <= created_at)
        touch(connection, ((at.incident_key, at.channel) for at in due))


def hasten(connection: Connection, incident_id: str, channel: str, now: datetime) -> None:
    """Make the deliveries that wait on a channel of an incident due now."""
    key = connection.execute(select(incident.c.key).where(incident.c.id == incident_id)).scalar_one_or_none()
    hastened = connection.execute(
        update(delivery)
        .where(
            delivery.c.incident_key == key,
            delivery.c.channel == channel,
            delivery.c.state == PENDING,
            delivery.c.due_at > to_us(now),
        )
        .values(due_at=to_us(now))
    )
    if key is not None and hastened.rowcount:
        touch(connection, [(key, channel)])


def again(connection: Connection, incident_key: int, errand: str, now: datetime) -> None:
    """Have the one errand of its kind done, once more where it was done already; its channel has the name of its kind.

    A worker that has it under way may not know of all that it is about now: the row is taken from that worker, and done again
    when its lease lapses.
    """
    ring = keys_of(connection)
    written = connection.execute(
        update(delivery)
        .where(
            delivery.c.incident_key == incident_key,
            delivery.c.channel == errand,
            delivery.c.sequence == 0,
        )
        .values(
            state=PENDING,
            due_at=to_us(now),
            settled_at=None,
            kind=errand,
            payload=NOTHING_MORE,
            bound=code_of(ring, incident_key, errand, 0, errand, NOTHING_MORE),
            lease_token=delivery.c.lease_token + 1,
        )
    )
    if written.rowcount == 0:
        at = to_us(now)
        enqueue(connection, [new_row(ring, incident_key, errand, 0, errand, NOTHING_MORE, at, at)])
    touch(connection, [(incident_key, errand)])


def supersede(connection: Connection, incident_key: int, kinds: Iterable[str], now: datetime) -> None:
    """End the pending deliveries of an incident that are of these kinds, as they are not to be done any more."""
    connection.execute(
        update(delivery)
        .where(
            delivery.c.incident_key == incident_key,
            delivery.c.kind.in_(list(kinds)),
            delivery.c.state == PENDING,
        )
        .values(state=SUPERSEDED, settled_at=to_us(now), lease_until=0, bound=None)
    )
