"""Restrictions, approvals and reads; the route of an alert.

Why: restrictions on a child's record beat every permit; some disclosures wait for a named person;
each read of an alert is recorded once; an alert says how soon and by which means it is to be told.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261124_sharing"
down_revision = "20261123"


def upgrade() -> None:
    op.create_table(
        "restrictions",
        sa.Column("upn", sa.String(length=13), nullable=False),
        sa.Column("restrictions", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("upn", name=op.f("pk_restrictions")),
    )
    op.create_table(
        "alert_read",
        sa.Column("alert", sa.Uuid(), nullable=False),
        sa.Column("reader", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seen", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("alert", "reader", "day", "seen", name=op.f("pk_alert_read")),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bell", sa.Uuid(), nullable=False),
        sa.Column("upn", sa.String(length=13), nullable=True),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=30), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("next_role", sa.String(length=30), nullable=False),
        sa.Column("after_hours", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    with op.batch_alter_table("approval", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_approval_bell"), ["bell"], unique=False)
        batch_op.create_index(batch_op.f("ix_approval_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_approval_upn"), ["upn"], unique=False)
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(sa.Column("route", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_column("route")
    with op.batch_alter_table("approval", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_approval_upn"))
        batch_op.drop_index(batch_op.f("ix_approval_state"))
        batch_op.drop_index(batch_op.f("ix_approval_bell"))
    op.drop_table("approval")
    op.drop_table("alert_read")
    op.drop_table("restrictions")
