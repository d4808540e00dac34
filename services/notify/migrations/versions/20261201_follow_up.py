"""How attendance went on after bells.

Why: the figures of impact put what was done beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261201_follow_up"
down_revision = "20261130_endpoints"

EVERYTHING = "(SELECT current_setting('firstbell.everything', true)) = 'on'"


def upgrade() -> None:
    op.create_table(
        "follow_up",
        sa.Column("bell", sa.Uuid(), nullable=False),
        sa.Column("upn", sa.String(13), nullable=False),
        sa.Column("pupil", sa.JSON(), nullable=False),
        sa.Column("alike", sa.JSON(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bell", name=op.f("pk_follow_up")),
    )
    op.create_index(op.f("ix_follow_up_upn"), "follow_up", ["upn"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE follow_up ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE follow_up FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY tenant ON follow_up USING ({EVERYTHING}) WITH CHECK ({EVERYTHING})"
        )


def downgrade() -> None:
    op.drop_table("follow_up")
