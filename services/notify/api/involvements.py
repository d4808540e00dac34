"""Who works with a child: set child by child, or sent as a file."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from libs.common.identifiers import Upn
from libs.common.problems import NotFound, TooLarge, UnsupportedMediaType, documented
from libs.common.service import json_only
from services.notify import directory_store, involvements_file, involving, store
from services.notify.api.access import DirectoryReader, DirectoryWriter, area_of, must_involve
from services.notify.api.parts import wrong
from services.notify.involving import INVOLVEMENTS_MAX, InvolvementBody

router = APIRouter(tags=["directory"])
TAKES_JSON = documented(TooLarge, UnsupportedMediaType)
CSV = {"text/csv": {"schema": {"type": "string"}}}


class InvolvementsBody(BaseModel):
    """Everybody who works with the child; who is left out no longer does."""

    model_config = ConfigDict(extra="forbid")

    involvements: list[InvolvementBody] = Field(max_length=INVOLVEMENTS_MAX)


class LineOut(BaseModel):
    """What became of a line."""

    line: int = Field(description="The line in the file, from 1; the header is line 1.")
    outcome: Literal["added", "changed", "unchanged", "rejected"]
    reason: str | None = None


class FileOut(BaseModel):
    """What became of a file."""

    added: int
    changed: int
    unchanged: int
    rejected: int
    lines: list[LineOut]


@router.put(
    "/children/{upn}/involvements", summary="Set who works with a child",
    dependencies=[Depends(json_only)], responses=TAKES_JSON,
)  # fmt: skip
async def put_involvements(
    request: Request, caller: DirectoryWriter, upn: Annotated[Upn, Path()], body: InvolvementsBody
) -> InvolvementsBody:
    """Set everybody who works with a child. It takes effect on the very next bell.

    An agency's token sets it for children who live in its authority's area, or attend a school that
    the authority serves; of a child of whom nothing is known yet, any authority's.
    """
    async with request.app.state.database.transaction() as db:
        await must_involve(db, caller, upn)
        known = await directory_store.known_ids(db, {o.practitioner for o in body.involvements})
        for n, one in enumerate(body.involvements):
            if one.practitioner not in known:
                raise wrong(["body", "involvements", n, "practitioner"], "set them first")
        await involving.involve(db, upn, body.involvements)
    request.app.state.relay.wake()
    return body


@router.get("/children/{upn}/involvements", summary="Read who works with a child",
            responses=documented(NotFound))  # fmt: skip
async def get_involvements(
    request: Request, caller: DirectoryReader, upn: Annotated[Upn, Path()]
) -> InvolvementsBody:
    """Return who works with a child, to those who may set it."""
    async with request.app.state.database.reading() as db:
        await must_involve(db, caller, upn)
        revision, held = await store.involvements_of(db, upn)
    if not revision:
        raise NotFound("Nobody has said who works with this child.")
    return InvolvementsBody.model_validate({"involvements": held})


@router.post(
    "/involvements.csv",
    summary="Send involvements as a file",
    responses=documented(TooLarge, UnsupportedMediaType),
    response_model_exclude_none=True,
    openapi_extra={"requestBody": {"required": True, "content": CSV}},
)
async def post_csv(request: Request, caller: DirectoryWriter) -> FileOut:
    """Take `upn,practitioner,role,footing,from,to[,at_once]`, one involvement a line.

    A line adds an involvement, or changes that of the same child, practitioner, role and `from`:
    give it a `to` to end it. Involvements that the file does not name stay. A bad line costs no
    other, and is told with its reason; so is a line about another authority's child.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise UnsupportedMediaType("Send the body as text/csv.")
    lines = involvements_file.read(await request.body())
    async with request.app.state.database.transaction() as db:
        area = await area_of(db, caller)
        taken = await involvements_file.take(db, lines, area)
    request.app.state.relay.wake()
    outcomes = [line.outcome for line in taken]
    counts = {name: outcomes.count(name) for name in ("added", "changed", "unchanged", "rejected")}
    told = [LineOut(line=one.number, outcome=one.outcome, reason=one.fault) for one in taken]
    return FileOut(**counts, lines=told)
