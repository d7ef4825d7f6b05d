"""A reply counts once its question has left, and a phone's wrong codes are counted for a day whatever is asked.

What stands in the store before this step is taken to have been sent. SQLite adds a column behind the constraints,
where no later step would look for it, so the table is copied and made again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the table again with one column more, and with its contents."""
    op.execute(sa.text("CREATE TABLE earlier_awaited AS SELECT * FROM awaited_reply"))
    op.drop_table("awaited_reply")
    op.create_table(
        "awaited_reply",
        sa.Column("key", KEY, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sent_at", sa.BigInteger),
    )
    op.create_index("awaited_from_a_phone", "awaited_reply", ["hash"])
    op.create_index("awaited_until", "awaited_reply", ["expires_at"])
    op.execute(
        sa.text(
            "INSERT INTO awaited_reply (key, hash, kind, sealed, made_at, expires_at, sent_at)"
            " SELECT key, hash, kind, sealed, made_at, expires_at, made_at FROM earlier_awaited"
        )
    )
    op.drop_table("earlier_awaited")
