"""Which agencies serve a school, found by the school; and authorities by their code.

Why: who could be told of a bell was found by reading every agency's list of schools, so that each
bell cost the more the more agencies there were.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "20261130_agency_schools"
down_revision = "20261129_traced"


def upgrade() -> None:
    serves = op.create_table(
        "agency_school",
        sa.Column("urn", sa.String(6), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("urn", "agency", name=op.f("pk_agency_school")),
    )
    op.create_index(op.f("ix_agency_school_agency"), "agency_school", ["agency"])
    op.create_index(op.f("ix_agency_la"), "agency", ["la"])
    held = op.get_bind().execute(sa.text("SELECT id, urns FROM agency")).all()
    rows = [
        {"urn": urn, "agency": id}
        for id, urns in held
        for urn in sorted(set(json.loads(urns) if isinstance(urns, str) else urns))
    ]
    op.bulk_insert(serves, rows)


def downgrade() -> None:
    op.drop_index(op.f("ix_agency_la"), "agency")
    op.drop_table("agency_school")
