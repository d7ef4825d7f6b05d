"""The registry of people, encrypted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables of the registry; they are empty."""
    op.create_table(
        "person",
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("key_id", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "person_number",
        sa.Column("hash", sa.LargeBinary(16), primary_key=True),
        sa.Column("person_key", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "guardian_number",
        sa.Column("hash", sa.LargeBinary(16), primary_key=True),
        sa.Column("person_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
