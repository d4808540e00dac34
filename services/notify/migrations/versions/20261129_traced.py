"""Which trace a message belongs to.

Why: a trace follows a register from its PUT to the webhook; a message is sent later, and by another
task, than the one that decided upon it.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261129_traced"
down_revision = "20261128_channels"


def upgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("traceparent", sa.String(55), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.drop_column("traceparent")
