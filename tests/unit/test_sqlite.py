"""SQLite's connections give what SQLAlchemy asks for, whole, however long the result is."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from libs.common.database import Database
from libs.common.sqlite import ROWS_AT_ONCE, Connection

COUNT = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i+1 FROM n WHERE i < :n) SELECT i FROM n"
)
LENGTHS = (0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 3 * ROWS_AT_ONCE + 7)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", "x")
    async with database.transaction() as db:
        await db.execute(text("CREATE TABLE thing (name TEXT PRIMARY KEY)"))
    yield database
    await database.close()


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_result_comes_whole_at_once_and_in_parts(database: Database, length: int) -> None:
    wanted = list(range(1, max(length, 1) + 1))

    async with database.reading() as db:
        at_once = (await db.execute(COUNT, {"n": length})).scalars().all()
        in_parts = [row.i async for row in await db.stream(COUNT, {"n": length})]

    assert at_once == in_parts == wanted


async def test_a_stream_that_nobody_reads_to_its_end_holds_no_lock(database: Database) -> None:
    async with database.reading() as db:
        async for _ in await db.stream(COUNT, {"n": 5 * ROWS_AT_ONCE}):
            break

    async with database.transaction() as db:
        await db.execute(text("DROP TABLE thing"))


async def test_how_many_rows_a_statement_changed_is_known(database: Database) -> None:
    names = [{"name": name} for name in "abc"]

    async with database.transaction() as db:
        added = await db.execute(text("INSERT INTO thing VALUES (:name)"), names)
        changed = await db.execute(text("UPDATE thing SET name = name || '!' WHERE name > 'a'"))
        given = await db.scalars(text("DELETE FROM thing RETURNING name"))

        assert (added.rowcount, changed.rowcount) == (3, 2)
        assert sorted(given) == ["a", "b!", "c!"]


async def test_a_statement_that_fails_leaves_the_connection_usable(database: Database) -> None:
    insert = text("INSERT INTO thing VALUES ('a')")
    async with database.transaction() as db:
        await db.execute(insert)
        with pytest.raises(IntegrityError):
            await db.execute(insert)

        assert await db.scalar(text("SELECT count(*) FROM thing")) == 1


async def test_a_statement_is_one_way_to_the_connections_thread(tmp_path: Path) -> None:
    ways: list[object] = []

    class Counted(Connection):
        async def there(self, what: Callable[..., Any], *values: Any) -> Any:
            ways.append(what)
            return await super().there(what, *values)

    connection = Counted(lambda: sqlite3.connect(tmp_path / "x.db"), iter_chunk_size=1)
    await connection
    cursor = await connection.cursor().execute("SELECT 1 UNION SELECT 2")
    rows = await cursor.fetchall()
    await cursor.close()

    assert (rows, len(ways)) == ([(1,), (2,)], 1)
    await connection.close()
