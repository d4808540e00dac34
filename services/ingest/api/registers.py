"""Routes of one register: send it, read it, read its history."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from urllib.request import parse_http_list

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel

from libs.common.identifiers import Urn
from libs.common.problems import (
    InvalidRequest,
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import Session
from libs.common.service import json_only
from services.ingest import store
from services.ingest.accept import Register, rejected_of
from services.ingest.api.parts import (
    Day,
    ReadsRegisters,
    Receipt,
    WritesRegisters,
    answered,
    body_of,
    check_day,
)
from services.ingest.body import RegisterIn, read_register
from services.ingest.held import code_text
from services.ingest.registers import sort_out
from services.ingest.store import Key

router = APIRouter(tags=["registers"])

EXAMPLE = {
    "group": "7A",
    "marks": [
        {"upn": "B801200005001", "code": "/"},
        {"upn": "H801200001001", "code": "L", "minutes_late": 12, "comment": "bus"},
    ],
}


class NotAllGood(InvalidRequest):
    """All or nothing was asked for, and not every mark is good."""

    headers: Mapping[str, str] = {"Preference-Applied": "handling=strict"}


class HeldMark(BaseModel):
    """One pupil's mark as it stands."""

    upn: str
    code: str
    minutes_late: int | None
    comment: str | None
    group: str | None


class HeldRegister(BaseModel):
    """A session's marks as they stand."""

    urn: str
    date: date
    session: Session
    revision: int
    marks: list[HeldMark]


async def handling(
    request: Request,
    prefer: Annotated[
        str | None,
        Header(description="`handling=strict`: take every mark or none.", max_length=200),
    ] = None,
) -> str | None:
    """Return the caller's wish, `strict` or `lenient`; None when there is none we know.

    The first `handling` counts, in however many headers, with quotation marks and parameters or
    without (RFC 7240, 2).
    """
    del prefer  # FastAPI gives the last of several headers: it is here to be documented
    for preference in parse_http_list(",".join(request.headers.getlist("prefer"))):
        name, _, value = preference.partition(";")[0].lower().partition("=")
        if name.strip() == "handling":
            wish = value.strip().strip('"')
            return wish if wish in {"strict", "lenient"} else None
    return None


Handling = Annotated[str | None, Depends(handling)]


@router.put(
    "/schools/{urn}/registers/{date}/{session}",
    status_code=202,
    summary="Send one register",
    response_model=Receipt,
    responses=documented(TooLarge, UnsupportedMediaType),
    openapi_extra=body_of(RegisterIn, EXAMPLE),
    dependencies=[Depends(json_only)],
)
async def put_register(
    urn: Urn,
    day: Day,
    session: Session,
    request: Request,
    caller: WritesRegisters,
    wish: Handling,
) -> Response:
    """Take a school's (or a group's) marks for one session.

    A 202 means that the marks are on disk. Sending the same register again is safe. Pupils left out
    keep the mark they had. Marks that cannot be taken are listed in `rejected`; the others are
    taken, unless `Prefer: handling=strict` asks for all or nothing. A body that gives a key twice
    is refused. A register on a weekend, or for which the school's calendar has no session, is taken
    with a warning.
    """
    caller.must_speak_for(urn)
    check_day(day)
    marks = sort_out(day, session, read_register(await request.body()))
    if wish == "strict" and marks.rejected:
        detail = f"{len(marks.rejected)} mark(s) cannot be taken, so nothing was stored."
        raise NotAllGood(detail, rejected=rejected_of(marks))
    register = Register(Key(urn, day, session), marks, caller.subject)
    answer = await request.app.state.committer.submit(register)
    return answered(answer, {"Preference-Applied": f"handling={wish}"} if wish else {})


@router.get(
    "/schools/{urn}/registers/{date}/{session}",
    summary="Read a register as it stands",
    responses=documented(NotFound),
)
async def get_register(
    urn: Urn, day: Day, session: Session, request: Request, caller: ReadsRegisters
) -> HeldRegister:
    """Return the marks that are held for one session, whichever group's register they came in."""
    caller.must_speak_for(urn)
    async with request.app.state.database.reading() as db:
        held = await store.held(db, Key(urn, day, session))
    if not held.revision:
        raise NotFound("No register is held for this school, day and session.")
    marks: list[Any] = [
        HeldMark(
            upn=upn,
            code=code_text(code),
            minutes_late=held.minutes.get(upn),
            comment=held.comments.get(upn),
            group=held.groups.get(upn),
        )
        for upn, code in held.codes.items()
    ]
    return HeldRegister(urn=urn, date=day, session=session, revision=held.revision, marks=marks)
