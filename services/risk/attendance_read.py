"""Use cases: attendance of schools and of a pupil, read in one transaction, and what is beside."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from services.risk import attendance_store, published_store
from services.risk.attendance import PUPILS_MIN, Attendance, summary
from services.risk.attendance_counts import tally
from services.risk.attendance_picture import National, Picture, Seen, picture
from services.risk.attendance_store import Ages, Wanted
from services.risk.published_lines import PHASES, Phase, Published, published


async def read_attendance(
    db: AsyncConnection,
    schools: Sequence[tuple[str, Wanted]],
    *,
    one_pupil: bool = False,
    pupils_min: int = 0,
) -> Attendance:
    """Add up what is wanted of each school (URN); see `summary`."""
    tallies = []
    for urn, wanted in schools:
        marks = await attendance_store.read_marks(db, urn, wanted)
        # In a thread: an authority's counting must not hold up the other calls.
        tallies.append(await asyncio.to_thread(tally, marks))
    return summary(tallies, one_pupil=one_pupil, pupils_min=pupils_min)


async def read_published(
    db: AsyncConnection, span: tuple[date, date], la: str | None, phases: Sequence[Phase] = PHASES
) -> list[Published]:
    """Return the Department's figures for England, and for this authority and its neighbours."""
    year = await published_store.year_published(db, span[1], la)
    weeks = await published_store.weeks_published(db, *span, la)
    return published(year, weeks, la, phases)


async def read_picture(
    db: AsyncConnection,
    upn: str,
    span: tuple[date, date],
    schools: Mapping[str, bool],
    phase: Phase,
) -> Picture:
    """Return the data for a pupil's picture.

    Args:
        schools: of each school (URN), whether the caller speaks for it.
    """
    wanted = Wanted(*span, Ages.all)
    seen = [
        Seen(
            urn,
            await attendance_store.read_marks(db, urn, wanted._replace(upn=upn)),
            await attendance_store.read_marks(db, urn, wanted),
            0 if own else PUPILS_MIN,
        )
        for urn, own in schools.items()
    ]
    lines = await read_published(db, span, None, (phase,))
    line = lines[0] if lines else None
    national = National(
        line.national.absence_rate if line and line.national else None,
        {week.starts_on: week.national for week in line.weeks} if line else {},
    )
    bells = await attendance_store.bells_of_pupil(db, upn, list(schools))
    return picture(seen, national, bells)
