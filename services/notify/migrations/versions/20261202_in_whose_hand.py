"""In whose hand a message is.

Why: a sender that was killed and comes again under its name goes on at once with what it had in
hand, and need not wait until the lease is over.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261202_in_whose_hand"
down_revision = "20261201_follow_up"


def upgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("leased_by", sa.String(100), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.drop_column("leased_by")
