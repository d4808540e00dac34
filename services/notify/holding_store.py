"""Queries about silences and what they hold back. Nothing here commits."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from services.notify.tables import Held, Silence


async def silences_on(
    db: AsyncConnection, day: date
) -> dict[tuple[str, str | None, str], Row[Any]]:
    """Return the silences in force, by practitioner, child and kind."""
    table = Silence
    query = select(table.__table__).where(table.ended_at.is_(None), table.until >= day)
    return {(row.practitioner, row.upn, row.kind): row for row in await db.execute(query)}


async def held_of(db: AsyncConnection, bells: Collection[UUID]) -> dict[UUID, Row[Any]]:
    """Return what is held of these bells' alerts, by alert."""
    rows = await db.execute(select(Held.__table__).where(Held.bell.in_(list(bells))))
    return {row.alert: row for row in rows}


async def save_held(
    db: AsyncConnection, hold: Iterable[Mapping[str, Any]], let_go: Collection[UUID]
) -> None:
    """Keep what is held now, and forget what is not any more."""
    await upsert(db, Held, list(hold))
    if let_go:
        await db.execute(delete(Held).where(Held.alert.in_(list(let_go))))


async def bells_due(db: AsyncConnection, now: datetime, limit: int) -> list[UUID]:
    """Return bells with an alert that is to be looked at again, the longest due first."""
    query = select(Held.bell).where(Held.due_at <= now).order_by(Held.due_at).limit(limit)
    return list(dict.fromkeys((await db.execute(query)).scalars()))


async def silences_of(db: AsyncConnection, practitioner: str, day: date) -> list[Row[Any]]:
    """Return a practitioner's silences that have not ended, the soonest to end first."""
    table = Silence
    query = (
        select(table.__table__)
        .where(table.practitioner == practitioner, table.ended_at.is_(None), table.until >= day)
        .order_by(table.until, table.id)
    )
    return list(await db.execute(query))


async def add_silence(db: AsyncConnection, row: Mapping[str, Any]) -> None:
    """Keep a silence."""
    await db.execute(insert(Silence).values(dict(row)))


async def end_silence(db: AsyncConnection, id: UUID, practitioner: str, now: datetime) -> bool:
    """End a practitioner's silence; what it held is due now. Return whether there is such a one."""
    found = await db.execute(
        update(Silence)
        .where(Silence.id == id, Silence.practitioner == practitioner)
        .values(ended_at=now)
    )
    await db.execute(update(Held).where(Held.by == id).values(due_at=now))
    return bool(found.rowcount)
