"""Silences: a practitioner wants no messages of a kind about a child until a date."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from libs.common.auth import Caller
from libs.common.problems import (
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import Day, london_day
from libs.common.service import Page, json_only
from services.notify import holding_store
from services.notify.api.access import AlertReader, AlertWriter
from services.notify.api.alerts import own_seen
from services.notify.api.parts import wrong

router = APIRouter(tags=["alerts"])
LONGEST = timedelta(days=366)
CHANGES = documented(NotFound, Conflict, TooLarge, UnsupportedMediaType)


class SilenceIn(BaseModel):
    """Until when, and why."""

    model_config = ConfigDict(extra="forbid")

    until: Day = Field(description="The last day of it.")
    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class SilenceOut(BaseModel):
    """A silence in force."""

    id: UUID
    kind: str
    until: date
    reason: str


@router.post("/alerts/{id}/silence", summary="Silence a kind of alert about a child",
             status_code=201, responses=CHANGES, dependencies=[Depends(json_only)])  # fmt: skip
async def silence(request: Request, caller: AlertWriter, id: UUID, asked: SilenceIn) -> SilenceOut:
    """Send the caller no more messages of the alert's kind about its child, until a date.

    The alerts are still made and listed; other recipients hear of them as before. What is urgent
    is sent all the same. When the silence is over, what still rings is told.
    """
    practitioner, now = _person(caller), request.app.state.notifier.now()
    if not london_day(now) <= asked.until <= london_day(now) + LONGEST:
        raise wrong(["body", "until"], "a day from today on, within a year")
    async with request.app.state.database.transaction() as db:
        row = (await own_seen(db, request, caller, id)).row
        if row["upn"] is None or row["shown"]["severity"] == "urgent":
            raise Conflict("An urgent alert, or one about a school, cannot be silenced.")
        held = {"practitioner": practitioner, "upn": row["upn"], "kind": row["kind"]}
        made = {"id": uuid4(), **held, **asked.model_dump(), "created_at": now}
        await holding_store.add_silence(db, made)
    return SilenceOut(**{name: made[name] for name in SilenceOut.model_fields})


@router.get("/silences", summary="List the caller's silences", responses=documented())
async def get_silences(request: Request, caller: AlertReader) -> Page[SilenceOut]:
    """Return the caller's own silences in force, the soonest to end first."""
    practitioner, now = _person(caller), request.app.state.notifier.now()
    async with request.app.state.database.reading() as db:
        rows = await holding_store.silences_of(db, practitioner, london_day(now))
    return Page(items=[_out(row) for row in rows])


@router.post("/silences/{id}/end", summary="End a silence early", status_code=204,
             responses=documented(NotFound))  # fmt: skip
async def end(request: Request, caller: AlertWriter, id: UUID) -> None:
    """End one of the caller's silences; what still rings is told within the minute."""
    practitioner, now = _person(caller), request.app.state.notifier.now()
    async with request.app.state.database.transaction() as db:
        if not await holding_store.end_silence(db, id, practitioner, now):
            raise NotFound("There is no such silence of the caller's.")


def _out(row: Row[tuple[object, ...]]) -> SilenceOut:
    return SilenceOut(**{name: getattr(row, name) for name in SilenceOut.model_fields})


def _person(caller: Caller) -> str:
    if caller.practitioner is None:
        raise Forbidden("A silence is a practitioner's own: use a practitioner's token.")
    return caller.practitioner
