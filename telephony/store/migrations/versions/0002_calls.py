"""Facts of an incident, and its calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Give incidents room for facts, calls and the lifting of silence."""
    op.add_column("incident", sa.Column("fact_count", sa.Integer, nullable=False, server_default="0"))
    op.add_column("incident", sa.Column("silence_lifted_at", sa.BigInteger))
    op.create_table(
        "fact",
        sa.Column("incident_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call",
        sa.Column("reference", sa.Text, primary_key=True),
        sa.Column("incident_key", sa.BigInteger, nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("trunk", sa.Text, nullable=False),
        sa.Column("token", sa.LargeBinary(32)),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("calls_of_an_incident", "call", ["incident_key"])
    op.create_index(
        "live_calls_of_a_server",
        "call",
        ["server"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("call_by_token", "call", ["token"], unique=True)
