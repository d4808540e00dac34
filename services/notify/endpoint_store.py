"""Queries about endpoints: which are open, which stand beside others. Nothing here commits."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from libs.common.database import among
from services.notify.tables import Delivery, Endpoint, Practitioner

_OPEN = (
    Endpoint.disabled_at.is_(None),
    or_(Endpoint.must_verify.is_(False), Endpoint.verified_at.is_not(None)),
)
_OPEN_ENDPOINTS = (
    select(Endpoint.id, Endpoint.practitioner, Endpoint.agency)
    .where(
        or_(
            Endpoint.practitioner.in_(among("practitioners")),
            Endpoint.agency.in_(among("agencies")),
        ),
        *_OPEN,
    )
    .order_by(Endpoint.id)
)
_one = aliased(Endpoint)
_BESIDE = (
    select(_one.id.label("one"), Endpoint.id.label("other"))
    .outerjoin(Practitioner, Practitioner.id == _one.practitioner)
    .join(
        Endpoint,
        or_(
            Endpoint.practitioner == _one.practitioner,
            Endpoint.agency == func.coalesce(_one.agency, Practitioner.agency),
        ),
    )
    .where(_one.id.in_(among("endpoints")), Endpoint.id != _one.id, *_OPEN)
    .order_by(Endpoint.id)
)


async def open_endpoints(
    db: AsyncConnection, practitioners: Collection[str], agencies: Collection[str]
) -> dict[str, list[UUID]]:
    """Return the endpoints at which these practitioners and agencies are reached, by their ids.

    Those that must be verified first are not among them before that.
    """
    found: dict[str, list[UUID]] = {}
    owners = {"practitioners": list(practitioners), "agencies": list(agencies)}
    for row in await db.execute(_OPEN_ENDPOINTS, owners):
        owner = f"practitioner {row.practitioner}" if row.practitioner else f"agency {row.agency}"
        found.setdefault(owner, []).append(row.id)
    return found


async def lock_endpoints(db: AsyncConnection, endpoints: Collection[UUID]) -> None:
    """Let nobody else change these endpoints until the transaction ends."""
    if endpoints:
        rows = select(Endpoint.id).where(Endpoint.id.in_(endpoints)).order_by(Endpoint.id)
        await db.execute(rows.with_for_update())


async def disable(db: AsyncConnection, endpoint: UUID, at: datetime) -> list[Row[Any]]:
    """Send nothing more to an endpoint; return what waited for it, which is dead now."""
    await db.execute(update(Endpoint).where(Endpoint.id == endpoint).values(disabled_at=at))
    waiting = (
        update(Delivery)
        .where(Delivery.endpoint == endpoint, Delivery.state == "pending")
        .values(state="dead", last_outcome="the endpoint is gone")
        .returning(Delivery.__table__)
    )
    return list(await db.execute(waiting))


async def endpoints_beside(
    db: AsyncConnection, endpoints: Collection[UUID]
) -> dict[UUID, list[UUID]]:
    """Return, by endpoint, the open ones of the same practitioner and of the same agency.

    Those that have none beside them are left out.
    """
    found: dict[UUID, list[UUID]] = {}
    for row in await db.execute(_BESIDE, {"endpoints": list(endpoints)}):
        found.setdefault(row.one, []).append(row.other)
    return found
