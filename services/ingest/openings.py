"""Which sessions a school's calendar plans: a register for another one is taken with a warning."""

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.school_day import Session, academic_year_of
from services.ingest.store import Key
from services.ingest.tables import StoredCalendar

KEPT_S = 60.0
"""How long a calendar that another process may have changed is relied upon: only for a warning."""
KEPT_MAX = 10_000
Year = tuple[str, int]
"""A school and the calendar year in which an academic year begins."""
_TABLE = StoredCalendar
_QUERY = select(_TABLE.urn, _TABLE.academic_year, _TABLE.terms, _TABLE.closed)


class Opening(NamedTuple):
    """A school's calendar for an academic year; its days as ISO dates."""

    terms: tuple[tuple[str, str], ...]
    closed: frozenset[tuple[str, str | None]]
    """With the session, or None for the whole day."""


def warning_of(key: Key, opening: Opening | None) -> str | None:
    """Say what is odd about a register's session; None when its calendar plans it, or may."""
    weekend = f"{key.day} is a {key.day:%A}" if key.day.weekday() >= 5 else None
    if opening is None:
        return weekend and f"{weekend}: without a calendar for its year it counts as a school day"
    fault = weekend or _closed(str(key.day), key.session, opening)
    kept = "its marks are kept, and count once a calendar plans that session"
    return fault and f"{fault}: {kept}"


def _closed(day: str, session: Session, opening: Opening) -> str | None:
    if not any(starts_on <= day <= ends_on for starts_on, ends_on in opening.terms):
        return f"{day} is in no term of the school's calendar"
    if opening.closed & {(day, None), (day, session.value)}:
        return f"the school's calendar has it closed on {day}, {session.value}"
    return None


class Openings:
    """The calendars of the schools whose registers come in, read again after a while."""

    def __init__(self) -> None:
        self._kept: dict[Year, tuple[float, Opening | None]] = {}

    async def of(self, db: AsyncConnection, keys: Iterable[Key]) -> Mapping[Key, Opening | None]:
        """Return the calendar of each register's school and year; None where there is none."""
        years = {key: (key.urn, academic_year_of(key.day)) for key in keys}
        now = time.monotonic()
        known = {year: self._kept[year] for year in years.values() if year in self._kept}
        openings = {year: opening for year, (until, opening) in known.items() if until > now}
        missing = {*years.values()} - openings.keys()
        if missing:
            found = await _read(db, missing)
            openings |= {year: found.get(year) for year in missing}
            if len(self._kept) > KEPT_MAX:
                self._kept.clear()
            self._kept.update({year: (now + KEPT_S, openings[year]) for year in missing})
        return {key: openings[year] for key, year in years.items()}

    def forget(self, urn: str) -> None:
        """Read a school's calendars again: one has come."""
        for year in [year for year in self._kept if year[0] == urn]:
            del self._kept[year]


async def _read(db: AsyncConnection, years: Iterable[Year]) -> dict[Year, Opening]:
    place = tuple_(_TABLE.urn, _TABLE.academic_year)
    rows = await db.execute(_QUERY.where(place.in_(sorted(years)), _TABLE.revision > 0))
    return {
        (row.urn, row.academic_year): Opening(
            terms=tuple((term["starts_on"], term["ends_on"]) for term in row.terms),
            closed=frozenset((one["date"], one.get("session")) for one in row.closed),
        )
        for row in rows
    }
