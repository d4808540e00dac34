"""Row-level security: schools' rows are kept apart, whatever a query forgets.

Why: promise of tenants. `libs/common/tenants.py` puts the settings into each transaction; one that
has none sees no row. PostgreSQL alone: an SQLite file is one installation's own.
"""

from alembic import op

revision = "20261124_tenants"
down_revision = "20261124_brought"

# In a subquery of its own, so that it is computed once a query and not once a row.
EVERYTHING = "(SELECT current_setting('firstbell.everything', true)) = 'on'"
OWN = (
    f"({EVERYTHING} OR urn = ANY ((SELECT "
    "string_to_array(current_setting('firstbell.urns', true), ','))::text[]))"
)
TABLES = ("book", "book_column", "pupil", "calendar", "bell", "school")


def upgrade() -> None:
    if not _is_postgres():
        return
    for table in TABLES:
        _protect(table)
        own = EVERYTHING if table == "school" else OWN
        op.execute(f"CREATE POLICY tenant ON {table} USING ({own}) WITH CHECK ({own})")
    # A school's authority, trust and phase are public; to set them is the operator's.
    op.execute("CREATE POLICY public ON school FOR SELECT USING (true)")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _protect(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    if not _is_postgres():
        return
    op.execute("DROP POLICY public ON school")
    for table in TABLES:
        op.execute(f"DROP POLICY tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
