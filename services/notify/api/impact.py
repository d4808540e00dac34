"""Impact: what was done about alerts, how soon, what came of it, and did it help."""

import asyncio
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller
from libs.common.identifiers import Urn
from libs.common.problems import Forbidden, NotFound, documented
from libs.common.school_day import Day, academic_year_of, london_day
from services.notify import impact_store
from services.notify.api.access import ImpactReader
from services.notify.api.parts import Id, wrong
from services.notify.impact import Impact, impact
from services.notify.impact_files import as_csv, as_page

router = APIRouter(prefix="/impact", tags=["impact"])
LONGEST = timedelta(days=366)
La = Annotated[str, Path(pattern=r"^[0-9]{3}$", description="Local authority code.")]
PAGE_MAY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page has nothing from elsewhere and runs nothing."""


class Form(StrEnum):
    """What the figures come as."""

    json = "json"
    csv = "csv"
    html = "html"


class Asked(NamedTuple):
    """The days, both included, and the form."""

    first: date
    last: date
    form: Form


async def _asked(
    request: Request,
    since: Annotated[
        Day | None, Query(alias="from", description="First day; 1 August if left out.")
    ] = None,
    to: Annotated[Day | None, Query(description="Last day; today if left out.")] = None,
    form: Annotated[
        Form, Query(alias="format", description="`html` is a page to print, with plots.")
    ] = Form.json,
) -> Asked:
    last = to or london_day(request.app.state.notifier.now())
    first = since or date(academic_year_of(last), 8, 1)
    if not first <= last <= first + LONGEST:
        raise wrong(["query", "from"], "not after `to`, and no more than a year before it")
    return Asked(first, last, form)


Wanted = Annotated[Asked, Depends(_asked)]
ANSWERS = documented(NotFound) | {
    200: {
        "model": Impact,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "text/html": {"schema": {"type": "string"}},
        },
    }
}


@router.get("/schools/{urn}", summary="Impact at a school", responses=ANSWERS)
async def get_school(request: Request, caller: ImpactReader, urn: Urn, asked: Wanted) -> Response:
    """Count the alerts about a school's pupils, whoever received them. For who speaks for it."""
    caller.must_speak_for(urn)
    return await _answer(request, asked, ("school", urn), impact_store.at_schools([urn]))


@router.get("/agencies/{id}", summary="Impact of an agency", responses=ANSWERS)
async def get_agency(request: Request, caller: ImpactReader, id: Id, asked: Wanted) -> Response:
    """Count the alerts of an agency's practitioners. For the agency's own tokens."""
    if not (caller.is_admin or caller.agency == id):
        raise Forbidden("An agency's figures are for the agency's own token.")
    return await _answer(request, asked, ("agency", id), impact_store.of_agency(id))


@router.get("/areas/{la}", summary="Impact in an authority", responses=ANSWERS)
async def get_area(request: Request, caller: ImpactReader, la: La, asked: Wanted) -> Response:
    """Count the alerts about pupils of the schools that the directory has under an authority.

    These are the `urns` of agencies with this `la`. For tokens whose claim `las` names it.
    """
    if not _has_area(caller, la):
        raise Forbidden(f"The token needs {la} in its claim `las`.")
    async with request.app.state.database.reading() as db:
        urns = await impact_store.schools_in(db, la)
    if not urns:
        raise NotFound("The directory has no school under this authority.")
    return await _answer(request, asked, ("area", la), impact_store.at_schools(urns))


def _has_area(caller: Caller, la: str) -> bool:
    return caller.is_admin or la in caller.las


async def _answer(
    request: Request,
    asked: Asked,
    about: tuple[Literal["school", "agency", "area"], str],
    where: ColumnElement[bool],
) -> Response:
    async with request.app.state.database.reading() as db:
        found = await _count(db, asked, about, where)
    if asked.form is Form.csv:
        return Response(as_csv(found), media_type="text/csv")
    if asked.form is Form.html:
        headers = {"content-security-policy": PAGE_MAY}
        return Response(as_page(found), headers=headers, media_type="text/html")
    return Response(found.model_dump_json(), media_type="application/json")


async def _count(
    db: AsyncConnection,
    asked: Asked,
    about: tuple[Literal["school", "agency", "area"], str],
    where: ColumnElement[bool],
) -> Impact:
    span = (asked.first, asked.last)
    cases = await impact_store.cases_of(db, span, where)
    # In a thread: an authority's year must not hold up the other calls.
    return await asyncio.to_thread(impact, *about, span, cases)
