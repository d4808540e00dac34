"""Risk's calls on attendance: of a school, a pupil, a trust, an authority; a pupil's picture."""

from datetime import date
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from libs.common import tenants
from libs.common.auth import Caller
from libs.common.database import Database
from libs.common.identifiers import Upn, Urn
from libs.common.problems import Forbidden, NotFound, documented
from libs.common.school_day import Day, academic_year_of, london_day, utc_now
from services.risk import areas, store
from services.risk.areas import TRUST, School
from services.risk.attendance import PUPILS_MIN, Attendance
from services.risk.attendance_picture import Picture
from services.risk.attendance_read import read_attendance, read_picture, read_published
from services.risk.attendance_store import Ages, Wanted
from services.risk.callers import AttendanceReader, PictureReader
from services.risk.published_lines import PHASES, Phase

router = APIRouter(prefix="/v1", tags=["attendance"])
La = Annotated[str, Path(pattern=r"^[0-9]{3}$", description="Local authority code.")]
TrustId = Annotated[str, Path(pattern=TRUST, description="The trust's id.")]


class Dates(NamedTuple):
    """The days asked for, both included."""

    first: date
    last: date


async def _dates(
    since: Annotated[
        Day | None, Query(alias="from", description="First day; 1 August if left out.")
    ] = None,
    to: Annotated[Day | None, Query(description="Last day; today if left out.")] = None,
) -> Dates:
    last = to or london_day(utc_now())
    return Dates(since or date(academic_year_of(last), 8, 1), last)


async def _wanted(
    dates: Annotated[Dates, Depends(_dates)],
    ages: Annotated[
        Ages,
        Query(
            description="`compulsory`: as in the official statistics, pupils aged 5 to 15 at the "
            "academic year's start alone, and those whose birth no roll tells."
        ),
    ] = Ages.all,
) -> Wanted:
    return Wanted(*dates, ages)


Span = Annotated[Dates, Depends(_dates)]
Marks = Annotated[Wanted, Depends(_wanted)]


class CountedBy(BaseModel):
    """How many schools count for an authority, and how."""

    school: int = Field(description="Schools of the authority, which count with all their pupils.")
    residence: int = Field(
        description="Schools whose authority is not known, which count with the pupils who live "
        "in this one: by the roll, else by who issued the UPN."
    )


class AreaAttendance(Attendance):
    """An authority's attendance. Official statistics go by the school's authority."""

    counted_by: CountedBy


@router.get("/schools/{urn}/attendance", summary="A school's attendance", responses=documented())
async def get_school_attendance(
    request: Request, caller: AttendanceReader, urn: Urn, wanted: Marks
) -> Attendance:
    """Sessions possible and missed in the academic year so far, or between two days."""
    caller.must_read(urn)
    async with request.app.state.database.reading() as db:
        known = await areas.school_of(db, urn)
        pupils_min = _pupils_min(caller, urn)
        figures = await read_attendance(db, [(urn, wanted)], pupils_min=pupils_min)
        la = known.la if known else None
        lines = await read_published(db, wanted[:2], la, (_phase(known),))
    return figures.model_copy(update={"published": lines})


@router.get("/pupils/{upn}/attendance", summary="A pupil's attendance", responses=documented())
async def get_pupil_attendance(
    request: Request, caller: AttendanceReader, upn: Upn, dates: Span
) -> Attendance:
    """The pupil's sessions at the schools that the token may read, added up."""
    async with request.app.state.database.reading() as db:
        urns = [urn for urn in await store.schools_of(db, upn) if caller.may_read(urn)]
        wanted = Wanted(*dates, upn=upn)
        return await read_attendance(db, [(urn, wanted) for urn in urns], one_pupil=True)


@router.get(
    "/pupils/{upn}/attendance/picture",
    summary="A pupil's attendance, to be drawn",
    responses=documented(NotFound),
)
async def get_pupil_picture(
    request: Request, caller: PictureReader, upn: Upn, dates: Span
) -> Picture:
    """Days, weeks, the school's and the national rate, and the bells, at schools one may see."""
    async with request.app.state.database.reading() as db:
        urns = [urn for urn in await store.schools_of(db, upn) if caller.may_read(urn)]
        if not urns:
            raise NotFound("No school's book that the token may read has this pupil.")
        latest = await areas.school_of(db, urns[-1])
        schools = {urn: caller.speaks_for(urn) for urn in urns}
        return await read_picture(db, upn, dates, schools, _phase(latest))


@router.get(
    "/trusts/{trust}/attendance", summary="A trust's attendance", responses=documented(NotFound)
)
async def get_trust_attendance(
    request: Request, caller: AttendanceReader, trust: TrustId, wanted: Marks
) -> Attendance:
    """The trust's schools together: for whoever may read all of them."""
    async with request.app.state.database.reading() as db:
        schools = await areas.schools_of_trust(db, trust)
        if not schools or not all(caller.may_read(school.urn) for school in schools):
            raise NotFound("There is no such trust all of whose schools the token may read.")
        pupils_min = max(_pupils_min(caller, school.urn) for school in schools)
        parts = [(school.urn, wanted) for school in schools]
        figures = await read_attendance(db, parts, pupils_min=pupils_min)
        las = {school.la for school in schools}
        lines = await read_published(db, wanted[:2], las.pop() if len(las) == 1 else None)
    return figures.model_copy(update={"published": lines})


@router.get("/areas/{la}/attendance", summary="An area's attendance", responses=documented())
async def get_area_attendance(
    request: Request, caller: AttendanceReader, la: La, wanted: Marks
) -> AreaAttendance:
    """Pupils of the authority's schools; `counted_by` says whose authority is not known."""
    if not caller.has_area(la):
        raise Forbidden(f"The token needs the scope `area`, and {la} in its claim `las`.")
    # Pupils who live in the authority count at schools that the caller may not read one by one.
    with tenants.everything():
        return await _of_area(request.app.state.database, la, wanted, caller)


async def _of_area(database: Database, la: str, wanted: Wanted, caller: Caller) -> AreaAttendance:
    async with database.reading() as db:
        area = await areas.area_of(db, la)
        pupils_min = 0 if caller.is_admin else PUPILS_MIN
        figures = await read_attendance(db, area.wanted(wanted, la), pupils_min=pupils_min)
        lines = await read_published(db, wanted[:2], la)
    counted = CountedBy(school=len(area.by_school), residence=len(area.by_residence))
    return AreaAttendance(**(dict(figures) | {"published": lines, "counted_by": counted}))


def _pupils_min(caller: Caller, urn: str) -> int:
    return 0 if caller.speaks_for(urn) else PUPILS_MIN


def _phase(school: School | None) -> Phase:
    return next((phase for phase in PHASES if school and phase == school.phase), "total")
