"""All that risk holds about one pupil, and nothing about any other."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.codes import BY_NUMBER, NO_MARK
from libs.common.school_day import day_of, session_of
from services.risk.tables import (
    JudgedAlert,
    StoredBell,
    StoredColumn,
    StoredInvolvements,
    StoredPupil,
)


async def held_of(db: AsyncConnection, upn: str) -> dict[str, Any]:
    """Return the pupil's places in books with their marks, who works with the child, and bells.

    And how these were judged, by whoever closed alerts of them.
    """
    pupil, bell, working = StoredPupil, StoredBell, StoredInvolvements
    places = (await db.execute(select(pupil.__table__).where(pupil.upn == upn))).all()
    bells = await db.execute(select(bell.__table__).where(bell.upn == upn).order_by(bell.raised_at))
    said = select(JudgedAlert.__table__).join(bell, bell.id == JudgedAlert.bell)
    judged = await db.execute(said.where(bell.upn == upn).order_by(JudgedAlert.alert))
    involved = await db.scalar(select(working.involvements).where(working.upn == upn))
    return {
        "books": [{**row._asdict(), "marks": await _marks_of(db, row)} for row in places],
        "bells": [row._asdict() for row in bells],
        "judged": [row._asdict() for row in judged],
        "involvements": involved or [],
    }


async def _marks_of(db: AsyncConnection, pupil: Any) -> list[dict[str, Any]]:
    table = StoredColumn
    query = select(table.ordinal, table.codes).where(table.urn == pupil.urn)
    marks = []
    for ordinal, codes in await db.execute(query.order_by(table.ordinal)):
        number = codes[pupil.position] if pupil.position < len(codes) else NO_MARK
        if number != NO_MARK:
            session = {"day": day_of(ordinal), "session": session_of(ordinal).value}
            marks.append({**session, "code": BY_NUMBER[number].text})
    return marks
