"""Alerts: the caller's own, as the caller may see them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Select, select, tuple_, update

from libs.common.auth import Caller
from libs.common.problems import (
    Conflict,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.service import Cursor, Limit, Page, after, cursor_of, json_only
from services.notify import judging, reading
from services.notify.api.access import AlertReader, AlertWriter
from services.notify.reading import Seen
from services.notify.tables import Alert, Held

router = APIRouter(tags=["alerts"])
Note = Annotated[str | None, Field(max_length=2000, pattern=r"^[^\x00]*$")]
NOT_FOUND = "There is no such alert of the caller's."
CHANGES = documented(NotFound, Conflict, TooLarge, UnsupportedMediaType)


class HeldOut(BaseModel):
    """That no message has told of the alert yet."""

    why: str = Field(description="silenced, inhibited, digest, limit, morning or together.")
    since: datetime
    until: datetime | None = Field(description="None: until the bell that holds it back is over.")


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
    thread: UUID | None = Field(None, description="The same for all of one's alerts on a child.")
    history: list[dict[str, Any]]
    approvals: list[dict[str, Any]] | None = Field(
        None, description="What of this bell waits, or waited, for the recipient's approval."
    )
    route: dict[str, Any] | None = Field(
        None, description="Why it is told here, how soon, by which means, and who is next."
    )
    held: HeldOut | None = Field(None, description="Why its recipient was sent no message of it.")


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


def _which(
    status: Annotated[str | None, Query(max_length=20, pattern=r"^[a-z_]*$")] = None,
    kind: Annotated[str | None, Query(max_length=40, pattern=r"^[a-z-]*$")] = None,
    thread: UUID | None = None,
    held: Annotated[bool | None, Query(description="Those held back, or those not.")] = None,
) -> list[ColumnElement[bool]]:
    asked = {Alert.status: status, Alert.kind: kind, Alert.thread: thread}
    found = [column == value for column, value in asked.items() if value is not None]
    if held is not None:
        found.append(Held.alert.is_not(None) if held else Held.alert.is_(None))
    return found


@router.get("/alerts", summary="List alerts, newest first", responses=documented())
async def get_alerts(
    request: Request,
    caller: AlertReader,
    which: Annotated[list[ColumnElement[bool]], Depends(_which)],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AlertOut]:
    """Return the caller's own alerts: a practitioner's, or those of an agency's practitioners.

    Each is decided again as it is read, and one that its recipient may see no more is left out: a
    page can hold fewer alerts than `limit` while there is a next one.
    """
    query = _own(caller).where(*which).order_by(Alert.raised_at.desc(), Alert.id.desc())
    place = after(cursor, tuple[datetime, UUID])
    if place is not None:
        query = query.where(tuple_(Alert.raised_at, Alert.id) < tuple_(*place))
    async with request.app.state.database.reading() as db:
        rows = [row._mapping for row in await db.execute(query.limit(limit + 1))]
    last = rows[limit - 1] if rows[limit:] else None
    more = cursor_of(last["raised_at"], last["id"]) if last else None
    seen = await _read(request, caller, rows[:limit])
    return Page(items=[alert_of(row) for row in seen], next=more)


@router.get("/alerts/{id}", summary="Read an alert", responses=documented(NotFound))
async def get_alert(request: Request, caller: AlertReader, id: UUID) -> AlertOut:
    """Return one of the caller's own alerts, decided again; anybody else's is not found."""
    async with request.app.state.database.reading() as db:
        row = (await db.execute(_own(caller).where(Alert.id == id))).first()
    seen = await _read(request, caller, [row._mapping] if row else [])
    if not seen:
        raise NotFound(NOT_FOUND)
    return alert_of(seen[0])


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
    """Close the alert with its outcome; that it was a false bell, or none, counts for its rule."""
    entry = {"what": "closed", **closing.model_dump(exclude_none=True)}
    closed = await _note(request, caller, id, entry, "closed")
    request.app.state.relay.wake()
    return closed


def _own(caller: Caller) -> Select[Any]:
    query = select(
        Alert.__table__, Held.why, Held.since.label("held_since"), Held.due_at
    ).outerjoin(Held, Held.alert == Alert.id)
    if caller.is_admin:
        return query
    if caller.practitioner is not None:
        return query.where(Alert.recipient == caller.practitioner)
    return query.where(Alert.agency == caller.agency)


async def _read(
    request: Request, caller: Caller, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    state = request.app.state
    rules, now = state.notifier.rules, state.notifier.now()
    return await reading.read_and_record(state.database, caller, rows, rules, now)


async def own_seen(
    db: Any, request: Request, caller: Caller, id: UUID, *, lock: bool = True
) -> Seen:
    """Return one of the caller's own alerts, locked if asked, as it may be seen now.

    Raises:
        NotFound: it is none of theirs, or may be seen no more.
    """
    query = _own(caller).where(Alert.id == id)
    row = (await db.execute(query.with_for_update(of=Alert.__table__) if lock else query)).first()
    notifier = request.app.state.notifier
    rows = [row._mapping] if row else []
    for seen in await reading.as_seen_now(db, rows, notifier.rules, notifier.now()):
        return seen
    raise NotFound(NOT_FOUND)


async def answer_with(db: Any, request: Request, caller: Caller, seen: Seen) -> AlertOut:
    """Return an alert as it is seen now; the read is recorded."""
    notifier, reader = request.app.state.notifier, reading.reader_of(caller)
    new = await reading.unrecorded(db, [seen], reader, notifier.now())
    await reading.record_reads(db, new, reader, notifier.rules.version, notifier.now())
    return alert_of(seen.row)


async def _note(
    request: Request, caller: Caller, id: UUID, entry: dict[str, Any], status: str
) -> AlertOut:
    async with request.app.state.database.transaction() as db:
        seen = await own_seen(db, request, caller, id)
        row = seen.row
        if row["status"] == "closed":
            raise Conflict("The alert is closed; nothing can be added to it.")
        if not (status == "acknowledged" and _is_acknowledged(row["history"])):
            told = {
                "at": request.app.state.notifier.now().isoformat(),
                "by": caller.subject,
                **entry,
            }
            row["history"] = [*row["history"], told]
            row["status"] = _status_after(row["status"], status)
            values = {name: row[name] for name in ("history", "status")}
            await db.execute(update(Alert).where(Alert.id == id).values(values))
            if status == "closed":
                await judging.tell(db, row, request.app.state.notifier.now())
        return await answer_with(db, request, caller, seen)


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
    names = ("id", "bell", "kind", "status", "raised_at", "history", "route", "thread")
    kept = {name: row[name] for name in names}
    shown = {name: value for name, value in row["shown"].items() if name not in {"alert", *kept}}
    held = (
        HeldOut(why=row["why"], since=row["held_since"], until=row["due_at"])
        if row.get("why")
        else None
    )
    return AlertOut(**kept, **shown, held=held)
