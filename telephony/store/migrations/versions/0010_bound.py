"""Plain columns that decide something are bound to their row by a code: see `telephony.store.bound`.

What stands in the store before this step is believed, once. A code cannot be made by SQL, so each table is copied, made
again and filled in Python, within the one transaction of the upgrade. From then on a row without a code is not believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from telephony.store.bound import bind_row
from telephony.store.bulk import execute_many, placeholder
from telephony.store.sealing import keys_of

revision = "0010"
down_revision = "0009"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
ROWS_AT_ONCE = 500
WITH_A_ROWID = ("incident", "awaited_reply")

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
        sa.Column("newest_position", sa.Integer),
        sa.Column("sharpest_position", sa.Integer),
        sa.Column("unreached_since", sa.BigInteger),
        sa.Column("bound", sa.LargeBinary(20)),
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
        sa.Column("bound", sa.LargeBinary(20)),
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
        sa.Column("bound", sa.LargeBinary(20)),
    ),
    "fact": (
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("bound", sa.LargeBinary(20)),
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
        sa.Column("bound", sa.LargeBinary(20)),
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
        sa.Column("lease_token", sa.Integer, nullable=False, server_default="1"),
        sa.Column("bound", sa.LargeBinary(20)),
    ),
    "awaited_reply": (
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("bound", sa.LargeBinary(20)),
    ),
    "press_history": (
        sa.Column("subject", sa.LargeBinary(16), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("bound", sa.LargeBinary(20)),
    ),
}


def upgrade() -> None:
    """Make the tables again with one column more, and with their contents."""
    for table, columns in TABLES.items():
        op.execute(sa.text(f"CREATE TABLE earlier_{table} AS SELECT * FROM {table}"))
        op.drop_table(table)
        options = {} if table in WITH_A_ROWID else {"sqlite_with_rowid": False}
        op.create_table(table, *columns, **options)
    _make_indexes()
    for table in TABLES:
        _fill(table)
        op.drop_table(f"earlier_{table}")


def _fill(table: str) -> None:
    connection = op.get_bind()
    names = [column.name for column in TABLES[table]]
    marks = ", ".join([placeholder(connection.dialect.name)] * len(names))
    insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    for rows in _all(connection, f"earlier_{table}"):
        ring = keys_of(connection)  # where there is nothing to bind, no key is needed
        execute_many(connection, insert, [(*row.values(), bind_row(ring, table, row)) for row in rows])


def _all(connection: sa.Connection, table: str) -> Iterator[list[dict[str, Any]]]:
    columns = [sa.column(column.name, column.type) for column in TABLES[table.removeprefix("earlier_")]]
    names = [column for column in columns if column.name != "bound"]
    found = connection.execute(
        sa.select(*names).select_from(sa.table(table)), execution_options={"yield_per": ROWS_AT_ONCE}
    )
    for partition in found.mappings().partitions():
        yield [dict(row) for row in partition]


def _make_indexes() -> None:
    is_open, is_pending, is_live = (
        sa.text("state <> 'closed'"),
        sa.text("state = 'pending'"),
        sa.text("ended_at IS NULL"),
    )
    _partial("one_open_incident_per_caller", "incident", ["caller"], is_open, unique=True)
    op.create_index("calls_of_an_incident", "call", ["incident_key"])
    _partial("live_calls_of_a_server", "call", ["server"], is_live)
    op.create_index("call_by_token", "call", ["token"], unique=True)
    _partial("delivery_due", "delivery", ["channel", "due_at"], is_pending)
    op.create_index("awaited_from_a_phone", "awaited_reply", ["hash"])
    op.create_index("awaited_until", "awaited_reply", ["expires_at"])
    op.create_index("history_until", "press_history", ["at"])


def _partial(
    name: str, table: str, columns: list[str], where: sa.TextClause, *, unique: bool = False
) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
