"""Standing in: who covers for an absent practitioner, and alerts handed over to a colleague."""

from datetime import date
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import tenants
from libs.common.auth import Caller
from libs.common.database import upsert
from libs.common.identifiers import id_of
from libs.common.problems import (
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import Day
from libs.common.service import Page, json_only
from services.notify import handing_over, store, taking_over
from services.notify.api.access import AlertReader, AlertWriter
from services.notify.api.alerts import own_seen
from services.notify.api.parts import Id, must_be_theirs, wrong
from services.notify.tables import Cover, Handover, Practitioner
from services.notify.vocabulary import Name

router = APIRouter(tags=["alerts"])
NO_COVER = "Nobody covers for this practitioner."
CHANGES = documented(NotFound, Conflict, TooLarge, UnsupportedMediaType)


class CoverBody(BaseModel):
    """Who stands in, from which day to which, both included."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    by: Name
    starts_on: Day = Field(alias="from")
    ends_on: Day = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> "CoverBody":
        if self.ends_on < self.starts_on:
            raise ValueError("`to` is before `from`")
        return self


class HandoverIn(BaseModel):
    """To whom."""

    model_config = ConfigDict(extra="forbid")

    to: Name


class HandoverOut(BaseModel):
    """An alert that a colleague is asked to take over."""

    id: UUID
    giver: str
    taker: str
    state: str


@router.put("/practitioners/{id}/cover", summary="Set who covers for a practitioner",
            responses=CHANGES, dependencies=[Depends(json_only)])  # fmt: skip
async def put_cover(request: Request, caller: AlertWriter, id: Id, cover: CoverBody) -> CoverBody:
    """Let a colleague of the same agency stand in: they are told what the absent one is told.

    The sharing rules decide what they see, in those of the absent one's roles that they hold too.
    """
    async with request.app.state.database.transaction() as db:
        await _must_be_colleagues(db, id, cover.by, ["body", "by"])
        await must_be_theirs(db, caller, id)
        dates: dict[str, date] = {"starts_on": cover.starts_on, "ends_on": cover.ends_on}
        await upsert(db, Cover, [{"practitioner": id, "by": cover.by, **dates}])
    return cover


@router.get("/practitioners/{id}/cover", summary="Read who covers for a practitioner",
            responses=documented(NotFound))  # fmt: skip
async def get_cover(request: Request, caller: AlertReader, id: Id) -> CoverBody:
    """Return the cover that was set last; it may be over, or yet to begin."""
    async with request.app.state.database.reading() as db:
        await must_be_theirs(db, caller, id)
        row = await store.row_of(db, Cover, id)
    if row is None:
        raise NotFound(NO_COVER)
    return CoverBody(by=row.by, starts_on=row.starts_on, ends_on=row.ends_on)


@router.delete("/practitioners/{id}/cover", summary="End a practitioner's cover",
               status_code=204, responses=documented(NotFound))  # fmt: skip
async def delete_cover(request: Request, caller: AlertWriter, id: Id) -> None:
    """Let nobody stand in any more; what was told meanwhile can be read by its stand-in no more."""
    async with request.app.state.database.transaction() as db:
        await must_be_theirs(db, caller, id)
        if not (await db.execute(delete(Cover).where(Cover.practitioner == id))).rowcount:
            raise NotFound(NO_COVER)


@router.post("/alerts/{id}/hand-over", summary="Ask a colleague to take an alert over",
             status_code=201, responses=CHANGES, dependencies=[Depends(json_only)])  # fmt: skip
async def offer(request: Request, caller: AlertWriter, id: UUID, asked: HandoverIn) -> HandoverOut:
    """Offer one of the caller's alerts to a colleague of the same agency. Twice is once."""
    giver = _person(caller)
    async with request.app.state.database.transaction() as db:
        row = (await own_seen(db, request, caller, id)).row
        await _must_be_colleagues(db, giver, asked.to, ["body", "to"])
        key = id_of("hand-over", id, asked.to)
        held = await store.row_of(db, Handover, key)
        if held is not None and held.state == "accepted":
            raise Conflict("The colleague has taken this alert over already.")
        made = {
            "id": key, "alert": id, "bell": row["bell"], "giver": giver, "taker": asked.to,
            "state": "offered", "offered_at": request.app.state.notifier.now(),
            "answered_at": None,
        }  # fmt: skip
        await upsert(db, Handover, [made])
    return _out(made)


@router.get("/hand-overs", summary="List what the caller is asked to take over",
            responses=documented())  # fmt: skip
async def get_offers(request: Request, caller: AlertReader) -> Page[HandoverOut]:
    """Return the offers that wait for the caller's answer, the oldest first."""
    async with request.app.state.database.reading() as db:
        rows = await handing_over.offers_to(db, _person(caller))
    return Page(items=[_out(row._mapping) for row in rows])


@router.post("/hand-overs/{id}/{answer}", summary="Accept or decline a hand-over",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def answer_offer(
    request: Request, caller: AlertWriter, id: UUID, answer: Literal["accept", "decline"]
) -> HandoverOut:
    """Take an alert over, or not. Accepted, it is told to the caller, and both know of it."""
    taker, notifier = _person(caller), request.app.state.notifier
    # Both colleagues' alerts are written here, as the service's own work.
    with tenants.everything():
        async with request.app.state.database.transaction() as db:
            held = await store.row_of(db, Handover, id)
            if held is None or held.taker != taker:
                raise NotFound("There is no such offer to the caller.")
            if held.state != "offered":
                raise Conflict(f"The offer has been {held.state}.")
            accepted = answer == "accept"
            row = await taking_over.settle(db, held, accepted, notifier.rules, notifier.now())
    request.app.state.sender.wake()
    return _out(row)


async def _must_be_colleagues(db: AsyncConnection, one: str, other: str, at: list[Any]) -> None:
    rows = [await store.row_of(db, Practitioner, id) for id in (one, other)]
    if rows[0] is None:
        raise NotFound("There is no such practitioner.")
    if rows[1] is None or one == other or rows[0].agency != rows[1].agency:
        raise wrong(at, "not a colleague of the same agency")
    if not set(rows[0].roles) & set(rows[1].roles):
        raise wrong(at, "holds none of the roles in which alerts come")


def _person(caller: Caller) -> str:
    if caller.practitioner is None:
        raise Forbidden("A hand-over is between practitioners: use a practitioner's token.")
    return caller.practitioner


def _out(row: Any) -> HandoverOut:
    return HandoverOut(**{name: row[name] for name in HandoverOut.model_fields})
