"""A child's record: all that notify holds, and what it has shared (subject access)."""

import json
from collections.abc import Collection, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.identifiers import Upn
from libs.common.problems import documented
from services.notify import ledger, store
from services.notify.api.access import RecordReader
from services.notify.api.alerts import AlertOut, alert_of
from services.notify.api.deliveries import DeliveryOut, delivery_of
from services.notify.api.disclosures import DisclosureOut, disclosure_of
from services.notify.involving import InvolvementBody
from services.notify.messages import DIGEST, parts_of, with_parts
from services.notify.tables import (
    Alert,
    Approval,
    Child,
    Delivery,
    Disclosure,
    DisclosureContent,
    FollowUp,
    Restrictions,
    Silence,
    StoredBell,
)

router = APIRouter(tags=["records"])


class RollEntry(BaseModel):
    """What a school's roll says of the child."""

    urn: str
    pupil: dict[str, Any]


class HeldAlert(BaseModel):
    """An alert, and whose it is."""

    recipient: str
    alert: AlertOut


class HeldDelivery(BaseModel):
    """A message about the child, where it went, and what it said."""

    delivery: DeliveryOut
    endpoint: UUID
    body: dict[str, Any]


class Record(BaseModel):
    """All that is held about a child."""

    upn: str
    rolls: list[RollEntry]
    involvements: list[InvolvementBody]
    bells: list[dict[str, Any]] = Field(description="As `GET /risk/v1/bells` has them.")
    alerts: list[HeldAlert]
    disclosures: list[DisclosureOut]
    restrictions: list[dict[str, Any]] = Field(description="What keeps parts of it from somebody.")
    approvals: list[dict[str, Any]] = Field(description="Disclosures that waited for somebody.")
    deliveries: list[HeldDelivery]
    follow_ups: list[dict[str, Any]] = Field(
        description="How attendance went on after bells: sessions, 20 school days each way."
    )
    silences: list[dict[str, Any]] = Field(
        description="Kinds of which a practitioner wanted no messages about the child, and why."
    )


@router.get("/children/{upn}/record", summary="Read all that is held about a child",
            responses=documented())  # fmt: skip
async def get_record(request: Request, _: RecordReader, upn: Annotated[Upn, Path()]) -> Record:
    """Return what is held and what was shared about a child, e.g. for a subject access request.

    Empty lists say that nothing is held.
    """
    async with request.app.state.database.reading() as db:
        return await record_of(db, upn)


async def record_of(db: AsyncConnection, upn: str) -> Record:
    """Read all that notify holds about a child."""
    involvements = (await store.involvements_of(db, upn))[1]
    rolls = await _rows(db, Child, upn, Child.urn)
    bells = await _rows(db, StoredBell, upn, StoredBell.id)
    alerts = await _rows(db, Alert, upn, Alert.raised_at, Alert.id)
    told = ledger.entries().where(DisclosureContent.upn == upn).order_by(Disclosure.sequence)
    deliveries = await _rows(db, Delivery, upn, Delivery.number)
    digests = await _digests(db, {str(row.id) for row in bells})
    restricted = await _rows(db, Restrictions, upn)
    approvals = await _rows(db, Approval, upn, Approval.requested_at)
    followed = await _rows(db, FollowUp, upn, FollowUp.bell)
    silences = await _rows(db, Silence, upn, Silence.created_at, Silence.id)
    return Record(
        upn=upn,
        rolls=[RollEntry(urn=row.urn, pupil=row.pupil) for row in rolls],
        involvements=[InvolvementBody.model_validate(one) for one in involvements],
        bells=[row.bell for row in bells],
        alerts=[HeldAlert(recipient=r.recipient, alert=alert_of(dict(r._mapping))) for r in alerts],
        disclosures=[disclosure_of(row) for row in await db.execute(told)],
        restrictions=[one for row in restricted for one in row.restrictions],
        approvals=[dict(row._mapping) for row in approvals],
        deliveries=[_held(row) for row in deliveries] + digests,
        follow_ups=[dict(row._mapping) for row in followed],
        silences=[dict(row._mapping) for row in silences],
    )


async def _rows(db: AsyncConnection, table: Any, upn: str, *order: Any) -> Sequence[Row[Any]]:
    return (
        await db.execute(select(table.__table__).where(table.upn == upn).order_by(*order))
    ).all()


async def _digests(db: AsyncConnection, bells: Collection[str]) -> list[HeldDelivery]:
    """Return the digests that told of these bells, with nothing of other children."""
    query = select(Delivery.__table__).where(Delivery.type == DIGEST, Delivery.upn.is_(None))
    found = []
    for row in await db.execute(query.order_by(Delivery.number)) if bells else ():
        message = json.loads(row.body)
        parts = [part for part in parts_of(message) if part["bell"] in bells]
        if parts:
            held = _held(row)
            found.append(held.model_copy(update={"body": with_parts(message, parts)}))
    return found


def _held(row: Row[Any]) -> HeldDelivery:
    message = delivery_of(dict(row._mapping))
    return HeldDelivery(delivery=message, endpoint=row.endpoint, body=json.loads(row.body))
