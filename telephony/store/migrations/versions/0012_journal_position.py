"""How far each journal of presses is taken up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table; a journal's row comes with its first presses."""
    op.create_table(
        "journal_position",
        sa.Column("journal", sa.LargeBinary(16), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("bound", sa.LargeBinary, nullable=True),
    )
