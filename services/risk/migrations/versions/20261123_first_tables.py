"""First tables of risk.

Why: the first release.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261123"
down_revision = None


def upgrade() -> None:

    op.create_table(
        "consumed_event",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_consumed_event")),
    )
    op.create_table(
        "consumer_offset",
        sa.Column("group", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group", "topic", "partition", name=op.f("pk_consumer_offset")),
    )
    op.create_table(
        "dead_letter",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("put_aside_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
    )
    op.create_table(
        "outbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("headers", sa.String(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("partition", sa.Integer(), nullable=True),
        sa.Column("offset", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_event_id"), ["event_id"], unique=False)
        batch_op.create_index(
            "ix_outbox_unpublished",
            ["id"],
            unique=False,
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        )

    op.create_table(
        "bell",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("urn", sa.String(length=6), nullable=False),
        sa.Column("upn", sa.String(length=13), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("anchor", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("raised_on", sa.Date(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("explanation", sa.String(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("rule", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bell")),
    )
    with op.batch_alter_table("bell", schema=None) as batch_op:
        batch_op.create_index("ix_bell_newest", ["raised_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bell_upn"), ["upn"], unique=False)
        batch_op.create_index(batch_op.f("ix_bell_urn"), ["urn"], unique=False)

    op.create_table(
        "book",
        sa.Column("urn", sa.String(length=6), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("urn", name=op.f("pk_book")),
    )
    op.create_table(
        "book_column",
        sa.Column("urn", sa.String(length=6), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("codes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("urn", "ordinal", name=op.f("pk_book_column")),
    )
    op.create_table(
        "calendar",
        sa.Column("urn", sa.String(length=6), nullable=False),
        sa.Column("academic_year", sa.Integer(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("closed", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("urn", "academic_year", name=op.f("pk_calendar")),
    )
    op.create_table(
        "involvements",
        sa.Column("upn", sa.String(length=13), nullable=False),
        sa.Column("involvements", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("upn", name=op.f("pk_involvements")),
    )
    op.create_table(
        "pupil",
        sa.Column("urn", sa.String(length=6), nullable=False),
        sa.Column("upn", sa.String(length=13), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("entered_on", sa.Date(), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("home_la", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("urn", "upn", name=op.f("pk_pupil")),
    )
    with op.batch_alter_table("pupil", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pupil_upn"), ["upn"], unique=False)


def downgrade() -> None:

    with op.batch_alter_table("pupil", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pupil_upn"))

    op.drop_table("pupil")
    op.drop_table("involvements")
    op.drop_table("calendar")
    op.drop_table("book_column")
    op.drop_table("book")
    with op.batch_alter_table("bell", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bell_urn"))
        batch_op.drop_index(batch_op.f("ix_bell_upn"))
        batch_op.drop_index("ix_bell_newest")

    op.drop_table("bell")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_outbox_unpublished",
            sqlite_where=sa.text("published_at IS NULL"),
            postgresql_where=sa.text("published_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_outbox_event_id"))

    op.drop_table("outbox")
    op.drop_table("dead_letter")
    op.drop_table("consumer_offset")
    op.drop_table("consumed_event")
