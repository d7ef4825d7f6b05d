"""The order in which transactions take their locks, and the statements that take them. On PostgreSQL; SQLite has one writer.

Two daemons that take the same rows in different orders wait for each other for ever: PostgreSQL then rolls one back, after a
second. So every function that runs in a transaction locks in this order, and any new one must keep to it:

1. the incidents that it reads in order to change them or their rows, by their keys, before it reads any of it:
   ``FOR UPDATE`` gives the row as it is then, and no other daemon changes it before this transaction ends. So what is counted
   on (presses, facts, positions, reports) has one writer;
2. new incidents, by the hashes of their callers: the unique index lets the second of one caller wait for the first;
3. deliveries, by their primary key: incident, channel, sequence. A claim never waits, it skips locked rows. A change to
   deliveries of an incident beside its newest report locks the pending ones first (`lock_pending`);
4. everything else that does not belong to a locked incident: last positions, awaited replies, people, histories;
5. the advisory locks: of the keys of awaited replies, of the audit chain.

Retention and enrolment write their entry of the audit chain before the rest; where that meets somebody else it is run again.

Presses, facts, positions and calls need no locks of their own: they are written under the lock of their incident. A
transaction of `Database` holds work of several kinds and takes the locks of each in turn, out of this order. It therefore waits
for a row only a moment (`SHARED_WAIT_MS`), and is then run again kind by kind, in this order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from telephony.domain.delivery import PENDING
from telephony.store.bulk import execute, select_in, select_numbered

_BY_KEY = "SELECT key FROM incident WHERE key {} ORDER BY key FOR UPDATE"
_BY_ID = "SELECT key, id FROM incident WHERE id {} ORDER BY key FOR UPDATE"
_PENDING = (
    f"SELECT sequence FROM delivery WHERE state = '{PENDING}' AND incident_key {{}}"
    " ORDER BY incident_key, channel, sequence FOR UPDATE"
)
_OF_REPORTS = (
    "SELECT d.sequence FROM {} JOIN delivery d"
    f" ON d.incident_key = wanted.a AND d.sequence = wanted.b AND d.state = '{PENDING}'"
    " ORDER BY d.incident_key, d.channel, d.sequence FOR UPDATE OF d"
)


def has_other_writers(connection: Connection) -> bool:
    """Whether transactions of other processes run beside this one."""
    return bool(connection.dialect.name == "postgresql")


def lock_incidents(connection: Connection, keys: Iterable[int]) -> None:
    """Lock incidents by their keys; those that are not there are passed over."""
    if has_other_writers(connection):
        select_in(connection, _BY_KEY, keys)


def lock_incidents_called(connection: Connection, ids: Iterable[str]) -> None:
    """Lock incidents by their ids and their pending deliveries."""
    if has_other_writers(connection):
        lock_pending(connection, [row[0] for row in select_in(connection, _BY_ID, ids)])


def lock_pending(connection: Connection, keys: Iterable[int]) -> None:
    """Lock the pending deliveries of incidents that are locked already."""
    if has_other_writers(connection):
        select_in(connection, _PENDING, keys)


def lock_deliveries(connection: Connection, named: Iterable[tuple[int, int]]) -> None:
    """Lock pending deliveries by incident and sequence, on all their channels."""
    if has_other_writers(connection):
        select_numbered(connection, _OF_REPORTS, sorted(set(named)))


def lock_deliveries_where(connection: Connection, condition: str, values: Sequence[Any]) -> None:
    """Lock all deliveries of which a condition is true."""
    if has_other_writers(connection):
        found = f"SELECT sequence FROM delivery WHERE {condition} ORDER BY incident_key, channel, sequence"
        execute(connection, f"{found} FOR UPDATE", values)
