"""A morning's alerts for `bench.deliver`, made by notify itself, in a database of their own."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from bench.children import bell_of, roll_of, upn_of
from libs.common import migrations
from libs.common.database import Database
from libs.common.identifiers import id_of
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.notify import sharing_rules
from services.notify.bells import Notifier
from services.notify.secrets import Vault, new_secret
from services.notify.tables import Agency, Delivery, Endpoint, Involvements, Practitioner

TOGETHER = 50
"""Bells in one transaction, as on a morning."""


def databases(only: str = "") -> Iterator[tuple[str, str | None]]:
    """Return the databases there are, each with its server; None: a file.

    Args:
        only: "sqlite" or "postgresql": that one alone.

    Raises:
        SystemExit: there is no PostgreSQL, and it alone is asked for.
    """
    found = {"SQLite": None, "PostgreSQL": os.environ.get("FIRSTBELL_TEST_POSTGRES")}
    if only == "postgresql" and not found["PostgreSQL"]:
        raise SystemExit("FIRSTBELL_TEST_POSTGRES is not set: scripts/postgres-start starts one")
    for name, server in found.items():
        if only in {"", name.lower()} and (server or name == "SQLite"):
            yield name, server


@asynccontextmanager
async def database_of_its_own(server: str | None) -> AsyncIterator[ServiceSettings]:
    """Make an empty database of notify's, and settings for it; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        if server is None:
            yield await _migrated(f"sqlite+aiosqlite:///{folder}/{{service}}.db", folder)
            return
        engine, name = create_async_engine(server, isolation_level="AUTOCOMMIT"), uuid4().hex
        async with engine.connect() as db:
            await db.execute(text(f'CREATE DATABASE "{name}"'))
            try:
                yield await _migrated(f"{server.rpartition('/')[0]}/{name}", folder)
            finally:
                await db.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        await engine.dispose()


async def _migrated(url: str, folder: str) -> ServiceSettings:
    await migrations.upgrade("notify", url)
    return ServiceSettings(
        database_url=url,
        data_dir=Path(folder),
        allow_private_endpoints=True,
        retry_base_s=0.1,  # a week's schedule in minutes
    )


async def make(database: Database, vault: Vault, urls: Sequence[str], each: int) -> int:
    """Make so many alerts to each of these endpoints, two about a child; return how many that is.

    Args:
        each: an even number.
    """
    upns = [upn_of(number) for number in range(len(urls) * each // 2)]
    await _directory(database, vault, urls, upns)
    notifier = Notifier(sharing_rules.load())
    bells = [bell_of(upn, which) for which in (1, 2) for upn in upns]
    async with database.transaction() as db:
        await notifier.handle(db, [roll_of(upns)])
    for first in range(0, len(bells), TOGETHER):
        async with database.transaction() as db:
            await notifier.handle(db, bells[first : first + TOGETHER])
    return len(bells)


async def make_new(database: Database) -> None:
    """Make all messages just made: one that has waited for a minute is decided again first."""
    now = utc_now()
    times = {"created_at": now, "pending_since": now, "next_attempt_at": now}
    async with database.transaction() as db:
        await db.execute(update(Delivery).values(times))


async def _directory(
    database: Database, vault: Vault, urls: Sequence[str], upns: Sequence[str]
) -> None:
    people = [f"worker-{number}" for number in range(len(urls))]
    care = {"id": "care", "name": "Care", "kind": "social_care", "urns": [], "la": "801"}
    works = {"role": "social_worker", "footing": "child_in_need", "from": "2026-01-01", "to": None}
    async with database.transaction() as db:
        await db.execute(insert(Agency), [care])
        await db.execute(insert(Practitioner), [_person(one) for one in people])
        children = [
            {
                "upn": upn,
                "revision": 1,
                "involvements": [{**works, "practitioner": people[number % len(people)]}],
            }
            for number, upn in enumerate(upns)
        ]
        await db.execute(insert(Involvements), children)
        endpoints = [
            {
                "id": id_of(url),
                "practitioner": one,
                "address": url,
                "secret": vault.seal(new_secret()),
            }
            for one, url in zip(people, urls, strict=True)
        ]
        await db.execute(insert(Endpoint), endpoints)


def _person(id: str) -> dict[str, Any]:
    return {"id": id, "name": id, "agency": "care", "roles": ["social_worker"], "email": None}
