"""When it was last told elsewhere that an endpoint's messages are late.

Why: a week is long to learn that a receiver is dead, and hearing it every minute is no use.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261205_late"
down_revision = "20261204_reached"


def upgrade() -> None:
    with op.batch_alter_table("endpoint") as table:
        table.add_column(sa.Column("late_told_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("endpoint") as table:
        table.drop_column("late_told_at")
