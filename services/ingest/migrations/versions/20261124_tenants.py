"""Row-level security: schools' rows are kept apart, whatever a query forgets.

Why: promise of tenants. `libs/common/tenants.py` puts the settings into each transaction; one that
has none sees no row. PostgreSQL alone: an SQLite file is one installation's own.
"""

from alembic import op

revision = "20261124_tenants"
down_revision = "20261123_first_tables"

# In a subquery of its own, so that it is computed once a query and not once a row.
EVERYTHING = "(SELECT current_setting('firstbell.everything', true)) = 'on'"
OWN = (
    f"({EVERYTHING} OR urn = ANY ((SELECT "
    "string_to_array(current_setting('firstbell.urns', true), ','))::text[]))"
)
TABLES = (
    "register", "receipt", "correction", "quarantined_mark", "roll", "roll_pupil", "calendar",
)  # fmt: skip


def upgrade() -> None:
    if not _is_postgres():
        return
    for table in TABLES:
        _protect(table)
        op.execute(f"CREATE POLICY tenant ON {table} USING ({OWN}) WITH CHECK ({OWN})")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _protect(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    if not _is_postgres():
        return
    for table in TABLES:
        op.execute(f"DROP POLICY tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
