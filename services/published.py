"""`firstbell published load`: the Department's files of published attendance into risk's tables."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.settings import ServiceSettings
from services.risk.published import Row, Unloadable, rows_of
from services.risk.published_store import save_published

BATCH_ROWS = 1000
COLUMNS = (
    TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
)  # fmt: skip


class NotLoaded(Exception):
    """A file that could not be loaded, and why; nothing of it was kept."""


async def load(
    settings: ServiceSettings, files: Sequence[Path], console: Console
) -> dict[Path, int]:
    """Load files in this order; return how many lines of figures each had.

    A file is one transaction: all of it is kept, or nothing. Loaded again it changes nothing; a
    newer edition replaces what it has figures for.

    Raises:
        NotLoaded: names the file, and the line and the column at fault. Files before it are kept.
    """
    database = Database(settings.database_url, "risk")
    loaded = {}
    try:
        with Progress(*COLUMNS, console=console) as progress:
            for path in files:
                loaded[path] = await _load(database, path, progress)
    finally:
        await database.close()
    return loaded


async def _load(database: Database, path: Path, progress: Progress) -> int:
    try:
        # utf-8-sig: some editions begin with a byte order mark.
        with progress.open(
            path, "r", encoding="utf-8-sig", newline="", description=path.name
        ) as lines:
            async with database.transaction() as db:
                return await _save(db, rows_of(lines))
    except Unloadable as error:
        raise NotLoaded(f"{path}: {error}") from error
    except DBAPIError as error:
        # Only what the driver says: the whole message would be the statement with all its rows.
        raise NotLoaded(
            f"{path}: the database refuses: {error.orig}. Is it there, and migrated?"
        ) from error
    except OSError as error:  # the file cannot be read, or PostgreSQL cannot be reached
        raise NotLoaded(f"{path}: {error.strerror or error}") from error


async def _save(db: AsyncConnection, rows: Iterable[Row]) -> int:
    count = 0
    for batch in _batches(iter(rows)):
        await save_published(db, batch)
        count += len(batch)
    return count


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch
