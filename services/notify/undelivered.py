"""No silent end: what was not delivered is told to its recipient's other endpoints."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify import delivery_store, endpoint_store
from services.notify.delivery import TRIED_FOR
from services.notify.sharing_rules import SharingRules
from services.notify.tables import Delivery
from services.notify.telling import delivery

log = structlog.get_logger()
TYPE = "delivery.failed"
GRACE = timedelta(hours=1)
"""The last attempt falls at the end of `TRIED_FOR`: what is pending so long after had none."""
UNDELIVERED = Counter("firstbell_undelivered", "Messages that ended without delivery", ["service"])


async def overdue(db: AsyncConnection, now: datetime, limit: int) -> Sequence[UUID]:
    """Return messages that were not even tried at their end: paused, or behind many others."""
    query = (
        select(Delivery.id)
        .where(Delivery.state == "pending", Delivery.pending_since <= now - TRIED_FOR - GRACE)
        .order_by(Delivery.pending_since)
        .limit(limit)
    )
    return list((await db.execute(query)).scalars())


async def end(db: AsyncConnection, id: UUID, _: SharingRules, now: datetime) -> None:
    """End a message that is overdue, unless it has ended meanwhile."""
    whose = select(Delivery.endpoint).where(Delivery.id == id)
    await lock_told(db, set((await db.execute(whose)).scalars()))
    ended = (
        update(Delivery)
        .where(Delivery.id == id, Delivery.state == "pending")
        .values(state="dead", last_outcome="not delivered in time")
        .returning(Delivery.__table__)
    )
    await tell_others(db, list(await db.execute(ended)), now)


async def lock_told(db: AsyncConnection, ended: Collection[UUID]) -> None:
    """Lock endpoints whose messages end, and all at which that is told.

    In one go and before any message: of two that end at once neither waits for the other's.
    """
    if ended:
        beside = (await endpoint_store.endpoints_beside(db, ended)).values()
        await endpoint_store.lock_endpoints(
            db, {*ended, *(other for others in beside for other in others)}
        )


async def tell_others(db: AsyncConnection, ended: Sequence[Row[Any]], now: datetime) -> None:
    """Tell of messages that ended undelivered, by ids alone, wherever else their owner is reached.

    The practitioner's other endpoints, and those of their agency. All are in the list of what was
    not delivered, in the log and in the metrics, which are the operator's.
    """
    for row in ended:
        UNDELIVERED.labels("notify").inc()
        log.error("not delivered", delivery=str(row.id), endpoint=str(row.endpoint))
    # A notice of a failure that fails is not told of again: two sick endpoints would never end.
    ended = [row for row in ended if row.type.startswith("alert.")]
    if not ended:
        return
    others = await endpoint_store.endpoints_beside(db, {row.endpoint for row in ended})
    notices = [
        delivery(other, None, _notice(row, now), now, "undelivered", row.id, row.attempts)
        for row in ended
        for other in others.get(row.endpoint, ())
    ]
    await delivery_store.add_deliveries(db, notices)


def _notice(row: Row[Any], now: datetime) -> dict[str, Any]:
    data = {"delivery": str(row.id), "endpoint": str(row.endpoint), "of": row.type}
    return {"type": TYPE, "timestamp": now.isoformat(), "data": data}
