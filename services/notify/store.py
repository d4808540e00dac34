"""Rows by their keys, and who works with a child. Nothing here commits."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.tables import Involvements


async def row_of(db: AsyncConnection, table: Any, key: Any) -> Row[Any] | None:
    """Return a table's row by its primary key, or None."""
    (column,) = table.__table__.primary_key.columns
    return (
        await db.execute(
            select(*(column.label(column.key) for column in table.__table__.c)).where(column == key)
        )
    ).first()


async def involvements_of(db: AsyncConnection, upn: str | None) -> tuple[int, list[dict[str, Any]]]:
    """Return the revision of a child's involvements, and these as they were set."""
    row = await row_of(db, Involvements, upn)
    return (row.revision, row.involvements) if row else (0, [])
