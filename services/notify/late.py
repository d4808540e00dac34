"""What has waited for an hour is told elsewhere: a week is long to learn of a dead receiver."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import delivery_store, endpoint_store
from services.notify.sharing_rules import SharingRules
from services.notify.tables import Delivery, Endpoint
from services.notify.telling import delivery

log = structlog.get_logger()
TYPE = "delivery.late"
LATE_AFTER = timedelta(hours=1)
AGAIN_AFTER = timedelta(hours=4)
"""How long after it was told it is told again, if it is still so."""


async def endpoints_late(db: AsyncConnection, now: datetime, limit: int) -> Sequence[UUID]:
    """Return endpoints that have not taken messages about alerts, and of which this is untold.

    Not those that their owners have paused: they know.
    """
    query = select(Endpoint.id).where(*_untold(now), exists().where(*_waiting(now)))
    return list((await db.execute(query.order_by(Endpoint.id).limit(limit))).scalars())


async def tell_others(db: AsyncConnection, id: UUID, _: SharingRules, now: datetime) -> None:
    """Tell of an endpoint's late messages wherever else its owner is reached, by a number alone."""
    others = (await endpoint_store.endpoints_beside(db, {id})).get(id, [])
    # In the order in which everybody locks them: nobody waits in a ring.
    await endpoint_store.lock_endpoints(db, [id, *others])
    told = update(Endpoint).where(Endpoint.id == id, *_untold(now)).values(late_told_at=now)
    if not (await db.execute(told)).rowcount:
        return
    counted = select(func.count()).where(Endpoint.id == id, *_waiting(now))
    data = {"endpoint": str(id), "waiting": await db.scalar(counted)}
    log.warning("messages are late", **data)
    message = {"type": TYPE, "timestamp": now.isoformat(), "data": data}
    notices = [delivery(other, None, message, now, "late", id, now) for other in others]
    await delivery_store.add_deliveries(db, notices)


def _untold(now: datetime) -> Sequence[ColumnElement[Any]]:
    return (
        Endpoint.disabled_at.is_(None),
        Endpoint.paused_at.is_(None),
        or_(Endpoint.late_told_at.is_(None), Endpoint.late_told_at <= now - AGAIN_AFTER),
    )


def _waiting(now: datetime) -> Sequence[ColumnElement[Any]]:
    # A notice of lateness that is late itself is not told of: two sick endpoints would never end.
    return (
        Delivery.endpoint == Endpoint.id,
        Delivery.state == "pending",
        Delivery.type.startswith("alert."),
        Delivery.pending_since <= now - LATE_AFTER,
    )
