"""Which authority, trust and phase a school is counted under, and the Department's figures.

Why: a school, a trust and an authority are held beside what is published for them.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_areas"
down_revision = "20261124"


def upgrade() -> None:
    op.create_table(
        "school",
        sa.Column("urn", sa.String(length=6), nullable=False),
        sa.Column("la", sa.String(length=3), nullable=False),
        sa.Column("phase", sa.String(length=9), nullable=False),
        sa.Column("trust", sa.String(length=20), nullable=True),
        sa.Column("trust_name", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("urn", name=op.f("pk_school")),
    )
    op.create_index(op.f("ix_school_la"), "school", ["la"])
    op.create_index(op.f("ix_school_trust"), "school", ["trust"])
    op.create_table(
        "published",
        sa.Column("period", sa.String(length=4), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("area", sa.String(length=9), nullable=False),
        sa.Column("phase", sa.String(length=9), nullable=False),
        sa.Column("academic_year", sa.Integer(), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("la", sa.String(length=3), nullable=True),
        sa.Column("region", sa.String(length=9), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("absence_rate", sa.Float(), nullable=True),
        sa.Column("authorised_rate", sa.Float(), nullable=True),
        sa.Column("unauthorised_rate", sa.Float(), nullable=True),
        sa.Column("persistent_rate", sa.Float(), nullable=True),
        sa.Column("severe_rate", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("period", "starts_on", "area", "phase", name=op.f("pk_published")),
    )
    op.create_index(op.f("ix_published_academic_year"), "published", ["academic_year"])
    op.create_index(op.f("ix_published_la"), "published", ["la"])


def downgrade() -> None:
    op.drop_table("published")
    op.drop_table("school")
