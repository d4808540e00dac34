"""The dry run of a decision: who would see what of a bell, and why."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict

from libs.common.problems import NotFound, TooLarge, UnsupportedMediaType, documented
from libs.common.service import json_only
from services.notify import store
from services.notify.api.access import Decider
from services.notify.api.parts import Name
from services.notify.tables import StoredBell

router = APIRouter(tags=["sharing"])


class DecideIn(BaseModel):
    """Which bell, and for whom if not for everybody."""

    model_config = ConfigDict(extra="forbid")

    bell: UUID
    recipient: Name | None = None


class DecisionOut(BaseModel):
    """What one recipient would see, and why."""

    recipient: str
    role: str
    decision: Literal["shared", "withheld", "awaiting_approval"]
    fields: list[str]
    withheld: list[str]
    basis: list[str]
    policies: list[str]


class Decisions(BaseModel):
    """What everybody would see."""

    decisions: list[DecisionOut]


@router.post(
    "/sharing/decide", summary="Try out a decision", dependencies=[Depends(json_only)],
    responses=documented(NotFound, TooLarge, UnsupportedMediaType),
)  # fmt: skip
async def post_decide(request: Request, _: Decider, asked: DecideIn) -> Decisions:
    """Say who would see what of a bell today, and why. Nothing is sent or recorded."""
    async with request.app.state.database.reading() as db:
        row = await store.row_of(db, StoredBell, asked.bell)
        if row is None:
            raise NotFound("No such bell has come.")
        decided = await request.app.state.notifier.decide(db, row.bell)
    return Decisions(
        decisions=[
            DecisionOut(
                recipient=recipient.person.id,
                role=recipient.role,
                decision=decision.verdict,
                **decision._asdict(),
            )
            for recipient, decision, _ in decided
            if asked.recipient in {None, recipient.person.id}
        ]
    )
