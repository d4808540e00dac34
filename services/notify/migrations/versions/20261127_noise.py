"""Less noise: wishes, messages counted, what waits together, and which bells ring at a school.

Why: notices gather in digests, children of one family in one message, a limit holds beyond which a
digest takes over, and one bell holds back another: which ring is asked of the bells themselves.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261127_noise"
down_revision = "20261126_silence_named"
CONTRACTS = "Nobody ran a version before it: the first release has it."

OF_BELL = {"urn": sa.String(6), "kind": sa.String(40), "status": sa.String(10)}


def upgrade() -> None:
    _add_to_bells()
    with op.batch_alter_table("held", schema=None) as held:
        held.add_column(sa.Column("bundle", sa.String(200), nullable=True))
        held.add_column(sa.Column("since", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE held SET since = CURRENT_TIMESTAMP")
    with op.batch_alter_table("held", schema=None) as held:
        held.alter_column("since", nullable=False)
    with op.batch_alter_table("preferences", schema=None) as preferences:
        preferences.add_column(
            sa.Column("together", sa.String(10), nullable=False, server_default="none")
        )
    with op.batch_alter_table("preferences", schema=None) as preferences:
        preferences.alter_column("together", server_default=None)
    op.create_table(
        "messages_of_day",
        sa.Column("practitioner", sa.String(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("practitioner", "day", name=op.f("pk_messages_of_day")),
    )
    if _is_postgres():
        # Who sees an alert sees that it is held; alerts' own policy binds the subquery too.
        op.execute(
            "CREATE POLICY reader ON held FOR SELECT"
            " USING (EXISTS (SELECT FROM alert WHERE alert.id = held.alert))"
        )


def _add_to_bells() -> None:
    with op.batch_alter_table("bell", schema=None) as bell:
        for name, kind in OF_BELL.items():
            bell.add_column(sa.Column(name, kind, nullable=True))
    told = "bell ->> '{}'" if _is_postgres() else "json_extract(bell, '$.{}')"
    values = ", ".join(f"{name} = {told.format(name)}" for name in OF_BELL)
    if _is_postgres():
        op.execute("SET LOCAL firstbell.everything = 'on'")
    op.execute(f"UPDATE bell SET {values}")
    with op.batch_alter_table("bell", schema=None) as bell:
        for name, kind in OF_BELL.items():
            bell.alter_column(name, existing_type=kind, nullable=False)
    op.create_index(op.f("ix_bell_urn"), "bell", ["urn"])


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def downgrade() -> None:
    if _is_postgres():
        op.execute("DROP POLICY reader ON held")
    op.drop_table("messages_of_day")
    with op.batch_alter_table("preferences", schema=None) as preferences:
        preferences.drop_column("together")
    with op.batch_alter_table("held", schema=None) as held:
        held.drop_column("since")
        held.drop_column("bundle")
    op.drop_index(op.f("ix_bell_urn"), "bell")
    with op.batch_alter_table("bell", schema=None) as bell:
        for name in OF_BELL:
            bell.drop_column(name)
