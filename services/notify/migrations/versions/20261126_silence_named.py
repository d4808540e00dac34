"""Silences by UPN and kind.

Why: whoever silences an alert may not be told the child's UPN; whoever names it, knows it.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261126_silence_named"
down_revision = "20261125_alerts"


def upgrade() -> None:
    with op.batch_alter_table("silence", schema=None) as silence:
        silence.add_column(sa.Column("named", sa.Boolean(), nullable=False, server_default="0"))
    with op.batch_alter_table("silence", schema=None) as silence:
        silence.alter_column("named", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("silence", schema=None) as silence:
        silence.drop_column("named")
