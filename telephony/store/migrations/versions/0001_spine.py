"""Incidents, presses, positions and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of the spine."""
    op.create_table(
        "incident",
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("msisdn", sa.Text, nullable=False),
        sa.Column("is_e164", sa.Boolean, nullable=False),
        sa.Column("carrier", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("test", sa.Boolean, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("press_count", sa.Integer, nullable=False),
        sa.Column("last_press_at", sa.BigInteger, nullable=False),
        sa.Column("last_sequence", sa.Integer, nullable=False),
        sa.Column("position_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("best_position", sa.Integer),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("close_reason", sa.Text),
    )
    op.create_index(
        "one_open_incident_per_caller",
        "incident",
        ["caller"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "press",
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reference", sa.String(80), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("connector", sa.Text, nullable=False),
        sa.Column("carrier", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("encoding", sa.Text),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("part_reference", sa.Integer),
        sa.Column("part_total", sa.Integer),
        sa.Column("part_number", sa.Integer),
        sa.Column("labels", sa.Text),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("joined", sa.Text, nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "position",
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("latitude", sa.Float, nullable=False),
        sa.Column("longitude", sa.Float, nullable=False),
        sa.Column("uncertainty_m", sa.Float),
        sa.Column("confidence", sa.Float),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("fixed_at", sa.BigInteger, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("became_best", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "last_position",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("incident_key", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery",
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("lease_owner", sa.Text),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("settled_at", sa.BigInteger),
        sa.Column("last_error", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "delivery_due",
        "delivery",
        ["channel", "due_at"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
