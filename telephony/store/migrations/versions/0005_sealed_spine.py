"""Numbers, texts, places, facts and what people said are sealed; callers and references become keyed hashes.

A sealed column cannot be made of a plain one by SQL, so each table is copied, made again and filled in Python, within
the one transaction of the upgrade. The plain copy is dropped with it: on PostgreSQL its file goes, on SQLite its pages
are given up, and `telephony.store.upgrade` has the file rewritten after the transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from telephony.domain.values import Msisdn
from telephony.store.callers import CALLER, REFERENCE
from telephony.store.crypto import KeyRing, Place
from telephony.store.people import GUARDIAN, NUMBER
from telephony.store.person_record import from_octets
from telephony.store.sealed_rows import (
    seal_channel,
    seal_close_reason,
    seal_coordinates,
    seal_error,
    seal_fact,
    seal_incident,
    seal_order,
    seal_press,
)
from telephony.store.sealing import keys_of

revision = "0005"
down_revision = "0004"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ROWS_AT_ONCE = 500

Row = dict[str, Any]
Sealed = Callable[[KeyRing, Row], Row]

TABLES: dict[str, Sequence[sa.Column[Any]]] = {
    "incident": (
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("caller", sa.LargeBinary(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("carrier", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("test", sa.Boolean, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("press_count", sa.Integer, nullable=False),
        sa.Column("last_press_at", sa.BigInteger, nullable=False),
        sa.Column("last_sequence", sa.Integer, nullable=False),
        sa.Column("position_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("best_position", sa.Integer),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("close_reason", sa.LargeBinary),
        sa.Column("fact_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("silence_lifted_at", sa.BigInteger),
    ),
    "press": (
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reference", sa.LargeBinary(16), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("carrier", sa.Text, nullable=False),
        sa.Column("encoding", sa.Text),
        sa.Column("part_reference", sa.Integer),
        sa.Column("part_total", sa.Integer),
        sa.Column("part_number", sa.Integer),
        sa.Column("labels", sa.Text),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("joined", sa.Text, nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
    ),
    "position": (
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("uncertainty_m", sa.Float),
        sa.Column("confidence", sa.Float),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("fixed_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("became_best", sa.Boolean, nullable=False),
    ),
    "fact": (
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    ),
    "call": (
        sa.Column("reference", sa.Text, primary_key=True),
        sa.Column("incident_key", sa.BigInteger, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("trunk", sa.Text, nullable=False),
        sa.Column("token", sa.LargeBinary(32)),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
    ),
    "last_position": (
        sa.Column("caller", sa.LargeBinary(16), primary_key=True),
        sa.Column("incident_key", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
    ),
    "delivery": (
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("last_error", sa.LargeBinary),
    ),
}


def upgrade() -> None:
    """Make the tables of the spine again, with their contents sealed."""
    for table, columns in TABLES.items():
        op.execute(sa.text(f"CREATE TABLE plain_{table} AS SELECT * FROM {table}"))
        op.drop_table(table)
        options = {} if table == "incident" else {"sqlite_with_rowid": False}
        op.create_table(table, *columns, **options)
    _make_indexes()
    for table in TABLES:
        _fill(table, SEALED[table])
    for table in TABLES:
        op.drop_table(f"plain_{table}")
    _rehash_people()
    op.create_table(
        "key_proof",
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )


def _rehash_people() -> None:
    """Find people by the hash that everybody else is found by now."""
    connection = op.get_bind()
    connection.execute(sa.text("DELETE FROM person_number"))
    connection.execute(sa.text("DELETE FROM guardian_number"))
    numbers, guardians = (
        sa.table(name, sa.column("hash", sa.LargeBinary(16)), sa.column("person_key", sa.BigInteger))
        for name in ("person_number", "guardian_number")
    )
    for rows in _all(connection, "person"):
        ring = keys_of(connection)
        of_people, of_guardians = [], []
        for row in rows:
            key = row["key"]
            octets = ring.open(Place("person", "sealed", key), row["key_id"], bytes(row["sealed"]))
            person = from_octets(octets)
            of_people += [(ring.hash(NUMBER, device.number.number), key) for device in person.devices]
            of_guardians += [(ring.hash(GUARDIAN, each.phone.number), key) for each in person.guardians]
        for table, found in ((numbers, of_people), (guardians, of_guardians)):
            if found:
                values = [{"hash": each, "person_key": key} for each, key in found]
                connection.execute(sa.insert(table), values)


def _make_indexes() -> None:
    is_open, is_pending, is_live = (
        sa.text("state <> 'closed'"),
        sa.text("state = 'pending'"),
        sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "one_open_incident_per_caller",
        "incident",
        ["caller"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("calls_of_an_incident", "call", ["incident_key"])
    op.create_index(
        "live_calls_of_a_server", "call", ["server"], sqlite_where=is_live, postgresql_where=is_live
    )
    op.create_index("call_by_token", "call", ["token"], unique=True)
    op.create_index(
        "delivery_due",
        "delivery",
        ["channel", "due_at"],
        sqlite_where=is_pending,
        postgresql_where=is_pending,
    )


def _fill(table: str, sealed: Sealed) -> None:
    connection = op.get_bind()
    names = [column.name for column in TABLES[table]]
    types = {column.name: column.type for column in TABLES[table]}
    insert = sa.insert(sa.table(table, *[sa.column(name, types[name]) for name in names]))
    for rows in _all(connection, f"plain_{table}"):
        ring = keys_of(connection)  # where there is nothing to seal, no key is needed
        whole = [row | sealed(ring, row) for row in rows]
        connection.execute(insert, [{name: row[name] for name in names} for row in whole])


def _all(connection: sa.Connection, table: str) -> Iterator[list[Row]]:
    found = connection.execute(
        sa.text(f"SELECT * FROM {table}"), execution_options={"yield_per": ROWS_AT_ONCE}
    )
    for partition in found.mappings().partitions():
        yield [dict(row) for row in partition]


def _incident(ring: KeyRing, row: Row) -> Row:
    number, reason = Msisdn(row["msisdn"], is_e164=bool(row["is_e164"])), row["close_reason"]
    return {
        "caller": ring.hash(CALLER, row["caller"]),
        "sealed": seal_incident(ring, row["key"], row["caller"], number, row["destination"]),
        "close_reason": None if reason is None else seal_close_reason(ring, row["key"], reason),
        "test": bool(row["test"]),
    }


def _press(ring: KeyRing, row: Row) -> Row:
    reference, raw = row["reference"], row["raw"]
    came = (reference, row["destination"], row["text"], None if raw is None else bytes(raw))
    return {
        "reference": ring.hash(REFERENCE, reference),
        "sealed": seal_press(ring, row["incident_key"], row["number"], *came),
    }


def _position(ring: KeyRing, row: Row) -> Row:
    at = (row["latitude"], row["longitude"])
    return {
        "sealed": seal_coordinates(ring, row["incident_key"], row["number"], *at),
        "became_best": bool(row["became_best"]),
    }


def _fact(ring: KeyRing, row: Row) -> Row:
    return {"sealed": seal_fact(ring, row["incident_key"], row["number"], row["data"])}


def _call(ring: KeyRing, row: Row) -> Row:
    return {"sealed": seal_channel(ring, row["reference"], row["channel"])}


def _last_position(ring: KeyRing, row: Row) -> Row:
    return {"caller": ring.hash(CALLER, row["caller"])}


def _delivery(ring: KeyRing, row: Row) -> Row:
    key, sequence, said = row["incident_key"], row["sequence"], None
    payload = _read(row["payload"])
    if sequence < 0:
        said, payload = seal_order(ring, key, sequence, payload), {}
    # The reason is read from its incident now.
    has_reason = payload.pop("close_reason", None) is not None
    return {
        "payload": row["payload"] if sequence >= 0 and payload and not has_reason else json.dumps(payload),
        "sealed": said,
        "last_error": seal_error(ring, key, sequence, row["last_error"]),
    }


def _read(payload: str) -> dict[str, Any]:
    """Return a payload; a damaged one was no report before, is none now, and must not be carried over in the clear."""
    try:
        read = json.loads(payload)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


SEALED: dict[str, Sealed] = {
    "incident": _incident,
    "press": _press,
    "position": _position,
    "fact": _fact,
    "call": _call,
    "last_position": _last_position,
    "delivery": _delivery,
}
