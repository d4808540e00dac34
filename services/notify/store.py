"""Notify's queries. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import upsert
from services.notify.routing import Person
from services.notify.tables import (
    Agency,
    Alert,
    Child,
    Delivery,
    Endpoint,
    Involvements,
    Practitioner,
    StoredBell,
)


async def people(db: AsyncConnection) -> list[Person]:
    """Return every practitioner with their agency."""
    rows = await db.execute(
        select(
            Practitioner.id,
            Practitioner.roles,
            Practitioner.agency,
            Agency.kind,
            Agency.urns,
            Agency.la,
        ).join(Agency, Agency.id == Practitioner.agency)
    )
    return [
        Person(r.id, frozenset(r.roles), r.agency, r.kind, frozenset(r.urns), r.la) for r in rows
    ]


async def row_of(db: AsyncConnection, table: Any, key: Any) -> Row[Any] | None:
    """Return a table's row by its primary key, or None."""
    (column,) = table.__table__.primary_key.columns
    return (await db.execute(select(table.__table__).where(column == key))).first()


async def involvements_of(db: AsyncConnection, upn: str | None) -> tuple[int, list[dict[str, Any]]]:
    """Return the revision of a child's involvements, and these as they were set."""
    row = await row_of(db, Involvements, upn)
    return (row.revision, row.involvements) if row else (0, [])


async def pupil_of(db: AsyncConnection, upn: str | None, urn: str) -> dict[str, Any]:
    """Return what a school's roll says of a pupil; nothing if it says nothing."""
    query = select(Child.pupil).where(Child.upn == upn, Child.urn == urn)
    return await db.scalar(query) or {}


async def save_children(
    db: AsyncConnection, urn: str, pupils: Sequence[dict[str, Any]], removed: Sequence[str]
) -> None:
    """Keep a roll's changes."""
    await upsert(db, Child, [{"upn": p["upn"], "urn": urn, "pupil": p} for p in pupils])
    for start in range(0, len(removed), 500):
        part = removed[start : start + 500]
        await db.execute(delete(Child).where(Child.urn == urn, Child.upn.in_(part)))


async def save_bell(db: AsyncConnection, bell: dict[str, Any]) -> None:
    """Keep a bell as it was told."""
    row = {"id": UUID(bell["id"]), "upn": bell["upn"], "bell": bell}
    await upsert(db, StoredBell, [row])


async def alerts_of_bell(db: AsyncConnection, bell: UUID) -> dict[str, dict[str, Any]]:
    """Return a bell's alerts by recipient."""
    rows = await db.execute(select(Alert.__table__).where(Alert.bell == bell))
    return {row.recipient: dict(row._mapping) for row in rows}


async def endpoints_for(db: AsyncConnection, practitioner: str, agency: str) -> list[UUID]:
    """Return the endpoints at which a practitioner is reached: their own and their agency's."""
    query = select(Endpoint.id).where(
        or_(Endpoint.practitioner == practitioner, Endpoint.agency == agency),
        Endpoint.disabled_at.is_(None),
    )
    return list(await db.scalars(query.order_by(Endpoint.id)))


async def add_deliveries(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep messages to be delivered."""
    if rows:
        await db.execute(insert(Delivery), list(rows))


async def claim_due(
    db: AsyncConnection, now: datetime, lease: timedelta, limit: int
) -> list[Row[Any]]:
    """Return deliveries that are due, put off by `lease` so that nobody else takes them.

    A message waits for every earlier one to the same endpoint about the same child.
    """
    earlier = Delivery.__table__.alias("earlier")
    blocked = select(earlier.c.number).where(
        earlier.c.endpoint == Delivery.endpoint,
        earlier.c.upn == Delivery.upn,
        earlier.c.state == "pending",
        earlier.c.number < Delivery.number,
    )
    query = (
        select(
            Delivery.__table__,
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
    """Send nothing more to an endpoint."""
    await db.execute(update(Endpoint).where(Endpoint.id == endpoint).values(disabled_at=at))
