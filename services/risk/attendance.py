"""Pure: sessions possible, attended and missed, and the rates that the Department publishes.

Source: DfE, Pupil absence statistics: methodology. Overall absence is sessions missed over possible
sessions; persistent is 10 % or more of a pupil's own possible sessions, severe 50 % or more.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from libs.common.codes import ABSENT, AUTHORISED, LATE, POSSIBLE, UNAUTHORISED
from libs.common.school_day import day_of
from services.risk.book import Book

Counts = NDArray[np.int64]
"""Possible, attended, authorised, unauthorised, late; shape (5, …)."""

_TABLES = (POSSIBLE, POSSIBLE & ~ABSENT, AUTHORISED, UNAUTHORISED, LATE)


class Week(BaseModel):
    """Sessions in one week."""

    starts_on: date = Field(description="Its Monday.")
    sessions_possible: int
    attended: int
    authorised: int
    unauthorised: int
    late: int
    absence_rate: float | None = Field(description="Missed over possible; null without any.")


class Attendance(BaseModel):
    """Sessions possible and missed, of one pupil or of many."""

    pupils: int = Field(description="Pupils with at least one possible session.")
    sessions_possible: int
    attended: int
    authorised: int
    unauthorised: int
    late: int = Field(description="Attended late (L), and absent by arriving too late (U).")
    absence_rate: float | None = Field(description="Missed over possible; null without any.")
    persistent: int = Field(description="Pupils who missed 10 % or more of their own sessions.")
    severe: int = Field(description="Pupils who missed 50 % or more of their own sessions.")
    weeks: list[Week]


def summary(
    books: Iterable[Book], upns: Mapping[str, set[str]] | None, first: date, last: date
) -> Attendance:
    """Add up these schools' marks from `first` to `last`, both included.

    Args:
        upns: of each school (URN), only these pupils; None: all.
    """
    pupils: dict[str, Counts] = {}
    weeks: dict[date, Counts] = {}
    for book in books:
        only = None if upns is None else upns.get(book.urn, set())
        marks, days = _marks(book, first, last)
        counts = np.stack([table[marks] for table in _TABLES]).astype(np.int64)
        for position, upn in enumerate(book.upns):
            if only is None or upn in only:
                own = counts[:, :, position]
                pupils[upn] = pupils.get(upn, 0) + own.sum(axis=1)
        chosen = [n for n, upn in enumerate(book.upns) if only is None or upn in only]
        for n, day in enumerate(days):
            monday = day - timedelta(days=day.weekday())
            weeks[monday] = weeks.get(monday, 0) + counts[:, n, chosen].sum(axis=1)
    return _attendance(pupils, weeks)


def _marks(book: Book, first: date, last: date) -> tuple[NDArray[np.uint8], list[date]]:
    ordinals = [o for o in book.sessions().ordinals.tolist() if first <= day_of(o) <= last]
    marks = np.zeros((len(ordinals), len(book.upns)), np.uint8)
    for n, ordinal in enumerate(ordinals):
        marks[n] = book.enrolled_codes(ordinal)
    return marks, [day_of(o) for o in ordinals]


def _attendance(pupils: Mapping[str, Counts], weeks: Mapping[date, Counts]) -> Attendance:
    every = np.array([own for own in pupils.values() if own[0]], np.int64).reshape(-1, 5)
    possible, missed = every[:, 0], every[:, 2] + every[:, 3]
    return Attendance(
        pupils=len(every),
        **_named(every.sum(axis=0)),
        persistent=int((missed * 10 >= possible).sum()),
        severe=int((missed * 2 >= possible).sum()),
        weeks=[
            Week(starts_on=monday, **_named(counts))
            for monday, counts in sorted(weeks.items())
            if counts[0]
        ],
    )


def _named(counts: Counts) -> dict[str, float | None]:
    possible, attended, authorised, unauthorised, late = (int(n) for n in counts)
    return {
        "sessions_possible": possible,
        "attended": attended,
        "authorised": authorised,
        "unauthorised": unauthorised,
        "late": late,
        "absence_rate": round((authorised + unauthorised) / possible, 4) if possible else None,
    }
