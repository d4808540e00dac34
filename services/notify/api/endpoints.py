"""Webhook endpoints, in the form of Standard Webhooks: each recipient's own to manage."""

import ipaddress
import socket
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, update

from libs.common.auth import Caller
from libs.common.problems import (
    Forbidden,
    InvalidRequest,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import utc_now
from libs.common.service import Cursor, Limit, Page, after, cursor_of, json_only
from services.notify import store
from services.notify.api.access import EndpointWriter
from services.notify.bells import delivery
from services.notify.secrets import new_secret
from services.notify.tables import Agency, Delivery, Endpoint, Practitioner

router = APIRouter(tags=["endpoints"])
OVERLAP = timedelta(hours=24)
"""How long the old secret signs as well after a rotation."""


class EndpointIn(BaseModel):
    """Where to reach a practitioner, or an agency's system: one of the two."""

    model_config = ConfigDict(extra="forbid")

    practitioner: str | None = Field(None, max_length=64)
    agency: str | None = Field(None, max_length=64)
    url: str = Field(max_length=2000, examples=["https://cases.example.org/firstbell"])


class EndpointOut(BaseModel):
    """An endpoint; `secret` is shown once."""

    id: UUID
    practitioner: str | None
    agency: str | None
    url: str
    secret: str | None = None


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


@router.post(
    "/endpoints", status_code=201, summary="Add an endpoint", dependencies=[Depends(json_only)],
    responses=documented(TooLarge, UnsupportedMediaType),
)  # fmt: skip
async def post_endpoint(
    request: Request, caller: EndpointWriter, endpoint: EndpointIn
) -> EndpointOut:
    """Add an endpoint and return its secret, which is shown this once."""
    _must_own(caller, endpoint.practitioner, endpoint.agency)
    if not request.app.state.settings.allow_private_endpoints:
        _must_be_public(endpoint.url)
    _must_be_http(endpoint.url)
    secret = new_secret()
    row = {"id": uuid4(), **endpoint.model_dump()}
    async with request.app.state.database.transaction() as db:
        table: Any = Practitioner if endpoint.practitioner else Agency
        if await store.row_of(db, table, endpoint.practitioner or endpoint.agency) is None:
            raise _wrong(["body"], "no such practitioner or agency: set it first")
        sealed = request.app.state.vault.seal(secret)
        await db.execute(insert(Endpoint).values(secret=sealed, **row))
    return EndpointOut(secret=secret, **row)


@router.get("/endpoints", summary="List endpoints", responses=documented())
async def get_endpoints(request: Request, caller: EndpointWriter) -> Page[EndpointOut]:
    """Return the caller's own endpoints, without their secrets."""
    query = select(Endpoint.id, Endpoint.practitioner, Endpoint.agency, Endpoint.url)
    async with request.app.state.database.reading() as db:
        rows = [row._asdict() for row in await db.execute(query.order_by(Endpoint.id))]
    own = [row for row in rows if _owns(caller, row["practitioner"], row["agency"])]
    return Page(items=[EndpointOut(**row) for row in own])


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
    kept = {name: getattr(row, name) for name in ("id", "practitioner", "agency", "url")}
    return EndpointOut(secret=secret, **kept)


@router.post("/endpoints/{id}/test", status_code=202, summary="Send a test message",
             responses=documented(NotFound))  # fmt: skip
async def post_test(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send an `endpoint.test` message, without any child's data."""
    now = utc_now()
    message = {"type": "endpoint.test", "timestamp": now.isoformat(), "data": {"endpoint": str(id)}}
    async with request.app.state.database.transaction() as db:
        await _own(db, caller, id)
        row = delivery(id, None, message, now, "test", uuid4())
        await store.add_deliveries(db, [row])
    request.app.state.sender.wake()
    return _out({**row, "delivered_at": None, "last_outcome": None})


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
    return Page(items=[_out(row) for row in rows[:limit]], next=more)


@router.post("/deliveries/{id}/replay", status_code=202, summary="Send a message again",
             responses=documented(NotFound))  # fmt: skip
async def replay(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send a message again, under the same `webhook-id`."""
    values = {"state": "pending", "next_attempt_at": utc_now()}
    async with request.app.state.database.transaction() as db:
        query = select(Delivery.__table__).where(Delivery.id == id)
        row = (await db.execute(query)).first()
        if row is None:
            raise NotFound("There is no such delivery to an endpoint of the token's.")
        await _own(db, caller, row.endpoint)
        await db.execute(update(Delivery).where(Delivery.id == id).values(values))
    request.app.state.sender.wake()
    return _out({**row._mapping, **values})


def _owns(caller: Caller, practitioner: str | None, agency: str | None) -> bool:
    if caller.is_admin:
        return True
    return (practitioner is not None and caller.practitioner == practitioner) or (
        agency is not None and caller.agency == agency
    )


def _must_own(caller: Caller, practitioner: str | None, agency: str | None) -> None:
    if (practitioner is None) == (agency is None):
        raise _wrong(["body"], "name a practitioner or an agency, one of the two")
    if not _owns(caller, practitioner, agency):
        raise Forbidden("The token manages its own practitioner's or agency's endpoints alone.")


async def _own(db: Any, caller: Caller, id: UUID) -> Any:
    row = await store.row_of(db, Endpoint, id)
    if row is None or not _owns(caller, row.practitioner, row.agency):
        raise NotFound("There is no such endpoint of the token's.")
    return row


def _must_be_http(url: str) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.username or any(c <= " " for c in url):
        raise _wrong(["body", "url"], "an http or https address without a user name")


def _must_be_public(url: str) -> None:
    # A first look, for a clear answer; the guard at every connection is what protects.
    host = urlsplit(url).hostname or "" if "://" in url else ""
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
        private = any(
            not ipaddress.ip_address(a.split("%")[0]).is_global for a in map(str, addresses)
        )
    except (OSError, ValueError):
        private = host in {"", "localhost"}
    if private:
        raise _wrong(["body", "url"], "a private address: webhooks go to public ones alone")


def _wrong(at: list[Any], why: str) -> InvalidRequest:
    detail = "1 part(s) of the request are wrong; correct them and send it again."
    return InvalidRequest(detail, errors=[{"at": at, "why": why}])


def _out(row: dict[str, Any]) -> DeliveryOut:
    pending = row["state"] == "pending"
    fields = {name: row[name] for name in DeliveryOut.model_fields if name != "next_attempt_at"}
    return DeliveryOut(next_attempt_at=row["next_attempt_at"] if pending else None, **fields)
