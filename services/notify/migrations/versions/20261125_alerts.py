"""The alert's life and less noise: calendars, escalations, silences, hand-overs, digests.

Why: what nobody answers goes on to the next role in school time; recipients choose how they hear of
what is not urgent, and stand in for one another.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261125_alerts"
down_revision = "20261124_tenants"

EVERYTHING = "(SELECT current_setting('firstbell.everything', true)) = 'on'"
PRACTITIONER = "(SELECT current_setting('firstbell.practitioner', true))"
URNS = "(SELECT string_to_array(current_setting('firstbell.urns', true), ','))::text[]"
SEES = {
    "calendar": f"urn = ANY ({URNS})",
    "silence": f"practitioner = {PRACTITIONER}",
    "held": f"recipient = {PRACTITIONER}",
}
TABLES = ("held", "preferences", "cover", "handover", "silence", "escalation", "calendar")
INDEXES = {
    "silence": ("practitioner", "upn"),
    "handover": ("alert", "bell", "taker"),
    "held": ("bell", "by", "due_at"),
    "alert": ("thread", "answer_by", "told_at"),
}


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    _table(
        "calendar", "urn academic_year",
        urn=sa.String(6), academic_year=sa.Integer(), terms=sa.JSON(), closed=sa.JSON(),
    )  # fmt: skip
    _table("escalation", "bell role", bell=sa.Uuid(), role=sa.String(30), at=instant)
    _table(
        "silence", "id", {"upn", "ended_at"},
        id=sa.Uuid(), practitioner=sa.String(64), upn=sa.String(13), kind=sa.String(40),
        until=sa.Date(), reason=sa.String(), created_at=instant, ended_at=instant,
    )  # fmt: skip
    _table(
        "handover", "id", {"answered_at"},
        id=sa.Uuid(), alert=sa.Uuid(), bell=sa.Uuid(), giver=sa.String(64), taker=sa.String(64),
        state=sa.String(10), offered_at=instant, answered_at=instant,
    )  # fmt: skip
    _table(
        "cover", "practitioner",
        practitioner=sa.String(64), by=sa.String(64), starts_on=sa.Date(), ends_on=sa.Date(),
    )  # fmt: skip
    _table(
        "preferences", "practitioner", {"most_a_day"},
        practitioner=sa.String(64), digest=sa.String(10), hour=sa.Integer(),
        weekday=sa.Integer(), most_a_day=sa.Integer(),
    )  # fmt: skip
    _table(
        "held", "alert", {"by", "due_at"},
        alert=sa.Uuid(), bell=sa.Uuid(), recipient=sa.String(64), why=sa.String(20),
        by=sa.Uuid(), due_at=instant,
    )  # fmt: skip
    with op.batch_alter_table("alert", schema=None) as alert:
        alert.add_column(sa.Column("thread", sa.Uuid(), nullable=True))
        alert.add_column(sa.Column("answer_by", instant, nullable=True))
        alert.add_column(sa.Column("told_at", instant, nullable=True))
    for table, columns in INDEXES.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    if op.get_bind().dialect.name == "postgresql":
        for table, sees in SEES.items():
            _protect(table, sees)


def _table(name: str, key: str, optional: set[str] | None = None, **columns: Any) -> None:
    made = [sa.Column(n, kind, nullable=n in (optional or ())) for n, kind in columns.items()]
    op.create_table(name, *made, sa.PrimaryKeyConstraint(*key.split(), name=op.f(f"pk_{name}")))


def _protect(table: str, sees: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    both = f"{EVERYTHING} OR {sees}"
    op.execute(f"CREATE POLICY tenant ON {table} USING ({both}) WITH CHECK ({both})")


def downgrade() -> None:
    for column in INDEXES["alert"]:
        op.drop_index(op.f(f"ix_alert_{column}"), "alert")
    with op.batch_alter_table("alert", schema=None) as alert:
        for column in INDEXES["alert"]:
            alert.drop_column(column)
    for table in TABLES:
        op.drop_table(table)
