"""What a database of ours promises when the work on it is stopped at any moment."""

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from libs.common.database import AT_ONCE, Database, in_parts


@pytest.fixture
async def no_collection() -> AsyncIterator[None]:
    """Let nothing be freed by luck."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
async def test_work_stopped_in_the_middle_of_a_write_leaves_no_lock_behind(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/marks.db"

    async def write(database: Database) -> None:
        while True:
            async with database.transaction() as db:
                await db.execute(text("INSERT INTO mark VALUES (1), (2) RETURNING mark"))

    for after_ms in range(40):
        database = Database(url, "marks")
        async with asyncio.timeout(30), database.transaction() as db:
            await db.execute(text("CREATE TABLE IF NOT EXISTS mark (mark INT)"))
        work = [asyncio.create_task(write(database)) for _ in range(3)]
        await asyncio.sleep(after_ms / 1000)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await database.close()


def test_many_values_come_in_parts_in_their_order() -> None:
    values = list(range(2 * AT_ONCE + 1))

    parts = list(in_parts(values))

    assert [len(part) for part in parts] == [AT_ONCE, AT_ONCE, 1]
    assert [one for part in parts for one in part] == values
    assert list(in_parts([])) == []
