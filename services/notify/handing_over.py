"""To whom else a bell goes: covers for an absence, alerts handed over, and the next roles."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    Date,
    Row,
    Select,
    String,
    Uuid,
    cast,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import Instant, among
from services.notify.tables import Cover, Escalation, Handover


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


class PassedOn(NamedTuple):
    """To whom else what some people are told, and some bells, go."""

    stand_ins: list[StandIn]
    escalations: dict[UUID, list[str]]
    """By bell, to which roles it was passed on, since nobody had answered."""


def _passed_on() -> CompoundSelect[Any]:
    no_day, nobody = cast(null(), Date), cast(null(), String)
    never, no_bell = cast(null(), Instant), cast(null(), Uuid)
    covers = (Cover.practitioner, Cover.by, no_bell, Cover.starts_on, Cover.ends_on, never)
    handed = (Handover.giver, Handover.taker, Handover.bell, no_day, no_day, Handover.answered_at)
    passed = (nobody, Escalation.role, Escalation.bell, no_day, no_day, Escalation.at)
    bells = among("bells")
    return union_all(
        _named(covers).where(Cover.practitioner.in_(among("people"))),
        _named(handed).where(Handover.bell.in_(bells), Handover.state == "accepted"),
        _named(passed).where(Escalation.bell.in_(bells)),
    ).order_by("at")


def _named(columns: Sequence[Any]) -> Select[Any]:
    names = ("giver", "taker", "bell", "starts_on", "ends_on", "at")
    return select(*(one.label(name) for one, name in zip(columns, names, strict=True)))


_PASSED_ON = _passed_on()


async def passed_on(
    db: AsyncConnection, bells: Collection[UUID], people: Collection[str]
) -> PassedOn:
    """Return who covers for these people, and to whom these bells were handed over or passed on."""
    found = PassedOn([], {})
    for row in await db.execute(_PASSED_ON, {"bells": list(bells), "people": list(people)}):
        if row.giver is None:
            found.escalations.setdefault(row.bell, []).append(row.taker)
        else:
            found.stand_ins.append(
                StandIn(row.bell, row.giver, row.taker, row.starts_on, row.ends_on)
            )
    return found


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
