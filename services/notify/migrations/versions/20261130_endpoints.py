"""Endpoints verified, thin messages, a log of attempts, and replays tried for a week of their own.

Why: an endpoint's owner proves that they receive there, may have messages without personal data,
and sees what each attempt came to.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261130_endpoints"
down_revision = "20261130_agency_schools"

FLAGS = ("thin", "must_verify")
INSTANTS = ("verified_at", "challenge_until")


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL firstbell.everything = 'on'")
    with op.batch_alter_table("endpoint") as table:
        for name in FLAGS:
            table.add_column(sa.Column(name, sa.Boolean(), nullable=False, server_default="0"))
        for name in INSTANTS:
            table.add_column(sa.Column(name, instant, nullable=True))
        table.add_column(sa.Column("challenge", sa.String(64), nullable=True))
    with op.batch_alter_table("delivery") as table:
        table.add_column(sa.Column("pending_since", instant, nullable=True))
        table.add_column(sa.Column("log", sa.JSON(), nullable=False, server_default="[]"))
    op.execute("UPDATE delivery SET pending_since = created_at")
    with op.batch_alter_table("delivery") as table:
        # The default is for processes of the version before, which run on and do not name it.
        table.alter_column(
            "pending_since", existing_type=instant, nullable=False, server_default=sa.func.now()
        )


def downgrade() -> None:
    with op.batch_alter_table("delivery") as table:
        table.drop_column("log")
        table.drop_column("pending_since")
    with op.batch_alter_table("endpoint") as table:
        for name in ("challenge", *INSTANTS, *FLAGS):
            table.drop_column(name)
