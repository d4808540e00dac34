"""Send and read a school's roll and calendar."""

from typing import Any

from fastapi import APIRouter, Depends, Request

from libs.common.identifiers import Urn
from libs.common.problems import (
    NotFound,
    TooLarge,
    UnsupportedMediaType,
    documented,
)
from libs.common.school_day import academic_year_label
from libs.common.service import Cursor, Limit, Page, after, cursor_of, json_only
from services.ingest import roll_store
from services.ingest.api.forms import (
    CALENDAR,
    PUPIL,
    AcademicYear,
    CalendarIn,
    CalendarReceipt,
    RollIn,
    RollReceipt,
    check_year,
)
from services.ingest.api.parts import (
    ReadsCalendar,
    ReadsRoll,
    WritesCalendar,
    WritesRoll,
    model_body,
    parsed,
)
from services.ingest.roll import set_calendar, set_roll

router = APIRouter(tags=["roll and calendar"])
TAKES_JSON = documented(TooLarge, UnsupportedMediaType)


@router.put(
    "/schools/{urn}/roll",
    status_code=202,
    summary="Send the roll",
    dependencies=[Depends(json_only)],
    responses=TAKES_JSON,
    openapi_extra=model_body(RollIn, {"pupils": [PUPIL]}),
)
async def put_roll(request: Request, caller: WritesRoll, urn: Urn) -> RollReceipt:
    """Make these pupils the school's roll. The same roll again changes nothing."""
    caller.must_speak_for(urn)
    roll = parsed(RollIn, await request.body())
    async with request.app.state.database.transaction() as db:
        receipt = await set_roll(db, urn, roll.pupils, caller.subject)
    request.app.state.relay.wake()
    return RollReceipt.model_validate(receipt)


@router.get("/schools/{urn}/roll", summary="Read the roll", responses=documented())
async def get_roll(
    request: Request,
    caller: ReadsRoll,
    urn: Urn,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[dict[str, Any]]:
    """Return the pupils on the roll, in order of UPN."""
    caller.must_speak_for(urn)
    (last,) = after(cursor, tuple[str]) or ("",)
    last = last.replace("\0", "")
    async with request.app.state.database.reading() as db:
        pupils = await roll_store.pupils_after(db, urn, last, limit + 1)
    more = cursor_of(pupils[limit - 1]["upn"]) if pupils[limit:] else None
    return Page(items=pupils[:limit], next=more)


@router.put(
    "/schools/{urn}/calendar/{academic_year}",
    status_code=202,
    summary="Send the calendar",
    dependencies=[Depends(json_only)],
    responses=TAKES_JSON,
    openapi_extra=model_body(CalendarIn, CALENDAR),
)
async def put_calendar(
    request: Request,
    caller: WritesCalendar,
    urn: Urn,
    academic_year: AcademicYear,
) -> CalendarReceipt:
    """Say when the school is open in an academic year. Without one, days with registers count."""
    caller.must_speak_for(urn)
    calendar = parsed(CalendarIn, await request.body())
    check_year(calendar, int(academic_year))
    body = calendar.model_dump(mode="json")
    async with request.app.state.database.transaction() as db:
        receipt = await set_calendar(db, urn, int(academic_year), body, caller.subject)
    request.app.state.committer.forget_calendar(urn)
    request.app.state.relay.wake()
    return CalendarReceipt.model_validate(receipt)


@router.get(
    "/schools/{urn}/calendar/{academic_year}",
    summary="Read the calendar",
    responses=documented(NotFound),
)
async def get_calendar(
    request: Request, caller: ReadsCalendar, urn: Urn, academic_year: AcademicYear
) -> CalendarIn:
    """Return the school's calendar for an academic year."""
    caller.must_speak_for(urn)
    async with request.app.state.database.reading() as db:
        held = await roll_store.calendar_of(db, urn, int(academic_year))
    if held is None:
        label = academic_year_label(int(academic_year))
        raise NotFound(f"No calendar has come for {label}: the days with registers count.")
    return CalendarIn.model_validate(held[1])
