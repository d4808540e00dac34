"""What was sent to an endpoint, what each attempt came to, and sending it again."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Row, select, update

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
from services.notify import retelling
from services.notify.api.access import EndpointWriter
from services.notify.api.owning import must_be_open, own
from services.notify.channels.wording import CHALLENGE
from services.notify.tables import Delivery

router = APIRouter(tags=["endpoints"])
State = Literal["pending", "delivered", "dead"]


class DeliveryOut(BaseModel):
    """One message to the endpoint."""

    id: UUID = Field(description="Its `webhook-id`.")
    type: str
    state: State
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    last_outcome: str | None
    sequence: int | None = Field(
        description="From 1 without a gap among the endpoint's messages; also in the signed body."
    )
    last_status: int | None = Field(
        description="What the receiver answered last, in HTTP's numbers, by e-mail in SMTP's."
    )
    last_took_ms: int | None
    last_attempt_at: datetime | None


class AttemptOut(BaseModel):
    """One attempt at a message."""

    at: datetime
    status: int | None = Field(description="What the receiver answered; null: nothing.")
    fault: str | None = Field(description="Why there was no answer.")
    took_ms: int


class DeliveryLog(DeliveryOut):
    """One message with every attempt at it."""

    log: list[AttemptOut]
    body: dict[str, Any] | None = Field(
        description="What was delivered, as far as its recipient may see it now. Null: not "
        "delivered, not to be seen any more, or the token has no `alerts:read`."
    )


def _no_number(value: Any) -> Any:
    # Pydantic would take a number for seconds since 1970, which the document does not say.
    if not isinstance(value, str):
        raise ValueError("an instant, as text")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_no_number)]


class Since(BaseModel):
    """Which of an endpoint's messages to send again."""

    model_config = ConfigDict(extra="forbid")

    since: Instant = Field(description="Those made at that time or later.")
    state: Literal["dead", "delivered", "all"] = Field(
        "dead", description="Those that ended undelivered, those that were delivered, or both."
    )


class Replayed(BaseModel):
    """How many messages are sent again."""

    messages: int


@router.get("/endpoints/{id}/deliveries", summary="List deliveries",
            responses=documented(NotFound))  # fmt: skip
async def get_deliveries(
    request: Request,
    caller: EndpointWriter,
    id: UUID,
    limit: Limit = 100,
    cursor: Cursor = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
) -> Page[DeliveryOut]:
    """Return the endpoint's messages, newest first, with what the last attempt came to."""
    query = select(Delivery.__table__).where(Delivery.endpoint == id)
    if state is not None:
        query = query.where(Delivery.state == state)
    place = after(cursor, tuple[int])
    if place is not None:
        query = query.where(Delivery.number < place[0])
    async with request.app.state.database.reading() as db:
        await own(db, caller, id)
        found = await db.execute(query.order_by(Delivery.number.desc()).limit(limit + 1))
        rows = [dict(row._mapping) for row in found]
    more = cursor_of(rows[limit - 1]["number"]) if rows[limit:] else None
    return Page(items=[delivery_of(row) for row in rows[:limit]], next=more)


@router.get("/deliveries/{id}", summary="Read a delivery's log", responses=documented(NotFound))
async def get_delivery(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryLog:
    """Return a message: each attempt, its answer and how long that took, and when it is next."""
    async with request.app.state.database.reading() as db:
        row, _ = await _message(db, caller, id)
        body = await _body(db, caller, row, request.app.state.notifier)
    return DeliveryLog(
        **delivery_of(dict(row._mapping)).model_dump(), log=row.log, body=body and json.loads(body)
    )


@router.post("/deliveries/{id}/replay", status_code=202, summary="Send a message again",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def replay(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send a message again, under the same `webhook-id`."""
    values = _again()
    async with request.app.state.database.transaction() as db:
        row, endpoint = await _message(db, caller, id)
        must_be_open(endpoint)
        await db.execute(update(Delivery).where(Delivery.id == id).values(values))
    request.app.state.sender.wake()
    return delivery_of({**row._mapping, **values})


@router.post("/endpoints/{id}/replay", status_code=202, summary="Send messages again",
             dependencies=[Depends(json_only)],
             responses=documented(NotFound, Conflict, TooLarge, UnsupportedMediaType))  # fmt: skip
async def replay_since(
    request: Request, caller: EndpointWriter, id: UUID, which: Since
) -> Replayed:
    """Send an endpoint's messages since a time again, each under its own `webhook-id`."""
    states = ["dead", "delivered"] if which.state == "all" else [which.state]
    query = update(Delivery).where(
        Delivery.endpoint == id, Delivery.created_at >= which.since, Delivery.state.in_(states)
    )
    async with request.app.state.database.transaction() as db:
        must_be_open(await own(db, caller, id))
        replayed = await db.execute(query.values(_again()))
    request.app.state.sender.wake()
    return Replayed(messages=replayed.rowcount)


def _again() -> dict[str, Any]:
    now = utc_now()
    again = {"state": "pending", "leased_until": None, "receipt": None}
    return {**again, "next_attempt_at": now, "pending_since": now}


async def _message(db: Any, caller: Caller, id: UUID) -> tuple[Row[Any], Any]:
    """Return a message of the caller's, and its endpoint."""
    row: Row[Any] | None = (
        await db.execute(select(Delivery.__table__).where(Delivery.id == id))
    ).first()
    endpoint = await own(db, caller, row and row.endpoint)
    assert row is not None  # own() has refused that
    return row, endpoint


async def _body(db: Any, caller: Caller, row: Row[Any], notifier: Any) -> str | None:
    may_read = caller.is_admin or "alerts:read" in caller.scopes
    # What was never delivered was never disclosed: it is read as an alert, which is recorded. What
    # a challenge says is known to who receives it alone.
    if not may_read or row.state != "delivered" or row.type == CHALLENGE:
        return None
    changes = await retelling.changes(db, notifier.rules, notifier.now(), [row])
    change = changes.get(row.number, {})
    return None if "state" in change else change.get("body", row.body)


def delivery_of(row: Mapping[str, Any]) -> DeliveryOut:
    """Return a message's row as the endpoint's owner sees it."""
    pending = row["state"] == "pending"
    fields = {name: row[name] for name in DeliveryOut.model_fields if name != "next_attempt_at"}
    return DeliveryOut(next_attempt_at=row["next_attempt_at"] if pending else None, **fields)
