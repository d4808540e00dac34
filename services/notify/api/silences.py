"""Silences: a practitioner wants no messages of a kind about a child until a date."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller
from libs.common.identifiers import Upn
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
from services.notify.routing import Kind
from services.notify.vocabulary import URGENT_KINDS

router = APIRouter(tags=["alerts"])
LONGEST = timedelta(days=366)
CHANGES = documented(NotFound, Conflict, TooLarge, UnsupportedMediaType)


class SilenceIn(BaseModel):
    """Until when, and why."""

    model_config = ConfigDict(extra="forbid")

    until: Day = Field(description="The last day of it.")
    reason: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class SilenceOfKindIn(SilenceIn):
    """Of which kind, about which child, until when, and why."""

    upn: Upn
    kind: Kind


class SilenceOut(BaseModel):
    """A silence in force."""

    id: UUID
    upn: str | None = Field(description="The child's, if the caller named it by its UPN.")
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
    _must_end_in_time(asked, now)
    async with request.app.state.database.transaction() as db:
        row = (await own_seen(db, request, caller, id)).row
        if row["upn"] is None or row["shown"]["severity"] == "urgent":
            raise Conflict("An urgent alert, or one about a school, cannot be silenced.")
        _must_not_be_urgent(row["kind"])
        of = {"practitioner": practitioner, "upn": row["upn"], "kind": row["kind"], "named": False}
        return await _add(db, of, asked, now)


@router.post("/silences", summary="Silence a kind about a child by its UPN", status_code=201,
             responses=CHANGES, dependencies=[Depends(json_only)])  # fmt: skip
async def silence_kind(request: Request, caller: AlertWriter, asked: SilenceOfKindIn) -> SilenceOut:
    """Send the caller no messages of a kind about a child until a date, before one has come too.

    As of `POST /alerts/{id}/silence`; the answer says nothing about whether anything rings.
    """
    practitioner, now = _person(caller), request.app.state.notifier.now()
    _must_end_in_time(asked, now)
    _must_not_be_urgent(asked.kind)
    of = {"practitioner": practitioner, "upn": asked.upn, "kind": asked.kind, "named": True}
    async with request.app.state.database.transaction() as db:
        return await _add(db, of, asked, now)


def _must_end_in_time(asked: SilenceIn, now: datetime) -> None:
    if not london_day(now) <= asked.until <= london_day(now) + LONGEST:
        raise wrong(["body", "until"], "a day from today on, within a year")


def _must_not_be_urgent(kind: str) -> None:
    if kind in URGENT_KINDS:
        raise Conflict("This kind rings of danger to a child: it cannot be silenced.")


async def _add(
    db: AsyncConnection, of: dict[str, Any], asked: SilenceIn, now: datetime
) -> SilenceOut:
    said = {"until": asked.until, "reason": asked.reason}
    made = {"id": uuid4(), **of, **said, "created_at": now}
    await holding_store.add_silence(db, made)
    return _out(made)


@router.get("/silences", summary="List the caller's silences", responses=documented())
async def get_silences(request: Request, caller: AlertReader) -> Page[SilenceOut]:
    """Return the caller's own silences in force, the soonest to end first."""
    practitioner, now = _person(caller), request.app.state.notifier.now()
    async with request.app.state.database.reading() as db:
        rows = await holding_store.silences_of(db, practitioner, london_day(now))
    return Page(items=[_out(row._mapping) for row in rows])


@router.post("/silences/{id}/end", summary="End a silence early", status_code=204,
             responses=documented(NotFound))  # fmt: skip
async def end(request: Request, caller: AlertWriter, id: UUID) -> None:
    """End one of the caller's silences; what still rings is told within the minute."""
    practitioner, now = _person(caller), request.app.state.notifier.now()
    async with request.app.state.database.transaction() as db:
        if not await holding_store.end_silence(db, id, practitioner, now):
            raise NotFound("There is no such silence of the caller's.")


def _out(row: Mapping[Any, Any]) -> SilenceOut:
    # Whoever silenced an alert may not be one who is told the child's UPN.
    told = {name: row[name] for name in SilenceOut.model_fields if name != "upn"}
    return SilenceOut(**told, upn=row["upn"] if row["named"] else None)


def _person(caller: Caller) -> str:
    if caller.practitioner is None:
        raise Forbidden("A silence is a practitioner's own: use a practitioner's token.")
    return caller.practitioner
