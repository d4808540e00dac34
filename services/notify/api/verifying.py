"""Whether messages come to where an endpoint says: tests, and challenges that its owner answers."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select, update

from libs.common.auth import Caller
from libs.common.problems import (
    Conflict,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import utc_now
from libs.common.service import json_only
from services.notify import delivery_store
from services.notify.api.access import EndpointWriter
from services.notify.api.addresses import FORMS
from services.notify.api.deliveries import DeliveryOut, delivery_of
from services.notify.api.endpoint_forms import EndpointIn, EndpointOut, shown
from services.notify.api.owning import must_be_open, own
from services.notify.channels.wording import CHALLENGE
from services.notify.tables import Delivery, Endpoint
from services.notify.telling import delivery

router = APIRouter(tags=["endpoints"])
HOLDS = timedelta(hours=24)
AGAIN_AFTER = timedelta(minutes=1)
"""How long after a challenge by e-mail or text the next: whoever did not ask is not flooded."""
UNVERIFIED_MAX = 5
"""E-mail addresses and telephones of one owner that are not verified yet."""
CHARACTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Those that are not taken for one another when copied from a telephone."""


class Challenge(BaseModel):
    """What an `endpoint.challenge` message said."""

    model_config = ConfigDict(extra="forbid")

    challenge: str = Field(max_length=100, examples=["7KQ2-MXVB-94TD"])


@router.post("/endpoints/{id}/test", status_code=202, summary="Send a test message",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def post_test(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send an `endpoint.test` message, without any child's data.

    To an e-mail address or a telephone only after it is verified.
    """
    return await _send(request, caller, id, "endpoint.test", {})


@router.post("/endpoints/{id}/challenge", status_code=202, summary="Send a challenge",
             responses=documented(NotFound, Conflict))  # fmt: skip
async def post_challenge(request: Request, caller: EndpointWriter, id: UUID) -> DeliveryOut:
    """Send an `endpoint.challenge` message, whose `data.challenge` verifies the endpoint.

    An e-mail or a text says it as a code. It holds for 24 hours; a newer one takes its place, by
    e-mail or text a minute later at the earliest.
    """
    challenge = new_challenge()
    values = {"challenge": _hash(challenge), "challenge_until": utc_now() + HOLDS}
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
    return shown(row, verified_at=values["verified_at"])


async def must_not_be_many(db: Any, endpoint: EndpointIn) -> None:
    """Refuse a further e-mail address or telephone to who has several that are not verified.

    Raises:
        Conflict: they have.
    """
    owner = Endpoint.agency if endpoint.practitioner is None else Endpoint.practitioner
    query = select(func.count()).where(
        owner == (endpoint.practitioner or endpoint.agency),
        Endpoint.channel.in_(FORMS),
        Endpoint.verified_at.is_(None),
        Endpoint.disabled_at.is_(None),
    )
    if endpoint.channel in FORMS and await db.scalar(query) >= UNVERIFIED_MAX:
        raise Conflict(f"{UNVERIFIED_MAX} addresses are not verified yet: verify those first.")


def new_challenge() -> str:
    """Return twelve characters by chance, 58 bits: more than can be tried in the day it holds."""
    return "-".join("".join(secrets.choice(CHARACTERS) for _ in range(4)) for _ in range(3))


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
        endpoint = await own(db, caller, id)
        must_be_open(endpoint)
        if endpoint.channel in FORMS and endpoint.verified_at is None:
            _must_not_pester(endpoint, type_)
        if values:
            await db.execute(update(Endpoint).where(Endpoint.id == id).values(values))
        row = delivery(id, None, message, now, "test", uuid4())
        await delivery_store.add_deliveries(db, [row])
        made = (await db.execute(select(Delivery.__table__).where(Delivery.id == row["id"]))).one()
    request.app.state.sender.wake()
    return delivery_of(made._mapping)


def _must_not_pester(endpoint: Any, type_: str) -> None:
    if type_ != CHALLENGE:
        raise Conflict("The address is not verified yet: have a challenge sent, and answer it.")
    if endpoint.challenge_until and endpoint.challenge_until - HOLDS + AGAIN_AFTER > utc_now():
        raise Conflict("A challenge was sent less than a minute ago: wait before the next.")


def _hash(challenge: str) -> str:
    return hashlib.sha256(challenge.encode()).hexdigest()
