"""Alerts: the caller's own, as the caller may see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select, tuple_, update

from libs.common.auth import Caller
from libs.common.problems import (
    Conflict,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import utc_now
from libs.common.service import Cursor, Limit, Page, after, cursor_of, json_only
from services.notify.api.access import AlertReader, AlertWriter
from services.notify.tables import Alert

router = APIRouter(tags=["alerts"])
Note = Annotated[str | None, Field(max_length=2000, pattern=r"^[^\x00]*$")]
CHANGES = documented(NotFound, Conflict, TooLarge, UnsupportedMediaType)


class AlertOut(BaseModel):
    """A bell as the caller may see it."""

    id: UUID
    bell: UUID
    kind: str
    severity: str
    status: str
    child: dict[str, Any]
    school: dict[str, Any] | None = None
    explanation: str | None = None
    evidence: dict[str, Any] | None = None
    withheld: list[str]
    basis: list[str]
    raised_at: datetime
    history: list[dict[str, Any]]


class ActionIn(BaseModel):
    """What was done."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["called_home", "visited", "meeting", "referral", "plan", "other"]
    note: Note = None


class ClosingIn(BaseModel):
    """How it ended."""

    model_config = ConfigDict(extra="forbid")

    outcome: Literal[
        "returned", "support_in_place", "already_known", "false_bell", "moved", "other"
    ]
    note: Note = None


@router.get("/alerts", summary="List alerts, newest first", responses=documented())
async def get_alerts(
    request: Request,
    caller: AlertReader,
    status: Annotated[str | None, Query(max_length=20, pattern=r"^[a-z_]*$")] = None,
    kind: Annotated[str | None, Query(max_length=40, pattern=r"^[a-z-]*$")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AlertOut]:
    """Return the caller's own alerts: a practitioner's, or those of an agency's practitioners."""
    query = _own(caller).order_by(Alert.raised_at.desc(), Alert.id.desc())
    if status is not None:
        query = query.where(Alert.status == status)
    if kind is not None:
        query = query.where(Alert.kind == kind)
    place = after(cursor, tuple[datetime, UUID])
    if place is not None:
        query = query.where(tuple_(Alert.raised_at, Alert.id) < tuple_(*place))
    async with request.app.state.database.reading() as db:
        rows = [row._mapping for row in await db.execute(query.limit(limit + 1))]
    last = rows[limit - 1] if rows[limit:] else None
    more = cursor_of(last["raised_at"], last["id"]) if last else None
    return Page(items=[alert_of(row) for row in rows[:limit]], next=more)


@router.get("/alerts/{id}", summary="Read an alert", responses=documented(NotFound))
async def get_alert(request: Request, caller: AlertReader, id: UUID) -> AlertOut:
    """Return one of the caller's own alerts; anybody else's is not found."""
    async with request.app.state.database.reading() as db:
        return alert_of(await _one(db, caller, id))


@router.post("/alerts/{id}/acknowledge", summary="Acknowledge an alert", responses=CHANGES)
async def acknowledge(request: Request, caller: AlertWriter, id: UUID) -> AlertOut:
    """Say that the alert is in hand. Twice is once."""
    return await _note(request, caller, id, {"what": "acknowledged"}, "acknowledged")


@router.post("/alerts/{id}/actions", summary="Record an action", responses=CHANGES,
             dependencies=[Depends(json_only)])  # fmt: skip
async def act(request: Request, caller: AlertWriter, id: UUID, action: ActionIn) -> AlertOut:
    """Record what was done."""
    entry = {"what": "action", **action.model_dump(exclude_none=True)}
    return await _note(request, caller, id, entry, "in_progress")


@router.post("/alerts/{id}/close", summary="Close an alert", responses=CHANGES,
             dependencies=[Depends(json_only)])  # fmt: skip
async def close(request: Request, caller: AlertWriter, id: UUID, closing: ClosingIn) -> AlertOut:
    """Close the alert with its outcome."""
    entry = {"what": "closed", **closing.model_dump(exclude_none=True)}
    return await _note(request, caller, id, entry, "closed")


def _own(caller: Caller) -> Select[Any]:
    query = select(Alert.__table__)
    if caller.is_admin:
        return query
    if caller.practitioner is not None:
        return query.where(Alert.recipient == caller.practitioner)
    return query.where(Alert.agency == caller.agency)


async def _one(db: Any, caller: Caller, id: UUID) -> Mapping[str, Any]:
    row = (await db.execute(_own(caller).where(Alert.id == id).with_for_update())).first()
    if row is None:
        raise NotFound("There is no such alert of the caller's.")
    return dict(row._mapping)


async def _note(
    request: Request, caller: Caller, id: UUID, entry: dict[str, Any], status: str
) -> AlertOut:
    async with request.app.state.database.transaction() as db:
        row = dict(await _one(db, caller, id))
        if row["status"] == "closed":
            raise Conflict("The alert is closed; nothing can be added to it.")
        if not (status == "acknowledged" and _is_acknowledged(row["history"])):
            told = {"at": utc_now().isoformat(), "by": caller.subject, **entry}
            row["history"] = [*row["history"], told]
            row["status"] = _status_after(row["status"], status)
            values = {name: row[name] for name in ("history", "status")}
            await db.execute(update(Alert).where(Alert.id == id).values(values))
    return alert_of(row)


def _is_acknowledged(history: Sequence[Mapping[str, Any]]) -> bool:
    # Of what was done before it last rang, nothing says that it is in hand now.
    for past in reversed(history):
        if past["what"] in {"alert.raised", "acknowledged"}:
            return bool(past["what"] == "acknowledged")
    return False


def _status_after(held: str, wanted: str) -> str:
    if wanted == "closed" or held == "raised":
        return wanted
    return held if wanted == "acknowledged" or held in {"cleared", "withdrawn"} else wanted


def alert_of(row: Mapping[str, Any]) -> AlertOut:
    """Return an alert's row as its recipient sees it."""
    kept = {name: row[name] for name in ("id", "bell", "kind", "status", "raised_at", "history")}
    shown = {name: value for name, value in row["shown"].items() if name not in {"alert", *kept}}
    return AlertOut(**kept, **shown)
