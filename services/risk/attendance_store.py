"""Queries of attendance: a school's stored columns as one array. Nothing here commits."""

from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.codes import NO_MARK, Codes
from libs.common.school_day import Session, ordinal_of
from services.risk import store
from services.risk.attendance_counts import Marks
from services.risk.book import Book
from services.risk.tables import StoredBell, StoredColumn, StoredPupil

EPOCH = date(1970, 1, 1).toordinal()
"""NumPy counts days from here."""


class Ages(StrEnum):
    """Which pupils count."""

    all = "all"
    compulsory = "compulsory"
    """Aged 5 to 15 at the academic year's start, as in the official statistics: Years 1 to 11."""


class Wanted(NamedTuple):
    """Which marks are read: from `first` to `last`, both included."""

    first: date
    last: date
    ages: Ages = Ages.all
    upn: str | None = None
    """This pupil's alone."""
    home_la: str | None = None
    """Those alone whose home this authority is."""


def home_la() -> ColumnElement[str]:
    """Return a pupil's authority: that of the home, else the one that issued the UPN."""
    return func.coalesce(StoredPupil.home_la, func.substr(StoredPupil.upn, 2, 3))


async def read_marks(db: AsyncConnection, urn: str, wanted: Wanted) -> Marks:
    """Return a school's marks from its stored columns, without who was not on the roll."""
    pupils = await _pupils(db, urn, wanted)
    table = StoredColumn
    since = ordinal_of(wanted.first, Session.am)
    rows = await db.execute(
        select(table.ordinal, table.codes)
        .where(table.urn == urn, table.ordinal.between(since, ordinal_of(wanted.last, Session.pm)))
        .order_by(table.ordinal)
    )
    stored = {row.ordinal: row.codes for row in rows}
    positions = np.array([row.position for row in pupils], np.int64)
    if not stored or not len(positions):
        return Marks(np.zeros(0, np.int64), np.zeros((0, len(positions)), np.uint8))
    # A column is as long as the book was when it was written.
    width = max(int(positions.max()) + 1, *map(len, stored.values()))
    joined = b"".join(codes.ljust(width, b"\0") for codes in stored.values())
    codes = np.frombuffer(joined, np.uint8).reshape(-1, width)[:, positions]
    ordinals = np.fromiter(stored, np.int64, len(stored))
    counts = await _school_sessions(db, urn, ordinals)
    return Marks(ordinals[counts], _enrolled(ordinals, codes, pupils, wanted.ages)[counts])


async def bells_of_pupil(db: AsyncConnection, upn: str, urns: list[str]) -> list[Row[Any]]:
    """Return a pupil's bells at these schools, oldest first."""
    table = StoredBell
    query = select(table.__table__).where(table.upn == upn, table.urn.in_(urns))
    return list(await db.execute(query.order_by(table.raised_on, table.id)))


async def _pupils(db: AsyncConnection, urn: str, wanted: Wanted) -> list[Row[Any]]:
    table = StoredPupil
    query = select(table.position, table.entered_on, table.left_on, table.cohort).where(
        table.urn == urn
    )
    if wanted.upn is not None:
        query = query.where(table.upn == wanted.upn)
    if wanted.home_la is not None:
        query = query.where(home_la() == wanted.home_la)
    return list(await db.execute(query.order_by(table.position)))


async def _school_sessions(
    db: AsyncConnection, urn: str, ordinals: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say which of these are sessions of the school: with a calendar, those that it has."""
    book = Book(urn, (), columns=dict.fromkeys(ordinals.tolist(), np.zeros(0, np.uint8)))
    for calendar in await store.calendars_of(db, urn):
        book.open_as(calendar)
    return np.isin(ordinals, book.sessions().ordinals)


def _enrolled(
    ordinals: NDArray[np.int64], codes: Codes, pupils: list[Row[Any]], ages: Ages
) -> Codes:
    """Return the codes, shape (S, P), without marks of pupils who do not count on the day."""
    days = (ordinals // 2)[:, None]
    counts = (_days([p.entered_on for p in pupils], date.min) <= days) & (
        days <= _days([p.left_on for p in pupils], date.max)
    )
    if ages is Ages.compulsory:
        cohorts = np.array([p.cohort for p in pupils], np.float64)
        months = (days - EPOCH).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        years = (months - 7) // 12 + 1970  # a month's academic year begins with August
        groups = years - cohorts - 5
        counts &= np.isnan(cohorts) | ((groups >= 1) & (groups <= 11))
    return np.where(counts, codes, np.uint8(NO_MARK))


def _days(days: list[date | None], unknown: date) -> NDArray[np.int64]:
    """Return proleptic day numbers, shape (P,)."""
    found = np.array(days, "datetime64[D]")
    return np.where(np.isnat(found), unknown.toordinal(), found.astype(np.int64) + EPOCH)
