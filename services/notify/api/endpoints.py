"""Webhook endpoints, in the form of Standard Webhooks: each recipient's own to manage."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, false, insert, or_, select, update

from libs.common.auth import Caller
from libs.common.problems import (
    Conflict,
    Forbidden,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import utc_now
from libs.common.service import Cursor, Limit, Page, after, cursor_of, json_only
from services.notify import store
from services.notify.api import addresses
from services.notify.api.access import EndpointWriter
from services.notify.api.parts import wrong
from services.notify.secrets import new_secret
from services.notify.tables import Agency, Delivery, Endpoint, Practitioner
from services.notify.telling import delivery
from services.notify.vocabulary import Name

router = APIRouter(tags=["endpoints"])
OVERLAP = timedelta(hours=24)
"""How long the old secret signs as well after a rotation."""
SHOWN = ("id", "practitioner", "agency", "url", "disabled_at", "paused_at")


class EndpointIn(BaseModel):
    """Where to reach a practitioner, or an agency's system: one of the two."""

    model_config = ConfigDict(extra="forbid")

    practitioner: Name | None = None
    agency: Name | None = None
    url: str = Field(max_length=2000, examples=["https://cases.example.org/firstbell"])


class EndpointOut(BaseModel):
    """An endpoint; `secret` is shown once."""

    id: UUID
    practitioner: str | None
    agency: str | None
    url: str
    secret: str | None = None
    disabled_at: datetime | None = Field(
        None, description="When its receiver said that it is gone."
    )
    paused_at: datetime | None = Field(None, description="Since when its messages wait.")


class DeliveryOut(BaseModel):
    """One message to the endpoint."""

    id: UUID = Field(description="Its `webhook-id`.")
    type: str
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    last_outcome: str | None
    sequence: int | None = Field(
        description="From 1 without a gap among the endpoint's messages; also in the signed body."
    )
    last_status: int | None = Field(description="What the receiver answered last.")
    last_took_ms: int | None
    last_attempt_at: datetime | None


@router.post(
    "/endpoints", status_code=201, summary="Add an endpoint", dependencies=[Depends(json_only)],
    responses=documented(TooLarge, UnsupportedMediaType),
)  # fmt: skip
async def post_endpoint(
    request: Request, caller: EndpointWriter, endpoint: EndpointIn
) -> EndpointOut:
    """Add an endpoint and return its secret, which is shown this once."""
    _must_own(caller, endpoint.practitioner, endpoint.agency)
    state = request.app.state
    private_too = state.settings.allow_private_endpoints
    await addresses.check(endpoint.url, state.lookup, private_too=private_too)
    secret = new_secret()
    row = {"id": uuid4(), **endpoint.model_dump()}
    async with request.app.state.database.transaction() as db:
        table: Any = Practitioner if endpoint.practitioner else Agency
        if await store.row_of(db, table, endpoint.practitioner or endpoint.agency) is None:
            raise wrong(["body"], "no such practitioner or agency: set it first")
        sealed = request.app.state.vault.seal(secret)
        await db.execute(insert(Endpoint).values(secret=sealed, **row))
    return EndpointOut(secret=secret, **row)


@router.get("/endpoints", summary="List endpoints", responses=documented())
async def get_endpoints(
    request: Request, caller: EndpointWriter, limit: Limit = 100, cursor: Cursor = None
) -> Page[EndpointOut]:
    """Return the caller's own endpoints, without their secrets."""
    query = select(*(getattr(Endpoint, name) for name in SHOWN)).order_by(Endpoint.id)
    if not caller.is_admin:
        query = query.where(_is_own(caller))
    place = after(cursor, tuple[UUID])
    if place is not None:
        query = query.where(Endpoint.id > place[0])
    async with request.app.state.database.reading() as db:
        rows = [row._asdict() for row in await db.execute(query.limit(limit + 1))]
    more = cursor_of(rows[limit - 1]["id"]) if rows[limit:] else None
    return Page(items=[EndpointOut(**row) for row in rows[:limit]], next=more)


@router.post("/endpoints/{id}/rotate-secret", summary="Rotate the secret",
             responses=documented(NotFound))  # fmt: skip
async def rotate_secret(request: Request, caller: EndpointWriter, id: UUID) -> EndpointOut:
    """Return a new secret; for 24 hours messages are signed with the old one too."""
    secret = new_secret()
    async with request.app.state.database.transaction() as db:
        row = await _own(db, caller, id)
        values = {
            "secret": request.app.state.vault.seal(secret),
            "old_secret": row.secret,
            "old_secret_until": utc_now() + OVERLAP,
        }
        await db.execute(update(Endpoint).where(Endpoint.id == id).values(values))
    return EndpointOut(secret=secret, **{name: getattr(row, name) for name in SHOWN})


@router.post("/endpoints/{id}/test", status_code=202, summary="Send a test message",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def post_test(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send an `endpoint.test` message, without any child's data."""
    now = utc_now()
    message = {"type": "endpoint.test", "timestamp": now.isoformat(), "data": {"endpoint": str(id)}}
    async with request.app.state.database.transaction() as db:
        _must_be_open(await _own(db, caller, id))
        row = delivery(id, None, message, now, "test", uuid4())
        await store.add_deliveries(db, [row])
        made = (await db.execute(select(Delivery.__table__).where(Delivery.id == row["id"]))).one()
    request.app.state.sender.wake()
    return delivery_of(made._mapping)


@router.get("/endpoints/{id}/deliveries", summary="List deliveries",
            responses=documented(NotFound))  # fmt: skip
async def get_deliveries(
    request: Request, caller: EndpointWriter, id: UUID, limit: Limit = 100, cursor: Cursor = None
) -> Page[DeliveryOut]:
    """Return the endpoint's messages, newest first, with what each attempt came to."""
    query = select(Delivery.__table__).where(Delivery.endpoint == id)
    place = after(cursor, tuple[int])
    if place is not None:
        query = query.where(Delivery.number < place[0])
    async with request.app.state.database.reading() as db:
        await _own(db, caller, id)
        found = await db.execute(query.order_by(Delivery.number.desc()).limit(limit + 1))
        rows = [dict(row._mapping) for row in found]
    more = cursor_of(rows[limit - 1]["number"]) if rows[limit:] else None
    return Page(items=[delivery_of(row) for row in rows[:limit]], next=more)


@router.post("/deliveries/{id}/replay", status_code=202, summary="Send a message again",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def replay(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send a message again, under the same `webhook-id`."""
    values = {"state": "pending", "next_attempt_at": utc_now()}
    async with request.app.state.database.transaction() as db:
        query = select(Delivery.__table__).where(Delivery.id == id)
        row = (await db.execute(query)).first()
        _must_be_open(await _own(db, caller, row and row.endpoint))
        await db.execute(update(Delivery).where(Delivery.id == id).values(values))
    request.app.state.sender.wake()
    return delivery_of({**row._mapping, **values})


def _owns(caller: Caller, practitioner: str | None, agency: str | None) -> bool:
    if caller.is_admin:
        return True
    return (practitioner is not None and caller.practitioner == practitioner) or (
        agency is not None and caller.agency == agency
    )


def _is_own(caller: Caller) -> ColumnElement[bool]:
    owners = ((Endpoint.practitioner, caller.practitioner), (Endpoint.agency, caller.agency))
    # Compared with None, a column would mean: everybody else's.
    return or_(false(), *(column == owner for column, owner in owners if owner is not None))


def _must_own(caller: Caller, practitioner: str | None, agency: str | None) -> None:
    if (practitioner is None) == (agency is None):
        raise wrong(["body"], "name a practitioner or an agency, one of the two")
    if not _owns(caller, practitioner, agency):
        raise Forbidden("The token manages its own practitioner's or agency's endpoints alone.")


async def _own(db: Any, caller: Caller, id: UUID | None) -> Any:
    row = await store.row_of(db, Endpoint, id)
    if row is None or not _owns(caller, row.practitioner, row.agency):
        raise NotFound("There is no such endpoint or delivery of the token's.")
    return row


def _must_be_open(endpoint: Any) -> None:
    if endpoint.disabled_at is not None:
        raise Conflict("The endpoint is disabled: its receiver answered 410. Add a new one.")


def delivery_of(row: Mapping[str, Any]) -> DeliveryOut:
    """Return a message's row as the endpoint's owner sees it."""
    pending = row["state"] == "pending"
    fields = {name: row[name] for name in DeliveryOut.model_fields if name != "next_attempt_at"}
    return DeliveryOut(next_attempt_at=row["next_attempt_at"] if pending else None, **fields)
