"""Numbers of messages, pauses, and what an attempt came to.

Why: a receiver can prove that it has everything by a number without gaps; an endpoint's owner can
pause it; a message in a sender's hand is told apart from one that waits for its next attempt.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261128_channels"
down_revision = "20261127_noise"

NEW = ("last_status", "last_took_ms")


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    with op.batch_alter_table("endpoint") as table:
        table.add_column(sa.Column("paused_at", instant, nullable=True))
        table.add_column(
            sa.Column("last_sequence", sa.BigInteger(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("sequence", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("leased_until", instant, nullable=True))
        table.add_column(sa.Column("last_attempt_at", instant, nullable=True))
        for name in NEW:
            table.add_column(sa.Column(name, sa.Integer(), nullable=True))
        table.create_unique_constraint(op.f("uq_delivery_endpoint"), ["endpoint", "sequence"])
        table.create_index("ix_delivery_order", ["endpoint", "upn", "state", "number"])
    pending = sa.text("state = 'pending' AND type = 'alert.digest'")
    op.create_index(
        "ix_delivery_digests",
        "delivery",
        ["endpoint", "number"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_digests", "delivery")
    with op.batch_alter_table("delivery") as table:
        table.drop_index("ix_delivery_order")
        table.drop_constraint(op.f("uq_delivery_endpoint"), type_="unique")
        for name in (*NEW, "last_attempt_at", "leased_until", "sequence"):
            table.drop_column(name)
    with op.batch_alter_table("endpoint") as table:
        table.drop_column("last_sequence")
        table.drop_column("paused_at")
