"""Indexes of dead letters that wait, and of alerts that nobody has answered.

Why: a scrape counts these every few seconds; it is not to read whole tables for that.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261204_counted"
down_revision = "20261203_due"


def upgrade() -> None:
    where = sa.text("replayed_at IS NULL")
    op.create_index(
        "ix_dead_letter_waiting", "dead_letter", ["id"], sqlite_where=where, postgresql_where=where
    )
    where = sa.text("status = 'raised'")
    op.create_index(
        "ix_alert_unanswered",
        "alert",
        ["kind", "raised_at", "answer_by"],
        sqlite_where=where,
        postgresql_where=where,
    )


def downgrade() -> None:
    op.drop_index("ix_alert_unanswered", "alert")
    op.drop_index("ix_dead_letter_waiting", "dead_letter")
