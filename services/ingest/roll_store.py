"""Every query on rolls and calendars. Nothing here commits."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import in_parts, upsert
from services.ingest.store import Source, make_rows
from services.ingest.tables import StoredCalendar, StoredPupil, StoredRoll

Calendar = tuple[int, dict[str, Any] | None]
"""A calendar's revision and its body."""


async def lock_roll(db: AsyncConnection, urn: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return a roll's revision and its pupils by UPN, locked until the transaction ends."""
    await make_rows(db, StoredRoll, [{"urn": urn, "revision": 0}])
    query = select(StoredRoll.revision).where(StoredRoll.urn == urn).with_for_update()
    revision = await db.scalar(query)
    held = select(StoredPupil.upn, StoredPupil.pupil).where(StoredPupil.urn == urn)
    return revision or 0, {row.upn: row.pupil for row in await db.execute(held)}


async def keep_roll(
    db: AsyncConnection,
    urn: str,
    revision: int,
    changed: Mapping[str, dict[str, Any]],
    removed: Sequence[str],
) -> None:
    """Store a roll's changes."""
    await upsert(db, StoredRoll, [{"urn": urn, "revision": revision}])
    rows = [{"urn": urn, "upn": upn, "pupil": pupil} for upn, pupil in changed.items()]
    await upsert(db, StoredPupil, rows)
    for part in in_parts(removed):
        await db.execute(
            delete(StoredPupil).where(StoredPupil.urn == urn, StoredPupil.upn.in_(part))
        )


async def pupils_after(db: AsyncConnection, urn: str, upn: str, limit: int) -> list[dict[str, Any]]:
    """Return pupils on a roll in order of UPN, those after `upn`."""
    query = select(StoredPupil.pupil).where(StoredPupil.urn == urn, StoredPupil.upn > upn)
    return list((await db.scalars(query.order_by(StoredPupil.upn).limit(limit))).all())


async def lock_calendar(db: AsyncConnection, urn: str, academic_year: int) -> Calendar | None:
    """Return a calendar, locked until the transaction ends."""
    key = {"urn": urn, "academic_year": academic_year}
    await make_rows(db, StoredCalendar, [{**key, "revision": 0, "terms": [], "closed": []}])
    return await calendar_of(db, urn, academic_year, locked=True)


async def calendar_of(
    db: AsyncConnection, urn: str, academic_year: int, locked: bool = False
) -> Calendar | None:
    """Return a calendar; None when none has come."""
    table = StoredCalendar
    query = select(table.__table__).where(table.urn == urn, table.academic_year == academic_year)
    row = (await db.execute(query.with_for_update() if locked else query)).first()
    if row is None or not row.revision:
        return None
    return row.revision, {"terms": row.terms, "closed": row.closed}


async def keep_calendar(
    db: AsyncConnection, urn: str, academic_year: int, revision: int, body: Mapping[str, Any]
) -> None:
    """Store a calendar."""
    key = {"urn": urn, "academic_year": academic_year}
    await upsert(db, StoredCalendar, [{**key, "revision": revision, **body}])


def receipt_row(
    kind: str, urn: str, source: Source, event_id: UUID, answer: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the row of a receipt."""
    named = {"id": source.receipt, "kind": kind, "urn": urn, "subject": source.subject}
    return {**named, "at": source.at, "event_id": event_id, "answer": dict(answer)}
