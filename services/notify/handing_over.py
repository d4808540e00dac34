"""Who stands in for whom: covers for an absence, and alerts that were handed over."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.tables import Cover, Handover


class StandIn(NamedTuple):
    """That one practitioner is told what another is told; None: of any bell, on any day."""

    bell: UUID | None
    giver: str
    taker: str
    starts_on: date | None = None
    ends_on: date | None = None

    def holds(self, bell: UUID, day: date) -> bool:
        """Whether it is so for this bell on this day."""
        if self.starts_on is not None and self.ends_on is not None:
            return self.starts_on <= day <= self.ends_on
        return self.bell == bell


async def stand_ins_of(db: AsyncConnection, bells: Collection[UUID]) -> list[StandIn]:
    """Return who stands in for whom, always or for these bells."""
    covers = await db.execute(select(Cover.__table__).order_by(Cover.practitioner))
    found = [StandIn(None, c.practitioner, c.by, c.starts_on, c.ends_on) for c in covers]
    query = (
        select(Handover.bell, Handover.giver, Handover.taker)
        .where(Handover.bell.in_(list(bells)), Handover.state == "accepted")
        .order_by(Handover.answered_at)
    )
    return found + [StandIn(*row) for row in await db.execute(query)]


async def offers_to(db: AsyncConnection, taker: str) -> Sequence[Row[Any]]:
    """Return the offers that wait for somebody's answer, the oldest first."""
    query = (
        select(Handover.__table__)
        .where(Handover.taker == taker, Handover.state == "offered")
        .order_by(Handover.offered_at, Handover.id)
    )
    return (await db.execute(query)).all()


async def note_answer(db: AsyncConnection, id: UUID, state: str, at: datetime) -> None:
    """Keep what an offer came to."""
    values = {"state": state, "answered_at": at}
    await db.execute(update(Handover).where(Handover.id == id).values(values))
