"""Preferences: how a practitioner wants to hear of what is not urgent."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import update

from libs.common import tenants
from libs.common.database import upsert
from libs.common.problems import NotFound, TooLarge, UnsupportedMediaType, documented
from libs.common.service import json_only
from services.notify import store
from services.notify.api.access import AlertReader, AlertWriter
from services.notify.api.parts import Id, must_be_theirs
from services.notify.tables import Held, Preferences

router = APIRouter(tags=["alerts"])
CHANGES = documented(NotFound, TooLarge, UnsupportedMediaType)


class PreferencesBody(BaseModel):
    """How somebody wants to hear. Urgent alerts come at once, whatever it says."""

    model_config = ConfigDict(extra="forbid", strict=True)

    digest: Literal["none", "daily", "weekly"] = Field(
        "none", description="Whether notices gather, and go out together."
    )
    hour: Annotated[int, Field(ge=0, le=23, description="Of a digest, in England.")] = 8
    weekday: Annotated[int, Field(ge=0, le=4, description="Of a weekly digest; Monday is 0.")] = 0
    most_a_day: Annotated[
        int | None,
        Field(ge=1, le=10_000, description="Beyond so many messages a day a digest takes over."),
    ] = None
    together: Literal["none", "family", "group"] = Field(
        "none", description="Whose alerts of the same ten minutes are one message."
    )


@router.put("/practitioners/{id}/preferences", summary="Set how a practitioner wants to hear",
            responses=CHANGES, dependencies=[Depends(json_only)])  # fmt: skip
async def put_preferences(
    request: Request, caller: AlertWriter, id: Id, wishes: PreferencesBody
) -> PreferencesBody:
    """Set it for oneself, for one's agency's practitioner, or as the operator.

    Who has set nothing hears of everything at once; who has, of warnings from eight to four on
    school days. What already waits for a digest goes out at the time that it was given, or within
    the minute if there is to be none.
    """
    async with request.app.state.database.reading() as db:
        await must_be_theirs(db, caller, id)
    # What is held is a practitioner's own row, and their agency may set what becomes of it.
    with tenants.everything():
        async with request.app.state.database.transaction() as db:
            await upsert(db, Preferences, [{"practitioner": id, **wishes.model_dump()}])
            if wishes.digest == "none":
                now = request.app.state.notifier.now()
                waits = (Held.recipient == id, Held.why == "digest")
                await db.execute(update(Held).where(*waits).values(due_at=now))
    return wishes


@router.get("/practitioners/{id}/preferences", summary="Read how a practitioner wants to hear",
            responses=documented(NotFound))  # fmt: skip
async def get_preferences(request: Request, caller: AlertReader, id: Id) -> PreferencesBody:
    """Return what was set last."""
    async with request.app.state.database.reading() as db:
        await must_be_theirs(db, caller, id)
        row = await store.row_of(db, Preferences, id)
    if row is None:
        raise NotFound("Nothing is set: everything is told at once.")
    return PreferencesBody(**{name: getattr(row, name) for name in PreferencesBody.model_fields})
