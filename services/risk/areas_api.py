"""Risk's calls on what a school is counted under: its authority, its trust, its phase."""

from fastapi import APIRouter, Depends, Request

from libs.common.identifiers import Urn
from libs.common.problems import NotFound, TooLarge, UnsupportedMediaType, documented
from libs.common.service import json_only
from services.risk import areas
from services.risk.areas import School
from services.risk.callers import AttendanceReader, SchoolWriter

router = APIRouter(prefix="/v1/schools", tags=["schools"])


@router.put(
    "/{urn}",
    summary="Say what a school is counted under",
    dependencies=[Depends(json_only)],
    responses=documented(TooLarge, UnsupportedMediaType),
)
async def put_school(request: Request, _: SchoolWriter, urn: Urn, school: School) -> School:
    """Set the school's authority, phase and trust; they decide where its attendance is counted."""
    async with request.app.state.database.transaction() as db:
        await areas.save_school(db, urn, school)
    return school


@router.get("/{urn}", summary="What a school is counted under", responses=documented(NotFound))
async def get_school(request: Request, caller: AttendanceReader, urn: Urn) -> School:
    """Return what was last said of the school."""
    caller.must_read(urn)
    async with request.app.state.database.reading() as db:
        school = await areas.school_of(db, urn)
    if school is None:
        raise NotFound("Nobody has said what this school is counted under.")
    return school
