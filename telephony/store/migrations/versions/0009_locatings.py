"""A record of each locating, without the place; and which incidents people are still to be taken out of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables; of what was asked before there is no record."""
    op.create_table(
        "locating",
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("incident_id", sa.String(40), nullable=False),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("carrier", sa.Text, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("quality", sa.String(16), nullable=False),
        sa.Column("answer", sa.String(16), nullable=False),
        sa.Column("method", sa.Text),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_index("locatings_of_an_incident", "locating", ["incident_id"])
    op.create_index("locatings_of_a_number", "locating", ["subject"])
    op.create_index("locatings_until", "locating", ["at"])
    op.create_table("withdrawn", sa.Column("incident_key", KEY, primary_key=True, autoincrement=False))
