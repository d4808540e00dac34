"""`firstbell ledger verify` and `retention run` on an installation's files, and the migration."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import text
from typer.testing import CliRunner, Result

from libs.common import migrations
from libs.common.database import Database
from libs.common.settings import ServiceSettings
from services.cli import app
from services.notify import ledger
from services.notify.checkpoints import Seal, Sealer, file_of
from services.notify.proof import Verdict, prove
from tests.unit import databases

SERVICES = ("ingest", "risk", "notify")


@pytest.fixture
async def database(settings: ServiceSettings) -> AsyncIterator[Database]:
    """An embedded installation whose ledger has three records and a checkpoint."""
    for service in SERVICES:
        await migrations.upgrade(service, settings.database_url)
    database = Database(settings.database_url, "notify")
    async with database.transaction() as db:
        await ledger.append(db, [record(number) for number in (1, 2, 3)])
    await Sealer(settings, database, Seal(settings)).make()
    yield database
    await database.close()


def record(number: int) -> dict[str, Any]:
    told = {"upn": None, "decision": "shared", "decided_at": "2026-09-14T08:50:00+00:00"}
    return {"id": str(UUID(int=number)), **told}


async def firstbell(settings: ServiceSettings, *words: str) -> Result:
    said = [*words, "--data", str(settings.data_dir)]
    return await asyncio.to_thread(CliRunner().invoke, app, said)


async def test_a_whole_ledger_is_said_to_be_whole(
    database: Database, settings: ServiceSettings
) -> None:
    outcome = await firstbell(settings, "ledger", "verify")

    assert outcome.exit_code == 0
    assert outcome.output == "Whole: 3 record(s), 1 checkpoint(s)\n"


async def test_a_ledger_that_was_cut_off_ends_the_command_with_1(
    database: Database, settings: ServiceSettings, tmp_path: Path
) -> None:
    kept = tmp_path / "elsewhere.jsonl"
    kept.write_text(file_of(settings).read_text())
    file_of(settings).unlink()
    async with database.transaction() as db:
        for table in ("disclosure", "disclosure_content", "ledger_checkpoint"):
            for kind in ("kept_delete", "erased"):
                await db.execute(text(f"DROP TRIGGER IF EXISTS {table}_{kind}"))
        for table in ("disclosure", "disclosure_content"):
            await db.execute(text(f"DELETE FROM {table} WHERE sequence = 3"))
        await db.execute(text("DELETE FROM ledger_checkpoint"))

    unseen = await firstbell(settings, "ledger", "verify")
    seen = await firstbell(settings, "ledger", "verify", "--checkpoints", str(kept))

    assert unseen.exit_code == 0
    assert seen.exit_code == 1
    assert seen.stderr.startswith("NOT WHOLE from record 3 on: the file's checkpoint 1 knows 3")


async def test_retention_says_what_it_erased(database: Database, settings: ServiceSettings) -> None:
    outcome = await firstbell(settings, "retention", "run")

    assert outcome.exit_code == 0
    assert [line.partition(":")[0] for line in outcome.output.splitlines()] == [
        "notify", "risk", "ingest",
    ]  # fmt: skip
    assert "0 disclosures" in outcome.output


@pytest.fixture(params=databases.BOTH)
async def old(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A ledger of two records as the first release wrote it."""
    async with databases.empty(request.param, tmp_path) as url:
        made = migrations.config("notify", url)
        await asyncio.to_thread(command.upgrade, made, "20261124_sharing")
        database = Database(url, "notify")
        previous = "0" * 64
        async with database.transaction() as db:
            for number in (1, 2):
                told = [number, previous, record(number)]
                canonical = json.dumps(told, sort_keys=True, ensure_ascii=False)
                own = hashlib.sha256(canonical.encode()).hexdigest()
                id = UUID(int=number)
                values = {
                    "sequence": number,
                    "id": id.hex if database.is_sqlite else id,
                    "record": json.dumps(record(number)),
                    "previous": previous,
                    "hash": own,
                }
                await db.execute(
                    text(
                        "INSERT INTO disclosure (sequence, id, record, previous_hash, hash) "
                        "VALUES (:sequence, :id, :record, :previous, :hash)"
                    ),
                    values,
                )
                previous = own
        yield database
        await database.close()


async def test_a_ledger_of_the_first_release_is_whole_after_the_migration(
    old: Database, settings: ServiceSettings
) -> None:
    await migrations.upgrade("notify", old.url)

    assert await prove(old, Seal(settings)) == Verdict(None, 2, 0)
    async with old.reading() as db:
        (first, second) = (await db.execute(ledger.entries())).all()
    assert (first.record, second.record) == (record(1), record(2))


async def test_a_ledger_that_was_changed_before_is_not_migrated(old: Database) -> None:
    async with old.transaction() as db:
        await db.execute(text("UPDATE disclosure SET record = '{}' WHERE sequence = 2"))

    with pytest.raises(ValueError, match="see record 2"):
        await migrations.upgrade("notify", old.url)
