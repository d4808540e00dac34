"""Webhook endpoints, in the form of Standard Webhooks: each recipient's own to manage."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import insert, select, update

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
from services.notify import store
from services.notify.api import addresses
from services.notify.api.access import EndpointWriter
from services.notify.api.deliveries import CHALLENGE, DeliveryOut, delivery_of
from services.notify.api.owning import is_own, must_be_open, must_own, own
from services.notify.api.parts import wrong
from services.notify.secrets import new_secret
from services.notify.tables import Agency, Delivery, Endpoint, Practitioner
from services.notify.telling import delivery
from services.notify.vocabulary import Name

router = APIRouter(tags=["endpoints"])
CHALLENGE_HOURS = 24
SHOWN = (
    "id", "practitioner", "agency", "url", "thin", "verified_at", "paused_at", "disabled_at",
)  # fmt: skip


class EndpointIn(BaseModel):
    """Where to reach a practitioner, or an agency's system: one of the two."""

    model_config = ConfigDict(extra="forbid")

    practitioner: Name | None = None
    agency: Name | None = None
    url: str = Field(max_length=2000, examples=["https://cases.example.org/firstbell"])
    thin: bool = Field(False, description="Send ids alone: what they are about is to be fetched.")


class EndpointOut(BaseModel):
    """An endpoint; `secret` is shown once."""

    id: UUID
    practitioner: str | None
    agency: str | None
    url: str
    thin: bool = False
    secret: str | None = None
    verified_at: datetime | None = Field(
        None, description="When its owner proved to receive there."
    )
    disabled_at: datetime | None = Field(
        None, description="When its receiver said that it is gone."
    )
    paused_at: datetime | None = Field(None, description="Since when its messages wait.")


class Challenge(BaseModel):
    """What an `endpoint.challenge` message said."""

    model_config = ConfigDict(extra="forbid")

    challenge: str = Field(max_length=100)


@router.post(
    "/endpoints", status_code=201, summary="Add an endpoint", dependencies=[Depends(json_only)],
    responses=documented(TooLarge, UnsupportedMediaType),
)  # fmt: skip
async def post_endpoint(
    request: Request, caller: EndpointWriter, endpoint: EndpointIn
) -> EndpointOut:
    """Add an endpoint and return its secret, which is shown this once."""
    must_own(caller, endpoint.practitioner, endpoint.agency)
    state = request.app.state
    private_too = state.settings.allow_private_endpoints
    await addresses.check(endpoint.url, state.lookup, private_too=private_too)
    secret = new_secret()
    row = {"id": uuid4(), **endpoint.model_dump()}
    async with request.app.state.database.transaction() as db:
        table: Any = Practitioner if endpoint.practitioner else Agency
        if await store.row_of(db, table, endpoint.practitioner or endpoint.agency) is None:
            raise wrong(["body"], "no such practitioner or agency: set it first")
        sealed = state.vault.seal(secret)
        values = {"secret": sealed, "must_verify": state.settings.verify_endpoints}
        await db.execute(insert(Endpoint).values(**values, **row))
    return EndpointOut(secret=secret, **row)


@router.get("/endpoints", summary="List endpoints", responses=documented())
async def get_endpoints(
    request: Request, caller: EndpointWriter, limit: Limit = 100, cursor: Cursor = None
) -> Page[EndpointOut]:
    """Return the caller's own endpoints, without their secrets."""
    query = select(*(getattr(Endpoint, name) for name in SHOWN)).order_by(Endpoint.id)
    if not caller.is_admin:
        query = query.where(is_own(caller))
    place = after(cursor, tuple[UUID])
    if place is not None:
        query = query.where(Endpoint.id > place[0])
    async with request.app.state.database.reading() as db:
        rows = [row._asdict() for row in await db.execute(query.limit(limit + 1))]
    more = cursor_of(rows[limit - 1]["id"]) if rows[limit:] else None
    return Page(items=[EndpointOut(**row) for row in rows[:limit]], next=more)


@router.get("/endpoints/{id}", summary="Read an endpoint", responses=documented(NotFound))
async def get_endpoint(request: Request, caller: EndpointWriter, id: UUID) -> EndpointOut:
    """Return one of the caller's own endpoints, without its secret."""
    async with request.app.state.database.reading() as db:
        return _shown(await own(db, caller, id))


@router.post("/endpoints/{id}/rotate-secret", summary="Rotate the secret",
             responses=documented(NotFound))  # fmt: skip
async def rotate_secret(
    request: Request,
    caller: EndpointWriter,
    id: UUID,
    overlap_hours: Annotated[int, Query(ge=0, le=168)] = 24,
) -> EndpointOut:
    """Return a new secret; for some hours messages are signed with the old one too."""
    secret = new_secret()
    async with request.app.state.database.transaction() as db:
        row = await own(db, caller, id)
        values = {
            "secret": request.app.state.vault.seal(secret),
            "old_secret": row.secret,
            "old_secret_until": utc_now() + timedelta(hours=overlap_hours),
        }
        await db.execute(update(Endpoint).where(Endpoint.id == id).values(values))
    return _shown(row, secret=secret)


@router.post("/endpoints/{id}/test", status_code=202, summary="Send a test message",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def post_test(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send an `endpoint.test` message, without any child's data."""
    return await _send(request, caller, id, "endpoint.test", {})


@router.post("/endpoints/{id}/challenge", status_code=202, summary="Send a challenge",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def post_challenge(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send an `endpoint.challenge` message, whose `data.challenge` verifies the endpoint.

    It holds for 24 hours; a newer one takes its place.
    """
    challenge = secrets.token_urlsafe(24)
    values = {
        "challenge": _hash(challenge),
        "challenge_until": utc_now() + timedelta(hours=CHALLENGE_HOURS),
    }
    return await _send(request, caller, id, CHALLENGE, {"challenge": challenge}, values)


@router.post("/endpoints/{id}/verify", summary="Verify an endpoint",
             dependencies=[Depends(json_only)],
             responses=documented(NotFound, Conflict, TooLarge, UnsupportedMediaType))  # fmt: skip
async def verify(
    request: Request, caller: EndpointWriter, id: UUID, told: Challenge
) -> EndpointOut:
    """Verify an endpoint by what its last challenge said: who owns it receives there."""
    async with request.app.state.database.transaction() as db:
        row = await own(db, caller, id)
        if not (row.challenge and hmac.compare_digest(row.challenge, _hash(told.challenge))):
            raise Conflict("That is not what the endpoint's last challenge says.")
        if row.challenge_until < utc_now():
            raise Conflict("The challenge is too old: have another one sent.")
        values = {"verified_at": utc_now(), "challenge": None, "challenge_until": None}
        await db.execute(update(Endpoint).where(Endpoint.id == id).values(values))
    return _shown(row, verified_at=values["verified_at"])


@router.post("/endpoints/{id}/pause", summary="Pause an endpoint",
             responses=documented(NotFound))  # fmt: skip
async def pause(request: Request, caller: EndpointWriter, id: UUID) -> EndpointOut:
    """Let the endpoint's messages wait. They still end after seven days, and that is told."""
    return await _set_paused(request, caller, id, utc_now())


@router.post("/endpoints/{id}/resume", summary="Resume an endpoint",
             responses=documented(NotFound))  # fmt: skip
async def resume(request: Request, caller: EndpointWriter, id: UUID) -> EndpointOut:
    """Send the endpoint's messages again, those first that have waited."""
    return await _set_paused(request, caller, id, None)


async def _set_paused(
    request: Request, caller: Caller, id: UUID, at: datetime | None
) -> EndpointOut:
    async with request.app.state.database.transaction() as db:
        row = await own(db, caller, id)
        await db.execute(update(Endpoint).where(Endpoint.id == id).values(paused_at=at))
    request.app.state.sender.wake()
    return _shown(row, paused_at=at)


async def _send(
    request: Request,
    caller: Caller,
    id: UUID,
    type_: str,
    more: dict[str, str],
    values: Mapping[str, Any] | None = None,
) -> DeliveryOut:
    now = utc_now()
    data = {"endpoint": str(id), **more}
    message = {"type": type_, "timestamp": now.isoformat(), "data": data}
    async with request.app.state.database.transaction() as db:
        must_be_open(await own(db, caller, id))
        if values:
            await db.execute(update(Endpoint).where(Endpoint.id == id).values(values))
        row = delivery(id, None, message, now, "test", uuid4())
        await store.add_deliveries(db, [row])
        made = (await db.execute(select(Delivery.__table__).where(Delivery.id == row["id"]))).one()
    request.app.state.sender.wake()
    return delivery_of(made._mapping)


def _shown(row: Any, **changed: Any) -> EndpointOut:
    return EndpointOut(**{name: getattr(row, name) for name in SHOWN} | changed)


def _hash(challenge: str) -> str:
    return hashlib.sha256(challenge.encode()).hexdigest()
