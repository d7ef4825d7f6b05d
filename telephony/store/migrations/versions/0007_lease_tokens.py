"""A lease has a token: a process that was stopped and goes on settles nothing that another has taken over since.

SQLite adds a column behind the constraints, where no later step would look for it, so the table is copied and made again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

KEPT = (
    "incident_key, channel, sequence, kind, payload, sealed, state, attempts, created_at, due_at, lease_owner,"
    " lease_until, settled_at, last_error"
)


def upgrade() -> None:
    """Add the column; on SQLite with the table around it, in the order of its key as before."""
    if op.get_bind().dialect.name != "sqlite":
        op.add_column("delivery", sa.Column("lease_token", sa.Integer, nullable=False, server_default="1"))
        return
    op.execute(sa.text("CREATE TABLE earlier_delivery AS SELECT * FROM delivery"))
    op.drop_table("delivery")
    op.create_table(
        "delivery",
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
        sqlite_with_rowid=False,
    )
    op.create_index(
        "delivery_due",
        "delivery",
        ["channel", "due_at"],
        sqlite_where=sa.text("state = 'pending'"),
    )
    op.execute(sa.text(f"INSERT INTO delivery ({KEPT}) SELECT {KEPT} FROM earlier_delivery"))
    op.drop_table("earlier_delivery")
