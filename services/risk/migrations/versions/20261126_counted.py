"""Indexes of dead letters that wait, and of bells that ring.

Why: a scrape counts these every few seconds; it is not to read whole tables for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_counted"
down_revision = "20261125_followed"


def upgrade() -> None:
    where = sa.text("replayed_at IS NULL")
    op.create_index(
        "ix_dead_letter_waiting", "dead_letter", ["id"], sqlite_where=where, postgresql_where=where
    )
    where = sa.text("status = 'ringing'")
    op.create_index("ix_bell_ringing", "bell", ["kind"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.drop_index("ix_bell_ringing", "bell")
    op.drop_index("ix_dead_letter_waiting", "dead_letter")
