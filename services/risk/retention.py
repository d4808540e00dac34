"""Risk's retention: bells and the marks behind them go together, by whole academic years.

A bell is a function of the marks in the book. So both go at once, or the next register would ring
the bells of long ago anew.
"""

from datetime import date

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Database
from libs.common.events import Involvement
from libs.common.retention import Erased, erase_dead_letters, erase_where, first_day_kept, start_of
from libs.common.school_day import Session, ordinal_of
from libs.common.settings import ServiceSettings
from services.risk import store
from services.risk.evaluate import Evaluator
from services.risk.rule_settings import rules_in_force
from services.risk.tables import (
    FollowedBell,
    JudgedAlert,
    StoredBell,
    StoredColumn,
    StoredInvolvements,
)


async def erase(database: Database, settings: ServiceSettings, today: date) -> Erased:
    """Erase what is older than the settings let it be; return how many of what."""
    oldest = first_day_kept(today, settings.retain_bells_years)
    erased = {"bells": 0, "sessions": 0, "pupils": 0}
    rules = rules_in_force(settings)
    async with database.reading() as db:
        urns = await _schools(db, oldest)
    for urn in urns:
        # Its own evaluator: nothing that the consumer holds in memory is touched from here.
        evaluator = Evaluator(rules)
        async with database.transaction() as db:
            await store.lock_book(db, urn)
            for name, number in (await store.erase_before(db, urn, oldest)).items():
                erased[name] += number
            await evaluator.evaluate_again(db, urn, start_of(today))
    async with database.transaction() as db:
        held = select(StoredBell.id).where(StoredBell.id == FollowedBell.bell)
        erased["followed"] = await erase_where(db, FollowedBell, ~held.exists())
        erased["judged"] = await erase_where(db, JudgedAlert, JudgedAlert.raised_on < oldest)
        erased["involvements"] = await _erase_involvements(db, oldest)
    return erased | await erase_dead_letters(database, settings, today)


async def _schools(db: AsyncConnection, oldest: date) -> list[str]:
    columns = select(StoredColumn.urn).where(StoredColumn.ordinal < ordinal_of(oldest, Session.am))
    bells = select(StoredBell.urn).where(StoredBell.raised_on < oldest)
    return sorted(await db.scalars(columns.union(bells)))


async def _erase_involvements(db: AsyncConnection, oldest: date) -> int:
    table = StoredInvolvements
    ended = []
    for row in await db.execute(select(table.upn, table.involvements)):
        held = msgspec.convert(row.involvements, list[Involvement])
        if all(one.ends_on is not None and one.ends_on < oldest for one in held):
            ended.append(row.upn)
    return sum([await erase_where(db, table, table.upn == upn) for upn in ended])
