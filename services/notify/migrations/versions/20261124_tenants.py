"""Row-level security: practitioners' and agencies' rows are kept apart, whatever a query forgets.

Why: promise of tenants. `libs/common/tenants.py` puts the settings into each transaction; one that
has none sees no row. PostgreSQL alone: an SQLite file is one installation's own.
"""

from alembic import op

revision = "20261124_tenants"
down_revision = "20261124_ledger"

# In a subquery of its own, so that it is computed once a query and not once a row.
EVERYTHING = "(SELECT current_setting('firstbell.everything', true)) = 'on'"
PRACTITIONER = "(SELECT current_setting('firstbell.practitioner', true))"
AGENCY = "(SELECT current_setting('firstbell.agency', true))"
URNS = "(SELECT string_to_array(current_setting('firstbell.urns', true), ','))::text[]"
SEES = {
    "alert": f"recipient = {PRACTITIONER} OR agency = {AGENCY}",
    "endpoint": f"practitioner = {PRACTITIONER} OR agency = {AGENCY}",
    # Their own policies bind these subqueries too.
    "delivery": "EXISTS (SELECT FROM endpoint WHERE endpoint.id = delivery.endpoint)",
    "child": f"urn = ANY ({URNS}) OR EXISTS (SELECT FROM alert WHERE alert.upn = child.upn)",
    "bell": "EXISTS (SELECT FROM alert WHERE alert.bell = bell.id)",
    "disclosure_content": "false",
}
"""Which rows of each table a caller sees."""
WRITES = {"alert", "endpoint", "delivery"}
"""Tables that a caller writes to as well: rows that the caller sees."""
TABLES = tuple(SEES)


def upgrade() -> None:
    if not _is_postgres():
        return
    for table, sees in SEES.items():
        _protect(table)
        writes = f"{EVERYTHING} OR {sees}" if table in WRITES else EVERYTHING
        op.execute(f"CREATE POLICY tenant ON {table} USING ({writes}) WITH CHECK ({writes})")
        if table not in WRITES:
            op.execute(f"CREATE POLICY reader ON {table} FOR SELECT USING ({sees})")
    # Whoever's request it is, what was decided in it is recorded.
    op.execute("CREATE POLICY recorder ON disclosure_content FOR INSERT WITH CHECK (true)")


def _is_postgres() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _protect(table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    if not _is_postgres():
        return
    op.execute("DROP POLICY recorder ON disclosure_content")
    for table in TABLES:
        op.execute(f"DROP POLICY tenant ON {table}")
        if table not in WRITES:
            op.execute(f"DROP POLICY reader ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
