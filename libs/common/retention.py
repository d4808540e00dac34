"""Retention: what each service keeps, for how long, and the daily work that erases it after."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Delete, delete
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.consumer import DeadLetter
from libs.common.database import Database
from libs.common.eventlog import EventLog
from libs.common.school_day import LONDON, academic_year_of, london_day, utc_now
from libs.common.settings import ServiceSettings

log = structlog.get_logger()

FIRST_AFTER_S = 60.0
"""A service that has just started has better things to do."""
EVERY_S = 24 * 3600.0
Erased = Mapping[str, int]
"""How many of what were erased."""
Erase = Callable[[Database, ServiceSettings, date], Awaitable[Erased]]
"""Erases what is older on this day than the settings let it be."""


def years_before(day: date, years: int) -> date:
    """Return the same day so many years before; of 29 February, the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)


def first_day_kept(today: date, years: int) -> date:
    """Return 1 August of the academic year that is so many before the present one."""
    return date(academic_year_of(today) - years, 8, 1)


def start_of(day: date) -> datetime:
    """Return the instant at which a day begins in England."""
    return datetime.combine(day, time(), LONDON)


async def count(db: AsyncConnection, statement: Delete) -> int:
    """Delete, and return how many rows went."""
    return int((await db.execute(statement)).rowcount)


async def erase_where(db: AsyncConnection, table: Any, *where: ColumnElement[bool]) -> int:
    """Delete these rows of a table; return how many went."""
    return await count(db, delete(table).where(*where))


async def erase_dead_letters(
    database: Database, settings: ServiceSettings, today: date
) -> dict[str, int]:
    """Erase what was put aside and has been replayed since: it holds what the event held."""
    before = start_of(today - timedelta(days=settings.retain_receipts_days))
    async with database.transaction() as db:
        return {"dead_letters": await erase_where(db, DeadLetter, DeadLetter.replayed_at < before)}


def erase_events(event_log: EventLog) -> Erase:
    """Return what erases the events that the log need keep no longer."""

    async def erase(_: Database, settings: ServiceSettings, today: date) -> dict[str, int]:
        before = start_of(today - timedelta(days=settings.retain_events_days))
        return {"events": await event_log.erase_before(before)}

    return erase


def daily(erase: Erase, database: Database, settings: ServiceSettings) -> Callable[[], Any]:
    """Return the background work that erases once a day, and soon after every start."""

    async def run() -> None:
        await asyncio.sleep(FIRST_AFTER_S)
        while True:
            erased = await erase(database, settings, london_day(utc_now()))
            log.info("retention", **{name: number for name, number in erased.items() if number})
            await asyncio.sleep(EVERY_S)

    return run
