"""The register of recordings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table; recordings that are there already come into it as they are sealed."""
    op.create_table(
        "recording",
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("call_name", sa.Text, nullable=False),
        sa.Column("incident_id", sa.Text, nullable=False),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        sa.Column("server", sa.Text, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("octets", sa.BigInteger, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("key_id", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("recording_by_name", "recording", ["name"], unique=True)
    op.create_index("recordings_of_an_incident", "recording", ["incident_id"])
    op.create_index("recordings_of_a_call", "recording", ["call_name"])
    op.create_index("recordings_of_a_number", "recording", ["subject"])
    op.create_index("recordings_until", "recording", ["ended_at"])
    op.create_index(
        "recordings_over",
        "recording",
        ["host"],
        sqlite_where=sa.text("state = 'over'"),
        postgresql_where=sa.text("state = 'over'"),
    )
