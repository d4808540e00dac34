"""Endpoints: where recipients are reached, each one's own to manage."""

from datetime import datetime, timedelta
from typing import Annotated, Any, get_args
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request
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
from services.notify.api.access import EndpointWriter
from services.notify.api.addresses import FORMS, address_of
from services.notify.api.endpoint_forms import SHOWN, EndpointIn, EndpointOut, shown
from services.notify.api.owning import is_own, must_own, own
from services.notify.api.parts import wrong
from services.notify.api.verifying import must_not_be_many
from services.notify.secrets import new_secret
from services.notify.tables import Agency, Endpoint, Practitioner
from services.notify.vocabulary import ChannelKind

router = APIRouter(tags=["endpoints"])


@router.post(
    "/endpoints", status_code=201, summary="Add an endpoint", dependencies=[Depends(json_only)],
    responses=documented(Conflict, TooLarge, UnsupportedMediaType),
)  # fmt: skip
async def post_endpoint(
    request: Request, caller: EndpointWriter, endpoint: EndpointIn
) -> EndpointOut:
    """Add an endpoint and return it; a webhook's secret is shown this once.

    To an e-mail address or a telephone nothing but a challenge is sent before it is verified, and
    never anything but a link.
    """
    must_own(caller, endpoint.practitioner, endpoint.agency)
    row = await _row_of(endpoint, request.app.state)
    secret = new_secret() if endpoint.channel == "webhook" else None
    async with request.app.state.database.transaction() as db:
        table: Any = Practitioner if endpoint.practitioner else Agency
        if await store.row_of(db, table, endpoint.practitioner or endpoint.agency) is None:
            raise wrong(["body"], "no such practitioner or agency: set it first")
        await must_not_be_many(db, endpoint)
        sealed = secret and request.app.state.vault.seal(secret)
        await db.execute(insert(Endpoint).values(secret=sealed, **row))
        made = await store.row_of(db, Endpoint, row["id"])
    return shown(made, secret=secret)


async def _row_of(endpoint: EndpointIn, state: Any) -> dict[str, Any]:
    if endpoint.channel not in state.channels:
        here = " or ".join(kind for kind in get_args(ChannelKind) if kind in state.channels)
        raise wrong(["body", "channel"], f"what this installation has: {here}")
    private_too = state.settings.allow_private_endpoints
    address = await address_of(endpoint, state.lookup, private_too=private_too)
    reaches_a_person = endpoint.channel in FORMS
    asked = state.settings.verify_endpoints and endpoint.channel != "feed"
    return {
        "id": uuid4(),
        **endpoint.model_dump(include={"practitioner", "agency", "channel"}),
        "address": address,
        "thin": endpoint.thin or reaches_a_person,
        "must_verify": asked or reaches_a_person,
    }


@router.get("/endpoints", summary="List endpoints", responses=documented())
async def get_endpoints(
    request: Request, caller: EndpointWriter, limit: Limit = 100, cursor: Cursor = None
) -> Page[EndpointOut]:
    """Return the caller's own endpoints, without their secrets."""
    query = select(*(getattr(Endpoint, name).label(name) for name in SHOWN)).order_by(Endpoint.id)
    if not caller.is_admin:
        query = query.where(is_own(caller))
    place = after(cursor, tuple[UUID])
    if place is not None:
        query = query.where(Endpoint.id > place[0])
    async with request.app.state.database.reading() as db:
        rows = list(await db.execute(query.limit(limit + 1)))
    more = cursor_of(rows[limit - 1].id) if rows[limit:] else None
    return Page(items=[shown(row) for row in rows[:limit]], next=more)


@router.get("/endpoints/{id}", summary="Read an endpoint", responses=documented(NotFound))
async def get_endpoint(request: Request, caller: EndpointWriter, id: UUID) -> EndpointOut:
    """Return one of the caller's own endpoints, without its secret."""
    async with request.app.state.database.reading() as db:
        return shown(await own(db, caller, id))


@router.post("/endpoints/{id}/rotate-secret", summary="Rotate the secret",
             responses=documented(NotFound, Conflict))  # fmt: skip
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
        if row.secret is None:
            raise Conflict("The endpoint has no secret: webhooks alone are signed.")
        values = {
            "secret": request.app.state.vault.seal(secret),
            "old_secret": row.secret,
            "old_secret_until": utc_now() + timedelta(hours=overlap_hours),
        }
        await db.execute(update(Endpoint).where(Endpoint.id == id).values(values))
    return shown(row, secret=secret)


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
    return shown(row, paused_at=at)
