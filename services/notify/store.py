"""Queries about endpoints and deliveries, and rows by their keys. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.messages import DIGEST
from services.notify.tables import Delivery, Endpoint, Involvements

_OPEN_ENDPOINTS = (
    select(Endpoint.id, Endpoint.practitioner, Endpoint.agency)
    .where(Endpoint.disabled_at.is_(None))
    .order_by(Endpoint.id)
)


async def row_of(db: AsyncConnection, table: Any, key: Any) -> Row[Any] | None:
    """Return a table's row by its primary key, or None."""
    (column,) = table.__table__.primary_key.columns
    return (await db.execute(select(table.__table__).where(column == key))).first()


async def involvements_of(db: AsyncConnection, upn: str | None) -> tuple[int, list[dict[str, Any]]]:
    """Return the revision of a child's involvements, and these as they were set."""
    row = await row_of(db, Involvements, upn)
    return (row.revision, row.involvements) if row else (0, [])


async def open_endpoints(db: AsyncConnection) -> dict[str, list[UUID]]:
    """Return the endpoints at which practitioners and agencies are reached, by these one's ids."""
    found: dict[str, list[UUID]] = {}
    for row in await db.execute(_OPEN_ENDPOINTS):
        owner = f"practitioner {row.practitioner}" if row.practitioner else f"agency {row.agency}"
        found.setdefault(owner, []).append(row.id)
    return found


async def add_deliveries(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep messages to be delivered."""
    if rows:
        await db.execute(insert(Delivery), list(rows))


async def claim_due(
    db: AsyncConnection, now: datetime, lease: timedelta, limit: int
) -> list[Row[Any]]:
    """Return deliveries that are due, put off by `lease` so that nobody else takes them.

    A message waits for every earlier one to the same endpoint about the same child; a digest, which
    is about several, for all earlier ones, and all later ones for it.
    """
    earlier = Delivery.__table__.alias("earlier")
    blocked = select(earlier.c.number).where(
        earlier.c.endpoint == Delivery.endpoint,
        or_(
            earlier.c.upn.is_not_distinct_from(Delivery.upn),
            earlier.c.type == DIGEST,
            Delivery.type == DIGEST,
        ),
        earlier.c.state == "pending",
        earlier.c.number < Delivery.number,
    )
    query = (
        select(
            Delivery.__table__,
            Endpoint.practitioner,
            Endpoint.agency,
            Endpoint.url,
            Endpoint.secret,
            Endpoint.old_secret,
            Endpoint.old_secret_until,
        )
        .join(Endpoint, Endpoint.id == Delivery.endpoint)
        .where(
            Delivery.state == "pending",
            Delivery.next_attempt_at <= now,
            Endpoint.disabled_at.is_(None),
            ~blocked.exists(),
        )
        .order_by(Delivery.next_attempt_at, Delivery.number)
        .limit(limit)
        .with_for_update(of=Delivery.__table__, skip_locked=True)
    )
    rows = list(await db.execute(query))
    if rows:
        numbers = [row.number for row in rows]
        await db.execute(
            update(Delivery).where(Delivery.number.in_(numbers)).values(next_attempt_at=now + lease)
        )
    return rows


async def note_attempt(db: AsyncConnection, number: int, values: dict[str, Any]) -> None:
    """Keep what an attempt came to."""
    await db.execute(
        update(Delivery)
        .where(Delivery.number == number)
        .values(attempts=Delivery.attempts + 1, **values)
    )


async def disable(db: AsyncConnection, endpoint: UUID, at: datetime) -> None:
    """Send nothing more to an endpoint: what waits for it is dead, and can be replayed."""
    await db.execute(update(Endpoint).where(Endpoint.id == endpoint).values(disabled_at=at))
    await db.execute(
        update(Delivery)
        .where(Delivery.endpoint == endpoint, Delivery.state == "pending")
        .values(state="dead", last_outcome="the endpoint is gone")
    )
