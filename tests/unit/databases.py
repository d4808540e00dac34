"""A service's database with the tables that every service has: SQLite, and PostgreSQL if there."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import MetaData, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common import migrations
from libs.common.database import Common, Database

BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
"""Parameters of a fixture that gives one after the other."""

assert migrations.SHARED  # importing them is what declares them in `Common.metadata`


@asynccontextmanager
async def fresh(kind: str, folder: Path, *own: MetaData) -> AsyncIterator[Database]:
    """Give an empty database: a file in this folder, or a schema of its own."""
    name = f"test_{uuid4().hex}"
    postgres = os.environ.get("FIRSTBELL_TEST_POSTGRES", "")
    url = f"sqlite+aiosqlite:///{folder}/{{service}}.db" if kind == "sqlite" else postgres
    database = Database(url, name)
    try:
        async with database.transaction() as db:
            if kind == "postgres":
                await db.execute(text(f"CREATE SCHEMA {name}"))
            for metadata in (Common.metadata, *own):
                await db.run_sync(metadata.create_all)
        yield database
    finally:
        if kind == "postgres":
            async with database.transaction() as db:
                await db.execute(text(f"DROP SCHEMA {name} CASCADE"))
        await database.close()


@asynccontextmanager
async def empty(kind: str, folder: Path) -> AsyncIterator[str]:
    """Give the URL of a database without any tables, for all three services."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/{{service}}.db"
        return
    name = f"test_{uuid4().hex}"
    server = os.environ["FIRSTBELL_TEST_POSTGRES"]
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as db:
        await db.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            await db.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await engine.dispose()
