"""Migrations make the tables that the code says, on SQLite and PostgreSQL, and unmake them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import render_python_code
from alembic.operations import ops
from sqlalchemy import Column, Inspector, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import migrations
from libs.common.database import Database, Instant
from tests.unit import databases

SERVICES = ["ingest", "risk", "notify"]


@pytest.fixture(params=databases.BOTH)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    async with databases.empty(request.param, tmp_path) as made:
        yield made


async def tables(url: str, service: str) -> set[str]:
    database = Database(url, service)
    async with database.reading() as db:
        schema = None if database.is_sqlite else service
        names = await db.run_sync(lambda c: Inspector.get_table_names(inspect(c), schema))
    await database.close()
    return set(names) - {"alembic_version"}


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_and_tables_agree(url: str, service: str) -> None:
    await migrations.upgrade(service, url)

    await asyncio.to_thread(command.check, migrations.config(service, url))
    own = import_module(f"services.{service}.tables").Base.metadata.tables
    shared = {table.__tablename__ for table in migrations.SHARED}
    assert await tables(url, service) == shared | set(own)


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_can_be_taken_back_and_made_again(url: str, service: str) -> None:
    await migrations.upgrade(service, url)

    await asyncio.to_thread(command.downgrade, migrations.config(service, url), "base")
    assert await tables(url, service) == set()
    await migrations.upgrade(service, url)


async def test_processes_that_migrate_at_once_do_not_meet(url: str) -> None:
    env = {**os.environ, "FIRSTBELL_DATABASE_URL": url}
    command = (str(Path(sys.executable).with_name("firstbell")), "migrate")
    output = asyncio.subprocess.PIPE

    started = [
        await asyncio.create_subprocess_exec(*command, env=env, stdout=output, stderr=output)
        for _ in range(2)
    ]
    said = await asyncio.gather(*(process.communicate() for process in started))

    assert [process.returncode for process in started] == [0, 0], said
    assert "outbox" in await tables(url, "notify")


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[tuple[str, AsyncConnection]]:
    """A PostgreSQL's URL, and who has read a table there that further migrations change."""
    async with databases.empty("postgres", tmp_path) as url:
        of_notify = migrations.config("notify", url)
        await asyncio.to_thread(command.upgrade, of_notify, "20261130_agency_schools")
        database = Database(url, "notify")
        async with database.transaction() as db:
            await db.execute(text("SELECT count(*) FROM delivery"))
            yield url, db
        await database.close()


WAITS_HERE = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database"
    " WHERE datname = current_database() AND NOT granted"
)


@pytest.mark.postgres
async def test_a_migration_gives_way_to_who_uses_the_tables(
    reader: tuple[str, AsyncConnection],
) -> None:
    url, db = reader
    migrated = asyncio.create_task(migrations.upgrade("notify", url))
    while not await db.scalar(WAITS_HERE):
        await asyncio.sleep(0.01)
    # The migration has this table's lock by now, and waits for the other's.
    await db.execute(text("SELECT count(*) FROM endpoint"))
    assert not migrated.done()
    await db.commit()
    await migrated

    assert await migrations.are_far_enough("notify", url)


@pytest.mark.postgres
async def test_a_migration_says_that_tables_are_in_use(
    reader: tuple[str, AsyncConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PATIENCE", timedelta())

    with pytest.raises(migrations.TablesInUse, match="notify"):
        await migrations.upgrade("notify", reader[0])


def test_a_generated_migration_names_no_type_of_ours() -> None:
    added = ops.UpgradeOps([ops.AddColumnOp("bell", Column("raised_at", Instant()))])

    code = render_python_code(added, render_item=migrations.render_type)

    assert "sa.Column('raised_at', sa.DateTime(timezone=True)" in code
    assert "libs" not in code


@pytest.mark.parametrize(("found", "far_enough"), [("20990101_later", True), ("20261123", False)])
async def test_tables_of_a_later_version_serve_this_one_and_an_earlier_ones_do_not(
    url: str, found: str, far_enough: bool
) -> None:
    await migrations.upgrade("risk", url)
    assert await migrations.are_far_enough("risk", url)
    database = Database(url, "risk")
    async with database.transaction() as db:
        await db.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": found})
    await database.close()

    assert await migrations.are_far_enough("risk", url) == far_enough
