"""What those who closed alerts said of their bells.

Why: the rule catalogue tells how many of a rule's bells were judged false.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261127_judged"
down_revision = "20261126_counted"

OWN = (
    "((SELECT current_setting('firstbell.everything', true)) = 'on' OR urn = ANY ((SELECT "
    "string_to_array(current_setting('firstbell.urns', true), ','))::text[]))"
)


def upgrade() -> None:
    op.create_table(
        "judged_alert",
        sa.Column("alert", sa.Uuid(), nullable=False),
        sa.Column("bell", sa.Uuid(), nullable=False),
        sa.Column("urn", sa.String(6), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("is_false", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("alert", name=op.f("pk_judged_alert")),
    )
    op.create_index(op.f("ix_judged_alert_bell"), "judged_alert", ["bell"])
    op.create_index(op.f("ix_judged_alert_raised_on"), "judged_alert", ["raised_on"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE judged_alert ENABLE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE judged_alert FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON judged_alert USING ({OWN}) WITH CHECK ({OWN})")


def downgrade() -> None:
    op.drop_table("judged_alert")
