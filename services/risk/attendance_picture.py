"""Pure: a pupil's attendance as data for a picture: days, weeks, lines beside, bells upon."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal, NamedTuple
from uuid import UUID

import numpy as np
from pydantic import BaseModel, Field

from libs.common.codes import ABSENT, BY_NUMBER, NO_MARK, POSSIBLE
from libs.common.school_day import Session, academic_year_of, day_of, session_of
from services.risk.attendance_counts import Counts, Marks, mondays_of

Rate = float | None
Class = Literal["attended", "late", "authorised", "unauthorised", "not_counted"]


class MarkOut(BaseModel):
    """One session's mark."""

    code: str = Field(description="The attendance code, as the register has it.")
    counts_as: Class = Field(description="U, arriving too late, counts as unauthorised.")


class DayOut(BaseModel):
    """A school day at one school; null where there is no mark."""

    date: date
    urn: str
    am: MarkOut | None
    pm: MarkOut | None


class WeekOut(BaseModel):
    """Rates of absence, from 0 to 1, in one week; null without a possible session."""

    starts_on: date = Field(description="Its Monday.")
    absence_rate: Rate = Field(description="The pupil's, over all the schools shown.")
    absence_rate_to_date: Rate = Field(
        description="The pupil's since the academic year began, or since `from` if that is later."
    )
    school_rate: Rate = Field(
        description="Of all pupils, in the sessions for which this one has a mark; null too where "
        "it would rest on too few pupils."
    )
    national_rate: Rate = Field(
        description="The Department's for the week, else for the year to date; null: none loaded."
    )


class BellMark(BaseModel):
    """A bell, to be drawn where it rang."""

    id: UUID
    urn: str
    kind: str
    severity: Literal["notice", "warning", "urgent"]
    status: Literal["ringing", "cleared", "withdrawn"]
    raised_on: date
    seen_from: date | None = Field(description="Day of the first session of its evidence.")
    seen_to: date | None = Field(description="Day of the last session of its evidence.")
    explanation: str
    grounds: list[str] = Field(description="Kinds of the rules that joined in it; its own first.")
    sessions: list[dict[str, str]] = Field(
        description="The sessions of its evidence, with the codes as they were when it last "
        "changed: a code that differs from the day's has been corrected since."
    )


class Picture(BaseModel):
    """All that a picture of a pupil's attendance shows."""

    persistent_from: float = Field(0.1, description="The rate at which absence is persistent.")
    severe_from: float = Field(0.5, description="The rate at which absence is severe.")
    national_rate: Rate = Field(description="The Department's for the academic year to date.")
    days: list[DayOut]
    weeks: list[WeekOut]
    bells: list[BellMark]


class Seen(NamedTuple):
    """What is seen of one school."""

    urn: str
    own: Marks
    """The pupil's, codes of shape (S, 1)."""
    school: Marks
    """Of all pupils, over the same S sessions."""
    pupils_min: int
    """The school's rate is null where it rests on fewer pupils."""


class National(NamedTuple):
    """The Department's line."""

    year: Rate
    by_week: Mapping[date, Rate]


def picture(schools: Sequence[Seen], national: National, bells: Iterable[Any]) -> Picture:
    """Return the data for a pupil's picture.

    Args:
        bells: rows of `StoredBell`.
    """
    days = sorted(
        (day for seen in schools for day in _days(seen)), key=lambda day: (day.date, day.urn)
    )
    return Picture(
        national_rate=national.year,
        days=days,
        weeks=_weeks(schools, national),
        bells=[_bell(row) for row in bells],
    )


def _days(seen: Seen) -> Iterator[DayOut]:
    marks: dict[date, dict[str, MarkOut]] = {}
    for ordinal, number in zip(
        seen.own.ordinals.tolist(), seen.own.codes[:, 0].tolist(), strict=True
    ):
        if number != NO_MARK:
            marks.setdefault(day_of(ordinal), {})[session_of(ordinal)] = _mark(number)
    for day, halves in marks.items():
        am, pm = halves.get(Session.am), halves.get(Session.pm)
        yield DayOut(date=day, urn=seen.urn, am=am, pm=pm)


def _mark(number: int) -> MarkOut:
    code = BY_NUMBER[number]
    counts_as: Class = "late" if code.late else "attended"
    if not code.possible:
        counts_as = "not_counted"
    elif code.absent:
        counts_as = "authorised" if code.authorised else "unauthorised"
    return MarkOut(code=code.text, counts_as=counts_as)


def _weeks(schools: Sequence[Seen], national: National) -> list[WeekOut]:
    weeks: dict[date, Counts] = {}
    for seen in schools:
        for monday, counts in _by_week(seen):
            weeks[monday] = weeks[monday] + counts if monday in weeks else counts
    drawn, year, so_far = [], 0, np.zeros(2, np.int64)
    for monday, counts in sorted(weeks.items()):
        if academic_year_of(monday) != year:
            year, so_far = academic_year_of(monday), np.zeros(2, np.int64)
        so_far = so_far + counts[:2]
        line = national.by_week.get(monday)
        drawn.append(
            WeekOut(
                starts_on=monday,
                absence_rate=_rate(counts[:2]),
                absence_rate_to_date=_rate(so_far),
                school_rate=_rate(counts[2:]),
                national_rate=national.year if line is None else line,
            )
        )
    return drawn


def _by_week(seen: Seen) -> Iterator[tuple[date, Counts]]:
    """Yield possible and missed sessions, the pupil's and then the school's, shape (4,)."""
    has = seen.own.codes[:, 0] != NO_MARK
    mondays = mondays_of(seen.own.ordinals)
    for monday in np.unique(mondays[has]).tolist():
        week = has & (mondays == monday)
        own, school = seen.own.codes[week], seen.school.codes[week]
        enough = np.count_nonzero(POSSIBLE[school].any(axis=0)) >= seen.pupils_min
        counts = [POSSIBLE[own].sum(), ABSENT[own].sum()]
        counts += [POSSIBLE[school].sum(), ABSENT[school].sum()] if enough else [0, 0]
        yield date.fromordinal(monday), np.array(counts, np.int64)


def _rate(counts: Counts) -> Rate:
    possible, missed = counts.tolist()
    return round(missed / possible, 4) if possible else None


def _bell(row: Any) -> BellMark:
    days = [date.fromisoformat(one["date"]) for one in row.evidence.get("sessions", ())]
    return BellMark(
        id=row.id,
        urn=row.urn,
        kind=row.kind,
        severity=row.severity,
        status=row.status,
        raised_on=row.raised_on,
        seen_from=min(days, default=None),
        seen_to=max(days, default=None),
        explanation=row.explanation,
        grounds=row.evidence.get("grounds", [row.kind]),
        sessions=row.evidence.get("sessions", []),
    )
