"""Risk's queries. Nothing here commits."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.database import in_parts, upsert
from libs.common.events import Bell, CalendarSet, Closure, Involvement, Term
from libs.common.retention import erase_where
from libs.common.school_day import (
    Session,
    academic_year_of,
    day_of,
    ordinal_of,
    session_of,
    utc_now,
)
from services.risk.book import Book
from services.risk.enrolment import Enrolment
from services.risk.fold import BroughtSessions, Rule
from services.risk.tables import (
    StoredBell,
    StoredBook,
    StoredCalendar,
    StoredColumn,
    StoredInvolvements,
    StoredPupil,
)


async def lock_book(db: AsyncConnection, urn: str) -> int:
    """Lock a school's book for the rest of the transaction; return its version, 0 for a new one."""
    await upsert_missing_book(db, urn)
    query = select(StoredBook.version).where(StoredBook.urn == urn).with_for_update()
    return int((await db.execute(query)).scalar_one())


async def upsert_missing_book(db: AsyncConnection, urn: str) -> None:
    """Make the row of a school that has none."""
    if await db.scalar(select(StoredBook.version).where(StoredBook.urn == urn)) is None:
        await db.execute(insert(StoredBook).values(urn=urn, version=0))


async def version_of(db: AsyncConnection, urn: str) -> int:
    """Return the version of a school's book, 0 when there is none."""
    return await db.scalar(select(StoredBook.version).where(StoredBook.urn == urn)) or 0


async def set_version(db: AsyncConnection, urn: str, version: int) -> None:
    """Say that a book has changed."""
    await db.execute(update(StoredBook).where(StoredBook.urn == urn).values(version=version))


async def read_book(db: AsyncConnection, urn: str, rules: Sequence[Rule]) -> Book:
    """Build a school's book from its stored columns."""
    book = Book(urn, rules, version=await version_of(db, urn))
    table = StoredPupil
    pupils = await db.execute(
        select(table.__table__).where(table.urn == urn).order_by(table.position)
    )
    for pupil in pupils:
        sessions = (pupil.brought_year, pupil.brought_possible, pupil.brought_missed)
        brought = None if pupil.brought_year is None else BroughtSessions(*sessions)
        book.enrol(pupil.upn, Enrolment(pupil.entered_on, pupil.left_on, pupil.cohort, brought))
    columns = await db.execute(
        select(StoredColumn.ordinal, StoredColumn.codes).where(StoredColumn.urn == urn)
    )
    # From a bytearray: as kernels take them, columns are writable.
    book.columns.update(
        (row.ordinal, np.frombuffer(bytearray(row.codes), np.uint8)) for row in columns
    )
    for calendar in await calendars_of(db, urn):
        book.open_as(calendar)
    for upn, involvements in (await involvements_by_upn(db, book.upns)).items():
        book.involve(upn, involvements)
    return book


async def schools_with_books(db: AsyncConnection) -> list[str]:
    """Return the URNs of the schools that have a book."""
    return list(await db.scalars(select(StoredBook.urn).order_by(StoredBook.urn)))


def pupil_row(urn: str, upn: str, position: int, enrolment: Enrolment) -> dict[str, Any]:
    """Return the row of `StoredPupil` of a pupil whose home authority is not known."""
    year, possible, missed = enrolment.brought or (None, None, None)
    return {
        "urn": urn,
        "upn": upn,
        "position": position,
        "entered_on": enrolment.entered_on,
        "left_on": enrolment.left_on,
        "home_la": None,
        "cohort": enrolment.cohort,
        "brought_year": year,
        "brought_possible": possible,
        "brought_missed": missed,
    }


async def calendars_of(db: AsyncConnection, urn: str) -> list[CalendarSet]:
    """Return a school's calendars, one for each academic year that has one."""
    table = StoredCalendar
    rows = await db.execute(
        select(table.academic_year, table.terms, table.closed).where(table.urn == urn)
    )
    return [
        CalendarSet(
            occurred_at=utc_now(),
            urn=urn,
            academic_year=row.academic_year,
            revision=0,
            terms=msgspec.convert(row.terms, list[Term]),
            closed=msgspec.convert(row.closed, list[Closure]),
        )
        for row in rows
    ]


async def schools_expected(db: AsyncConnection, ordinal: int) -> tuple[int, list[str]]:
    """Return how many schools' registers for a session are expected, and whose have not come.

    Expected are those whose calendar has the session and of which some register has ever come.
    """
    year = academic_year_of(day_of(ordinal))
    has = select(StoredColumn.ordinal).where(StoredColumn.urn == StoredCalendar.urn)
    query = select(
        StoredCalendar.urn,
        StoredCalendar.terms,
        StoredCalendar.closed,
        has.where(StoredColumn.ordinal == ordinal).exists().label("came"),
    ).where(StoredCalendar.academic_year == year, has.exists())
    expected, silent = 0, []
    for row in await db.execute(query.order_by(StoredCalendar.urn)):
        if is_open(row.terms, row.closed, ordinal):
            expected += 1
            if not row.came:
                silent.append(row.urn)
    return expected, silent


def is_open(terms: list[dict[str, str]], closed: list[dict[str, str]], ordinal: int) -> bool:
    """Whether a stored calendar has this session."""
    day, session = day_of(ordinal), session_of(ordinal).value
    text = day.isoformat()
    if day.weekday() >= 5 or not any(t["starts_on"] <= text <= t["ends_on"] for t in terms):
        return False
    return not any(c["date"] == text and c.get("session") in {None, session} for c in closed)


async def save_calendar(db: AsyncConnection, calendar: CalendarSet) -> None:
    """Keep a school's calendar for an academic year."""
    row = {
        "urn": calendar.urn,
        "academic_year": calendar.academic_year,
        "terms": msgspec.to_builtins(calendar.terms),
        "closed": msgspec.to_builtins(calendar.closed),
    }
    await upsert(db, StoredCalendar, [row])


async def involvements_by_upn(
    db: AsyncConnection, upns: Sequence[str]
) -> dict[str, list[Involvement]]:
    """Return who works with each of these children, for those with whom anybody does."""
    table = StoredInvolvements
    found = {}
    for part in in_parts(upns):
        rows = await db.execute(select(table.upn, table.involvements).where(table.upn.in_(part)))
        for row in rows:
            found[row.upn] = msgspec.convert(row.involvements, list[Involvement])
    return found


async def save_involvements(
    db: AsyncConnection, upn: str, involvements: Sequence[Involvement]
) -> None:
    """Keep who works with a child."""
    row = {"upn": upn, "involvements": msgspec.to_builtins(involvements)}
    await upsert(db, StoredInvolvements, [row])


async def schools_of(db: AsyncConnection, upn: str) -> list[str]:
    """Return the URNs of the schools in whose books a pupil is."""
    query = select(StoredPupil.urn).where(StoredPupil.upn == upn).order_by(StoredPupil.urn)
    return list(await db.scalars(query))


async def schools_in(db: AsyncConnection, la: str) -> dict[str, set[str]]:
    """Return the pupils of an authority by school: those whose home it is.

    A pupil whose roll names no home authority counts where the UPN was issued, its digits 2 to 4.
    """
    table = StoredPupil
    area = func.coalesce(table.home_la, func.substr(table.upn, 2, 3))
    by_school: dict[str, set[str]] = {}
    for row in await db.execute(select(table.urn, table.upn).where(area == la)):
        by_school.setdefault(row.urn, set()).add(row.upn)
    return by_school


async def save_columns(db: AsyncConnection, book: Book, ordinals: Iterable[int]) -> None:
    """Keep these sessions of a book."""
    await upsert(
        db,
        StoredColumn,
        [
            {"urn": book.urn, "ordinal": o, "codes": book.columns[o].tobytes()}
            for o in sorted(set(ordinals))
        ],
    )


async def save_pupils(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep pupils' positions and what the roll says of them."""
    await upsert(db, StoredPupil, rows)


async def save_bells(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep bells as they stand."""
    await upsert(db, StoredBell, rows)


async def bells_of(db: AsyncConnection, urn: str) -> list[dict[str, Any]]:
    """Return every bell of a school, as rows."""
    rows = await db.execute(select(StoredBell.__table__).where(StoredBell.urn == urn))
    return [dict(row._mapping) for row in rows]


def bell_of(row: dict[str, Any]) -> Bell:
    """Return a stored bell in the form that is published."""
    fields = {name: row[name] for name in Bell.__struct_fields__}
    return Bell(**fields)


async def erase_before(db: AsyncConnection, urn: str, oldest: date) -> dict[str, int]:
    """Erase a school's bells and sessions from before a day, and who had left by then.

    A pupil who left keeps a place in the columns, without a name: `-` and the place's number.
    """
    column, bell, pupil = StoredColumn, StoredBell, StoredPupil
    ended = (column.urn == urn, column.ordinal < ordinal_of(oldest, Session.am))
    left = (pupil.urn == urn, pupil.left_on < oldest, ~pupil.upn.startswith("-"))
    positions = list(await db.scalars(select(pupil.position).where(*left)))
    for position in positions:
        bare = {"upn": f"-{position:012d}", "home_la": None, "cohort": None, "entered_on": None}
        brought = {"brought_year": None, "brought_possible": None, "brought_missed": None}
        where = (pupil.urn == urn, pupil.position == position)
        await db.execute(update(pupil).where(*where).values(**bare, **brought))
    return {
        "sessions": await erase_where(db, column, *ended),
        "bells": await erase_where(db, bell, bell.urn == urn, bell.raised_on < oldest),
        "pupils": len(positions),
    }
