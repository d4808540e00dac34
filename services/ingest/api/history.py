"""What became of registers: receipts, corrections, quarantine."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from libs.common.eventlog import LogUnavailable
from libs.common.identifiers import Urn
from libs.common.outbox import OutboxEvent
from libs.common.problems import NotFound, documented
from libs.common.school_day import Session
from libs.common.service import Cursor, Limit, Page, after, cursor_of
from services.ingest.api.parts import Day, ReadsRegisters
from services.ingest.tables import QuarantinedMark, StoredCorrection, StoredReceipt

router = APIRouter(tags=["history"])
ID_MAX = 2**63 - 1
Stage = Literal["stored", "published", "evaluated"]


class TravelledReceipt(BaseModel):
    """A receipt as it was given, and how far what it is for has travelled."""

    model_config = ConfigDict(extra="allow")

    receipt: UUID
    kind: Literal["register", "roll", "calendar"]
    urn: str
    at: datetime
    stage: Stage = Field(description="On disk; in the event log; taken into account by risk.")


class Correction(BaseModel):
    """What stood in a register before a change."""

    id: int
    receipt: UUID
    subject: str
    at: datetime
    upn: str
    from_code: str
    to_code: str
    from_minutes: int | None
    to_minutes: int | None
    from_comment: str | None
    to_comment: str | None


class Quarantined(BaseModel):
    """A mark that could not be taken, as it was sent."""

    id: int
    receipt: UUID
    at: datetime
    day: date = Field(serialization_alias="date")
    session: Session
    index: int
    upn: str | None
    code: str | None
    reason: str


@router.get("/receipts/{receipt}", summary="Follow a receipt", responses=documented(NotFound))
async def get_receipt(receipt: UUID, request: Request, caller: ReadsRegisters) -> TravelledReceipt:
    """Return a receipt, and how far its register, roll or calendar has travelled."""
    async with request.app.state.database.reading() as db:
        found = select(StoredReceipt.__table__).where(StoredReceipt.id == receipt)
        row = (await db.execute(found)).first()
        if row is None or not caller.speaks_for(row.urn):
            raise NotFound("There is no such receipt that the token may read.")
        sent = select(OutboxEvent.__table__).where(OutboxEvent.event_id == row.event_id)
        event = (await db.execute(sent.limit(1))).first()
    answer = {**row.answer, "receipt": receipt, "kind": row.kind, "urn": row.urn, "at": row.at}
    stage = "stored" if row.event_id is None else await _stage(request, event)
    return TravelledReceipt.model_validate({**answer, "stage": stage})


async def _stage(request: Request, event: Any) -> Stage:
    if event is None:
        return "published"  # long ago: the outbox no longer keeps it
    if event.published_at is None:
        return "stored"
    try:
        handled = await request.app.state.log.handled("risk", event.topic, event.partition)
    except LogUnavailable:
        return "published"
    return "evaluated" if handled > event.offset else "published"


@router.get(
    "/schools/{urn}/registers/{date}/{session}/corrections",
    summary="Read a register's history",
    responses=documented(),
)
async def get_corrections(
    urn: Urn,
    day: Day,
    session: Session,
    request: Request,
    caller: ReadsRegisters,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Correction]:
    """Return every change of a mark in this register: who made it, when, from what, to what."""
    caller.must_speak_for(urn)
    start = min((after(cursor, tuple[int]) or (0,))[0], ID_MAX)
    table = StoredCorrection
    where = (table.urn == urn, table.day == day, table.session == session.value)
    query = select(table.__table__).where(*where, table.id > start).order_by(table.id)
    async with request.app.state.database.reading() as db:
        rows = (await db.execute(query.limit(limit + 1))).all()
    items = [Correction.model_validate(row._asdict()) for row in rows[:limit]]
    return Page(items=items, next=cursor_of(items[-1].id) if len(rows) > limit else None)


@router.get("/schools/{urn}/quarantine", summary="List quarantined marks", responses=documented())
async def get_quarantine(
    urn: Urn, request: Request, caller: ReadsRegisters, limit: Limit = 100, cursor: Cursor = None
) -> Page[Quarantined]:
    """Return marks that could not be taken, oldest first. Send them again, corrected."""
    caller.must_speak_for(urn)
    start = min((after(cursor, tuple[int]) or (0,))[0], ID_MAX)
    table = QuarantinedMark
    query = select(table.__table__).where(table.urn == urn, table.id > start).order_by(table.id)
    async with request.app.state.database.reading() as db:
        rows = (await db.execute(query.limit(limit + 1))).all()
    items = [Quarantined.model_validate(row._asdict()) for row in rows[:limit]]
    return Page(items=items, next=cursor_of(items[-1].id) if len(rows) > limit else None)
