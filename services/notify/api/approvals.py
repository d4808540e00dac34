"""Approvals: a named person releases, or refuses, what of a bell waits for them."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from libs.common import tenants
from libs.common.auth import Caller
from libs.common.problems import Conflict, Forbidden, NotFound, TooLarge, documented
from services.notify import approvals
from services.notify.api.access import AlertWriter
from services.notify.api.alerts import AlertOut, answer_with, own_seen
from services.notify.approvals import Answer
from services.notify.reading import Seen, reader_of

router = APIRouter(tags=["alerts"])


class ApprovalIn(BaseModel):
    """What the named person says; a refusal needs its reason."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["release", "refuse"] = "release"
    reason: str | None = Field(None, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")

    @model_validator(mode="after")
    def _says_why(self) -> "ApprovalIn":
        if self.decision == "refuse" and self.reason is None:
            raise ValueError("a refusal needs a `reason`")
        return self


@router.post(
    "/alerts/{id}/approve",
    summary="Release or refuse what waits for an approval",
    responses=documented(NotFound, Conflict, TooLarge),
)
async def approve(
    request: Request,
    caller: AlertWriter,
    id: UUID,
    said: Annotated[ApprovalIn | None, Body()] = None,
) -> AlertOut:
    """Release what of the alert's bell waits for its recipient; without a body, all of it.

    What is released is decided again at that moment: a restriction, an involvement that has ended
    or a policy that has changed meanwhile still keeps it back.
    """
    _must_be_a_person(caller)
    said = said or ApprovalIn()
    # What is released is told to others: their alerts are written here, as the service's own work.
    with tenants.everything():
        told = await _answered(request, caller, id, said)
    request.app.state.sender.wake()
    return told


async def _answered(request: Request, caller: Caller, id: UUID, said: ApprovalIn) -> AlertOut:
    notifier = request.app.state.notifier
    async with request.app.state.database.transaction() as db:
        # All the bell's alerts are locked below, in one order: locked here, two would wait in turn.
        row = (await own_seen(db, request, caller, id, lock=False)).row
        answer = Answer(said.decision == "release", reader_of(caller), said.reason)
        found = await approvals.answer(
            db, notifier.rules, row["bell"], row["recipient"], answer, notifier.now()
        )
        if not found:
            raise Conflict("Nothing of this alert's bell waits for its recipient's approval.")
        seen: Seen = await own_seen(db, request, caller, id)
        return await answer_with(db, request, caller, seen)


def _must_be_a_person(caller: Caller) -> None:
    if caller.practitioner is None and not caller.is_admin:
        raise Forbidden("An approval is a named person's to give: use a practitioner's token.")
