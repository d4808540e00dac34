"""Alembic from code: each service its own history, in its own schema or SQLite file."""

import asyncio
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from alembic import command, context
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tenants
from libs.common.consumer import ConsumedEvent, ConsumerOffset, DeadLetter
from libs.common.database import Common, Database, Instant, found_in_use, is_deadlock
from libs.common.outbox import OutboxEvent

SHARED = (OutboxEvent, ConsumerOffset, ConsumedEvent, DeadLetter)
"""Tables that every service has; importing them declares them in `Common.metadata`."""
ROWS = "SELECT, INSERT, UPDATE, DELETE"
GIVES_WAY = timedelta(milliseconds=400)
"""After that a migration that waits for a service's lock lets it go first, and tries again.

Who waits for a table's lock makes all wait who come after; and of two that wait for each other
PostgreSQL ends either after `deadlock_timeout` (1 s): it shall not be the service.
"""
BETWEEN = timedelta(milliseconds=200)
PATIENCE = timedelta(minutes=10)


def config(service: str, url: str) -> Config:
    """Return alembic's configuration for a service, e.g. `config("ingest", url)`."""
    package = import_module(f"services.{service}.migrations")
    made = Config()
    made.set_main_option("script_location", str(Path(str(package.__file__)).parent))
    made.attributes.update(service=service, url=url)
    return made


class TablesInUse(Exception):
    """Tables were locked by others each time that a migration asked for them."""


async def upgrade(service: str, url: str) -> None:
    """Bring a service's tables up to date; harmless when they are, and while the service runs.

    In PostgreSQL each migration is a transaction: it holds few locks, and not for long. SQLite has
    one lock, and what stands in the way of it is waited for: there they are one transaction.

    Raises:
        TablesInUse: what is migrated so far is as good as an earlier version's.
    """
    clock = asyncio.get_running_loop()
    patience_ends = clock.time() + PATIENCE.total_seconds()
    while True:
        try:
            return await asyncio.to_thread(command.upgrade, config(service, url), "head")
        except DBAPIError as error:
            if not (found_in_use(error) or is_deadlock(error)):
                raise
            if clock.time() > patience_ends:
                raise TablesInUse(f"the tables of {service} are in use") from None
        await asyncio.sleep(BETWEEN.total_seconds())


async def grant(service: str, url: str, role: str) -> None:
    """Let a role that owns nothing run the service: it reads and writes rows, and no more.

    A table's `info["grants"]` says what is granted on it if not everything: the ledger's tables are
    only ever added to. A right that an earlier version granted is taken back.
    """
    own: MetaData = import_module(f"services.{service}.tables").Base.metadata
    database = Database(url, service)
    quoted = database.engine.dialect.identifier_preparer.quote
    tables = [*Common.metadata.tables.values(), *own.tables.values()]
    try:
        async with database.transaction() as db:
            await db.execute(text(f"GRANT USAGE ON SCHEMA {quoted(service)} TO {quoted(role)}"))
            # So that a service's pod can see whether the tables are as it expects them.
            await db.execute(text(f"GRANT SELECT ON alembic_version TO {quoted(role)}"))
            for table in tables:
                name, rights = quoted(table.name), table.info.get("grants", ROWS)
                await db.execute(text(f"REVOKE ALL ON {name} FROM {quoted(role)}"))
                await db.execute(text(f"GRANT {rights} ON {name} TO {quoted(role)}"))
            where = f"IN SCHEMA {quoted(service)} TO {quoted(role)}"
            await db.execute(text(f"GRANT USAGE ON ALL SEQUENCES {where}"))
    finally:
        await database.close()


async def are_far_enough(service: str, url: str) -> bool:
    """Whether a service's tables have all that this version of it expects.

    So have a later version's, whose revision this one does not know: migrations expand before they
    contract, and a process of the old version may start while the new one is rolled out.

    Raises:
        DBAPIError: the database is away, or was never migrated.
    """
    history = ScriptDirectory.from_config(config(service, url))
    earlier = {script.revision for script in history.walk_revisions()}
    earlier.discard(str(history.get_current_head()))
    database = Database(url, service)
    try:
        async with database.reading() as db:
            found = await db.scalar(text("SELECT version_num FROM alembic_version"))
    finally:
        await database.close()
    return found is not None and found not in earlier


def run(own: MetaData) -> None:
    """Run from a service's `env.py`: migrate online over the service's own engine."""
    asyncio.run(_run(context.config, own))


async def _run(made: Config, own: MetaData) -> None:
    service: str = made.attributes["service"]
    database = Database(made.attributes["url"], service)
    try:
        async with database.engine.connect() as db:
            if not database.is_sqlite:
                await _prepare(db, service)
            await db.run_sync(_migrate, [Common.metadata, own])
    finally:
        await database.close()


async def _prepare(db: AsyncConnection, service: str) -> None:
    # Two processes that start at once must not both create the tables.
    await db.execute(text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": service})
    await db.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
    # Row-level security binds even the tables' owner: a migration moves everybody's rows.
    with tenants.everything():
        await tenants.enter(db, once=False)
    wait_ms = GIVES_WAY // timedelta(milliseconds=1)
    await db.execute(text(f"SET lock_timeout = {wait_ms}"))
    await db.commit()


def _migrate(connection: Connection, metadata: list[MetaData]) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=False,
        render_item=render_type,
        transactional_ddl=True,
        transaction_per_migration=connection.dialect.name == "postgresql",
    )
    with context.begin_transaction():
        context.run_migrations()


def render_type(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Name SQLAlchemy's type for ours: a migration must not change with our code."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False
