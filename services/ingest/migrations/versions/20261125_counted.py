"""Indexes of dead letters that wait.

Why: a scrape counts these every few seconds; it is not to read whole tables for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_counted"
down_revision = "20261124_tenants"


def upgrade() -> None:
    where = sa.text("replayed_at IS NULL")
    op.create_index(
        "ix_dead_letter_waiting", "dead_letter", ["id"], sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    op.drop_index("ix_dead_letter_waiting", "dead_letter")
