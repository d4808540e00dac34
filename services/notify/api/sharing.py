"""The dry run of a decision: who would see what of a bell, and why."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from libs.common.problems import NotFound, TooLarge, UnsupportedMediaType, documented
from libs.common.service import json_only
from services.notify import store
from services.notify.api.access import Decider
from services.notify.deciding import Decided
from services.notify.sharing_rules import SharingRules
from services.notify.tables import StoredBell
from services.notify.vocabulary import FIELDS, Name

router = APIRouter(tags=["sharing"])


class DecideIn(BaseModel):
    """Which bell, and for whom if not for everybody."""

    model_config = ConfigDict(extra="forbid")

    bell: UUID
    recipient: Name | None = None


class FieldOut(BaseModel):
    """What is decided about one field, and by which policies on which basis."""

    field: str
    decision: Literal["shared", "in_part", "withheld", "awaiting_approval"]
    policies: list[str] = Field(description="Those that permit it; if withheld, that forbid it.")
    basis: list[str]
    why: str


class DecisionOut(BaseModel):
    """What one recipient would see, and why."""

    recipient: str
    role: str
    decision: Literal["shared", "withheld", "awaiting_approval"]
    fields: list[str]
    withheld: list[str]
    basis: list[str]
    policies: list[str]
    awaiting: list[str] = Field(description="What a named person's approval would release.")
    approver: str | None = Field(description="That person's role.")
    reasons: list[FieldOut] = Field(description="Each field.")
    policy_version: str


class Decisions(BaseModel):
    """What everybody would see."""

    decisions: list[DecisionOut]


@router.post(
    "/sharing/decide", summary="Try out a decision", dependencies=[Depends(json_only)],
    responses=documented(NotFound, TooLarge, UnsupportedMediaType),
)  # fmt: skip
async def post_decide(request: Request, _: Decider, asked: DecideIn) -> Decisions:
    """Say who would see what of a bell today, and why. Nothing is sent or recorded.

    Deciding is the same as when the bell is told, but for who has been told before.
    """
    notifier = request.app.state.notifier
    rules = notifier.rules
    async with request.app.state.database.reading() as db:
        row = await store.row_of(db, StoredBell, asked.bell)
        if row is None:
            raise NotFound("No such bell has come.")
        decided = await notifier.decide(db, row.bell)
    return Decisions(
        decisions=[
            _decision(one, rules)
            for one in decided
            if asked.recipient in {None, one.recipient.person.id}
        ]
    )


def _decision(one: Decided, rules: SharingRules) -> DecisionOut:
    decision = one.decision
    names = ("fields", "withheld", "basis", "policies", "awaiting", "approver")
    return DecisionOut(
        recipient=one.recipient.person.id,
        role=one.recipient.role,
        decision=decision.verdict,
        reasons=[_reason(field, one, rules) for field in FIELDS],
        policy_version=rules.version,
        **{name: getattr(decision, name) for name in names},
    )


def _reason(field: str, one: Decided, rules: SharingRules) -> FieldOut:
    decision, annotations = one.decision, rules.policies.annotations
    found = decision.permitted_by.get(field) or decision.forbidden_by.get(field, ())
    if field in decision.awaiting:
        said, why = "awaiting_approval", f"permitted once a {decision.approver} has released it"
    elif field in one.cut:
        said, why = "in_part", "permitted; parts that tell withheld fields are left out"
    elif field in decision.fields:
        said, why = "shared", "permitted"
    elif decision.untold:
        kept = ", ".join(decision.untold)
        said, why = "withheld", f"an alert would give away what may not be seen: {kept}"
    else:
        said, why = "withheld", "forbidden" if found else "no policy permits it"
    basis = sorted({annotations[name]["basis"] for name in found})
    return FieldOut(field=field, decision=said, policies=list(found), basis=basis, why=why)
