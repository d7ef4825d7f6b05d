"""An index of the alerts that are due: they go before updates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_DUE = "state = 'pending' AND sequence = 1"


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "delivery_alerts",
        "delivery",
        ["channel", "due_at"],
        sqlite_where=sa.text(_DUE),
        postgresql_where=sa.text(_DUE),
    )
