"""Sessions of the academic year at former schools, from the common transfer file.

Why: a pupil who moves takes the year with them; a new school is not a new start to 10 %.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_brought"
down_revision = "20261124_areas"

COLUMNS = ("brought_year", "brought_possible", "brought_missed")


def upgrade() -> None:
    with op.batch_alter_table("pupil") as table:
        for name in COLUMNS:
            table.add_column(sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("pupil") as table:
        for name in COLUMNS:
            table.drop_column(name)
