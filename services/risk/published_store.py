"""Queries of the Department's published figures. Nothing here commits."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from libs.common.school_day import academic_year_of
from services.risk.published_lines import Year
from services.risk.tables import StoredPublished

TABLE = StoredPublished


async def save_published(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep published figures, instead of those that there were for the same area and time."""
    await upsert(db, StoredPublished, rows)


async def year_published(db: AsyncConnection, last: date, la: str | None) -> Year | None:
    """Return the year to date that `last` lies in, or else the latest before it that is held.

    Args:
        la: with England, this authority's region and all of its authorities; None: England alone.
    """
    year = await db.scalar(
        select(func.max(TABLE.academic_year)).where(
            TABLE.period == "year", TABLE.academic_year <= academic_year_of(last)
        )
    )
    if year is None:
        return None
    this = (TABLE.period == "year", TABLE.academic_year == year)
    region = select(TABLE.region).where(*this, _is(la))
    query = select(TABLE.__table__).where(
        *this, or_(TABLE.level == "national", TABLE.region.in_(region))
    )
    return Year(year, (await db.execute(query)).all())


async def weeks_published(
    db: AsyncConnection, first: date, last: date, la: str | None
) -> Sequence[Row[Any]]:
    """Return the weekly figures of England and of an authority, oldest first.

    Args:
        first: weeks that begin in the week of this day, or later.
    """
    query = select(TABLE.__table__).where(
        TABLE.period == "week",
        TABLE.starts_on.between(first - timedelta(days=first.weekday()), last),
        or_(TABLE.level == "national", _is(la)),
    )
    return (await db.execute(query.order_by(TABLE.starts_on))).all()


def _is(la: str | None) -> ColumnElement[bool]:
    # England and the regions have no digits either: "no authority" must not find them.
    return false() if la is None else TABLE.la == la
