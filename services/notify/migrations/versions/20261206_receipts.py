"""What GOV.UK Notify said in the end of a message that it had taken.

Why: it takes what looks like an address, and knows only later whether anybody is there.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261206_receipts"
down_revision = "20261205_late"


def upgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("receipt", sa.String(30), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.drop_column("receipt")
