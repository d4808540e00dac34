"""The academic year of a pupil's birth, for comparing year groups.

Why: a day on which a whole year group is away says little about one of its pupils.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124"
down_revision = "20261123"


def upgrade() -> None:
    with op.batch_alter_table("pupil") as table:
        table.add_column(sa.Column("cohort", sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("pupil") as table:
        table.drop_column("cohort")
