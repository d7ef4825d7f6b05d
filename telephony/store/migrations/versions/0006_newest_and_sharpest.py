"""An incident knows its newest and its sharpest position, and since when the phone has not been reached.

What stands in the store before this step has one position to tell: the best, which is then the newest too. SQLite adds a
column behind the constraints, where no later step would look for it, so the table is copied and made again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")

KEPT = (
    "key, id, caller, sealed, carrier, connector, source, state, test, opened_at, press_count, last_press_at,"
    " last_sequence, position_count, best_position, closed_at, close_reason, fact_count, silence_lifted_at"
)
IS_A_MEMORY = (
    "SELECT 1 FROM position WHERE position.incident_key = earlier_incident.key"
    " AND position.number = earlier_incident.best_position AND position.source = 'last-known'"
)


def upgrade() -> None:
    """Make the table again with three columns more, and with its contents."""
    op.execute(sa.text("CREATE TABLE earlier_incident AS SELECT * FROM incident"))
    op.drop_table("incident")
    op.create_table(
        "incident",
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
    )
    op.create_index(
        "one_open_incident_per_caller",
        "incident",
        ["caller"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.execute(
        sa.text(
            f"INSERT INTO incident ({KEPT}, newest_position, sharpest_position)"
            f" SELECT {KEPT}, best_position, CASE WHEN EXISTS ({IS_A_MEMORY}) THEN NULL ELSE best_position END"
            " FROM earlier_incident"
        )
    )
    op.drop_table("earlier_incident")
