"""Bells of which it has been told how attendance went on.

Why: each is told once, when the school days after it are over.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261125_followed"
down_revision = "20261124_tenants"

OWN = (
    "((SELECT current_setting('firstbell.everything', true)) = 'on' OR urn = ANY ((SELECT "
    "string_to_array(current_setting('firstbell.urns', true), ','))::text[]))"
)


def upgrade() -> None:
    op.create_table(
        "followed_bell",
        sa.Column("bell", sa.Uuid(), nullable=False),
        sa.Column("urn", sa.String(6), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bell", name=op.f("pk_followed_bell")),
    )
    op.create_index(op.f("ix_followed_bell_urn"), "followed_bell", ["urn"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE followed_bell ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE followed_bell FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON followed_bell USING ({OWN}) WITH CHECK ({OWN})")


def downgrade() -> None:
    op.drop_table("followed_bell")
