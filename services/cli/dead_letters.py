"""`firstbell dead-letters`: records that could not be handled, listed and replayed."""

import asyncio
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select, update

from libs.common import outbox
from libs.common.consumer import DeadLetter
from libs.common.database import Database
from libs.common.eventlog import Message
from libs.common.identifiers import id_of
from libs.common.school_day import utc_now
from libs.common.settings import ServiceSettings
from services.cli.installation import DATA, Data, settings_of

dead_app = typer.Typer(no_args_is_help=True, help="Records that could not be handled.")


@dead_app.command("list")
def list_dead_letters(data: Data = DATA) -> None:
    """List what was put aside and not yet replayed, with the reasons; no content."""
    table = Table("service", "id", "topic", "partition", "offset", "reason", "put aside at")
    for service, rows in asyncio.run(_dead_letters(settings_of(data))).items():
        for row in rows:
            cells = (row.id, row.topic, row.partition, row.offset, row.reason, row.put_aside_at)
            table.add_row(service, *map(str, cells))
    Console().print(table)


@dead_app.command("replay")
def replay_dead_letters(data: Data = DATA) -> None:
    """Publish everything that was put aside to its topic again, in order."""
    count = asyncio.run(_replay(settings_of(data)))
    typer.echo(f"{count} record(s) will be published again by the services' relays.")


async def _dead_letters(settings: ServiceSettings) -> dict[str, list[Any]]:
    found = {}
    for service in ("risk", "notify"):
        database = Database(settings.database_url, service)
        async with database.reading() as db:
            query = select(DeadLetter.__table__).where(DeadLetter.replayed_at.is_(None))
            found[service] = list(await db.execute(query.order_by(DeadLetter.id)))
        await database.close()
    return found


async def _replay(settings: ServiceSettings) -> int:
    count = 0
    for service, rows in (await _dead_letters(settings)).items():
        database = Database(settings.database_url, service)
        async with database.transaction() as db:
            messages = [
                (
                    id_of("replay", service, row.id),
                    Message(
                        row.topic, row.key or "", row.value, {"content-type": "application/json"}
                    ),
                )
                for row in rows
            ]
            await outbox.append_messages(db, messages)
            await db.execute(
                update(DeadLetter)
                .where(DeadLetter.id.in_([row.id for row in rows]))
                .values(replayed_at=utc_now())
            )
        await database.close()
        count += len(rows)
    return count
