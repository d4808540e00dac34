"""Endpoints are reached by webhook, e-mail, text or feed.

Why: somebody without a case system is reached all the same, and what does not arrive in one way is
told in another.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261204_reached"
down_revision = "20261204_counted"


def upgrade() -> None:
    with op.batch_alter_table("endpoint") as table:
        table.alter_column("secret", existing_type=sa.LargeBinary(), nullable=True)
        table.add_column(
            sa.Column("channel", sa.String(10), nullable=False, server_default="webhook")
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL firstbell.everything = 'on'")
    op.execute("DELETE FROM endpoint WHERE channel <> 'webhook'")
    with op.batch_alter_table("endpoint") as table:
        table.drop_column("channel")
        table.alter_column("secret", existing_type=sa.LargeBinary(), nullable=False)
